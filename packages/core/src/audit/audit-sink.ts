/** One decision about a caller, and what became of what it asked for. Nothing in it is secret. */
export interface AuditRecord {
  /** Where it was asked. What keys were used for on the data plane may be sampled; denials, errors and changes never are. */
  readonly plane: 'admin' | 'data'
  /** What was asked for, by the name of the operation. */
  readonly operation: string
  /** The permission that was checked: `kms:Decrypt`. */
  readonly action: string
  readonly decision: 'allow' | 'deny'
  /** How it ended: `ok`, or the code of the error the caller was told. */
  readonly outcome: string
  readonly principal: string
  readonly accessKeyId?: string
  readonly address?: string
  readonly requestId: string
  /** The key it was about, by its resolved id; absent where it was about the service as a whole. */
  readonly keyId?: string
}

/**
 * Keeps audit records. Whoever answers requests asks {@link admit} before it does anything for an authenticated caller, and
 * waits for {@link record} before it lets the answer go.
 */
export interface AuditSink {
  /** Throws `AuditUnavailable` while records cannot be kept and the policy is to do nothing without. */
  admit(): void
  /**
   * Resolves when the records are kept as well as the policy asks for. Throws `AuditUnavailable` when they are not, and the
   * policy is to answer nothing without: what was asked for may have happened, and the answer must not go out.
   */
  record(records: readonly AuditRecord[]): Promise<void>
}
