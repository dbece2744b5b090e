import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Answer, createHarness, type Harness, root, type User, wrapMaterial } from './harness.ts'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
  await harness.run()
})
afterEach(() => harness.close())

const send = (method: string, target: string, body?: unknown, as: User = root): Promise<Answer> =>
  harness.send(method, target, { as, body })
const parameters = (query = '', as: User = root): Promise<Answer> =>
  send('GET', `/kms/keys/import-parameters${query}`, undefined, as)
const post = (body: unknown, as: User = root): Promise<Answer> => send('POST', '/kms/keys/import', body, as)
const code = ({ status, json }: Answer): readonly unknown[] => [status, json['code']]

async function prepare(query = ''): Promise<{ readonly token: unknown; readonly encrypted_key_material: string }> {
  const { json } = await parameters(query)
  return { token: json['token'], encrypted_key_material: wrapMaterial(randomBytes(32), json['public_key']) }
}

describe('importing', () => {
  it('makes a key of what was wrapped', async () => {
    const given = await parameters()
    expect(given.json).toEqual({
      success: true,
      message: expect.stringContaining('/kms/keys/import'),
      token: expect.stringMatching(/^[0-9a-f]{32}$/),
      public_key: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/),
      wrapping_key_spec: 'RSA_4096',
      wrapping_algorithm: 'RSAES_OAEP_SHA_256',
      valid_until: '2026-11-24T12:00:00.000Z',
    })
    const encrypted_key_material = wrapMaterial(randomBytes(32), given.json['public_key'])
    const body = { token: given.json['token'], encrypted_key_material, key_name: 'escrow', tags: { a: 'b' } }
    const made = await post(body)
    expect(made.status, made.text).toBe(200)
    expect(made.json).toEqual({
      success: true,
      message: 'Key created of the imported material.',
      key_id: 'escrow',
      key_metadata: expect.objectContaining({ key_id: 'escrow', origin: 'EXTERNAL', tags: { a: 'b' } }),
    })
    const wrapped = await send('POST', '/kms/encrypt', { key_id: 'escrow', plaintext: 'c2VjcmV0' })
    const opened = await send('POST', '/kms/decrypt', { ciphertext_blob: wrapped.json['ciphertext_blob'] })
    expect(opened.json['plaintext']).toBe('c2VjcmV0')
    expect(code(await post({ ...body, key_name: 'again' }))).toEqual([400, 'InvalidImportToken'])
  })

  it.each([
    ['key_name', 'token', 'encrypted_key_material'],
    ['name', 'import_token', 'EncryptedKeyMaterial'],
    ['key_id', 'ImportToken', 'EncryptedKeyMaterial'],
    ['KeyName', 'token', 'encrypted_key_material'],
  ])('takes the fields as %s %s %s', async (name, token, material) => {
    const prepared = await prepare()
    const body = { [name]: 'k', [token]: prepared.token, [material]: prepared.encrypted_key_material }
    const { status, json, text } = await post(body)
    expect(status, text).toBe(200)
    expect(json['key_id']).toBe('k')
  })

  it('without a name makes a UUID, and an alias of a description that is a free name', async () => {
    await send('POST', '/kms/keys', { name: 'taken' })
    const { json } = await post({ ...(await prepare()), description: 'taken' })
    expect(json['message']).toContain('"taken"')
    const second = await post({ ...(await prepare()), Description: 'free' })
    expect(second.json).toMatchObject({ key_metadata: { aliases: ['free'] } })
  })

  it.each([
    ['key_name=k', 200],
    ['key_id=k', 200],
    ['key-id=k', 200],
    ['keyId=other', 400],
  ])('with a token bound by ?%s is %d', async (query, status) => {
    const prepared = await prepare(`?${query}`)
    expect((await post({ ...prepared, key_name: 'k' })).status).toBe(status)
  })
})

describe('refused', () => {
  it.each<[string, object, number, string, RegExp]>([
    ['no token', { token: undefined }, 400, 'ValidationError', /^token: is required/],
    ['no material', { encrypted_key_material: undefined }, 400, 'ValidationError', /^encrypted_key_material: /],
    ['a token that is none', { token: 'x' }, 400, 'InvalidImportToken', /import-parameters/],
    ['no base64', { encrypted_key_material: '!' }, 400, 'ValidationError', /^encrypted_key_material: /],
    ['other bytes', { encrypted_key_material: 'AAAA' }, 400, 'ValidationError', /32 bytes/],
    ['a bad name', { key_name: 'a b' }, 400, 'ValidationError', /^key_name: /],
    ['a taken name', { key_name: 'main-key' }, 409, 'KeyAlreadyExists', /"main-key"/],
    ['another usage', { key_usage: 'SIGN_VERIFY' }, 400, 'ValidationError', /^key_usage: /],
    ['bad tags', { tags: { a: 1 } }, 400, 'ValidationError', /^tags: /],
    ['an unknown field', { material: 'x' }, 400, 'ValidationError', /^material: /],
  ])('%s, and the token is still good', async (_, change, status, expected, message) => {
    const prepared = { ...(await prepare()), key_name: 'k' }
    const answer = await post({ ...prepared, ...change })
    expect(code(answer)).toEqual([status, expected])
    expect(answer.json['message']).toMatch(message)
    expect((await post(prepared)).status).toBe(200)
  })

  it('where the backend takes no material: 501, after denying those who may not', async () => {
    const poor = await createHarness({}, { import: false })
    await poor.run()
    const nobody = poor.user('nobody')
    for (const [method, target, body] of [
      ['GET', '/kms/keys/import-parameters', undefined],
      ['GET', '/kms/keys/import-parameters?key_name=k', undefined],
      ['POST', '/kms/keys/import', { token: 'x', encrypted_key_material: 'AAAA', key_name: 'k' }],
    ] as const) {
      expect(code(await poor.send(method, target, { body }))).toEqual([501, 'UnsupportedCapability'])
      expect(code(await poor.send(method, target, { body, as: nobody }))).toEqual([403, 'AccessDenied'])
    }
    await poor.close()
  })
})

describe('rights', () => {
  it('to keys of some names give tokens for these names, and imports into them', async () => {
    const user = harness.user('bringer', {
      Effect: 'Allow',
      Action: 'kms:ImportKey',
      Resource: 'arn:aws:kms:::key/b-*',
    })
    expect(code(await parameters('', user))).toEqual([403, 'AccessDenied'])
    expect(code(await parameters('?key_name=other', user))).toEqual([403, 'AccessDenied'])
    const { json, status } = await parameters('?key_name=b-1', user)
    expect(status).toBe(200)
    const encrypted_key_material = wrapMaterial(randomBytes(32), json['public_key'])
    const body = { token: json['token'], encrypted_key_material }
    for (const more of [{}, { key_name: 'other' }, { key_name: 'other', nonsense: 1 }, { key_id: 'other', token: 5 }]) {
      expect(code(await post({ ...body, ...more }, user))).toEqual([403, 'AccessDenied'])
    }
    expect(code(await post({ ...body, key_name: 'b-1', nonsense: 1 }, user))).toEqual([400, 'ValidationError'])
    expect((await post({ ...body, key_name: 'b-1' }, user)).status).toBe(200)
  })
})
