/**
 * Every error this package answers a request with, and its HTTP status. Codes and statuses are those of the Amazon S3
 * API reference, "Error responses"; for chunked bodies and POST policies, which it hardly covers, those S3 was observed to
 * send (README, "Errors").
 */
export const sigV4ErrorStatuses = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  BadDigest: 400,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  IncompleteBody: 400,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidChunkSizeError: 403,
  InvalidPolicyDocument: 400,
  InvalidRequest: 400,
  InvalidURI: 400,
  MalformedTrailerError: 400,
  MissingContentLength: 411,
  NotImplemented: 501,
  RequestTimeTooSkewed: 403,
  SignatureDoesNotMatch: 403,
  XAmzContentSHA256Mismatch: 400,
} as const

export type SigV4ErrorCode = keyof typeof sigV4ErrorStatuses

/**
 * What the verifier computed, to be compared with what the client computed. Holds header values, for debugging only; session
 * tokens, customer keys and the like show as `***`, while the string to sign was made of what was really sent.
 */
export interface SigV4Computation {
  readonly canonicalRequest: string
  readonly stringToSign: string
}

/**
 * The only error this package throws because of what a client sent; misuse by the calling program is a `TypeError` or
 * `RangeError`. `message` is public and says what to do next. Recognise one with {@link isSigV4Error}, never with
 * `instanceof`: two copies of this package may be loaded.
 */
export class SigV4Error extends Error {
  override readonly name = 'SigV4Error'
  readonly code: SigV4ErrorCode
  /** HTTP status. */
  readonly status: number
  /** Present on `SignatureDoesNotMatch` when the verifier was made with `debug: true`; not enumerable. */
  declare readonly computed?: SigV4Computation

  constructor(code: SigV4ErrorCode, message: string, computed?: SigV4Computation) {
    super(message)
    this.code = code
    this.status = sigV4ErrorStatuses[code]
    // Not enumerable, so that neither JSON.stringify nor a spread carries header values into a reply or a log.
    if (computed !== undefined) Object.defineProperty(this, 'computed', { value: computed })
  }
}

/** One wording wherever a signature is wrong: of a request, of a chunk, of a form. */
export function signatureDoesNotMatch(computed?: SigV4Computation): SigV4Error {
  return new SigV4Error(
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your secret access key and signing method.',
    computed,
  )
}

/** Whether `error` is one of ours, optionally with one of the given codes. */
export function isSigV4Error(error: unknown, ...codes: readonly SigV4ErrorCode[]): error is SigV4Error {
  if (typeof error !== 'object' || error === null) return false
  const { name, code } = error as { name?: unknown; code?: unknown }
  if (name !== 'SigV4Error' || typeof code !== 'string' || !Object.hasOwn(sigV4ErrorStatuses, code)) return false
  return codes.length === 0 || codes.includes(code as SigV4ErrorCode)
}
