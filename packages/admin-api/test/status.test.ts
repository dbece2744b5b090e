import { kmsError } from '@kms/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createHarness, DOCUMENT, type Harness } from './harness.ts'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

const post = (target: string, body?: object) => harness.send('POST', target, { body })

const summary = {
  backend_type: 'memory',
  default_key_id: 'main-key',
  timeout_seconds: 30,
  retry_attempts: 3,
  enable_cache: true,
  max_cached_keys: 1000,
  cache_ttl_seconds: 300,
  cache_summary: { max_keys: 1000, ttl_seconds: 300, enable_metrics: true },
  backend_summary: { backend_type: 'memory', name: 'main', endpoint: null, has_token: false },
}

const nothing = {
  status: 'NotConfigured',
  backend_type: null,
  healthy: null,
  default_key_id: null,
  revision: 0,
  config_summary: null,
  cache: null,
  capabilities: null,
  retired_backends: [],
  last_error: null,
}

const configured = {
  ...nothing,
  status: 'Configured',
  backend_type: 'memory',
  default_key_id: 'main-key',
  revision: 1,
  config_summary: summary,
}

async function status(): Promise<Record<string, unknown>> {
  const answers = await Promise.all([
    harness.send('GET', '/kms/status'),
    harness.send('POST', '/kms/status'),
    harness.send('GET', '/kms/service-status'),
    harness.send('POST', '/minio/admin/v3/kms/status'),
  ])
  for (const answer of answers) {
    expect(answer.status).toBe(200)
    expect(answer.text).toBe(answers[0].text)
  }
  return answers[0].json
}

it('NotConfigured', async () => {
  expect(await status()).toEqual(nothing)
  expect((await harness.send('GET', '/kms/status')).text).toContain('"status": "NotConfigured"')
})

it('Configured', async () => {
  await post('/kms/configure', DOCUMENT)
  expect(await status()).toEqual(configured)
})

it('Running', async () => {
  await harness.run()
  const { capabilities, ...rest } = await status()
  expect(rest).toEqual({
    ...configured,
    capabilities: undefined,
    status: 'Running',
    healthy: true,
    revision: 2,
    cache: { hits: 0, misses: 0, entries: 0, evictions: 0 },
  })
  expect(Object.keys(capabilities as object).sort()).toEqual(
    [
      'encrypt decrypt generate_data_key rotate enable_disable schedule_deletion versioning physical_delete',
      'update_key_metadata rewrap import backup',
    ]
      .join(' ')
      .split(' ')
      .sort(),
  )
})

it('Error', async () => {
  await harness.run()
  await post('/kms/stop')
  harness.driver.stores
    .get('main')
    ?.faults.fail('open', kmsError('BackendUnavailable', { store: 'main', reason: 'gone' }))
  const start = await post('/kms/start')
  const reason = 'The key store main cannot be reached: gone. Retry later.'
  expect([start.status, start.json['code'], start.json['status']]).toEqual([
    503,
    'BackendUnavailable',
    { Error: reason },
  ])
  expect(await status()).toEqual({ ...configured, status: { Error: reason }, revision: 3, last_error: reason })
})

it('shows no cache and no default key where there are none', async () => {
  await post('/kms/configure', { backend_type: 'memory', name: 'bare', enable_cache: false })
  await post('/kms/start')
  const shown = await status()
  expect(shown).toMatchObject({
    default_key_id: null,
    cache: null,
    config_summary: { cache_summary: null, default_key_id: null },
  })
})

it('names the stores that are kept only to unwrap', async () => {
  await harness.run()
  const realm = harness.driver.stores.get('main')?.realm
  await post('/kms/reconfigure', { name: 'second' })
  expect(await status()).toMatchObject({ status: 'Running', retired_backends: [realm] })
})
