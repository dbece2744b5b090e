import { type ErrorCode, errorCatalogue, isKmsError, kmsError } from '@kms/core'
import { isIamError, isPolicyError } from '@kms/iam'
import { isSigV4Error } from '@kms/sigv4'

/** What may be told of an error. */
export interface PublicError {
  readonly code: ErrorCode
  /** HTTP status. */
  readonly status: number
  readonly message: string
  readonly retryAfterSeconds: number | undefined
}

/** Errors about what is stored: not the caller's, although the catalogue has a code of that name. */
const PRIVATE_IAM_CODES: ReadonlySet<string> = new Set(['InvalidIamFile', 'InvalidIamDocument', 'UnsupportedFormat'])

/**
 * The public side of any error: ours by their code, those of signatures, users and policies under the code the catalogue
 * has for them, and everything else as `InternalError`, with nothing of its own text.
 */
export function publicError(error: unknown): PublicError {
  if (isKmsError(error)) {
    const { code, message, retryAfterSeconds } = error
    return { code, status: errorCatalogue[code].status, message, retryAfterSeconds }
  }
  if (isSigV4Error(error)) {
    const code: ErrorCode = Object.hasOwn(errorCatalogue, error.code) ? (error.code as ErrorCode) : 'InvalidRequest'
    return fromCatalogue(code, error.message)
  }
  if (isIamError(error)) {
    const { code, message } = error
    if (!PRIVATE_IAM_CODES.has(code) && Object.hasOwn(errorCatalogue, code)) {
      return fromCatalogue(code as ErrorCode, message)
    }
  } else if (isPolicyError(error)) return fromCatalogue(error.code, error.message)
  return publicError(kmsError('InternalError'))
}

function fromCatalogue(code: ErrorCode, message: string): PublicError {
  return { code, status: errorCatalogue[code].status, message, retryAfterSeconds: undefined }
}
