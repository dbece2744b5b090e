import type { ConfigChange } from '../config/compare.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { LifecycleReport, Precondition } from '../manager/manager-types.ts'
import type { ServiceStatus } from './service-status.ts'
import type { StoredDocument } from './stored-document.ts'

/** Says how a call ended well: where the service stands now, what changed, and what the operator should know. */
export type Report = (
  outcome: LifecycleReport['outcome'],
  changed?: readonly ConfigChange[],
  notes?: readonly string[],
) => LifecycleReport

export function createReport(status: ServiceStatus, document: StoredDocument): Report {
  return (outcome, changed = [], notes = []) => ({
    status: status.wire,
    revision: document.current?.revision ?? 0,
    outcome,
    changed,
    notes,
  })
}

/** Throws `PreconditionFailed` when the caller read another revision than the current one. */
export function checkIfMatch(document: StoredDocument, { ifMatch }: Precondition): void {
  const actual = document.current?.etag
  if (ifMatch === undefined || ifMatch === '*' || ifMatch === actual) return
  throw kmsError('PreconditionFailed', { actual: actual ?? 'none', expected: ifMatch.slice(0, 64) })
}
