import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Answer, createHarness, type Harness, root, type User } from './harness.ts'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
  await harness.run()
})
afterEach(() => harness.close())

const get = (target: string, as: User = root): Promise<Answer> => harness.send('GET', target, { as })
const post = (target: string, body?: object, as: User = root): Promise<Answer> =>
  harness.send('POST', target, { as, body })
const code = ({ status, json }: Answer): readonly unknown[] => [status, json['code']]
const keysOf = ({ json }: Answer): readonly string[] =>
  (json['keys'] as { key_id: string }[]).map(({ key_id }) => key_id)

describe('creating', () => {
  it('gives every field of the metadata', async () => {
    const { status, json } = await post('/kms/keys', {
      key_name: 'orders',
      description: 'For orders',
      tags: { team: 'shop', __proto__x: 'y' },
    })
    expect(status).toBe(200)
    expect(json).toEqual({
      success: true,
      message: 'Key created.',
      key_id: 'orders',
      aliases: [],
      key_metadata: {
        key_id: 'orders',
        aliases: [],
        description: 'For orders',
        enabled: true,
        key_state: 'Enabled',
        key_usage: 'ENCRYPT_DECRYPT',
        key_spec: 'SYMMETRIC_DEFAULT',
        creation_date: '2026-11-23T12:00:00.000Z',
        deletion_date: null,
        rotation_enabled: false,
        rotation_period_days: null,
        next_rotation_date: null,
        current_version: 1,
        versions: 1,
        rotated_at: null,
        origin: 'KMS',
        key_manager: 'CUSTOMER',
        tags: { team: 'shop', __proto__x: 'y' },
      },
    })
  })

  it.each([
    ['/kms/keys', { key_name: 'k' }],
    ['/kms/keys', { KeyName: 'k' }],
    ['/kms/keys', { name: 'k' }],
    ['/kms/keys', { tags: { name: 'k' } }],
    ['/kms/keys', { Tags: { name: 'k' } }],
    ['/kms/keys', { key_name: 'k', tags: { name: 'a tag like any other' } }],
    ['/kms/create-key', { name: 'k', key_usage: 'EncryptDecrypt' }],
    ['/kms/create-key', { name: 'k', KeyUsage: 'ENCRYPT_DECRYPT', description: null, tags: null }],
    ['/kms/key/create?key-id=k', undefined],
    ['/kms/key/create?key-id=k', { name: 'k' }],
    ['/minio/admin/v3/kms/key/create?key-id=k', undefined],
  ])('takes the name as %s %j', async (target, body) => {
    const { status, json, text } = await post(target, body)
    expect(status, text).toBe(200)
    expect(json['key_id']).toBe('k')
    expect(code(await post(target, body))).toEqual([409, 'KeyAlreadyExists'])
  })

  it('without a name makes a UUID, and an alias of a description that is a free name', async () => {
    const { json } = await post('/kms/keys', { KeyUsage: 'ENCRYPT_DECRYPT', Description: 'rotation-2024-09' })
    expect(json['key_id']).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(json['aliases']).toEqual(['rotation-2024-09'])
    const again = await post('/kms/keys', { Description: 'rotation-2024-09' })
    expect(again.json).toMatchObject({ success: true, aliases: [] })
    expect(again.json['message']).toContain('"rotation-2024-09"')
    expect((await post('/kms/keys')).json['aliases']).toEqual([])
  })

  it('keeps tags with the names of the prototype', async () => {
    const body = '{"key_name":"odd","tags":{"__proto__":"a","constructor":"b"}}'
    const { text } = await harness.send('POST', '/kms/keys', { body })
    expect(text.replace(/\s/g, '')).toContain('"tags":{"__proto__":"a","constructor":"b"}')
  })

  it('checks the right on the name that is asked for', async () => {
    const user = harness.user('maker', {
      Effect: 'Allow',
      Action: 'kms:CreateKey',
      Resource: 'arn:aws:kms:::key/maker-*',
    })
    expect((await post('/kms/keys', { name: 'maker-1' }, user)).status).toBe(200)
    expect(code(await post('/kms/keys', { name: 'other' }, user))).toEqual([403, 'AccessDenied'])
    expect(code(await post('/kms/keys', { name: 'main-key' }, user))).toEqual([403, 'AccessDenied'])
    // Also where the request would be refused anyway.
    expect(code(await post('/kms/keys', { name: 'other', tags: 5 }, user))).toEqual([403, 'AccessDenied'])
    expect(code(await post('/kms/keys', { name: 'maker-2', tags: 5 }, user))).toEqual([400, 'ValidationError'])
    expect(code(await post('/kms/key/create?key-id=other', { nonsense: 1 }, user))).toEqual([403, 'AccessDenied'])
    expect(code(await post('/kms/keys', { nonsense: 1 }, user))).toEqual([400, 'ValidationError'])
  })

  it('is denied where it is forbidden, though a wider right would allow it', async () => {
    const user = harness.user(
      'forbidden',
      { Effect: 'Allow', Action: 'kms:Configure', Resource: '*' },
      { Effect: 'Deny', Action: 'kms:CreateKey', Resource: '*' },
    )
    for (const body of [{ name: 'x' }, { name: 'x', nonsense: 1 }, { nonsense: 1 }]) {
      expect(code(await post('/kms/keys', body, user))).toEqual([403, 'AccessDenied'])
    }
  })
})

describe('describing', () => {
  let id: string
  beforeEach(async () => {
    id = (await post('/kms/keys', { description: 'my-alias' })).json['key_id'] as string
  })

  it('takes every spelling of a key, on every path', async () => {
    const spellings = [
      id,
      'my-alias',
      'alias/my-alias',
      `arn:aws:kms:::key/${id}`,
      'arn:aws:kms:eu-west-1:1:alias/my-alias',
    ]
    const expected = (await get(`/kms/keys/${id}`)).text
    for (const spelling of spellings) {
      const encoded = encodeURIComponent(spelling)
      for (const target of [
        `/kms/keys/${encoded}`,
        `/kms/keys/${spelling}`,
        `/kms/describe-key?keyId=${encoded}`,
        `/kms/describe-key?key-id=${encoded}&keyId=`,
        `/kms/key/status?key=${encoded}`,
        `/kms/key/status?keyId=${encoded}&key=other`,
        `/minio/admin/v3/kms/key/status?key-id=${encoded}`,
      ]) {
        const answer = await get(target)
        expect([answer.status, answer.text], target).toEqual([200, expected])
      }
    }
  })

  it('says 404 to those who may know, and 403 to others', async () => {
    const user = harness.user('reader', {
      Effect: 'Allow',
      Action: 'kms:DescribeKey',
      Resource: 'arn:aws:kms:::key/main-*',
    })
    expect(code(await get('/kms/keys/nowhere'))).toEqual([404, 'KeyNotFound'])
    expect(code(await get('/kms/keys/nowhere', user))).toEqual([403, 'AccessDenied'])
    expect(code(await get('/kms/keys/main-none', user))).toEqual([404, 'KeyNotFound'])
    expect((await get('/kms/keys/main-key', user)).status).toBe(200)
    const denied = [await get(`/kms/keys/${id}`, user), await get('/kms/keys/nowhere', user)]
    expect(denied[0]?.json['message']).toBe(denied[1]?.json['message'])
  })

  it('checks the right on the key an alias stands for', async () => {
    const byAlias = harness.user('by-alias', {
      Effect: 'Allow',
      Action: 'kms:DescribeKey',
      Resource: 'arn:aws:kms:::key/my-alias',
    })
    const byId = harness.user('by-id', {
      Effect: 'Allow',
      Action: 'kms:DescribeKey',
      Resource: `arn:aws:kms:::key/${id}`,
    })
    expect(code(await get('/kms/keys/my-alias', byAlias))).toEqual([403, 'AccessDenied'])
    expect((await get('/kms/keys/my-alias', byId)).status).toBe(200)
  })

  it('shows versions, rotation and deletion', async () => {
    const store = harness.driver.stores.get('main')
    const key = store?.keys.get('main-key')
    if (store === undefined || key === undefined || !('record' in key)) throw new Error('no main-key')
    harness.clock.advance(10_000)
    const day = 86_400_000
    const record = {
      ...key.record,
      currentVersion: 5,
      oldestVersion: 2,
      rotatedAt: harness.clock.now() - day,
      rotationPeriodDays: 90,
      origin: 'EXTERNAL' as const,
    }
    store.keys.set('main-key', { ...key, record })
    const { json } = await get('/kms/keys/main-key')
    expect(json['key_metadata']).toMatchObject({
      enabled: true,
      key_state: 'Enabled',
      current_version: 5,
      versions: 4,
      rotation_enabled: true,
      rotation_period_days: 90,
      rotated_at: '2026-11-22T12:00:10.000Z',
      next_rotation_date: '2027-02-20T12:00:10.000Z',
      deletion_date: null,
      origin: 'EXTERNAL',
    })
    store.keys.set('main-key', { ...key, record: { ...record, rotatedAt: undefined } })
    harness.clock.advance(10_000)
    const unrotated = await get('/kms/keys/main-key')
    expect(unrotated.json['key_metadata']).toMatchObject({
      rotated_at: null,
      next_rotation_date: '2027-02-21T12:00:00.000Z',
    })
    const deletion = { state: 'PendingDeletion' as const, deletionAt: harness.clock.now() + 7 * day }
    store.keys.set('main-key', { ...key, record: { ...record, ...deletion } })
    const pending = await get('/kms/keys?status=PendingDeletion')
    expect(pending.json['keys']).toMatchObject([
      { enabled: false, deletion_date: '2026-11-30T12:00:20.000Z', rotation_enabled: true, next_rotation_date: null },
    ])
  })
})

describe('listing', () => {
  beforeEach(async () => {
    for (const name of ['a', 'b', 'c']) await post('/kms/keys', { name })
  })

  it('gives all, ascending', async () => {
    for (const target of ['/kms/keys', '/kms/list-keys', '/minio/admin/v3/kms/key/list', '/kms/keys?other=ignored']) {
      const answer = await get(target)
      expect(keysOf(answer)).toEqual(['a', 'b', 'c', 'main-key'])
      expect(answer.json).toMatchObject({ success: true, truncated: false, next_marker: null })
      expect(answer.json).not.toHaveProperty('unreadable_key_ids')
    }
  })

  it('gives pages', async () => {
    const first = await get('/kms/keys?limit=3')
    expect(keysOf(first)).toEqual(['a', 'b', 'c'])
    expect(first.json['truncated']).toBe(true)
    const marker = encodeURIComponent(first.json['next_marker'] as string)
    const second = await get(`/kms/keys?limit=3&marker=${marker}`)
    expect(keysOf(second)).toEqual(['main-key'])
    expect(second.json).toMatchObject({ truncated: false, next_marker: null })
  })

  it('gives an empty page for 0, and at most 1000 keys', async () => {
    expect((await get('/kms/keys?limit=0')).json).toMatchObject({ keys: [], truncated: false, next_marker: null })
    const asked: number[] = []
    const { list } = harness.manager.keys
    Object.assign(harness.manager.keys, {
      list: (input: Parameters<typeof list>[0]) => {
        asked.push(input.limit)
        return list(input)
      },
    })
    for (const limit of ['', 'limit=1000', 'limit=1001', 'limit=99999999999999999999', 'limit=007']) {
      expect((await get(`/kms/keys?${limit}`)).status).toBe(200)
    }
    expect(asked).toEqual([100, 1000, 1000, 1000, 7])
  })

  it.each([
    ['status=Enabled', ['a', 'b', 'c', 'main-key']],
    ['status=ACTIVE', ['a', 'b', 'c', 'main-key']],
    ['status=disabled', []],
    ['status=PENDING_DELETION', []],
    ['status=pending-deletion', []],
    ['status=Unavailable', []],
    ['status=Deleted', []],
    ['usage=ENCRYPT_DECRYPT', ['a', 'b', 'c', 'main-key']],
    ['usage=EncryptDecrypt&status=Enabled', ['a', 'b', 'c', 'main-key']],
    ['usage=sign-verify', []],
  ])('filters by %s', async (query, expected) => {
    const answer = await get(`/kms/keys?${query}`)
    expect(answer.status, answer.text).toBe(200)
    expect(keysOf(answer)).toEqual(expected)
    expect(answer.json).toMatchObject({ truncated: false, next_marker: null })
  })

  it('filters by state', async () => {
    const store = harness.driver.stores.get('main')
    const key = store?.keys.get('b')
    if (store === undefined || key === undefined || !('record' in key)) throw new Error('no key b')
    store.keys.set('b', { ...key, record: { ...key.record, state: 'Disabled' } })
    expect(keysOf(await get('/kms/keys?status=Disabled'))).toEqual(['b'])
    expect(keysOf(await get('/kms/keys?status=active'))).toEqual(['a', 'c', 'main-key'])
  })

  it('names what it can not read, beside the rest', async () => {
    harness.driver.stores.get('main')?.unreadable.add('b')
    const answer = await get('/kms/keys')
    expect(keysOf(answer)).toEqual(['a', 'c', 'main-key'])
    expect(answer.json['unreadable_key_ids']).toEqual(['b'])
  })
})

it('is 503 for those who may, 403 for others, while nothing runs', async () => {
  await harness.manager.stop({ principal: 'test' })
  const nobody = harness.user('nobody')
  for (const [method, target] of [
    ['GET', '/kms/keys'],
    ['GET', '/kms/keys/main-key'],
    ['POST', '/kms/keys'],
    ['POST', '/kms/generate-data-key'],
  ] as const) {
    expect(code(await harness.send(method, target))).toEqual([503, 'NotRunning'])
    expect(code(await harness.send(method, target, { as: nobody }))).toEqual([403, 'AccessDenied'])
  }
})
