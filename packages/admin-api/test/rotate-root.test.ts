import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createHarness, type Harness } from './harness.ts'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
  await harness.run()
})
afterEach(() => harness.close())

describe('POST /kms/rotate-root', () => {
  it('changes the root key, and says what became of a re-seal', async () => {
    const { status, json, text } = await harness.send('POST', '/kms/rotate-root', {
      body: { root_key: 'a new secret', reseal: true },
    })
    expect([status, json['changed'], json['status']], text).toEqual([200, true, 'Running'])
    expect(json['reseal']).toEqual({ done: 1, total: 1, left: 0, running: false })
    expect(harness.driver.stores.get('main')?.rootKey).toBe('a new secret')
    const again = await harness.send('POST', '/kms/rotate-root', { body: { root_key: 'a new secret' } })
    expect(again.json).toMatchObject({ success: true, changed: false, reseal: null })
    expect(JSON.stringify([text, again.text, harness.log])).not.toContain('a new secret')
  })

  it('changes nothing on a dry run', async () => {
    const { revision } = harness.manager.status()
    const reply = await harness.send('POST', '/kms/rotate-root?dry_run=true', { body: { root_key: 'new' } })
    expect(reply.json).toMatchObject({ success: true, changed: false, revision })
    expect(harness.driver.stores.get('main')?.rootKey).toBeUndefined()
    const bad = await harness.send('POST', '/kms/rotate-root?dry_run=yes', { body: {} })
    expect([bad.status, bad.json['code']]).toEqual([400, 'ValidationError'])
  })

  it.each<[string, object, number, string]>([
    ['a field nobody knows', { master_keys: 'x' }, 400, 'ValidationError'],
    ['a field that is not of the root key', { token: 'x' }, 400, 'ValidationError'],
  ])('refuses %s', async (_, body, status, code) => {
    const reply = await harness.send('POST', '/kms/rotate-root', { body })
    expect([reply.status, reply.json['code'], reply.json['status']]).toEqual([status, code, 'Running'])
  })

  it('answers 503 when the service does not run, and 501 for a backend without a root key', async () => {
    Object.assign(harness.driver.opened.at(-1)?.backend ?? {}, { rotateRoot: undefined })
    const unable = await harness.send('POST', '/kms/rotate-root', { body: {} })
    expect([unable.status, unable.json['code']]).toEqual([501, 'UnsupportedCapability'])
    await harness.send('POST', '/kms/stop')
    const stopped = await harness.send('POST', '/kms/rotate-root', { body: {} })
    expect([stopped.status, stopped.json['code']]).toEqual([503, 'NotRunning'])
  })
})
