import type { AuditRecord } from '@kms/core'
import { decisionRecord } from '@kms/core/internal'
import type { CallNotes } from './call-notes.ts'

/**
 * The records of a request: every use of a KMS key, every change of a bucket, every denial. Who did not sign makes none for what it
 * was denied, so that nobody can fill the disk from outside.
 */
export function auditRecords(
  { authenticated, decisions }: Pick<CallNotes, 'authenticated' | 'decisions'>,
  outcome: string,
  { operation, requestId }: { readonly operation: string; readonly requestId: string },
): readonly AuditRecord[] {
  if (authenticated === undefined) return []
  const { principal, peer } = authenticated
  const all =
    principal.kind === 'anonymous' ? decisions.all.filter(({ decision }) => decision === 'allow') : decisions.all
  const origin = { plane: 'data', operation, principal, address: peer.address, requestId } as const
  return all.map((decision) => decisionRecord(decision, outcome, origin))
}
