import type { ObjectStoreError, ObjectStoreErrorCode } from '@kms/s3-api'

/** Makes an error of the port; this package has its types only. */
export function storeError(code: ObjectStoreErrorCode, message: string, cause?: unknown): ObjectStoreError {
  const error = new Error(message, cause === undefined ? undefined : { cause })
  return Object.assign(error, { name: 'ObjectStoreError', code } as const)
}

/** The errno code of a failed system call, if `error` is one. */
function errnoOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined
}

/** What to throw for a failed system call of ours: `StorageFailed`. What is none passes as it is. */
export function storageError(what: string, error: unknown): unknown {
  const code = errnoOf(error)
  return code === undefined ? error : storeError('StorageFailed', `${what} failed (${code})`, error)
}
