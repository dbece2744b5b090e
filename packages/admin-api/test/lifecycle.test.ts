import { kmsError } from '@kms/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Answer, createHarness, DOCUMENT, type Harness, stateOf } from './harness.ts'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

const post = (target: string, body?: object, headers?: Record<string, string>): Promise<Answer> =>
  harness.send('POST', target, headers === undefined ? { body } : { body, headers })

it('configures, starts, reconfigures, stops and starts again', async () => {
  const configure = await post('/kms/configure', DOCUMENT)
  expect(configure.json).toEqual({ success: true, message: expect.any(String), status: 'Configured', revision: 1 })
  expect(configure.text).toContain('\n  "status": "Configured"')

  const start = await post('/kms/start')
  expect(start.json).toEqual({
    success: true,
    message: 'KMS started. A new key store was initialised at main.',
    status: 'Running',
  })

  const patch = { enable_cache: true, max_cached_keys: 2048, cache_ttl_seconds: 600, timeout_seconds: 20 }
  const reconfigure = await post('/kms/reconfigure', patch)
  expect(reconfigure.json).toEqual({
    success: true,
    message: expect.any(String),
    status: 'Running',
    revision: 3,
    changed: [
      { path: 'cache_ttl_seconds', from: 300, to: 600 },
      { path: 'max_cached_keys', from: 1000, to: 2048 },
      { path: 'timeout_seconds', from: 30, to: 20 },
    ],
  })

  const stop = await post('/kms/stop')
  expect(stop.json).toEqual({ success: true, message: 'KMS stopped.', status: 'Configured' })
  expect((await post('/kms/start', {})).json).toMatchObject({ success: true, status: 'Running' })
})

describe('what changes nothing says so', () => {
  beforeEach(() => harness.run())
  it.each([
    ['/kms/configure', DOCUMENT],
    ['/kms/reconfigure', {}],
    ['/kms/reconfigure', { timeout_seconds: 30 }],
    ['/kms/start', undefined],
    ['/kms/start', { force: null }],
  ])('%s %j', async (target, body) => {
    const before = stateOf(harness)
    const { status, json } = await post(target, body)
    expect(status).toBe(200)
    expect(json['message']).toMatch(/^unchanged: /)
    expect(stateOf(harness)).toEqual(before)
  })
  it('/kms/stop, twice', async () => {
    await post('/kms/stop')
    const before = stateOf(harness)
    expect((await post('/kms/stop')).json['message']).toMatch(/^unchanged: /)
    expect(stateOf(harness)).toEqual(before)
  })
})

it('restarts by force', async () => {
  await harness.run()
  const { json } = await post('/kms/start', { force: true })
  expect(json).toEqual({ success: true, message: 'KMS restarted on a newly opened backend.', status: 'Running' })
  expect(harness.driver.opened).toHaveLength(2)
})

describe('refusals carry the status', () => {
  it('nothing to start', async () => {
    const { status, json } = await post('/kms/start')
    expect([status, json['code'], json['status']]).toEqual([409, 'NoConfiguration', 'NotConfigured'])
  })
  it('configure while running', async () => {
    await harness.run()
    const { status, json, text } = await post('/kms/configure', { ...DOCUMENT, timeout_seconds: 10 })
    expect([status, json['code'], json['status']]).toEqual([409, 'AlreadyRunning', 'Running'])
    expect(text).toContain('"status": "Running"')
  })
  it('a candidate that can not be opened', async () => {
    await harness.run()
    harness.driver.stores.get('main')?.faults.fail('open', kmsError('BackendTimeout', { seconds: 30 }))
    const before = stateOf(harness)
    const { status, json } = await post('/kms/reconfigure', { timeout_seconds: 10 })
    expect([status, json['code'], json['status']]).toEqual([504, 'BackendTimeout', 'Running'])
    expect(stateOf(harness)).toEqual(before)
  })
  it('but not to those who are not let in', async () => {
    const user = harness.user('outsider', { Effect: 'Allow', Action: 'kms:Decrypt', Resource: '*' })
    const { json } = await harness.send('POST', '/kms/start', { as: user })
    expect(json).toEqual({
      success: false,
      code: 'AccessDenied',
      message: expect.any(String),
      request_id: expect.any(String),
    })
  })
})

describe('/kms/config', () => {
  it('is 409 while there is nothing', async () => {
    const { status, json } = await harness.send('GET', '/kms/config')
    expect([status, json['code']]).toEqual([409, 'NoConfiguration'])
  })

  it('shows no secret, and what it shows can be sent back', async () => {
    const secrets = { token: 'hidden-token', auth: { Password: { user: 'u', secret: 'hidden-password' } } }
    await post('/kms/configure', { ...DOCUMENT, ...secrets })
    const { json, text } = await harness.send('GET', '/kms/config')
    expect(text).not.toContain('hidden')
    expect(json).toMatchObject({ token: '***', auth: { password: { user: 'u', secret: '***' } } })
    const again = await post('/kms/configure', json)
    expect([again.status, again.json['message']]).toEqual([200, 'unchanged: this configuration is already stored.'])
  })

  it('has an ETag that a lost race is recognised by', async () => {
    await harness.run()
    const etag = (await harness.send('GET', '/kms/config')).headers.get('etag') as string
    expect(etag).toMatch(/^"2-[0-9a-f]{16}"$/)
    expect((await post('/kms/reconfigure', { timeout_seconds: 10 }, { 'if-match': etag })).status).toBe(200)
    const before = stateOf(harness)
    const late = await post('/kms/reconfigure', { timeout_seconds: 11 }, { 'if-match': etag })
    expect([late.status, late.json['code']]).toEqual([412, 'PreconditionFailed'])
    const lateConfigure = await post('/kms/configure', DOCUMENT, { 'if-match': etag })
    expect([lateConfigure.status, lateConfigure.json['code']]).toEqual([412, 'PreconditionFailed'])
    expect(stateOf(harness)).toEqual(before)
    const fresh = (await harness.send('GET', '/kms/config')).headers.get('etag') as string
    expect(fresh).not.toBe(etag)
    expect((await post('/kms/reconfigure', { timeout_seconds: 11 }, { 'If-Match': fresh })).status).toBe(200)
    expect((await post('/kms/reconfigure', { timeout_seconds: 12 }, { 'if-match': '*' })).status).toBe(200)
  })
})

describe('/kms/clear-cache', () => {
  it('empties the cache', async () => {
    await harness.run()
    const made = await post('/kms/generate-data-key', {})
    await post('/kms/decrypt', { ciphertext_blob: made.json['ciphertext_blob'] })
    expect(harness.manager.status().cache?.entries).toBe(1)
    expect((await post('/kms/clear-cache')).json).toEqual({
      success: true,
      message: 'Caches cleared.',
      status: 'success',
    })
    expect(harness.manager.status().cache?.entries).toBe(0)
  })
  it('is 503 while nothing runs', async () => {
    const { status, json } = await post('/kms/clear-cache')
    expect([status, json['code']]).toEqual([503, 'NotRunning'])
  })
})

it('tells the manager who asks', async () => {
  const user = harness.user('operator', { Effect: 'Allow', Action: 'kms:Configure', Resource: '*' })
  await harness.send('POST', '/kms/configure', { as: user, body: DOCUMENT })
  await harness.send('POST', '/kms/reconfigure', { as: user, body: { timeout_seconds: 9 } })
  const entry = harness.log.findLast(({ event }) => event === 'request')
  expect(entry).toMatchObject({ principal: 'operator', operation: 'reconfigure', status: 200 })
})
