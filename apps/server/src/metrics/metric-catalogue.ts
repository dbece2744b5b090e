/** What the documentation and the registry need to know of a metric. */
export interface MetricSpec {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** Label names; none holds anything a caller chose. */
  readonly labels: readonly string[]
}

export type MetricName =
  | 'kms_build_info'
  | 'kms_ready'
  | 'kms_state'
  | 'kms_healthy'
  | 'kms_retired_stores'
  | 'kms_config_revision'
  | 'kms_config_changes_total'
  | 'kms_config_change_duration_seconds'
  | 'kms_config_last_reload_successful'
  | 'kms_config_last_reload_success_timestamp_seconds'
  | 'kms_requests_total'
  | 'kms_request_duration_seconds'
  | 'kms_requests_in_flight'
  | 'kms_backend_operations_total'
  | 'kms_backend_operation_duration_seconds'
  | 'kms_backend_requests_total'
  | 'kms_backend_request_duration_seconds'
  | 'kms_backend_credentials_expiry_timestamp_seconds'
  | 'kms_backend_breaker_open'
  | 'kms_cache_hits_total'
  | 'kms_cache_misses_total'
  | 'kms_cache_evictions_total'
  | 'kms_cache_entries'
  | 'kms_object_operations_total'
  | 'kms_object_operation_duration_seconds'
  | 'kms_object_received_bytes_total'
  | 'kms_object_sent_bytes_total'
  | 'kms_bucket_key_cache_hits_total'
  | 'kms_bucket_key_cache_misses_total'
  | 'kms_bucket_key_cache_entries'
  | 'kms_key_changes_total'
  | 'kms_audit_records_total'
  | 'kms_audit_writing'
  | 'kms_audit_checkpoint_sequence'
  | 'kms_audit_checkpoint_timestamp_seconds'
  | 'kms_keys'
  | 'kms_keys_truncated'
  | 'kms_key_oldest_rotation_age_seconds'

/**
 * The server's own metrics. Names and labels are stable: `deploy/` holds alerts and a dashboard made of them, and
 * `docs/metrics.md` is held equal to this.
 */
export const metricCatalogue: Readonly<Record<MetricName, MetricSpec>> = {
  kms_build_info: { type: 'gauge', help: 'Always 1; the labels say what runs.', labels: ['version', 'node'] },
  kms_ready: { type: 'gauge', help: '1 while /health/ready says yes, else 0.', labels: [] },
  kms_state: {
    type: 'gauge',
    help: '1 for the state the service is in, 0 for the others: NotConfigured, Configured, Running, Error.',
    labels: ['state'],
  },
  kms_healthy: {
    type: 'gauge',
    help: '1 while the key store in use answers, 0 while it does not or nothing runs.',
    labels: [],
  },
  kms_retired_stores: { type: 'gauge', help: 'Key stores kept only to unwrap.', labels: [] },
  kms_config_revision: {
    type: 'gauge',
    help: 'Revision of the stored configuration; 0 while there is none.',
    labels: [],
  },
  kms_config_changes_total: {
    type: 'counter',
    help: 'Changes of the service by the event they are logged as; outcome: ok or the code of the error.',
    labels: ['change', 'outcome'],
  },
  kms_config_change_duration_seconds: {
    type: 'histogram',
    help: 'How long changes of the service took, opening and proving included.',
    labels: ['change'],
  },
  kms_config_last_reload_successful: {
    type: 'gauge',
    help: '1 when the last configure, reconfigure or rollback was taken, 0 when it was refused; absent before the first one.',
    labels: [],
  },
  kms_config_last_reload_success_timestamp_seconds: {
    type: 'gauge',
    help: 'When one of these was last taken, in seconds since 1970; absent before the first one.',
    labels: [],
  },
  kms_requests_total: {
    type: 'counter',
    help: 'Answered requests; outcome: ok or the code of the error.',
    labels: ['plane', 'operation', 'outcome'],
  },
  kms_request_duration_seconds: {
    type: 'histogram',
    help: 'Time from the head of a request to its answer.',
    labels: ['plane', 'operation'],
  },
  kms_requests_in_flight: {
    type: 'gauge',
    help: 'Requests begun and not yet answered, on the main listener.',
    labels: [],
  },
  kms_backend_operations_total: {
    type: 'counter',
    help: 'Operations on key stores, retries not counted; outcome: ok or the code of the error.',
    labels: ['backend', 'operation', 'outcome'],
  },
  kms_backend_operation_duration_seconds: {
    type: 'histogram',
    help: 'How long operations on key stores took, retries included.',
    labels: ['backend', 'operation'],
  },
  kms_backend_requests_total: {
    type: 'counter',
    help: 'Requests to the peer of a backend, each retry counted; outcome: ok or the code of the error.',
    labels: ['backend', 'request', 'outcome'],
  },
  kms_backend_request_duration_seconds: {
    type: 'histogram',
    help: 'How long single requests to the peer of a backend took.',
    labels: ['backend', 'request'],
  },
  kms_backend_credentials_expiry_timestamp_seconds: {
    type: 'gauge',
    help: 'When the credentials of the store in use end, in seconds since 1970; absent where they do not.',
    labels: [],
  },
  kms_backend_breaker_open: {
    type: 'gauge',
    help: '1 while requests to the peer of the store in use are kept back because it did not answer, else 0; absent where it has none.',
    labels: [],
  },
  kms_cache_hits_total: {
    type: 'counter',
    help: 'Data keys found in the cache; starts over when a configuration is published.',
    labels: [],
  },
  kms_cache_misses_total: {
    type: 'counter',
    help: 'Data keys not found in the cache; starts over when a configuration is published.',
    labels: [],
  },
  kms_cache_evictions_total: {
    type: 'counter',
    help: 'Data keys the cache had no room for; starts over when a configuration is published.',
    labels: [],
  },
  kms_cache_entries: { type: 'gauge', help: 'Data keys in the cache.', labels: [] },
  kms_object_operations_total: {
    type: 'counter',
    help: 'Operations on objects that got as far as an object, by how it is encrypted: plain, SSE-S3, SSE-KMS, SSE-C; outcome: ok or the code of the error.',
    labels: ['operation', 'mode', 'outcome'],
  },
  kms_object_operation_duration_seconds: {
    type: 'histogram',
    help: 'Time from the head of a request to the end of its reply, the body included.',
    labels: ['operation', 'mode'],
  },
  kms_object_received_bytes_total: {
    type: 'counter',
    help: 'Bytes of the content of objects that came in.',
    labels: ['mode'],
  },
  kms_object_sent_bytes_total: {
    type: 'counter',
    help: 'Bytes of the content of objects that went out.',
    labels: ['mode'],
  },
  kms_bucket_key_cache_hits_total: {
    type: 'counter',
    help: 'Bucket keys found in memory: objects for which no KMS key was asked.',
    labels: [],
  },
  kms_bucket_key_cache_misses_total: {
    type: 'counter',
    help: 'Bucket keys that were made or unwrapped.',
    labels: [],
  },
  kms_bucket_key_cache_entries: { type: 'gauge', help: 'Bucket keys in memory.', labels: [] },
  kms_key_changes_total: {
    type: 'counter',
    help: 'Changes of keys by the event they are logged as.',
    labels: ['change'],
  },
  kms_audit_records_total: {
    type: 'counter',
    help: 'Audit records; result: written, missed (could not be written) or skipped (left out of a sample).',
    labels: ['result'],
  },
  kms_audit_writing: {
    type: 'gauge',
    help: '1 while audit records can be written, 0 while they cannot; absent where none are kept.',
    labels: [],
  },
  kms_audit_checkpoint_sequence: {
    type: 'gauge',
    help: 'Place of the last audit checkpoint in its chain.',
    labels: [],
  },
  kms_audit_checkpoint_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last audit checkpoint was written, in seconds since 1970.',
    labels: [],
  },
  kms_keys: {
    type: 'gauge',
    help: 'Keys of the store in use by state, Unreadable among them; counted at most every 5 minutes, the first 1000.',
    labels: ['state'],
  },
  kms_keys_truncated: { type: 'gauge', help: '1 when there are more keys than were counted.', labels: [] },
  kms_key_oldest_rotation_age_seconds: {
    type: 'gauge',
    help: 'Age of the current version of the enabled key that was not rotated for longest, of those counted.',
    labels: [],
  },
}
