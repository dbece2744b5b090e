import type { AuditRecord } from '@kms/core'

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
