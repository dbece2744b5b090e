import { isKmsError, type KmsManager } from '@kms/core'
import { publicError } from '../error-reply.ts'
import type { KeyClaim } from '../routes/route.ts'
import type { Gate } from './gate.ts'

/** A request that is about to be refused, or one item of it. */
export interface Refusal {
  readonly gate: Pick<Gate, 'authorize' | 'requireSomeKey'>
  /** Whether it was authorised already. */
  readonly passed: boolean
  /** The key it is about; `undefined` when that can't be told. */
  readonly claim: KeyClaim | undefined
  /** Why it is refused. */
  readonly error: unknown
  readonly keys: Pick<KmsManager['keys'], 'describe'>
}

/**
 * Denial comes first: a refusal that says something else is only for those who may do this to the key it is about. Throws
 * `AccessDenied` for anybody else.
 */
export async function judgeRefusal({ gate, passed, claim, error, keys }: Refusal): Promise<void> {
  if (passed || isKmsError(error, 'AccessDenied')) return
  if (claim !== undefined && 'id' in claim) {
    gate.authorize(claim.id)
    return
  }
  // What core could not resolve just now would fail again, only later.
  if (claim !== undefined && publicError(error).status < 500) {
    try {
      await keys.describe({ key: claim.reference, authorize: gate.authorize })
    } catch (unresolved) {
      if (isKmsError(unresolved, 'AccessDenied')) throw unresolved
    }
  }
  gate.requireSomeKey()
}
