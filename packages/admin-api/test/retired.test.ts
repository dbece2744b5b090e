import { kmsError } from '@kms/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createHarness, type Harness } from './harness.ts'

let harness: Harness
let realm: string
beforeEach(async () => {
  harness = await createHarness()
  await harness.run()
  await harness.send('POST', '/kms/reconfigure', { body: { token: 's3cret', endpoint: 'memory://one' } })
  await harness.send('POST', '/kms/reconfigure', { body: { name: 'second' } })
  realm = harness.driver.stores.get('main')?.realm ?? ''
})
afterEach(() => harness.close())

describe('/kms/retired', () => {
  it('lists the stores kept only to unwrap', async () => {
    const { json, text } = await harness.send('GET', '/kms/retired')
    expect(json).toEqual({
      stores: [
        {
          realm,
          backend_type: 'memory',
          summary: { backend_type: 'memory', name: 'main', endpoint: 'memory://one', has_token: true },
          healthy: true,
          last_active: '2026-11-23T12:00:00.000Z',
          token_expires_at: null,
          last_error: null,
        },
      ],
    })
    expect(text).not.toContain('s3cret')
    expect((await harness.send('GET', '/kms/status')).json['retired_backends']).toEqual([realm])
  })

  it('mends the way to one', async () => {
    const { json, text } = await harness.send('POST', `/kms/retired/${realm}`, {
      body: { endpoint: 'memory://two', token: 'n3w' },
    })
    expect(json).toEqual({
      success: true,
      message: expect.any(String),
      status: 'Running',
      revision: 5,
      changed: [
        { path: `retired.${realm}.endpoint`, from: 'memory://one', to: 'memory://two' },
        { path: `retired.${realm}.token`, from: '***', to: '***' },
      ],
    })
    expect(text).not.toMatch(/s3cret|n3w/)
    const moved = await harness.send('POST', `/kms/retired/${realm}`, { body: { endpoint: 'memory://evil' } })
    expect([moved.status, moved.json['code'], moved.json['status']]).toEqual([400, 'SecretRequired', 'Running'])
    const again = await harness.send('POST', `/kms/retired/${realm}`, { body: {} })
    expect(again.json).toMatchObject({ message: expect.stringMatching(/^unchanged: /), revision: 5, changed: [] })
  })

  it('forgets one by force, says what is lost, and not without', async () => {
    const body = { confirm_realm: realm }
    const refused = await harness.send('DELETE', `/kms/retired/${realm}`, { body })
    expect([refused.status, refused.json['code']]).toEqual([409, 'KeyStoreInUse'])
    const { json } = await harness.send('DELETE', `/kms/retired/${realm}`, { body: { ...body, force: true } })
    expect(json).toEqual({
      success: true,
      message: expect.stringMatching(/1 key version .*opens here any more/),
      status: 'Running',
      revision: 5,
    })
    expect((await harness.send('GET', '/kms/retired')).json).toEqual({ stores: [] })
    const gone = await harness.send('DELETE', `/kms/retired/${realm}`, { body: { ...body, force: true } })
    expect([gone.status, gone.json['code']]).toEqual([404, 'NoSuchKeyStore'])
  })

  it('shows one that is down, while everything else works', async () => {
    harness.driver.stores.get('main')?.faults.fail('health', kmsError('BackendTimeout', { seconds: 1 }))
    for (let second = 0; second < 80; second++) {
      harness.clock.advance(1000)
      await new Promise(setImmediate)
    }
    await expect.poll(() => harness.manager.retired()[0]?.healthy).toBe(false)
    const { json } = await harness.send('GET', '/kms/retired')
    expect(json['stores']).toMatchObject([{ healthy: false, last_error: expect.stringContaining('1 s') }])
    expect((await harness.send('POST', '/kms/generate-data-key', { body: {} })).status).toBe(200)
    expect((await harness.send('GET', '/kms/status')).json).toMatchObject({ status: 'Running', healthy: true })
  })
})

it('token_expires_at is what the open store says', async () => {
  const { open } = harness.driver
  harness.driver.open = async (config, options) => {
    const opened = await open(config, options)
    return { ...opened, backend: Object.assign(opened.backend, { credentialsExpireAt: Date.UTC(2027, 0, 1) }) }
  }
  const { summary } = harness.driver
  harness.driver.summary = (config) => ({ ...summary(config), token_expires_at: null })
  const backendSummary = async (): Promise<unknown> => (await harness.send('GET', '/kms/status')).json['config_summary']
  expect(await backendSummary()).toMatchObject({ backend_summary: { token_expires_at: null } })
  await harness.send('POST', '/kms/start', { body: { force: true } })
  expect(await backendSummary()).toMatchObject({ backend_summary: { token_expires_at: '2027-01-01T00:00:00.000Z' } })
  await harness.send('POST', '/kms/reconfigure', { body: { name: 'third' } })
  const { stores } = (await harness.send('GET', '/kms/retired')).json as { stores: Record<string, unknown>[] }
  expect(stores.map((store) => store['token_expires_at'])).toContain('2027-01-01T00:00:00.000Z')
})
