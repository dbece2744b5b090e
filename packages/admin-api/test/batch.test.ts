import { kmsError } from '@kms/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, createHarness, type Harness, root, type User } from './harness.ts'

let harness: Harness
beforeAll(async () => {
  harness = await createHarness()
  await harness.run()
  for (const name of ['team-a', 'team-b', 'off']) await post('/kms/keys', { name })
  await post('/kms/keys/disable', { key_id: 'off' })
})
afterAll(() => harness.close())

const post = (target: string, body?: unknown, as: User = root): Promise<Answer> =>
  harness.send('POST', target, { as, body })
const batch = (items: readonly unknown[], as: User = root): Promise<Answer> => post('/kms/batch', { items }, as)

type Result = Readonly<Record<string, unknown>>
const resultsOf = ({ json }: Answer): readonly Result[] => json['results'] as readonly Result[]
const codesOf = (answer: Answer): readonly unknown[] => resultsOf(answer).map((result) => result['code'] ?? 'ok')

const PLAINTEXT = 'c2VjcmV0'

describe('a batch', () => {
  it('answers in order, each item as its own route would', async () => {
    const answer = await batch([
      { operation: 'generate_data_key', encryption_context: { a: 'b' } },
      { operation: 'encrypt', key_id: 'team-a', plaintext: PLAINTEXT },
      { operation: 'generate_data_key', key_id: 'team-b', key_spec: 'AES_128' },
    ])
    expect(answer.status, answer.text).toBe(200)
    expect(Object.keys(answer.json)).toEqual(['success', 'message', 'results'])
    expect(answer.json).toMatchObject({ success: true, message: '3 of 3 operations done.' })
    expect(answer.text).not.toContain('\n')
    const [first, second, third] = resultsOf(answer)
    const generated = ['key_id', 'key_version', 'plaintext_key', 'ciphertext_blob']
    expect([first, second, third].map((result) => Object.keys(result ?? {}))).toEqual([
      generated,
      ['key_id', 'key_version', 'ciphertext_blob'],
      generated,
    ])
    expect([first, second, third].map((result) => result?.['key_id'])).toEqual(['main-key', 'team-a', 'team-b'])
    expect(Buffer.from(third?.['plaintext_key'] as string, 'base64')).toHaveLength(16)
    const opened = await batch([
      { operation: 'decrypt', ciphertext_blob: second?.['ciphertext_blob'], key_id: 'team-a' },
      { operation: 'decrypt', ciphertext_blob: first?.['ciphertext_blob'], encryption_context: { a: 'b' } },
    ])
    expect(resultsOf(opened)).toEqual([
      { key_id: 'team-a', key_version: 1, plaintext: PLAINTEXT },
      { key_id: 'main-key', key_version: 1, plaintext: first?.['plaintext_key'] },
    ])
  })

  it.each(['generate_data_key', 'GenerateDataKey', 'generate-data-key', 'generateDataKey'])(
    'takes %s',
    async (operation) => {
      expect(codesOf(await batch([{ operation }]))).toEqual(['ok'])
    },
  )

  it('keeps a context key called __proto__', async () => {
    const made = await post(
      '/kms/batch',
      '{"items":[{"operation":"encrypt","plaintext":"YQ==","encryption_context":{"__proto__":"a"}}]}',
    )
    const ciphertext_blob = resultsOf(made)[0]?.['ciphertext_blob']
    expect((await post('/kms/decrypt', { ciphertext_blob })).status).toBe(400)
    const context = '"encryption_context":{"__proto__":"a"}'
    const body = `{"items":[{"operation":"decrypt","ciphertext_blob":"${String(ciphertext_blob)}",${context}}]}`
    expect(codesOf(await post('/kms/batch', body))).toEqual(['ok'])
  })

  it('has 0 to 1000 items', async () => {
    expect((await batch([])).json).toMatchObject({ message: '0 of 0 operations done.', results: [] })
    const item = { operation: 'encrypt', plaintext: PLAINTEXT }
    const full = await batch(Array.from({ length: 1000 }, () => item))
    expect(full.json['message']).toBe('1000 of 1000 operations done.')
    const more = await batch(Array.from({ length: 1001 }, () => item))
    expect([more.status, more.json['code']]).toEqual([400, 'ValidationError'])
    expect(more.json['message']).toMatch(/^items: /)
  })

  it('may have 8 MiB: a thousand of the largest', async () => {
    const plaintext = Buffer.alloc(4096, 7).toString('base64')
    const made = await batch(Array.from({ length: 1000 }, () => ({ operation: 'encrypt', plaintext })))
    expect(made.json['message']).toBe('1000 of 1000 operations done.')
    const items = resultsOf(made).map(({ ciphertext_blob }) => ({ operation: 'decrypt', ciphertext_blob }))
    expect(JSON.stringify({ items }).length).toBeGreaterThan(5 * 1_048_576)
    const opened = await batch(items)
    expect(opened.json['message']).toBe('1000 of 1000 operations done.')
    expect(resultsOf(opened).every((result) => result['plaintext'] === plaintext)).toBe(true)
  })

  it('is 503 as a whole while nothing runs', async () => {
    await harness.manager.stop({ principal: 'test' })
    try {
      const answer = await batch([{ operation: 'generate_data_key' }])
      expect([answer.status, answer.json['code']]).toEqual([503, 'NotRunning'])
      const denied = await batch([{ operation: 'generate_data_key' }], harness.user('nobody'))
      expect([denied.status, denied.json['code']]).toEqual([403, 'AccessDenied'])
    } finally {
      await harness.manager.start({ force: false }, { principal: 'test' })
    }
  })
})

describe('an item that fails', () => {
  /** What is wrong with an item, and its error. */
  const rows: readonly (readonly [unknown, string, RegExp])[] = [
    [5, 'ValidationError', /^operation: /],
    [null, 'ValidationError', /^operation: /],
    [[], 'ValidationError', /^operation: /],
    [{}, 'ValidationError', /^operation: must be one of generate_data_key, encrypt, decrypt/],
    [{ operation: 'delete' }, 'ValidationError', /^operation: /],
    [{ operation: 'constructor' }, 'ValidationError', /^operation: /],
    [{ operation: 'encrypt' }, 'ValidationError', /^plaintext: is required/],
    [{ operation: 'encrypt', plaintext: '!' }, 'ValidationError', /^plaintext: /],
    [{ operation: 'encrypt', plaintext: '' }, 'ValidationError', /^plaintext: /],
    [{ operation: 'encrypt', plaintext: PLAINTEXT, nonsense: 1 }, 'ValidationError', /^nonsense: /],
    [{ operation: 'encrypt', plaintext: PLAINTEXT, key_id: 'nobody' }, 'KeyNotFound', /"nobody"/],
    [{ operation: 'encrypt', plaintext: PLAINTEXT, key_id: 'a b' }, 'ValidationError', /^key_id: /],
    [{ operation: 'encrypt', plaintext: PLAINTEXT, key_id: 'off' }, 'KeyDisabled', /"off"/],
    [
      { operation: 'encrypt', plaintext: PLAINTEXT, encryption_context: { a: 1 } },
      'ValidationError',
      /^encryption_context/,
    ],
    [{ operation: 'encrypt', plaintext: PLAINTEXT, encryption_context: { 'aws:x': 'y' } }, 'ValidationError', /aws:/],
    [{ operation: 'generate_data_key', key_spec: 'DES' }, 'ValidationError', /^key_spec: /],
    [{ operation: 'decrypt', ciphertext_blob: PLAINTEXT }, 'InvalidCiphertext', /./],
    [{ operation: 'decrypt' }, 'ValidationError', /^ciphertext_blob: is required/],
  ]

  it.each(rows)('%j says why', async (item, code, message) => {
    const answer = await batch([{ operation: 'generate_data_key' }, item, { operation: 'generate_data_key' }])
    expect(answer.status).toBe(200)
    expect(codesOf(answer)).toEqual(['ok', code, 'ok'])
    expect(resultsOf(answer)[1]).toEqual({ code, message: expect.stringMatching(message) })
  })

  it('leaves its place to itself among many', async () => {
    const answer = await batch(rows.flatMap(([item]) => [item, { operation: 'generate_data_key' }]))
    expect(codesOf(answer)).toEqual(rows.flatMap(([, code]) => [code, 'ok']))
    expect(answer.json['message']).toBe(`${rows.length} of ${2 * rows.length} operations done.`)
  })

  it('because the server fails is logged, and tells nothing', async () => {
    const secret = 'the wire is cut at 10.0.0.1'
    harness.log.length = 0
    const error = kmsError('BackendUnavailable', { store: 'main', reason: 'down' }, { cause: new Error(secret) })
    harness.driver.stores.get('main')?.faults.fail('wrap', error)
    try {
      const answer = await batch([{ operation: 'generate_data_key', key_id: 'team-a' }])
      expect(codesOf(answer)).toEqual(['BackendUnavailable'])
      expect(answer.text).not.toContain(secret)
      expect(harness.log.map(({ event }) => event)).toEqual(['failure', 'request'])
    } finally {
      harness.driver.stores.get('main')?.faults.recover()
    }
  })
})

describe('rights', () => {
  const blobs = new Map<string, unknown>()
  beforeAll(async () => {
    for (const key_id of ['team-a', 'team-b']) {
      blobs.set(key_id, (await post('/kms/encrypt', { key_id, plaintext: PLAINTEXT })).json['ciphertext_blob'])
    }
  })

  it('are those of each operation on each key', async () => {
    const user = harness.user(
      'mixed',
      { Effect: 'Allow', Action: ['kms:GenerateDataKey', 'kms:Encrypt'], Resource: 'arn:aws:kms:::key/team-a' },
      { Effect: 'Allow', Action: 'kms:Decrypt', Resource: 'arn:aws:kms:::key/team-b' },
    )
    const answer = await batch(
      ['team-a', 'team-b', 'nobody'].flatMap((key_id) => [
        { operation: 'generate_data_key', key_id },
        { operation: 'encrypt', key_id, plaintext: PLAINTEXT },
        { operation: 'decrypt', ciphertext_blob: blobs.get(key_id) ?? 'AA==' },
      ]),
      user,
    )
    const no = 'AccessDenied'
    expect(codesOf(answer)).toEqual(['ok', 'ok', no, no, no, 'ok', no, no, 'InvalidCiphertext'])
  })

  it('come before whatever else is wrong', async () => {
    const user = harness.user('only-a', {
      Effect: 'Allow',
      Action: ['kms:GenerateDataKey', 'kms:Encrypt', 'kms:Decrypt'],
      Resource: 'arn:aws:kms:::key/team-a',
    })
    const denied = await batch(
      [
        { operation: 'generate_data_key', key_id: 'team-b', key_spec: 'DES' },
        { operation: 'generate_data_key', key_spec: 'DES' },
        { operation: 'generate_data_key', key_id: 'off' },
        { operation: 'encrypt', key_id: 'team-b' },
        { operation: 'encrypt', key_id: 'nobody', plaintext: 5 },
        { operation: 'encrypt', key_id: 'team-b', plaintext: PLAINTEXT, encryption_context: 5 },
        { operation: 'decrypt', ciphertext_blob: blobs.get('team-b'), nonsense: 1 },
        { operation: 'decrypt', ciphertext_blob: blobs.get('team-a'), key_id: 'team-b' },
      ],
      user,
    )
    expect(new Set(codesOf(denied))).toEqual(new Set(['AccessDenied']))
    const told = await batch(
      [
        { operation: 'generate_data_key', key_id: 'team-a', key_spec: 'DES' },
        { operation: 'encrypt', key_id: 'team-a', plaintext: '!' },
        { operation: 'decrypt', ciphertext_blob: blobs.get('team-a'), nonsense: 1 },
        { operation: 'sign' },
      ],
      user,
    )
    expect(new Set(codesOf(told))).toEqual(new Set(['ValidationError']))
  })

  it('may depend on the encryption context of each item', async () => {
    const user = harness.user('tenant', {
      Effect: 'Allow',
      Action: 'kms:GenerateDataKey',
      Resource: '*',
      Condition: { StringEquals: { 'kms:EncryptionContext:tenant': 'a' } },
    })
    const contexts = [{ tenant: 'a' }, { tenant: 'b' }, undefined, { tenant: 'a', other: 'x' }, { tenant: 'a' }]
    const items = contexts.map((encryption_context) => ({ operation: 'generate_data_key', encryption_context }))
    expect(codesOf(await batch(items, user))).toEqual(['ok', 'AccessDenied', 'AccessDenied', 'ok', 'ok'])
  })

  it.each(['kms:GenerateDataKey', 'kms:Encrypt', 'kms:Decrypt'])(
    '%s alone lets in, and to its operation',
    async (Action) => {
      const user = harness.user(`only-${Action}`, { Effect: 'Allow', Action, Resource: '*' })
      const answer = await batch(
        [
          { operation: 'generate_data_key' },
          { operation: 'encrypt', plaintext: PLAINTEXT },
          { operation: 'decrypt', ciphertext_blob: blobs.get('team-a') },
        ],
        user,
      )
      expect(answer.status).toBe(200)
      expect(codesOf(answer).filter((code) => code === 'ok')).toHaveLength(1)
    },
  )

  it('are missing altogether: 403, also for what cannot be read', async () => {
    const user = harness.user('lister', { Effect: 'Allow', Action: 'kms:ListKeys', Resource: '*' })
    for (const body of [{ items: [] }, { items: 5 }, '{"items":', { nonsense: 1 }]) {
      const answer = await post('/kms/batch', body, user)
      expect([answer.status, answer.json['code']]).toEqual([403, 'AccessDenied'])
    }
  })

  it('to many keys that are not there cost one look each', async () => {
    const user = harness.user('other', { Effect: 'Allow', Action: 'kms:Encrypt', Resource: 'arn:aws:kms:::key/x' })
    const store = harness.driver.stores.get('main')
    const before = store?.faults.calls('describe') ?? 0
    const items = Array.from({ length: 500 }, (_, i) => ({ operation: 'encrypt', key_id: `absent-${i % 3}` }))
    expect(new Set(codesOf(await batch(items, user)))).toEqual(new Set(['AccessDenied']))
    expect((store?.faults.calls('describe') ?? 0) - before).toBe(3)
  })
})

it('zeroes the plaintexts it had in hand', async () => {
  const { data } = harness.manager
  const seen: Uint8Array[] = []
  const { batch: run } = data
  Object.assign(data, {
    batch: async (items: Parameters<typeof run>[0]) => {
      for (const item of items) if (item.operation === 'encrypt') seen.push(item.plaintext)
      const outcomes = await run(items)
      for (const outcome of outcomes) if ('plaintext' in outcome) seen.push(outcome.plaintext as Uint8Array)
      return outcomes
    },
  })
  try {
    const made = await batch([
      { operation: 'generate_data_key' },
      { operation: 'encrypt', plaintext: PLAINTEXT },
      { operation: 'encrypt', plaintext: PLAINTEXT, key_id: 'nobody' },
    ])
    await batch([{ operation: 'decrypt', ciphertext_blob: resultsOf(made)[0]?.['ciphertext_blob'] }])
  } finally {
    Object.assign(data, { batch: run })
  }
  expect(seen).toHaveLength(4)
  for (const bytes of seen) expect([...bytes].every((byte) => byte === 0)).toBe(true)
})
