import type { Operation } from '../transport/operation.ts'
import type { Lease } from './lease.ts'

/** Where tokens come from. */
export interface CredentialSource {
  /** How the method is called, for messages. */
  readonly name: string
  /** Whether tokens are made for us, by a login: those are revoked when they are no longer needed, and others never. */
  readonly ours: boolean
  /** The field to blame when it is refused. */
  readonly field: string
  /**
   * A token that is good now. Throws `CredentialsRefused` when Vault says no, `ValidationError` and `PolicyViolation` when a
   * file cannot be used, `BackendUnavailable`, `BackendTimeout`.
   */
  obtain(operation: Operation): Promise<Lease>
  /** Whether what it is made from changed since the last `obtain`, so that there is another token to be had. */
  changed?(): Promise<boolean>
}
