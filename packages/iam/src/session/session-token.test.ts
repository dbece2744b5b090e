import { createDecipheriv, createSecretKey, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { CompactEncrypt, compactDecrypt } from 'jose'
import { describe, expect, it } from 'vitest'
import { parsePolicy } from '../policy/parse-policy.ts'
import { bindsSession, createSessionId, isSessionId, sessionAccessKeyId, sessionSecret } from './session-keys.ts'
import { openSessionToken, type SessionClaims, sealSessionToken } from './session-token.ts'

interface Vectors {
  readonly good: readonly {
    readonly name: string
    readonly key: string
    readonly random: string
    readonly parent: { readonly name: string; readonly secretAccessKey: string }
    readonly claims: { readonly jti: string; readonly iat: number; readonly exp: number; readonly policy?: string }
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly token: string
  }[]
  readonly bad: readonly { readonly name: string; readonly key: string; readonly token: string }[]
}
const path = new URL('../../vectors/sessions.json', import.meta.url)
const vectors = JSON.parse(readFileSync(path, 'utf8')) as Vectors
const keyOf = ({ key }: { readonly key: string }) => createSecretKey(Buffer.from(key, 'hex'))

describe.each(vectors.good)('the golden session $name', (vector) => {
  const key = keyOf(vector)
  const { jti } = vector.claims

  it('opens', async () => {
    const { iat, exp, policy } = vector.claims
    expect(await openSessionToken(key, vector.token)).toEqual({
      jti,
      parent: vector.parent.name,
      issuedAt: Math.round(iat * 1000),
      expiresAt: Math.round(exp * 1000),
      policy: policy === undefined ? undefined : parsePolicy(policy),
    })
  })

  it('has its id, access key and secret', () => {
    expect(createSessionId(key, vector.parent, Buffer.from(vector.random, 'hex'))).toBe(jti)
    expect(sessionAccessKeyId(key, jti)).toBe(vector.accessKeyId)
    expect(sessionSecret(key, jti)).toBe(vector.secretAccessKey)
    expect(isSessionId(jti)).toBe(true)
  })

  it('is bound to its parent and its secret', () => {
    const { name, secretAccessKey } = vector.parent
    expect(bindsSession(key, jti, vector.parent)).toBe(true)
    expect(bindsSession(key, jti, { name, secretAccessKey: `${secretAccessKey}x` })).toBe(false)
    expect(bindsSession(key, jti, { name: `${name}x`, secretAccessKey })).toBe(false)
    expect(
      bindsSession(key, jti, { name: `${name}${secretAccessKey[0]}`, secretAccessKey: secretAccessKey.slice(1) }),
    ).toBe(false)
    expect(bindsSession(createSecretKey(randomBytes(32)), jti, vector.parent)).toBe(false)
  })
})

it.each(vectors.bad)('a token does not open with $name', async (vector) => {
  expect(await openSessionToken(keyOf(vector), vector.token)).toBeUndefined()
})

const first = vectors.good[0] ?? expect.fail()
const key = keyOf(first)

describe('a token does not open', () => {
  const parts = first.token.split('.')
  const replaced = (index: number, part: string) => parts.with(index, part).join('.')

  it.each([
    ['empty', ''],
    ['with a part too few', parts.slice(0, 4).join('.')],
    ['with a part too many', `${first.token}.`],
    ['with an encrypted key', replaced(1, 'AAAA')],
    ['with a shorter tag', replaced(4, parts[4]?.slice(0, 20) ?? '')],
    ['without content', replaced(3, '')],
    ['with a line break after it', `${first.token}\n`],
    ['with a blank before it', ` ${first.token}`],
    ['in padded base64', `${first.token}==`],
    [
      'in another spelling of its tag',
      `${first.token.slice(0, -1)}${String.fromCharCode(first.token.charCodeAt(first.token.length - 1) + 1)}`,
    ],
    ['longer than any we make', replaced(3, 'A'.repeat(9000))],
  ])('%s', async (_name, token) => {
    expect(token).not.toBe(first.token)
    expect(await openSessionToken(key, token)).toBeUndefined()
  })

  it('with any of its characters changed', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.'
    const change = fc.tuple(fc.nat(first.token.length - 1), fc.nat(alphabet.length - 1))
    await fc.assert(
      fc.asyncProperty(change, async ([index, letter]) => {
        const character = alphabet.charAt(letter)
        fc.pre(first.token[index] !== character)
        const token = first.token.slice(0, index) + character + first.token.slice(index + 1)
        expect(await openSessionToken(key, token)).toBeUndefined()
      }),
    )
  })

  it('the spelling test changes only bits nothing reads', async () => {
    const tag = parts[4] ?? ''
    const other = `${first.token.slice(0, -1)}${String.fromCharCode(first.token.charCodeAt(first.token.length - 1) + 1)}`
    expect(Buffer.from(other.split('.')[4] ?? '', 'base64url')).toEqual(Buffer.from(tag, 'base64url'))
  })
})

describe('a sealed token', () => {
  const claims: SessionClaims = {
    jti: first.claims.jti,
    parent: 'r/o+o=t\\"',
    issuedAt: 1_767_323_045_678,
    expiresAt: 1_767_326_645_001,
    policy: parsePolicy({ Statement: { Effect: 'Allow', Action: 'kms:*', Resource: '*' } }),
  }

  it('opens to what was sealed, at every millisecond', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(4_000_000_000_000), fc.nat(43_200_000), async (issuedAt, duration) => {
        const sealed = { ...claims, issuedAt, expiresAt: issuedAt + duration }
        expect(await openSessionToken(key, await sealSessionToken(key, sealed))).toEqual(sealed)
      }),
      // 1.001 * 1000 is 1000.9999999999999.
      { examples: [[1001, 1100]] },
    )
  })

  it('is what RFC 7516 says, read by node:crypto alone', async () => {
    const token = await sealSessionToken(key, claims)
    const [header = '', wrapped, iv = '', content = '', tag = ''] = token.split('.')
    expect(Buffer.from(header, 'base64url').toString()).toBe('{"alg":"dir","enc":"A256GCM"}')
    expect(wrapped).toBe('')
    const cipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'))
    cipher.setAAD(Buffer.from(header)).setAuthTag(Buffer.from(tag, 'base64url'))
    const plain = Buffer.concat([cipher.update(Buffer.from(content, 'base64url')), cipher.final()]).toString()
    expect(plain).toBe(
      `{"jti":"${claims.jti}","parent":"r/o+o=t\\\\\\"","iat":1767323045.678,"exp":1767326645.001,` +
        `"policy":${JSON.stringify(claims.policy?.source)}}`,
    )
    expect(plain).not.toContain(sessionSecret(key, claims.jti))
  })

  it('of the largest policy still fits', async () => {
    const at = (length: number) => ({
      Id: '"\\'.repeat(length),
      Statement: { Effect: 'Deny', Action: '*', Resource: '*' },
    })
    const source = parsePolicy(at(491)).source
    expect(source.length).toBeGreaterThan(2020)
    expect(source.length).toBeLessThanOrEqual(2048)
    const largest = { ...claims, parent: '\\'.repeat(128), policy: parsePolicy(source) }
    expect(await openSessionToken(key, await sealSessionToken(key, largest))).toEqual(largest)
  })
})

it('the bad vectors are bad for their reason alone: the library opens them', async () => {
  const opened = await Promise.all(
    vectors.bad.map(async ({ token }) => {
      try {
        await compactDecrypt(token, key)
        return true
      } catch {
        return false
      }
    }),
  )
  const refused = vectors.bad.filter((_, index) => opened[index] === false).map(({ name }) => name)
  expect(refused).toEqual(['another key'])
})

it('another content encryption is not even tried', async () => {
  const weak = await new CompactEncrypt(Buffer.from('{}'))
    .setProtectedHeader({ alg: 'dir', enc: 'A128GCM' })
    .encrypt(createSecretKey(Buffer.from(first.key, 'hex').subarray(16)))
  expect(await openSessionToken(key, weak)).toBeUndefined()
})

describe('session keys', () => {
  it('a session id takes 16 random bytes and has one spelling', () => {
    expect(() => createSessionId(key, first.parent, randomBytes(15))).toThrow(TypeError)
    const jti = createSessionId(key, first.parent)
    expect(createSessionId(key, first.parent)).not.toBe(jti)
    for (const other of [`${jti}A`, jti.slice(1), `${jti}=`, '', `${jti.slice(1)}+`])
      expect(isSessionId(other)).toBe(false)
  })

  it('access key and secret have the form of AWS', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (random) => {
        const jti = createSessionId(key, first.parent, random)
        expect(sessionAccessKeyId(key, jti)).toMatch(/^ASIA[A-Z2-7]{16}$/)
        expect(sessionSecret(key, jti)).toMatch(/^[\w-]{43}$/)
      }),
    )
  })
})
