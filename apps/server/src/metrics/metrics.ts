import type { AuditStatistics } from '@kms/audit'
import type { ManagerEvent, ManagerStatus } from '@kms/core'
import type { BucketKeyStatistics } from '@kms/sse'
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { KeyCounts } from './key-census.ts'
import { type MetricName, metricCatalogue } from './metric-catalogue.ts'
import { createTimedSeries, type TimedSeries } from './timed-series.ts'

/** What a scrape looks at; nothing here waits for a backend. */
export interface MetricSources {
  readonly status: () => ManagerStatus
  readonly ready: () => boolean
  readonly inFlight: () => number
  readonly keyCounts: () => KeyCounts | undefined
  /** `undefined` where no records are kept. */
  readonly audit: () => AuditStatistics | undefined
  readonly bucketKeys: () => BucketKeyStatistics
}

/** An operation on an object that has ended. */
export interface ObjectOperation {
  readonly operation: string
  readonly mode: string
  readonly outcome: string
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly milliseconds: number
}

/** Counts and times what happens. No label holds a key id, a principal or anything else a caller chose. */
export interface Metrics {
  request(plane: string, operation: string, outcome: string, milliseconds: number): void
  objectOperation(operation: ObjectOperation): void
  managerEvent(event: ManagerEvent): void
  backendOperation(backend: string, operation: string, outcome: string, milliseconds: number): void
  backendRequest(backend: string, request: string, outcome: string, milliseconds: number): void
  /** From now on scrapes have the values of these. */
  watch(sources: MetricSources): void
  /** The exposition, in `contentType`. */
  text(): Promise<string>
  readonly contentType: string
}

export interface MetricsOptions {
  readonly version: string
  /** Milliseconds since 1970. */
  readonly now: () => number
}

const STATES = ['NotConfigured', 'Configured', 'Running', 'Error'] as const

const RELOADS: ReadonlySet<string> = new Set(['kms_configured', 'kms_reconfigured', 'kms_rolled_back'])

/** Not changes. */
const REMARKS: ReadonlySet<string> = new Set([
  'kms_backed_up',
  'kms_warning',
  'kms_notice',
  'kms_healthy',
  'kms_unhealthy',
])

export function createMetrics({ version, now }: MetricsOptions): Metrics {
  const registry = new Registry()
  const shared = (name: MetricName) => {
    const { help, labels } = metricCatalogue[name]
    return { name, help, labelNames: [...labels], registers: [registry] }
  }
  const counter = (name: MetricName) => new Counter(shared(name))
  const gauge = (name: MetricName) => new Gauge(shared(name))
  const timed = (countName: MetricName, timeName: MetricName): TimedSeries =>
    createTimedSeries(registry, countName, timeName)

  const requests = timed('kms_requests_total', 'kms_request_duration_seconds')
  const objects = timed('kms_object_operations_total', 'kms_object_operation_duration_seconds')
  const received = counter('kms_object_received_bytes_total')
  const sent = counter('kms_object_sent_bytes_total')
  const operations = timed('kms_backend_operations_total', 'kms_backend_operation_duration_seconds')
  const peerRequests = timed('kms_backend_requests_total', 'kms_backend_request_duration_seconds')
  const changes = timed('kms_config_changes_total', 'kms_config_change_duration_seconds')
  const keyChanges = counter('kms_key_changes_total')
  const build = gauge('kms_build_info')
  build.labels(version, process.version).set(1)

  const seen = {
    ready: gauge('kms_ready'),
    state: gauge('kms_state'),
    healthy: gauge('kms_healthy'),
    retired: gauge('kms_retired_stores'),
    revision: gauge('kms_config_revision'),
    inFlight: gauge('kms_requests_in_flight'),
    tokenExpiry: gauge('kms_backend_credentials_expiry_timestamp_seconds'),
    breakerOpen: gauge('kms_backend_breaker_open'),
    bucketKeyHits: counter('kms_bucket_key_cache_hits_total'),
    bucketKeyMisses: counter('kms_bucket_key_cache_misses_total'),
    bucketKeys: gauge('kms_bucket_key_cache_entries'),
    hits: counter('kms_cache_hits_total'),
    misses: counter('kms_cache_misses_total'),
    evictions: counter('kms_cache_evictions_total'),
    entries: gauge('kms_cache_entries'),
    auditRecords: counter('kms_audit_records_total'),
    auditWriting: gauge('kms_audit_writing'),
    auditSequence: gauge('kms_audit_checkpoint_sequence'),
    auditTime: gauge('kms_audit_checkpoint_timestamp_seconds'),
    keys: gauge('kms_keys'),
    keysTruncated: gauge('kms_keys_truncated'),
    oldestRotation: gauge('kms_key_oldest_rotation_age_seconds'),
    reloaded: gauge('kms_config_last_reload_successful'),
    reloadedAt: gauge('kms_config_last_reload_success_timestamp_seconds'),
  }
  // A series that says 0 before anything happened would be a statement.
  for (const absent of [
    seen.reloaded,
    seen.reloadedAt,
    seen.tokenExpiry,
    seen.breakerOpen,
    seen.oldestRotation,
    seen.keysTruncated,
    seen.auditWriting,
    seen.auditSequence,
    seen.auditTime,
  ]) {
    absent.remove()
  }
  let sources: MetricSources | undefined
  let withProcess = false

  function look({ status, ready, inFlight, keyCounts, audit, bucketKeys }: MetricSources): void {
    const { status: wire, healthy, revision, retiredBackends, cache, credentialsExpireAt, breakerOpen } = status()
    const state = typeof wire === 'string' ? wire : 'Error'
    for (const each of STATES) seen.state.labels(each).set(each === state ? 1 : 0)
    seen.ready.set(ready() ? 1 : 0)
    seen.healthy.set(healthy === true ? 1 : 0)
    seen.retired.set(retiredBackends.length)
    seen.revision.set(revision)
    seen.inFlight.set(inFlight())
    for (const name of ['hits', 'misses', 'evictions'] as const) {
      seen[name].reset()
      seen[name].inc(cache?.[name] ?? 0)
    }
    seen.entries.set(cache?.entries ?? 0)
    show(seen.tokenExpiry, credentialsExpireAt && credentialsExpireAt / 1000)
    show(seen.breakerOpen, breakerOpen === undefined ? undefined : Number(breakerOpen))
    lookAtBucketKeys(bucketKeys())
    lookAtKeys(keyCounts())
    lookAtAudit(audit())
  }

  function lookAtBucketKeys({ hits, misses, entries }: BucketKeyStatistics): void {
    seen.bucketKeyHits.reset()
    seen.bucketKeyHits.inc(hits)
    seen.bucketKeyMisses.reset()
    seen.bucketKeyMisses.inc(misses)
    seen.bucketKeys.set(entries)
  }

  function lookAtAudit(audit: AuditStatistics | undefined): void {
    if (audit === undefined) return
    seen.auditRecords.reset()
    for (const [result, count] of Object.entries({
      written: audit.records,
      missed: audit.missed,
      skipped: audit.skipped,
    })) {
      seen.auditRecords.labels(result).inc(count)
    }
    seen.auditWriting.set(audit.writing ? 1 : 0)
    show(seen.auditSequence, audit.checkpoint?.seq)
    show(seen.auditTime, audit.checkpoint && audit.checkpoint.at / 1000)
  }

  function lookAtKeys(counts: KeyCounts | undefined): void {
    seen.keys.reset()
    for (const [state, count] of counts?.byState ?? []) seen.keys.labels(state).set(count)
    show(seen.keysTruncated, counts && (counts.truncated ? 1 : 0))
    show(seen.oldestRotation, counts?.oldestRotationSeconds)
  }

  return {
    contentType: registry.contentType,
    request: (plane, operation, outcome, milliseconds) => requests.record(plane, operation, outcome, milliseconds),
    backendOperation: (backend, operation, outcome, milliseconds) =>
      operations.record(backend, operation, outcome, milliseconds),
    backendRequest: (backend, request, outcome, milliseconds) =>
      peerRequests.record(backend, request, outcome, milliseconds),

    objectOperation({ operation, mode, outcome, receivedBytes, sentBytes, milliseconds }) {
      objects.record(operation, mode, outcome, milliseconds)
      if (receivedBytes > 0) received.labels(mode).inc(receivedBytes)
      if (sentBytes > 0) sent.labels(mode).inc(sentBytes)
    },

    managerEvent({ event, attempted, code, milliseconds }) {
      if (REMARKS.has(event)) return
      if (event.startsWith('kms_key_')) {
        keyChanges.labels(event).inc()
        return
      }
      const failed = event === 'kms_change_failed'
      const change = attempted ?? event
      changes.record(change, '', failed ? (code ?? 'InternalError') : 'ok', milliseconds)
      if (!RELOADS.has(change)) return
      seen.reloaded.set(failed ? 0 : 1)
      if (!failed) seen.reloadedAt.set(now() / 1000)
    },

    watch(given) {
      sources = given
    },

    async text() {
      if (!withProcess) {
        // Watching the event loop costs something: not before somebody looks.
        collectDefaultMetrics({ register: registry })
        withProcess = true
      }
      if (sources !== undefined) look(sources)
      return registry.metrics()
    },
  }
}

function show(metric: Gauge, value: number | undefined): void {
  if (value === undefined) metric.remove()
  else metric.set(value)
}
