import { type ErrorCode, errorCatalogue, isKmsError, kmsError } from '@kms/core'
import { isSigV4Error } from '@kms/sigv4'

/** What may be told of an error. */
export interface PublicError {
  readonly code: ErrorCode
  /** HTTP status. */
  readonly status: number
  readonly message: string
  readonly retryAfterSeconds: number | undefined
}

/**
 * The public side of any error: ours by their code, those of signatures under the code the catalogue has for them, and
 * everything else as `InternalError`, with nothing of its own text.
 */
export function publicError(error: unknown): PublicError {
  if (isKmsError(error)) {
    const { code, message, retryAfterSeconds } = error
    return { code, status: errorCatalogue[code].status, message, retryAfterSeconds }
  }
  if (isSigV4Error(error)) {
    const code: ErrorCode = Object.hasOwn(errorCatalogue, error.code) ? (error.code as ErrorCode) : 'InvalidRequest'
    return { code, status: errorCatalogue[code].status, message: error.message, retryAfterSeconds: undefined }
  }
  return publicError(kmsError('InternalError'))
}
