import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ManagerStatus } from '@kms/core'
import { describe, expect, it } from 'vitest'
import { eventCatalogue } from '../log/event-catalogue.ts'
import { metricCatalogue } from './metric-catalogue.ts'
import { createMetrics, type MetricSources } from './metrics.ts'

const status: ManagerStatus = {
  status: 'Running',
  revision: 7,
  config: undefined,
  backendSummary: { backend_type: 'vault' },
  credentialsExpireAt: Date.UTC(2026, 0, 1, 1),
  breakerOpen: true,
  healthy: true,
  cache: { hits: 3, misses: 2, entries: 1, evictions: 0 },
  capabilities: undefined,
  retiredBackends: ['00'.repeat(16)],
  lastError: undefined,
}
const counts = {
  byState: new Map([['Enabled', 2] as const, ['Unreadable', 1] as const]),
  truncated: false,
  oldestRotationSeconds: 60,
}
const sources: MetricSources = {
  status: () => status,
  ready: () => true,
  inFlight: () => 4,
  keyCounts: () => counts,
  audit: () => ({ records: 9, missed: 2, skipped: 1, writing: true, checkpoint: { seq: 12, at: 1000 } }),
  bucketKeys: () => ({ hits: 6, misses: 5, entries: 2 }),
}
const create = () => createMetrics({ version: '1.2.3', now: () => 1_700_000_000_000 })

/** The lines of the server's own metrics, comments left out. */
async function series(metrics: ReturnType<typeof create>): Promise<string[]> {
  const lines = (await metrics.text()).split('\n')
  return lines.filter((line) => line.startsWith('kms_'))
}

it('shows the state of the service, the cache and the keys as they are when it is scraped', async () => {
  const metrics = create()
  metrics.watch(sources)
  const lines = await series(metrics)
  for (const line of [
    `kms_build_info{version="1.2.3",node="${process.version}"} 1`,
    'kms_ready 1',
    'kms_state{state="NotConfigured"} 0',
    'kms_state{state="Running"} 1',
    'kms_state{state="Error"} 0',
    'kms_healthy 1',
    'kms_retired_stores 1',
    'kms_config_revision 7',
    'kms_requests_in_flight 4',
    'kms_backend_credentials_expiry_timestamp_seconds 1767229200',
    'kms_backend_breaker_open 1',
    'kms_bucket_key_cache_hits_total 6',
    'kms_bucket_key_cache_misses_total 5',
    'kms_bucket_key_cache_entries 2',
    'kms_cache_hits_total 3',
    'kms_cache_misses_total 2',
    'kms_cache_entries 1',
    'kms_keys{state="Enabled"} 2',
    'kms_keys{state="Unreadable"} 1',
    'kms_keys_truncated 0',
    'kms_key_oldest_rotation_age_seconds 60',
    'kms_audit_records_total{result="written"} 9',
    'kms_audit_records_total{result="missed"} 2',
    'kms_audit_writing 1',
    'kms_audit_checkpoint_sequence 12',
    'kms_audit_checkpoint_timestamp_seconds 1',
  ]) {
    expect(lines).toContain(line)
  }
})

it('says nothing about what is not there, and of a service that does not run that it does not', async () => {
  const metrics = create()
  metrics.watch({
    status: () => ({
      ...status,
      status: { Error: 'the place is gone' },
      healthy: undefined,
      cache: undefined,
      credentialsExpireAt: undefined,
      breakerOpen: undefined,
    }),
    ready: () => false,
    inFlight: () => 0,
    keyCounts: () => undefined,
    audit: () => undefined,
    bucketKeys: () => ({ hits: 0, misses: 0, entries: 0 }),
  })
  const lines = await series(metrics)
  for (const line of ['kms_state{state="Error"} 1', 'kms_healthy 0', 'kms_ready 0', 'kms_cache_hits_total 0']) {
    expect(lines).toContain(line)
  }
  for (const absent of [
    'kms_keys',
    'kms_key_',
    'kms_backend_credentials',
    'kms_backend_breaker',
    'kms_config_last',
    'kms_audit',
  ]) {
    expect(lines.filter((line) => line.startsWith(absent))).toEqual([])
  }
  expect(lines.join('\n')).not.toContain('gone')
  // The next scrape finds what is there by then, and what is gone again.
  let running = true
  metrics.watch({ ...sources, keyCounts: () => (running ? counts : undefined) })
  expect(await series(metrics)).toContain('kms_key_oldest_rotation_age_seconds 60')
  running = false
  expect((await series(metrics)).filter((line) => line.startsWith('kms_key'))).toEqual([])
})

it('counts and times requests and operations', async () => {
  const metrics = create()
  metrics.request('admin', 'decrypt', 'ok', 2)
  metrics.request('admin', 'decrypt', 'ok', 700)
  metrics.request('admin', 'decrypt', 'InvalidCiphertext', 1)
  metrics.backendOperation('local', 'wrap', 'BackendTimeout', 30_000)
  metrics.backendRequest('vault', 'encrypt', 'ok', 12)
  const lines = await series(metrics)
  for (const line of [
    'kms_requests_total{plane="admin",operation="decrypt",outcome="ok"} 2',
    'kms_requests_total{plane="admin",operation="decrypt",outcome="InvalidCiphertext"} 1',
    'kms_request_duration_seconds_bucket{le="0.0025",plane="admin",operation="decrypt"} 2',
    'kms_request_duration_seconds_count{plane="admin",operation="decrypt"} 3',
    'kms_backend_operations_total{backend="local",operation="wrap",outcome="BackendTimeout"} 1',
    'kms_backend_operation_duration_seconds_sum{backend="local",operation="wrap"} 30',
    'kms_backend_requests_total{backend="vault",request="encrypt",outcome="ok"} 1',
    'kms_backend_request_duration_seconds_bucket{le="0.025",backend="vault",request="encrypt"} 1',
  ]) {
    expect(lines).toContain(line)
  }
})

it('counts, times and weighs operations on objects by how they are encrypted', async () => {
  const metrics = create()
  const put = { operation: 'PutObject', mode: 'SSE-KMS', outcome: 'ok', sentBytes: 0, milliseconds: 20 }
  metrics.objectOperation({ ...put, receivedBytes: 4096 })
  metrics.objectOperation({ ...put, receivedBytes: 4 })
  metrics.objectOperation({ ...put, outcome: 'BadDigest', receivedBytes: 0 })
  metrics.objectOperation({ ...put, operation: 'GetObject', mode: 'plain', receivedBytes: 0, sentBytes: 7 })
  const lines = await series(metrics)
  for (const line of [
    'kms_object_operations_total{operation="PutObject",mode="SSE-KMS",outcome="ok"} 2',
    'kms_object_operations_total{operation="PutObject",mode="SSE-KMS",outcome="BadDigest"} 1',
    'kms_object_operation_duration_seconds_bucket{le="0.025",operation="PutObject",mode="SSE-KMS"} 3',
    'kms_object_received_bytes_total{mode="SSE-KMS"} 4100',
    'kms_object_sent_bytes_total{mode="plain"} 7',
  ]) {
    expect(lines).toContain(line)
  }
  expect(lines.filter((line) => /_bytes_total/.test(line))).toHaveLength(2)
})

describe('changes of the service', () => {
  it('are counted, and the last reload is told apart', async () => {
    const metrics = create()
    metrics.managerEvent({ event: 'kms_warning', message: 'm' })
    metrics.managerEvent({ event: 'kms_key_rotated', message: 'm', keyId: 'canary' })
    metrics.managerEvent({ event: 'kms_started', message: 'm', milliseconds: 20 })
    expect((await series(metrics)).filter((line) => line.startsWith('kms_config_last'))).toEqual([])
    metrics.managerEvent({ event: 'kms_reconfigured', message: 'm', milliseconds: 20 })
    expect(await series(metrics)).toEqual(
      expect.arrayContaining([
        'kms_config_last_reload_successful 1',
        'kms_config_last_reload_success_timestamp_seconds 1700000000',
        'kms_config_changes_total{change="kms_started",outcome="ok"} 1',
        'kms_config_changes_total{change="kms_reconfigured",outcome="ok"} 1',
        'kms_config_change_duration_seconds_count{change="kms_reconfigured"} 1',
      ]),
    )
    const attempted = 'kms_reconfigured'
    metrics.managerEvent({ event: 'kms_change_failed', message: 'm', attempted, code: 'ProofFailed', milliseconds: 1 })
    const failed = await series(metrics)
    expect(failed).toContain('kms_config_last_reload_successful 0')
    expect(failed).toContain('kms_config_last_reload_success_timestamp_seconds 1700000000')
    expect(failed).toContain('kms_config_changes_total{change="kms_reconfigured",outcome="ProofFailed"} 1')
    expect(failed.filter((line) => /kms_warning|canary/.test(line))).toEqual([])
    expect(failed).toContain('kms_key_changes_total{change="kms_key_rotated"} 1')
    expect(failed.filter((line) => line.includes('kms_key_rotated'))).toHaveLength(1)
  })
})

it('the process and its event loop are watched from the first scrape on', async () => {
  const text = await create().text()
  for (const name of ['process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds', 'nodejs_heap_size_used_bytes']) {
    expect(text).toContain(`\n${name}`)
  }
})

describe('what is written down', () => {
  const repository = new URL('../../../../', import.meta.url)
  const docs = fileURLToPath(new URL('docs/metrics.md', repository))

  it('the table in docs/metrics.md is the catalogue (vitest -u writes it)', async () => {
    const rows = Object.entries(metricCatalogue).map(([name, { type, help, labels }]) => {
      return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${help} |`
    })
    const table = ['| metric | type | labels | |', '|---|---|---|---|', ...rows].join('\n')
    const text = readFileSync(docs, 'utf8')
    const marked = /(<!-- metrics -->\n)[\s\S]*(<!-- \/metrics -->)/
    expect(text).toMatch(marked)
    const expected = text.replace(marked, (_, open: string, close: string) => `${open}${table}\n${close}`)
    await expect(expected).toMatchFileSnapshot(docs)
  })

  it('the exposition has the catalogue, no more and no less, with these types', async () => {
    const text = await create().text()
    const exposed = [...text.matchAll(/^# TYPE (kms_\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`)
    const listed = Object.entries(metricCatalogue).map(([name, { type }]) => `${name} ${type}`)
    expect(exposed.sort()).toEqual(listed.sort())
  })

  it('no label can hold what a caller chose', () => {
    const labels = new Set(Object.values(metricCatalogue).flatMap((spec) => spec.labels))
    expect([...labels].sort()).toEqual(
      [
        'backend',
        'change',
        'mode',
        'node',
        'operation',
        'outcome',
        'plane',
        'request',
        'result',
        'state',
        'version',
      ].sort(),
    )
  })

  it.each(['deploy/prometheus/alerts.yaml', 'deploy/grafana/kms-grafana.json'])('%s uses these names', async (file) => {
    const place = new URL(file, repository)
    expect(existsSync(place)).toBe(true)
    const exposed = new Set(
      [...(await create().text()).matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name, type]) => {
        const metric = name as string
        return type === 'histogram' ? [`${metric}_bucket`, `${metric}_sum`, `${metric}_count`] : [metric]
      }),
    )
    const used = readFileSync(place, 'utf8').match(/\b(?:kms|process|nodejs)_[a-z0-9_]+\b/g) ?? []
    expect(used.length).toBeGreaterThan(10)
    // Descriptions send people to the log.
    expect([...new Set(used)].filter((name) => !exposed.has(name) && !Object.hasOwn(eventCatalogue, name))).toEqual([])
  })
})
