/** What went wrong with a call: the server's code, or one of ours. */
export interface ClientErrorFacts {
  /** A code of the server's catalogue, or `ConnectionFailed`, `CertificateRefused`, `RequestTimeout`, `UnreadableReply`. */
  readonly code: string
  /** HTTP status; 0 where no reply came. */
  readonly status: number
  readonly requestId: string | undefined
  readonly retryAfterSeconds: number | undefined
  /** Whether it is certain that the server did not begin. */
  readonly notSent: boolean
}

export class KmsClientError extends Error implements ClientErrorFacts {
  override readonly name = 'KmsClientError'
  readonly code: string
  readonly status: number
  readonly requestId: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly notSent: boolean

  constructor(message: string, facts: ClientErrorFacts, options?: ErrorOptions) {
    super(message, options)
    this.code = facts.code
    this.status = facts.status
    this.requestId = facts.requestId
    this.retryAfterSeconds = facts.retryAfterSeconds
    this.notSent = facts.notSent
  }
}

/** Recognised by name, so that two copies of this package know each other's; with `codes`, only those. */
export function isKmsClientError(error: unknown, ...codes: readonly string[]): error is KmsClientError {
  if (!(error instanceof Error) || error.name !== 'KmsClientError') return false
  return codes.length === 0 || codes.includes((error as KmsClientError).code)
}
