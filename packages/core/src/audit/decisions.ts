import type { AuditRecord } from './audit-sink.ts'

/** What was decided about a caller. */
export interface Decision {
  /** The permission that names the operation. */
  readonly action: string
  /** Absent where it was about the service as a whole, or about no key in particular. */
  readonly keyId: string | undefined
  readonly decision: AuditRecord['decision']
}

/** The decisions of one request, each once: asking again about the same is no new decision. */
export interface Decisions {
  readonly all: readonly Decision[]
  add(action: string, keyId: string | undefined, allowed: boolean): void
}

export function createDecisions(): Decisions {
  const byName = new Map<string, Decision>()
  return {
    get all() {
      return [...byName.values()]
    },
    add(action, keyId, allowed) {
      const decision = allowed ? 'allow' : 'deny'
      byName.set(`${decision} ${action} ${keyId ?? ''}`, { action, keyId, decision })
    },
  }
}

/** Of which request a decision is recorded. */
export interface DecisionOrigin {
  readonly plane: AuditRecord['plane']
  readonly operation: string
  readonly principal: { readonly name: string; readonly accessKeyId?: string | undefined }
  readonly address: string | undefined
  readonly requestId: string
}

/** The record of a decision; `outcome` is that of the request, where it was allowed. */
export function decisionRecord(
  { action, keyId, decision }: Decision,
  outcome: AuditRecord['outcome'],
  { plane, operation, principal, address, requestId }: DecisionOrigin,
): AuditRecord {
  return {
    plane,
    operation,
    action,
    decision,
    outcome: decision === 'deny' ? 'AccessDenied' : outcome,
    principal: principal.name,
    ...(principal.accessKeyId === undefined ? {} : { accessKeyId: principal.accessKeyId }),
    ...(address === undefined ? {} : { address }),
    requestId,
    ...(keyId === undefined ? {} : { keyId }),
  }
}
