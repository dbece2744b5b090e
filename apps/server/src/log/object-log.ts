import type { S3LogEntry } from '@kms/s3-api'
import { describeError } from './describe-error.ts'
import type { EventFields } from './event-catalogue.ts'
import type { Log } from './log.ts'

/** Writes denials (info), the access log (debug) and the failures behind replies that say nothing (error) of the S3 plane. */
export function logS3Entry(log: Log, entry: S3LogEntry): void {
  if (entry.event === 'failure') {
    log.event('object_request_failed', { request_id: entry.requestId, error: describeError(entry.error) })
    return
  }
  // Whoever does not sign is nobody's to look into.
  if (entry.status === 403 && entry.accessKeyId !== undefined) log.event('object_access_denied', fieldsOf(entry))
  if (log.tells('object_request')) log.event('object_request', fieldsOf(entry))
}

function fieldsOf(entry: Extract<S3LogEntry, { readonly event: 'request' }>): EventFields<'object_request'> {
  const { status } = entry
  return {
    request_id: entry.requestId,
    operation: entry.operation,
    method: entry.method,
    bucket: entry.bucket,
    principal: entry.principal,
    access_key_id: entry.accessKeyId,
    address: entry.address,
    mode: entry.mode,
    key_id: entry.keyId,
    status,
    code: entry.code,
    outcome: status === 403 ? 'denied' : entry.code === undefined ? 'ok' : 'error',
    bytes_in: entry.receivedBytes,
    bytes_out: entry.sentBytes,
    duration_ms: Math.round(entry.totalMilliseconds * 1000) / 1000,
  }
}
