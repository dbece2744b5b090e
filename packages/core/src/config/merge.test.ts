import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryDriver } from '../testing/index.ts'
import { diffConfig } from './compare.ts'
import { createConfigSchema } from './config-schema.ts'
import type { BackendDriver, ConfigDocument } from './driver.ts'
import type { JsonObject } from './json.ts'
import { mergeConfig } from './merge.ts'
import { Secret } from './secret.ts'

const memory = memoryDriver()
/** A second backend, which shares the field `name` with the first. */
const other: BackendDriver = {
  ...memoryDriver(),
  type: 'other',
  aliases: ['Other', 'other-kind'],
  exclusive: [],
  variants: [],
  secrets: [],
  fieldAliases: new Map(),
  shape: { name: memory.shape['name'] as never, colour: memory.shape['name'] as never },
  secretBinding: () => '',
}
const schema = createConfigSchema([memory, other])

function merge(
  payload: unknown,
  current?: ConfigDocument,
  options: { mode?: 'merge' | 'replace' | 'mend'; known?: Record<string, ConfigDocument> } = {},
) {
  return mergeConfig(payload, {
    schema,
    mode: options.mode ?? 'merge',
    current,
    knownStore: (driver, identity) => options.known?.[`${driver.type}:${identity}`],
  })
}

const first = merge({
  backend_type: 'memory',
  name: 'a',
  endpoint: 'memory://one',
  token: 'tok',
  cache_ttl_seconds: 900,
  default_key_id: 'master',
}).config

/** What a document holds, secrets in the clear. */
function reveal(value: unknown): unknown {
  if (value instanceof Secret) return value.reveal()
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, reveal(member)]))
}

const bad = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })

describe('a first document', () => {
  it('gets the defaults of the contract', () => {
    expect(reveal(merge({ backend_type: 'memory', name: 'a' }).config)).toEqual({
      backend_type: 'memory',
      name: 'a',
      timeout_seconds: 30,
      retry_attempts: 3,
      enable_cache: true,
      max_cached_keys: 1000,
      cache_ttl_seconds: 300,
      allow_offline_decryption: false,
    })
  })

  it.each([
    ['Memory', 'memory'],
    ['other-kind', 'other'],
  ])('takes the spelling %s', (spelling, type) => {
    const fields = type === 'other' ? { colour: 'red' } : {}
    expect(merge({ backend_type: spelling, name: 'a', ...fields }).config.backend_type).toBe(type)
  })

  it('takes other spellings of fields and variants', () => {
    const { config } = merge({
      backend_type: 'memory',
      store_name: 'a',
      auth: { Password: { user: 'u', secret: 's' } },
    })
    expect(reveal(config)).toMatchObject({ name: 'a', auth: { password: { user: 'u', secret: 's' } } })
  })

  it('takes every spelling of a default key and keeps its name', () => {
    for (const spelling of ['k', 'alias/k', 'arn:aws:kms:::key/k']) {
      expect(merge({ backend_type: 'memory', name: 'a', default_key_id: spelling }).config.default_key_id).toBe('k')
    }
  })
})

describe('what is refused, and changes nothing', () => {
  const base = { backend_type: 'memory', name: 'a' }
  it.each<[string, unknown, RegExp]>([
    ['not an object', [1], /^body: /],
    ['null', null, /^body: /],
    ['no backend_type', { name: 'a' }, /^backend_type: is required: memory or other/],
    ['an unknown backend', { ...base, backend_type: 'vualt' }, /^backend_type: must be/],
    ['a backend_type of another type', { ...base, backend_type: 7 }, /^backend_type: /],
    [
      'an unknown field, with the nearest one',
      { ...base, cache_ttl_second: 1 },
      /^cache_ttl_second: .*"cache_ttl_seconds"/,
    ],
    ['an unknown field that resembles nothing', { ...base, zzzzzzzzzz: 1 }, /^zzzzzzzzzz: is not a known field$/],
    ['a field of the prototype', JSON.parse('{"backend_type":"memory","name":"a","__proto__":{}}'), /^__proto__: /],
    ['a field of another backend', { ...base, colour: 'red' }, /^colour: is not a field of the memory backend/],
    ['one field under two spellings', { ...base, store_name: 'b' }, /^name: stands there twice/],
    ['a missing required field', { backend_type: 'memory' }, /^name: is required/],
    ['a number in quotes', { ...base, timeout_seconds: '30' }, /^timeout_seconds: /],
    ['a fraction', { ...base, timeout_seconds: 1.5 }, /^timeout_seconds: /],
    ['a boolean in quotes', { ...base, enable_cache: 'true' }, /^enable_cache: /],
    ['timeout_seconds 0', { ...base, timeout_seconds: 0 }, /^timeout_seconds: /],
    ['timeout_seconds 301', { ...base, timeout_seconds: 301 }, /^timeout_seconds: /],
    ['retry_attempts -1', { ...base, retry_attempts: -1 }, /^retry_attempts: /],
    ['retry_attempts 11', { ...base, retry_attempts: 11 }, /^retry_attempts: /],
    ['max_cached_keys 0', { ...base, max_cached_keys: 0 }, /^max_cached_keys: /],
    ['max_cached_keys 1000001', { ...base, max_cached_keys: 1_000_001 }, /^max_cached_keys: /],
    ['cache_ttl_seconds 0', { ...base, cache_ttl_seconds: 0 }, /^cache_ttl_seconds: /],
    ['cache_ttl_seconds 86401', { ...base, cache_ttl_seconds: 86_401 }, /^cache_ttl_seconds: /],
    ['a default key that is no name', { ...base, default_key_id: '../a' }, /^default_key_id: /],
    ['a blank secret with none stored', { ...base, token: '' }, /^token: is blank and no secret is stored/],
    ['a secret of white space with none stored', { ...base, token: ' \t' }, /^token: is blank and no secret is stored/],
    [
      'a redacted secret with none stored',
      { ...base, auth: { password: { user: 'u', secret: '***' } } },
      /^auth\.password\.secret: /,
    ],
    [
      'two of an exclusive group',
      { ...base, endpoint: 'memory://x', token: 't', token_file: '/t' },
      /^token_file: excludes token/,
    ],
    [
      'two of an exclusive group, deep inside',
      { ...base, auth: { password: { user: 'u', secret: 's', secret_file: '/s' } } },
      /^auth\.password\.secret_file: excludes auth\.password\.secret/,
    ],
    [
      'one of an exclusive group beside a secret to be kept',
      { ...base, endpoint: 'memory://x', token: '***', token_file: '/t' },
      /^token_file: excludes token/,
    ],
    [
      'an unknown field inside',
      { ...base, auth: { certificate: { subject: 'x', more: 1 } } },
      /^auth\.certificate\.more: is not a known/,
    ],
    ['a wrong type inside', { ...base, auth: { certificate: { subject: 1 } } }, /^auth\.certificate\.subject: /],
    ['what the driver checks', { ...base, token_file: '/t' }, /^token_file: needs an endpoint/],
  ])('%s', (_, payload, message) => {
    expect(() => merge(payload)).toThrow(bad('ValidationError', message))
  })

  it('never quotes a value, which may be a secret', () => {
    expect(() => merge({ ...base, token: ['s3cret'] })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('s3cret') }),
    )
    expect(() => merge({ ...base, timeout_seconds: 's3cret' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('s3cret') }),
    )
  })
})

describe('a patch (RFC 7396)', () => {
  it('changes what it names and keeps the rest', () => {
    const { config, suppliesSecret } = merge({ enable_cache: false, timeout_seconds: 20 }, first)
    expect(reveal(config)).toEqual({ ...(reveal(first) as object), enable_cache: false, timeout_seconds: 20 })
    expect(suppliesSecret).toBe(false)
  })

  it('puts a field that is null back to its default, or away', () => {
    const { config } = merge({ cache_ttl_seconds: null, default_key_id: null }, first)
    expect(config.cache_ttl_seconds).toBe(300)
    expect(config.default_key_id).toBeUndefined()
  })

  it('is a no-op when it is empty, or repeats what is stored', () => {
    for (const patch of [{}, { name: 'a', cache_ttl_seconds: 900 }, { backend_type: 'Memory', token: '***' }]) {
      const { config, suppliesSecret } = merge(patch, first)
      expect(diffConfig(first, config)).toEqual([])
      expect(suppliesSecret).toBe(false)
    }
  })

  it('takes what GET /kms/config shows and changes nothing', () => {
    const shown = JSON.parse(JSON.stringify(first)) as JsonObject
    expect(shown['token']).toBe('***')
    expect(diffConfig(first, merge(shown, first).config)).toEqual([])
  })
})

describe('rule 1: variants and secrets', () => {
  const stored = merge({ auth: { password: { user: 'u', secret: 's' } } }, first).config

  it('replaces the whole when another variant is named', () => {
    const { config } = merge({ auth: { certificate: { subject: 'x' } } }, stored)
    expect(reveal(config['auth'])).toEqual({ certificate: { subject: 'x' } })
  })

  it.each([{ user: 'v' }, { user: 'v', secret: '' }, { user: 'v', secret: ' ' }, { user: 'v', secret: '***' }])(
    'keeps the stored secret for %j',
    (password) => {
      const merged = merge({ auth: { password } }, stored)
      expect(reveal(merged.config['auth'])).toEqual({ password: { user: 'v', secret: 's' } })
      expect(merged.suppliesSecret).toBe(false)
    },
  )

  it('takes a new secret and says so, even when it is the stored one', () => {
    expect(merge({ auth: { password: { secret: 's' } } }, stored).suppliesSecret).toBe(true)
    expect(reveal(merge({ auth: { password: { secret: 'n' } } }, stored).config['auth'])).toEqual({
      password: { user: 'u', secret: 'n' },
    })
  })
})

describe('rule 2: exclusive groups', () => {
  it('clears the others when one is supplied', () => {
    const { config } = merge({ token_file: '/t' }, first)
    expect(config['token']).toBeUndefined()
    expect(config['token_file']).toBe('/t')
    expect(reveal(merge({ token: 'new' }, config).config)).toMatchObject({ token: 'new' })
    expect(merge({ token: 'new' }, config).config['token_file']).toBeUndefined()
  })

  it('clears the others inside a variant', () => {
    const stored = merge({ auth: { password: { user: 'u', secret: 's' } } }, first).config
    const file = merge({ auth: { password: { secret_file: '/s' } } }, stored).config
    expect(reveal(file['auth'])).toEqual({ password: { user: 'u', secret_file: '/s' } })
    expect(reveal(merge({ auth: { password: { secret: 'n' } } }, file).config['auth'])).toEqual({
      password: { user: 'u', secret: 'n' },
    })
  })

  it('clears nothing for a member that is null', () => {
    expect(reveal(merge({ token_file: null }, first).config)).toMatchObject({ token: 'tok' })
  })
})

describe('rule 3: another backend or another place', () => {
  it('carries common fields over and nothing of the previous backend', () => {
    const { config } = merge({ backend_type: 'other', name: 'x', colour: 'red' }, first)
    expect(config).toMatchObject({ backend_type: 'other', name: 'x', cache_ttl_seconds: 900, default_key_id: 'master' })
    expect(config['token']).toBeUndefined()
    expect(config['endpoint']).toBeUndefined()
  })

  it('demands the fields of the new backend although the old one has some of the same name', () => {
    expect(() => merge({ backend_type: 'other', colour: 'red' }, first)).toThrow(
      bad('ValidationError', /^name: is required/),
    )
  })

  it('never sends a stored secret to another place', () => {
    const { config } = merge({ name: 'b' }, first)
    expect(config['token']).toBeUndefined()
    expect(() => merge({ name: 'b', token: '***' }, first)).toThrow(bad('ValidationError', /^token: is blank/))
  })

  it('takes fields and secrets from the store known at that place', () => {
    const known = {
      'memory:b': merge({ backend_type: 'memory', name: 'b', endpoint: 'memory://b', token: 'tok-b' }).config,
    }
    expect(reveal(merge({ name: 'b' }, first, { known }).config)).toMatchObject({
      name: 'b',
      endpoint: 'memory://b',
      token: 'tok-b',
      cache_ttl_seconds: 900,
    })
  })
})

describe('rule 4: secrets stay with their connection', () => {
  it('asks for the secret again when the connection changes', () => {
    expect(() => merge({ endpoint: 'memory://two' }, first)).toThrow(bad('SecretRequired', /^token: /))
    expect(() => merge({ endpoint: 'memory://two', token: '***' }, first)).toThrow(bad('SecretRequired', /^token: /))
    expect(reveal(merge({ endpoint: 'memory://two', token: 'new' }, first).config)).toMatchObject({ token: 'new' })
  })

  it('holds for the secrets of a known store too', () => {
    const known = {
      'memory:b': merge({ backend_type: 'memory', name: 'b', endpoint: 'memory://b', token: 'tok-b' }).config,
    }
    expect(() => merge({ name: 'b', endpoint: 'memory://elsewhere' }, first, { known })).toThrow(
      bad('SecretRequired', /^token: /),
    )
  })
})

describe('replace (configure)', () => {
  it('drops what it omits', () => {
    const { config } = merge({ backend_type: 'memory', name: 'a' }, first, { mode: 'replace' })
    expect(config.cache_ttl_seconds).toBe(300)
    expect(config['token']).toBeUndefined()
  })

  it('needs backend_type, and keeps secrets it shows as ***', () => {
    const shown = JSON.parse(JSON.stringify(first)) as JsonObject
    expect(diffConfig(first, merge(shown, first, { mode: 'replace' }).config)).toEqual([])
    expect(() => merge({ name: 'a' }, first, { mode: 'replace' })).toThrow(
      bad('ValidationError', /^backend_type: is required/),
    )
    expect(() => merge({ ...shown, endpoint: 'memory://two' }, first, { mode: 'replace' })).toThrow(
      bad('SecretRequired', /^token: /),
    )
  })
})

describe('mend (a retired store)', () => {
  it('carries everything over to another place, but no secret to another connection', () => {
    const { config } = merge({ name: 'moved', timeout_seconds: 5 }, first, { mode: 'mend' })
    expect(reveal(config)).toEqual({ ...(reveal(first) as object), name: 'moved', timeout_seconds: 5 })
    expect(() => merge({ endpoint: 'memory://two' }, first, { mode: 'mend' })).toThrow(
      bad('SecretRequired', /^token: /),
    )
  })

  it.each<[Record<string, unknown>, RegExp]>([
    [{ default_key_id: 'k' }, /^default_key_id: is not part of the connection/],
    [{ enable_cache: true }, /^enable_cache: is not part of the connection/],
    [{ allow_offline_decryption: true }, /^allow_offline_decryption: is not part/],
    [{ backend_type: 'other', name: 'a' }, /^backend_type: the store is one of the memory backend/],
    [{ colour: 'red' }, /^colour: is not a field of the memory backend/],
  ])('refuses %j', (patch, message) => {
    expect(() => merge(patch, first, { mode: 'mend' })).toThrow(bad('ValidationError', message))
  })

  it('takes the backend_type the store has', () => {
    expect(diffConfig(first, merge({ backend_type: 'Memory' }, first, { mode: 'mend' }).config)).toEqual([])
  })
})

describe('any patch', () => {
  const secret = fc.constantFrom<unknown>('', ' ', '***', 'new', null, 7)
  const anyAuth = fc.oneof(
    fc
      .record(
        { user: fc.constantFrom('u', 'v'), secret, secret_file: fc.constantFrom('/s', null) },
        { requiredKeys: [] },
      )
      .map((password) => ({ password })),
    fc.constant({ certificate: { subject: 'x' } }),
    fc.constant({ Password: { secret: '***' } }),
    fc.constant(null),
  )
  const anyPatch = fc.record(
    {
      backend_type: fc.constantFrom('memory', 'Memory', 'other'),
      name: fc.constantFrom<unknown>('a', 'b', 'c', null, ''),
      endpoint: fc.constantFrom('memory://one', 'memory://two', null),
      token: secret,
      token_file: fc.constantFrom('/t', null),
      auth: anyAuth,
      colour: fc.constant('red'),
      timeout_seconds: fc.integer({ min: -1, max: 302 }),
    },
    { requiredKeys: [] },
  )
  const known = {
    'memory:b': merge({ backend_type: 'memory', name: 'b', endpoint: 'memory://b', token: 'tok-b' }).config,
  }
  const stored = [first, merge({ auth: { password: { user: 'u', secret: 'deep' } } }, first).config]
  /** Where each stored secret may appear: at its own place, under its own connection. */
  const homes: Readonly<Record<string, readonly [string, string]>> = {
    tok: ['a', 'memory://one'],
    deep: ['a', 'memory://one'],
    'tok-b': ['b', 'memory://b'],
  }

  it('is refused with a reason, or gives a valid document in which every stored secret is where it belongs', () => {
    fc.assert(
      fc.property(
        anyPatch,
        fc.constantFrom(...stored),
        fc.constantFrom('merge' as const, 'replace' as const),
        (patch, current, mode) => {
          let merged: ReturnType<typeof merge>
          try {
            merged = merge(patch, current, { mode, known })
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^(?:ValidationError|SecretRequired)$/) })
            return
          }
          const { config, suppliesSecret } = merged
          expect(diffConfig(config, schema.parse(config))).toEqual([])
          const text = JSON.stringify(reveal(config))
          for (const [value, [name, endpoint]] of Object.entries(homes)) {
            if (text.includes(`"${value}"`)) expect(config).toMatchObject({ name, endpoint })
          }
          expect(text).not.toContain('***')
          expect(suppliesSecret).toBe(JSON.stringify(patch).includes('"new"'))
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('diffConfig', () => {
  it('names each changed field and shows no secret', () => {
    const after = merge({ token: 'new', timeout_seconds: 20, default_key_id: null }, first).config
    expect(diffConfig(first, after)).toEqual([
      { path: 'default_key_id', from: 'master' },
      { path: 'timeout_seconds', from: 30, to: 20 },
      { path: 'token', from: '***', to: '***' },
    ])
  })
})
