import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Answer, createHarness, type Harness, root, type User } from './harness.ts'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
  await harness.run()
  await post('/kms/keys', { name: 'k', description: 'old', tags: { old: 'x' } })
  await post('/kms/keys/alias', { key_id: 'k', alias: 'old-alias' })
})
afterEach(() => harness.close())

const send = (method: string, target: string, body?: unknown, as: User = root): Promise<Answer> =>
  harness.send(method, target, { as, body })
const post = (target: string, body?: unknown, as: User = root): Promise<Answer> => send('POST', target, body, as)
const code = ({ status, json }: Answer): readonly unknown[] => [status, json['code']]
const metadata = async (key = 'k'): Promise<unknown> => (await send('GET', `/kms/keys/${key}`)).json['key_metadata']

/** Every change: path, what it takes beside the key, and what it shows for it. */
const CHANGES: readonly (readonly [string, object, object])[] = [
  ['enable', {}, { enabled: true, key_state: 'Enabled' }],
  ['disable', {}, { enabled: false, key_state: 'Disabled', next_rotation_date: null }],
  ['rotate', {}, { current_version: 2, versions: 2, rotated_at: '2026-11-23T12:00:00.000Z' }],
  [
    'rotation-period',
    { days: 90 },
    { rotation_enabled: true, rotation_period_days: 90, next_rotation_date: '2027-02-21T12:00:00.000Z' },
  ],
  [
    'rotation-period',
    { days: null },
    { rotation_enabled: false, rotation_period_days: null, next_rotation_date: null },
  ],
  ['rotation-period', { rotation_period_days: 1 }, { rotation_period_days: 1 }],
  ['update-description', { description: 'new' }, { description: 'new' }],
  ['update-description', { Description: '' }, { description: '' }],
  ['tag', { tags: { team: 'shop' } }, { tags: { old: 'x', team: 'shop' } }],
  ['tag', { Tags: { old: 'y' } }, { tags: { old: 'y' } }],
  ['untag', { tag_keys: ['old', 'absent'] }, { tags: {} }],
  ['untag', { TagKeys: ['old'] }, { tags: {} }],
]

describe.each(CHANGES)('POST /kms/keys/%s %j', (path, body, shown) => {
  const target = `/kms/keys/${path}`

  it('answers with the key as it is then', async () => {
    const { status, json, text } = await post(target, { key_id: 'k', ...body })
    expect(status, text).toBe(200)
    expect(Object.keys(json)).toEqual(['success', 'message', 'key_id', 'key_metadata'])
    expect(json).toMatchObject({ success: true, key_id: 'k', key_metadata: { key_id: 'k', ...shown } })
    expect(await metadata()).toEqual(json['key_metadata'])
  })

  it.each([
    ['key_id', 'old-alias', ''],
    ['key_id', 'alias/old-alias', ''],
    ['key_id', 'arn:aws:kms:::key/k', ''],
    ['key_id', 'arn:aws:kms:eu-west-1:1:alias/old-alias', ''],
    ['keyId', 'k', ''],
    ['KeyId', 'k', ''],
    ['key_id', null, '?keyId=k'],
    ['key_id', undefined, '?key-id=k'],
    ['key_id', undefined, '?key=k'],
    ['key_id', undefined, '?keyId=&key=alias%2Fold-alias'],
    ['key_id', 'k', '?keyId=k'],
  ])('takes the key as %s %s %s', async (field, key, query) => {
    const { status, json, text } = await post(target + query, { [field]: key, ...body })
    expect(status, text).toBe(200)
    expect(json).toMatchObject({ key_id: 'k', key_metadata: shown })
  })

  it('is 404 for those who may, 403 for others', async () => {
    const other = harness.user('other', { Effect: 'Allow', Action: 'kms:*', Resource: 'arn:aws:kms:::key/other-*' })
    expect(code(await post(target, { key_id: 'nobody', ...body }))).toEqual([404, 'KeyNotFound'])
    const denials = await Promise.all(
      ['nobody', 'k', 'old-alias'].flatMap((key_id) => [
        post(target, { key_id, ...body }, other),
        post(target, { key_id, nonsense: 1 }, other),
        post(`${target}?keyId=${key_id}`, { nonsense: 1 }, other),
      ]),
    )
    for (const denial of denials) expect(code(denial)).toEqual([403, 'AccessDenied'])
    expect(new Set(denials.map(({ json }) => json['message'])).size).toBe(1)
    expect(code(await post(target, { key_id: 'other-1', ...body }, other))).toEqual([404, 'KeyNotFound'])
  })

  it('says so when it was so before', async () => {
    await post(target, { key_id: 'k', ...body })
    const { status, json } = await post(target, { key_id: 'k', ...body })
    expect(status).toBe(200)
    if (path === 'rotate') expect(json).toMatchObject({ key_metadata: { current_version: 3 } })
    else expect(json['message']).toMatch(/^unchanged: /)
  })

  it('is 503 while nothing runs', async () => {
    await harness.manager.stop({ principal: 'test' })
    expect(code(await post(target, { key_id: 'k', ...body }))).toEqual([503, 'NotRunning'])
    const nobody = harness.user('nobody')
    expect(code(await post(target, { key_id: 'k', ...body }, nobody))).toEqual([403, 'AccessDenied'])
  })
})

it('keeps tags with the names of the prototype', async () => {
  const { text } = await post('/kms/keys/tag', '{"key_id":"k","tags":{"__proto__":"a","constructor":"b"}}')
  expect(text.replace(/\s/g, '')).toContain('"tags":{"old":"x","__proto__":"a","constructor":"b"}')
  await post('/kms/keys/untag', { key_id: 'k', tag_keys: ['__proto__'] })
  expect(await metadata()).toMatchObject({ tags: { old: 'x', constructor: 'b' } })
})

describe('an alias', () => {
  it('is given, shown and taken away', async () => {
    const given = await post('/kms/keys/alias', { key_id: 'k', alias: 'new-alias' })
    expect(given.json).toEqual({
      success: true,
      message: 'Alias added.',
      key_id: 'k',
      aliases: ['old-alias', 'new-alias'],
    })
    expect((await post('/kms/keys/alias', { key_id: 'k', alias: 'alias/new-alias' })).json['message']).toMatch(
      /^unchanged: /,
    )
    const taken = await send('DELETE', '/kms/keys/alias', { key_id: 'k', alias: 'new-alias' })
    expect(taken.json).toEqual({ success: true, message: 'Alias removed.', key_id: 'k', aliases: ['old-alias'] })
    expect(code(await send('GET', '/kms/keys/new-alias'))).toEqual([404, 'KeyNotFound'])
    expect(code(await send('DELETE', '/kms/keys/alias', { key_id: 'k', alias: 'new-alias' }))).toEqual([
      404,
      'KeyNotFound',
    ])
  })

  it.each<[string, object | undefined]>([
    ['/kms/keys/alias', { alias: 'old-alias' }],
    ['/kms/keys/alias', { alias: 'alias/old-alias', key_id: 'arn:aws:kms:::key/k' }],
    ['/kms/keys/alias', { alias: 'old-alias', key_id: 'old-alias' }],
    ['/kms/keys/alias?alias=old-alias', undefined],
    ['/kms/keys/alias?alias=alias%2Fold-alias&keyId=k', undefined],
    ['/kms/keys/alias?keyId=k', { alias: 'old-alias' }],
  ])('is taken away by DELETE %s %j', async (target, body) => {
    const { status, json, text } = await send('DELETE', target, body)
    expect(status, text).toBe(200)
    expect(json['aliases']).toEqual([])
  })

  it('that is taken is 409, also by an id', async () => {
    for (const alias of ['old-alias', 'k', 'main-key']) {
      expect(code(await post('/kms/keys/alias', { key_id: 'main-key', alias }))).toEqual([409, 'KeyAlreadyExists'])
    }
    expect(code(await post('/kms/keys', { name: 'old-alias' }))).toEqual([409, 'KeyAlreadyExists'])
  })

  it('is for those who may on the key it leads to', async () => {
    const statement = { Effect: 'Allow', Action: ['kms:CreateAlias', 'kms:DeleteAlias'] }
    const ofKey = harness.user('of-key', { ...statement, Resource: 'arn:aws:kms:::key/k' })
    const ofAlias = harness.user('of-alias', { ...statement, Resource: 'arn:aws:kms:::key/old-alias' })
    const body = { alias: 'old-alias' }
    expect(code(await send('DELETE', '/kms/keys/alias', body, ofAlias))).toEqual([403, 'AccessDenied'])
    expect(code(await send('DELETE', '/kms/keys/alias', { ...body, more: 1 }, ofAlias))).toEqual([403, 'AccessDenied'])
    expect(code(await send('DELETE', '/kms/keys/alias', { ...body, more: 1 }, ofKey))).toEqual([400, 'ValidationError'])
    expect((await send('DELETE', '/kms/keys/alias', body, ofKey)).status).toBe(200)
    expect(code(await post('/kms/keys/alias', { ...body, key_id: 'main-key' }, ofKey))).toEqual([403, 'AccessDenied'])
    expect((await post('/kms/keys/alias', { ...body, key_id: 'k' }, ofKey)).status).toBe(200)
  })
})

it('501s what the backend cannot do, after denying those who may not', async () => {
  const poor = await createHarness({}, { rotate: false, enable_disable: false, update_key_metadata: false })
  await poor.run()
  const nobody = poor.user('nobody')
  for (const [path, body] of [...CHANGES, ['alias', { alias: 'a' }] as const]) {
    for (const key_id of ['main-key', 'nowhere']) {
      const answer = await poor.send('POST', `/kms/keys/${path}`, { body: { key_id, ...body } })
      expect(code(answer)).toEqual([501, 'UnsupportedCapability'])
      const denied = await poor.send('POST', `/kms/keys/${path}`, { body: { key_id, ...body }, as: nobody })
      expect(code(denied)).toEqual([403, 'AccessDenied'])
    }
  }
  await poor.close()
})
