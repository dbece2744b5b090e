import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Answer, createHarness, type Harness, root, type User } from './harness.ts'

const DAY = 86_400_000

let harness: Harness
let count: number
beforeEach(async () => {
  count = 0
  const keyUse = { count: async () => count, beforeDestroy: async () => {} }
  harness = await createHarness({}, {}, { keyUse, allowImmediateDeletion: true })
  await harness.run()
  for (const name of ['k', 'l']) await send('POST', '/kms/keys', { name })
})
afterEach(() => harness.close())

const send = (method: string, target: string, body?: unknown, as: User = root): Promise<Answer> =>
  harness.send(method, target, { as, body })
const remove = (body?: unknown, query = '', as: User = root): Promise<Answer> =>
  send('DELETE', `/kms/keys/delete${query}`, body, as)
const code = ({ status, json }: Answer): readonly unknown[] => [status, json['code']]

describe('a deletion', () => {
  it.each<[string, unknown, string, number]>([
    ['in 30 days', { key_id: 'k' }, '', 30],
    ['in 7', { key_id: 'k', pending_window_in_days: 7 }, '', 7],
    ['as AWS spells it', { KeyId: 'k', PendingWindowInDays: 8 }, '', 8],
    ['named in the query', undefined, '?keyId=k', 30],
    ['all in the query', undefined, '?keyId=k&pending_window_in_days=9', 9],
    ['twice the same', { key_id: 'k', pending_window_in_days: 9 }, '?keyId=k&pending_window_in_days=9', 9],
    ['not forced', { key_id: 'k', force_immediate: false, confirm_key_id: null }, '?force_immediate=false', 30],
  ])('is scheduled %s', async (_, body, query, days) => {
    const { status, json, text } = await remove(body, query)
    expect(status, text).toBe(200)
    const deletion_date = new Date(harness.clock.now() + days * DAY).toISOString()
    expect(json).toEqual({
      success: true,
      message: expect.stringContaining(deletion_date),
      key_id: 'k',
      deletion_date,
      key_metadata: expect.objectContaining({
        key_id: 'k',
        key_state: 'PendingDeletion',
        enabled: false,
        deletion_date,
      }) as unknown,
    })
    expect(Object.keys(json)).toEqual(['success', 'message', 'key_id', 'deletion_date', 'key_metadata'])
  })

  it('stops the key from being used or changed until it is cancelled', async () => {
    const made = await send('POST', '/kms/generate-data-key', { key_id: 'k' })
    const blob = { ciphertext_blob: made.json['ciphertext_blob'] }
    await remove({ key_id: 'k' })
    for (const [target, body] of [
      ['generate-data-key', { key_id: 'k' }],
      ['encrypt', { key_id: 'k', plaintext: 'c2VjcmV0' }],
      ['decrypt', blob],
      ['keys/rotate', { key_id: 'k' }],
      ['keys/enable', { key_id: 'k' }],
      ['keys/disable', { key_id: 'k' }],
      ['keys/tag', { key_id: 'k', tags: { a: 'b' } }],
    ] as const) {
      expect(code(await send('POST', `/kms/${target}`, body)), target).toEqual([409, 'KeyPendingDeletion'])
    }
    const cancelled = await send('POST', '/kms/keys/cancel-deletion', { key_id: 'k' })
    expect(cancelled.json).toMatchObject({ key_id: 'k', key_metadata: { key_state: 'Enabled', deletion_date: null } })
    expect((await send('POST', '/kms/decrypt', blob)).json['plaintext']).toBe(made.json['plaintext_key'])
  })

  it('is cancelled by query too, and leaves the state of before', async () => {
    await send('POST', '/kms/keys/disable', { key_id: 'k' })
    await remove({ key_id: 'k' })
    const { json } = await send('POST', '/kms/keys/cancel-deletion?keyId=k')
    expect(json).toMatchObject({ message: 'Deletion cancelled.', key_metadata: { key_state: 'Disabled' } })
    expect((await send('POST', '/kms/keys/cancel-deletion?keyId=k')).json['message']).toMatch(/^unchanged: /)
  })

  it('asked for again keeps its date', async () => {
    const first = await remove({ key_id: 'k', pending_window_in_days: 7 })
    harness.clock.advance(DAY)
    const second = await remove({ key_id: 'k' })
    expect(second.json['message']).toMatch(/^unchanged: /)
    expect(second.json['deletion_date']).toBe(first.json['deletion_date'])
    expect(code(await remove({ key_id: 'k', pending_window_in_days: 30 }))).toEqual([409, 'KeyPendingDeletion'])
  })

  it('happens when it is due', async () => {
    await remove({ key_id: 'k', pending_window_in_days: 7 })
    harness.clock.advance(7 * DAY)
    await expect.poll(async () => code(await send('GET', '/kms/keys/k'))).toEqual([404, 'KeyDestroyed'])
    expect(code(await send('POST', '/kms/keys/cancel-deletion', { key_id: 'k' }))).toEqual([404, 'KeyDestroyed'])
  })
})

describe('destroying at once', () => {
  const force = { force_immediate: true, confirm_key_id: 'k' }

  it('leaves nothing', async () => {
    const { status, json } = await remove({ key_id: 'k', ...force })
    expect(status).toBe(200)
    expect(json).toEqual({
      success: true,
      message: expect.stringContaining('destroyed'),
      key_id: 'k',
      deletion_date: '2026-11-23T12:00:00.000Z',
      key_metadata: null,
    })
    expect(code(await remove({ key_id: 'k', ...force }))).toEqual([404, 'KeyDestroyed'])
  })

  it.each([
    ['no confirmation', { force_immediate: true }],
    ['another id', { force_immediate: true, confirm_key_id: 'l' }],
    ['an empty one', { force_immediate: true, confirm_key_id: '' }],
    ['an ARN', { force_immediate: true, confirm_key_id: 'arn:aws:kms:::key/k' }],
  ])('is refused with %s', async (_, body) => {
    const { status, json } = await remove({ key_id: 'k', ...body })
    expect([status, json['code']]).toEqual([400, 'ValidationError'])
    expect(json['message']).toMatch(/^confirm_key_id: /)
    expect((await send('GET', '/kms/keys/k')).status).toBe(200)
  })

  it('is refused where the server does not allow it', async () => {
    const strict = await createHarness()
    await strict.run()
    await strict.send('POST', '/kms/keys', { body: { name: 'k' } })
    const answer = await strict.send('DELETE', '/kms/keys/delete', { body: { key_id: 'k', ...force } })
    expect(code(answer)).toEqual([400, 'PolicyViolation'])
    expect(answer.json['message']).toContain('KMS_ALLOW_IMMEDIATE_DELETION')
    expect((await strict.send('GET', '/kms/keys/k')).status).toBe(200)
    await strict.close()
  })
})

describe('a key that is wanted is 409, however it is to go', () => {
  it('because it is the default', async () => {
    for (const body of [{}, { force_immediate: true, confirm_key_id: 'main-key' }]) {
      const answer = await remove({ key_id: 'main-key', ...body })
      expect(code(answer)).toEqual([409, 'KeyIsDefault'])
      expect(answer.json['message']).toContain('/kms/reconfigure')
    }
    await harness.manager.reconfigure({ default_key_id: 'k' }, { principal: 'test' })
    expect((await remove({ key_id: 'main-key' })).status).toBe(200)
    expect(code(await remove({ key_id: 'k' }))).toEqual([409, 'KeyIsDefault'])
  })

  it('because objects need it', async () => {
    count = 17
    for (const body of [{}, { force_immediate: true, confirm_key_id: 'k' }]) {
      const answer = await remove({ key_id: 'k', ...body })
      expect(code(answer)).toEqual([409, 'KeyInUse'])
      expect(answer.json['message']).toContain('17 objects')
    }
  })
})

it('is denied to who may not, whatever is wrong with it', async () => {
  const user = harness.user('other', { Effect: 'Allow', Action: 'kms:*', Resource: 'arn:aws:kms:::key/l' })
  for (const [body, query] of [
    [{ key_id: 'k' }, ''],
    [{ key_id: 'nobody' }, ''],
    [{ key_id: 'main-key' }, ''],
    [{ key_id: 'k', force_immediate: true }, ''],
    [{ key_id: 'k', nonsense: 1 }, ''],
    [undefined, '?keyId=k&force_immediate=true'],
    [{ key_id: 'k' }, '?keyId=l'],
  ] as const) {
    expect(code(await remove(body, query, user))).toEqual([403, 'AccessDenied'])
  }
  expect(code(await remove({ key_id: 'l', nonsense: 1 }, '', user))).toEqual([400, 'ValidationError'])
  expect((await remove({ key_id: 'l' }, '', user)).status).toBe(200)
})
