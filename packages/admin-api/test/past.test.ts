import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Answer, createHarness, type Harness, stateOf } from './harness.ts'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
  await harness.run()
})
afterEach(() => harness.close())

const post = (target: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> =>
  harness.send('POST', target, { body, headers })

describe('dry_run', () => {
  it('tells what would change and how it was proven, and changes nothing', async () => {
    const before = stateOf(harness)
    const { status, json, text } = await post('/kms/reconfigure?dry_run=true', { cache_ttl_seconds: 600, token: 'n3w' })
    expect(status).toBe(200)
    expect(json).toEqual({
      success: true,
      message: 'This would be accepted. Nothing was changed.',
      dry_run: true,
      status: 'Running',
      revision: 2,
      diff: [
        { path: 'cache_ttl_seconds', from: 300, to: 600 },
        { path: 'token', to: '***' },
      ],
      proof: ['open', 'health', 'default key', 'fresh canary', 'negative canary', 'stored canaries'].map((step) => ({
        step,
        detail: expect.any(String),
        milliseconds: expect.any(Number),
      })),
    })
    expect(text).not.toContain('n3w')
    expect(text).toContain('\n  "dry_run": true')
    expect(stateOf(harness)).toEqual(before)
  })

  it('says what would be initialised', async () => {
    const { json } = await post('/kms/reconfigure?dry_run=true', { name: 'elsewhere' })
    expect(json['message']).toBe(
      'This would be accepted. Nothing was changed. A new key store would be initialised at elsewhere.',
    )
    expect(harness.driver.stores.has('elsewhere')).toBe(false)
  })

  it('says so when nothing would change, and false means what it says', async () => {
    expect((await post('/kms/reconfigure?dry_run=true', {})).json['message']).toBe('This would change nothing.')
    expect((await post('/kms/reconfigure?dry_run=false', { cache_ttl_seconds: 5 })).json).toMatchObject({ revision: 3 })
  })

  it('is refused as the change would be', async () => {
    const before = stateOf(harness)
    const { status, json } = await post('/kms/reconfigure?dry_run=true', { default_key_id: 'absent' })
    expect([status, json['code'], json['status']]).toEqual([409, 'DefaultKeyMissing', 'Running'])
    expect(stateOf(harness)).toEqual(before)
  })
})

describe('confirm_within and confirm', () => {
  it('say what happens if nobody confirms, and keep what is confirmed', async () => {
    const changed = await post('/kms/reconfigure?confirm_within=60', { cache_ttl_seconds: 600 })
    expect(changed.json['message']).toContain('taken back in 60 s unless POST /rustfs/admin/v3/kms/confirm')
    const { json } = await post('/kms/confirm')
    expect(json).toEqual({ success: true, message: expect.any(String), status: 'Running', revision: 4 })
    harness.clock.advance(61_000)
    expect((await harness.send('GET', '/kms/config')).json['cache_ttl_seconds']).toBe(600)
  })

  it('take back what is not', async () => {
    await post('/kms/reconfigure?confirm_within=60', { cache_ttl_seconds: 600 })
    harness.clock.advance(60_000)
    await expect.poll(() => harness.manager.config()?.document.cache_ttl_seconds).toBe(300)
    const late = await post('/kms/confirm')
    expect([late.status, late.json['code'], late.json['status']]).toEqual([409, 'NothingToConfirm', 'Running'])
  })

  it('wait for nothing that did not change', async () => {
    const { json } = await post('/kms/reconfigure?confirm_within=60', {})
    expect(json['message']).not.toContain('taken back')
    expect((await post('/kms/confirm')).status).toBe(409)
  })
})

describe('history and rollback', () => {
  it('list the revisions that changed something, and return to one', async () => {
    await post('/kms/reconfigure', { cache_ttl_seconds: 600, token: 's3cret' })
    const { json, text } = await harness.send('GET', '/kms/config/history')
    expect(json).toEqual({
      revisions: [
        {
          revision: 3,
          time: '2026-11-23T12:00:00.000Z',
          principal: 'root',
          outcome: 'reconfigured',
          diff: [
            { path: 'cache_ttl_seconds', from: 300, to: 600 },
            { path: 'token', to: '***' },
          ],
        },
        expect.objectContaining({ revision: 1, outcome: 'configured', principal: 'test' }),
      ],
    })
    expect(text).not.toContain('s3cret')
    const back = await post('/kms/rollback', { revision: 1 })
    expect(back.json).toEqual({
      success: true,
      message: 'Revision 1 is the configuration again, as revision 4.',
      status: 'Running',
      revision: 4,
    })
    expect((await post('/kms/rollback', { revision: 1 })).json['message']).toMatch(/^unchanged: /)
  })

  it('know only what is kept', async () => {
    const { status, json } = await post('/kms/rollback', { revision: 2 })
    expect([status, json['code'], json['status']]).toEqual([404, 'NoSuchRevision', 'Running'])
  })

  it('lose a race with If-Match', async () => {
    const etag = (await harness.send('GET', '/kms/config')).headers.get('etag') ?? ''
    await post('/kms/reconfigure', { cache_ttl_seconds: 600 })
    const { status, json } = await post('/kms/rollback', { revision: 1 }, { 'if-match': etag })
    expect([status, json['code']]).toEqual([412, 'PreconditionFailed'])
  })
})

it('of 100 writers with one ETag exactly one wins', async () => {
  const etag = (await harness.send('GET', '/kms/config')).headers.get('etag') ?? ''
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      i % 2 === 0
        ? post('/kms/reconfigure', { cache_ttl_seconds: 1000 + i }, { 'if-match': etag })
        : post('/kms/rollback', { revision: 1 }, { 'if-match': `"${i}"` }),
    ),
  )
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 412)).toHaveLength(99)
})
