import { isKmsError } from '../errors/kms-error.ts'

/** What may be told of an error: our own message, or that there was one. */
export function publicReason(error: unknown): string {
  return isKmsError(error) ? error.message : 'an internal error occurred'
}
