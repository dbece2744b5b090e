import { z } from '@hono/zod-openapi'
import type { ConfigDocument, KmsManager, ManagerStatus } from '@kms/core'
import { summary, wireStatus } from './reply-schemas.ts'
import { defineRoute, type Route } from './route.ts'

const count = z.int().min(0)

const statusReply = z
  .strictObject({
    status: wireStatus,
    backend_type: z.string().nullable(),
    healthy: z.boolean().nullable(),
    default_key_id: z.string().nullable(),
    revision: count.openapi({ description: 'Of the stored configuration; 0 when there is none.' }),
    config_summary: z
      .strictObject({
        backend_type: z.string(),
        default_key_id: z.string().nullable(),
        timeout_seconds: count,
        retry_attempts: count,
        enable_cache: z.boolean(),
        max_cached_keys: count,
        cache_ttl_seconds: count,
        cache_summary: z.strictObject({ max_keys: count, ttl_seconds: count, enable_metrics: z.boolean() }).nullable(),
        backend_summary: summary,
      })
      .nullable(),
    cache: z.strictObject({ hits: count, misses: count, entries: count, evictions: count }).nullable(),
    capabilities: z.record(z.string(), z.boolean()).nullable(),
    retired_backends: z.array(z.string()).openapi({ description: 'Realms of the stores kept only to unwrap.' }),
    last_error: z.string().nullable(),
  })
  .openapi('KmsStatus')

/** `/kms/status`: 200 in every state, never waits for a backend; what does not apply is null. */
export const statusRoute: Route = defineRoute({
  operation: 'getStatus',
  summary: 'State of the service, its configuration in short, its cache and its capabilities',
  methods: ['GET', 'POST'],
  paths: ['/kms/status', '/kms/service-status'],
  minioPaths: ['/kms/status'],
  scope: 'service',
  // An explicit deny of the first is final, and reading the status is the lesser right.
  permission: ['kms:DescribeKey', 'kms:ServiceControl'],
  reply: statusReply,
  indented: true,
  lifecycle: true,
  handle: ({ manager }) => ({ body: describeStatus(manager) }),
})

function describeStatus(manager: KmsManager): object {
  const status = manager.status()
  const { config, cache, capabilities } = status
  return {
    status: status.status,
    backend_type: config?.backend_type ?? null,
    healthy: status.healthy ?? null,
    default_key_id: config?.default_key_id ?? null,
    revision: status.revision,
    config_summary: config === undefined ? null : summarise(config, status),
    cache:
      cache === undefined
        ? null
        : { hits: cache.hits, misses: cache.misses, entries: cache.entries, evictions: cache.evictions },
    capabilities: capabilities ?? null,
    retired_backends: status.retiredBackends,
    last_error: status.lastError ?? null,
  }
}

function summarise(config: ConfigDocument, { backendSummary = {}, credentialsExpireAt }: ManagerStatus): object {
  const { max_cached_keys, cache_ttl_seconds } = config
  return {
    backend_type: config.backend_type,
    default_key_id: config.default_key_id ?? null,
    timeout_seconds: config.timeout_seconds,
    retry_attempts: config.retry_attempts,
    enable_cache: config.enable_cache,
    max_cached_keys,
    cache_ttl_seconds,
    cache_summary: config.enable_cache
      ? { max_keys: max_cached_keys, ttl_seconds: cache_ttl_seconds, enable_metrics: true }
      : null,
    // When a token ends is no part of a configuration: what is open knows.
    backend_summary:
      'token_expires_at' in backendSummary && credentialsExpireAt !== undefined
        ? { ...backendSummary, token_expires_at: new Date(credentialsExpireAt).toISOString() }
        : backendSummary,
  }
}
