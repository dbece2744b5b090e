import type { AdminLogEntry } from '@kms/admin-api'
import type { ManagerEvent } from '@kms/core'
import { describeError } from './describe-error.ts'
import type { EventFields } from './event-catalogue.ts'
import type { Log } from './log.ts'

/** Writes what happens to the service and to keys: one structured line for every change. */
export function logManagerEvent(log: Log, event: ManagerEvent): void {
  const { caller, message, revision, diff, backend } = event
  const who = { principal: caller?.principal, address: caller?.address, request_id: caller?.requestId }
  const what = { key_id: event.keyId, realm: event.realm }
  if (isKeyEvent(event.event)) {
    log.event(event.event, { ...who, ...what }, { message })
    return
  }
  const { outcome, revisionBefore: revision_before, milliseconds: duration_ms } = event
  const fields = { ...who, ...what, outcome, revision_before, revision, diff, backend, duration_ms }
  if (event.event === 'kms_change_failed') {
    log.event(event.event, { ...fields, attempted: event.attempted, code: event.code }, { message })
  } else log.event(event.event, fields, { message })
}

type KeyEvent = Extract<ManagerEvent['event'], `kms_key_${string}`>

function isKeyEvent(event: ManagerEvent['event']): event is KeyEvent {
  return event.startsWith('kms_key_')
}

type AnsweredRequest = Extract<AdminLogEntry, { readonly event: 'request' }>

/**
 * Writes changes of users and denials (info), the access log and what wrong signatures were compared with (debug), and the
 * failures behind replies that say nothing (error).
 */
export function logAdminEntry(log: Log, entry: AdminLogEntry): void {
  if (entry.event === 'failure') {
    log.event('request_failed', { request_id: entry.requestId, error: describeError(entry.error) })
  } else if (entry.event === 'request') logRequest(log, entry)
  else {
    const { canonicalRequest: canonical_request, stringToSign: string_to_sign } = entry.computed
    log.event('signature_mismatch', { request_id: entry.requestId, canonical_request, string_to_sign })
  }
}

function logRequest(log: Log, entry: AnsweredRequest): void {
  const { status, principal, effect, action } = entry
  const denied = status === 403 && principal !== undefined
  if (denied) log.event('access_denied', requestFields(entry))
  else if (status === 200 && effect === 'change' && action?.startsWith('admin:')) {
    log.event('iam_changed', requestFields(entry))
  }
  if (log.tells('request')) log.event('request', requestFields(entry))
}

function requestFields(entry: AnsweredRequest): EventFields<'request'> {
  const { status } = entry
  return {
    request_id: entry.requestId,
    operation: entry.operation,
    method: entry.method,
    path: entry.path,
    principal: entry.principal,
    access_key_id: entry.accessKeyId,
    address: entry.address,
    key_id: entry.keyId,
    status,
    code: entry.code,
    outcome: status === 200 ? 'ok' : status === 403 ? 'denied' : 'error',
    duration_ms: Math.round(entry.milliseconds * 1000) / 1000,
  }
}
