import type { AdminLogEntry } from '@kms/admin-api'
import type { ManagerEvent } from '@kms/core'
import { describeError } from './describe-error.ts'
import type { Log } from './log.ts'

/** Writes what happens to the service: one structured line for every change, with the backend's summary. */
export function logManagerEvent(log: Log, { message, ...fields }: ManagerEvent): void {
  if (fields.event === 'kms_warning' || fields.event === 'kms_change_failed') log.warn(message, fields)
  else log.info(message, fields)
}

/** Writes changes of users and policies (info), the access log (debug) and the failures behind replies that say nothing (error). */
export function logAdminEntry(log: Log, entry: AdminLogEntry): void {
  if (entry.event === 'request') {
    const { operation, principal, requestId, status } = entry
    if (status === 200 && (entry.method === 'PUT' || entry.method === 'DELETE')) {
      log.info('Users or policies were changed.', { event: 'iam_changed', operation, principal, requestId })
    }
    if (log.debugEnabled) log.debug('request', { ...entry })
  } else if (entry.event === 'failure') {
    log.error('A request failed.', {
      event: entry.event,
      requestId: entry.requestId,
      error: describeError(entry.error),
    })
  } else log.debug('A signature did not match.', { ...entry })
}
