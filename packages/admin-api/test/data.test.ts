import { kmsError } from '@kms/core'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, createHarness, DOCUMENT, type Harness, root, type User } from './harness.ts'

let harness: Harness
beforeAll(async () => {
  harness = await createHarness()
  await harness.run()
  for (const name of ['team-a', 'team-b']) await post('/kms/keys', { name })
})
afterAll(() => harness.close())

const post = (target: string, body?: unknown, as: User = root): Promise<Answer> =>
  harness.send('POST', target, { as, body })
const code = ({ status, json }: Answer): readonly unknown[] => [status, json['code']]

it('generates a data key, and gives it back for its ciphertext', async () => {
  const made = await post('/kms/generate-data-key', { key_id: 'team-a', encryption_context: { tenant: 'x' } })
  expect(made.json).toEqual({
    success: true,
    message: 'Data key generated.',
    key_id: 'team-a',
    key_version: 1,
    plaintext_key: expect.any(String),
    ciphertext_blob: expect.any(String),
  })
  expect(made.text).not.toContain('\n')
  expect(Buffer.from(made.json['plaintext_key'] as string, 'base64')).toHaveLength(32)
  const blob = { ciphertext_blob: made.json['ciphertext_blob'] }
  for (const key_id of [undefined, null, 'team-a', 'arn:aws:kms:::key/team-a']) {
    const opened = await post('/kms/decrypt', { ...blob, encryption_context: { tenant: 'x' }, key_id })
    expect(opened.json).toEqual({
      success: true,
      message: 'Decrypted.',
      key_id: 'team-a',
      key_version: 1,
      plaintext: made.json['plaintext_key'],
    })
  }
  expect(code(await post('/kms/decrypt', blob))).toEqual([400, 'InvalidCiphertext'])
  const wrongContext = { ...blob, encryption_context: { tenant: 'y' } }
  expect(code(await post('/kms/decrypt', wrongContext))).toEqual([400, 'InvalidCiphertext'])
  const wrongKey = { ...blob, encryption_context: { tenant: 'x' }, key_id: 'team-b' }
  expect(code(await post('/kms/decrypt', wrongKey))).toEqual([400, 'IncorrectKey'])
})

it.each([
  [undefined, 32],
  [null, 32],
  ['AES_256', 32],
  ['Aes256', 32],
  ['AES_128', 16],
  ['Aes128', 16],
])('key_spec %s gives %i bytes', async (key_spec, length) => {
  const { json } = await post('/kms/generate-data-key', { key_spec })
  expect(json['key_id']).toBe('main-key')
  expect(Buffer.from(json['plaintext_key'] as string, 'base64')).toHaveLength(length)
})

it('encrypts and decrypts any 1 to 4096 bytes under any context', async () => {
  const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => !/^(aws|kms):/.test(text))
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 4096 }),
      fc.dictionary(word, word, { maxKeys: 5 }),
      async (bytes, encryption_context) => {
        const plaintext = Buffer.from(bytes).toString('base64')
        const sealed = await post('/kms/encrypt', { plaintext, encryption_context })
        expect(Object.keys(sealed.json)).toEqual(['success', 'message', 'key_id', 'key_version', 'ciphertext_blob'])
        const { ciphertext_blob } = sealed.json
        expect((await post('/kms/decrypt', { ciphertext_blob, encryption_context })).json['plaintext']).toBe(plaintext)
      },
    ),
    { numRuns: 40 },
  )
})

it('keeps a context key called __proto__', async () => {
  const made = await post('/kms/generate-data-key', '{"encryption_context":{"__proto__":"a"}}')
  const { ciphertext_blob } = made.json
  expect(code(await post('/kms/decrypt', { ciphertext_blob }))).toEqual([400, 'InvalidCiphertext'])
  const opened = await post(
    '/kms/decrypt',
    `{"ciphertext_blob":"${String(ciphertext_blob)}","encryption_context":{"__proto__":"a"}}`,
  )
  expect(opened.status).toBe(200)
})

it('zeroes the plaintexts it had in hand', async () => {
  const { data } = harness.manager
  const seen: Uint8Array[] = []
  const { generateDataKey, encrypt, decrypt } = data
  Object.assign(data, {
    generateDataKey: async (input: Parameters<typeof generateDataKey>[0]) => {
      const made = await generateDataKey(input)
      seen.push(made.plaintext)
      return made
    },
    encrypt: (input: Parameters<typeof encrypt>[0]) => {
      seen.push(input.plaintext)
      return encrypt(input)
    },
    decrypt: async (input: Parameters<typeof decrypt>[0]) => {
      const opened = await decrypt(input)
      seen.push(opened.plaintext)
      return opened
    },
  })
  try {
    const made = await post('/kms/generate-data-key', {})
    await post('/kms/encrypt', { plaintext: 'c2VjcmV0' })
    await post('/kms/encrypt', { plaintext: 'c2VjcmV0', key_id: 'nowhere' })
    await post('/kms/decrypt', { ciphertext_blob: made.json['ciphertext_blob'] })
  } finally {
    Object.assign(data, { generateDataKey, encrypt, decrypt })
  }
  expect(seen).toHaveLength(4)
  for (const bytes of seen) expect([...bytes].every((byte) => byte === 0)).toBe(true)
})

describe('a user of one key', () => {
  const blobs = new Map<string, unknown>()
  let user: User
  beforeAll(async () => {
    user = harness.user('team-a', {
      Effect: 'Allow',
      Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:GenerateDataKey'],
      Resource: 'arn:aws:kms:::key/team-a',
    })
    for (const key_id of ['team-a', 'team-b']) {
      blobs.set(key_id, (await post('/kms/encrypt', { key_id, plaintext: 'c2VjcmV0' })).json['ciphertext_blob'])
    }
  })

  it('uses that key', async () => {
    expect((await post('/kms/generate-data-key', { key_id: 'team-a' }, user)).status).toBe(200)
    expect((await post('/kms/encrypt', { key_id: 'team-a', plaintext: 'c2VjcmV0' }, user)).status).toBe(200)
    expect((await post('/kms/decrypt', { ciphertext_blob: blobs.get('team-a') }, user)).status).toBe(200)
  })

  /** Wrong in themselves or not: about a key the user has no right to, they are all denied alike. */
  it.each<[string, () => object]>([
    ['generate-data-key', () => ({ key_id: 'team-b' })],
    ['generate-data-key', () => ({ key_id: 'nowhere' })],
    ['generate-data-key', () => ({})],
    ['generate-data-key', () => ({ key_id: 'team-b', key_spec: 'DES' })],
    ['generate-data-key', () => ({ key_spec: 'DES' })],
    ['generate-data-key', () => ({ key_id: 'team-b', nonsense: 1 })],
    ['generate-data-key', () => ({ key_id: 'alias/team-b', encryption_context: 5 })],
    ['encrypt', () => ({ key_id: 'team-b', plaintext: 'c2VjcmV0' })],
    ['encrypt', () => ({ key_id: 'team-b', plaintext: '' })],
    ['encrypt', () => ({ key_id: 'team-b' })],
    ['encrypt', () => ({ key_id: 'nowhere', plaintext: 5 })],
    ['decrypt', () => ({ ciphertext_blob: blobs.get('team-b') })],
    ['decrypt', () => ({ ciphertext_blob: blobs.get('team-b'), encryption_context: { a: 1 } })],
    ['decrypt', () => ({ ciphertext_blob: blobs.get('team-b'), nonsense: 1 })],
    ['decrypt', () => ({ ciphertext_blob: blobs.get('team-a'), key_id: 'team-b' })],
  ])('is denied %s of another (%#)', async (operation, body) => {
    const answer = await post(`/kms/${operation}`, body(), user)
    expect(code(answer)).toEqual([403, 'AccessDenied'])
    expect(answer.text).not.toContain('team-b')
  })

  it.each<[string, object, number, string]>([
    ['generate-data-key', { key_id: 'team-a', key_spec: 'DES' }, 400, 'ValidationError'],
    ['generate-data-key', { key_id: 'team-a', nonsense: 1 }, 400, 'ValidationError'],
    ['generate-data-key', { key_id: 7 }, 400, 'ValidationError'],
    ['generate-data-key', { key_id: 'not a name' }, 400, 'ValidationError'],
    ['encrypt', { key_id: 'team-a', plaintext: '!' }, 400, 'ValidationError'],
    ['decrypt', { ciphertext_blob: 'c2VjcmV0' }, 400, 'InvalidCiphertext'],
  ])('is told what is wrong with %s %j', async (operation, body, status, expected) => {
    expect(code(await post(`/kms/${operation}`, body, user))).toEqual([status, expected])
  })

  it('is told so where a body can not be parsed', async () => {
    expect(code(await post('/kms/encrypt', '{"key_id":', user))).toEqual([400, 'InvalidRequest'])
  })
})

it('asks the backend once for a key that can not be used', async () => {
  const bare = await createHarness()
  await bare.manager.configure({ ...DOCUMENT, enable_cache: false }, { principal: 'test' })
  await bare.manager.start({ force: false }, { principal: 'test' })
  const store = bare.driver.stores.get('main')
  const key = store?.keys.get('main-key')
  if (store === undefined || key === undefined || !('record' in key)) throw new Error('no main-key')
  const failing = async (): Promise<readonly unknown[]> => {
    const before = store.faults.calls('describe')
    const answer = await bare.send('POST', '/kms/generate-data-key', { body: {} })
    return [...code(answer), store.faults.calls('describe') - before]
  }
  store.keys.set('main-key', { ...key, record: { ...key.record, state: 'Disabled' } })
  expect(await failing()).toEqual([409, 'KeyDisabled', 1])
  store.faults.fail('describe', kmsError('BackendTimeout', { seconds: 30 }))
  expect(await failing()).toEqual([504, 'BackendTimeout', 1])
  await bare.close()
})

describe('a user bound to an encryption context', () => {
  it('may use what carries it', async () => {
    const user = harness.user('tenant', {
      Effect: 'Allow',
      Action: 'kms:GenerateDataKey',
      Resource: '*',
      Condition: { StringEquals: { 'kms:EncryptionContext:tenant': 'a' } },
    })
    const send = (encryption_context?: object) => post('/kms/generate-data-key', { encryption_context }, user)
    expect((await send({ tenant: 'a', other: 'x' })).status).toBe(200)
    expect(code(await send({ tenant: 'b' }))).toEqual([403, 'AccessDenied'])
    expect(code(await send())).toEqual([403, 'AccessDenied'])
  })

  it('may be bound to its keys alone', async () => {
    const user = harness.user('keys', {
      Effect: 'Allow',
      Action: 'kms:GenerateDataKey',
      Resource: '*',
      Condition: {
        'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['tenant'] },
        Null: { 'kms:EncryptionContextKeys': 'false' },
      },
    })
    const send = (encryption_context: object) => post('/kms/generate-data-key', { encryption_context }, user)
    expect((await send({ tenant: 'a' })).status).toBe(200)
    expect(code(await send({ tenant: 'a', more: 'b' }))).toEqual([403, 'AccessDenied'])
    expect(code(await send({}))).toEqual([403, 'AccessDenied'])
  })
})

it('judges by address and transport', async () => {
  const near = await createHarness({ peer: () => ({ address: '10.1.2.3', secure: true }) })
  await near.run()
  const allow = (name: string, Condition: object): User =>
    near.user(name, { Effect: 'Allow', Action: 'kms:*', Resource: '*', Condition })
  const inside = allow('inside', { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } })
  const outside = allow('outside', { IpAddress: { 'aws:SourceIp': '192.168.0.0/16' } })
  const tls = allow('tls', { Bool: { 'aws:SecureTransport': 'true' } })
  const plain = allow('plain', { Bool: { 'aws:SecureTransport': 'false' } })
  for (const [as, status] of [
    [inside, 200],
    [outside, 403],
    [tls, 200],
    [plain, 403],
  ] as const) {
    expect((await near.send('POST', '/kms/generate-data-key', { as, body: {} })).status).toBe(status)
    expect((await near.send('GET', '/kms/status', { as })).status).toBe(status)
  }
  await near.close()
})
