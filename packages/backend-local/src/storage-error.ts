import { isKmsError, kmsError } from '@kms/core'
import { errnoOf, storageFailed, storageReason } from '@kms/core/internal'

/** Failures of the device rather than of the place: the same call may succeed once the storage is mended. */
const TRANSIENT: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE'])

/** What to throw for a write of `path` that did not happen. What is no failed system call passes as it is. */
export function writeFailure(path: string, cause: unknown): unknown {
  const code = errnoOf(cause)
  if (code === undefined || isKmsError(cause)) return cause
  if (TRANSIENT.has(code)) return storageFailed(path, cause)
  return kmsError('StoreUnwritable', { path, reason: storageReason(cause) }, { cause })
}

/** What to throw for a read of the store at `path` that gave no answer. What is no failed system call passes as it is. */
export function readFailure(path: string, cause: unknown): unknown {
  if (errnoOf(cause) === undefined || isKmsError(cause)) return cause
  return kmsError('BackendUnavailable', { store: path, reason: storageReason(cause) }, { cause })
}
