import type { AdminLogEntry } from '@kms/admin-api'
import type { ManagerEvent } from '@kms/core'
import { describeError } from './describe-error.ts'
import type { Log } from './log.ts'

/** Events somebody should look at. */
const TROUBLE: ReadonlySet<ManagerEvent['event']> = new Set([
  'kms_warning',
  'kms_change_failed',
  'kms_unhealthy',
  'kms_returned',
  'kms_reverted',
])

/** Writes what happens to the service: one structured line for every change, with the backend's summary. */
export function logManagerEvent(log: Log, { message, ...fields }: ManagerEvent): void {
  if (TROUBLE.has(fields.event)) log.warn(message, fields)
  else log.info(message, fields)
}

/** Writes changes of users and policies (info), the access log (debug) and the failures behind replies that say nothing (error). */
export function logAdminEntry(log: Log, entry: AdminLogEntry): void {
  if (entry.event === 'request') {
    const { operation, principal, requestId, status } = entry
    // What is under /kms/ tells of itself.
    const changes = entry.method === 'PUT' || entry.method === 'DELETE'
    if (status === 200 && changes && !entry.path.includes('/kms/')) {
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
