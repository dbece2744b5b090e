import { type KmsError, kmsError } from '../errors/kms-error.ts'

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'no space is left on the device'],
  ['EDQUOT', 'the disk quota is used up'],
  ['EROFS', 'the file system is read-only'],
  ['EACCES', 'permission is denied'],
  ['EPERM', 'the operation is not permitted'],
  ['EIO', 'the device reported an input/output error'],
  ['EMFILE', 'too many files are open'],
  ['ENFILE', 'too many files are open'],
  ['ENOTDIR', 'a part of the path is not a directory'],
  ['EISDIR', 'it is a directory'],
  ['ENOENT', 'it does not exist'],
  ['EEXIST', 'it exists already'],
  ['ENAMETOOLONG', 'the path is too long'],
  ['ELOOP', 'it goes through a symbolic link'],
])

/** The errno code of a failed system call, if `error` is one. */
export function errnoOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

/** Why a system call failed, in words that are safe to show. */
export function storageReason(error: unknown): string {
  const code = errnoOf(error)
  return (code === undefined ? undefined : REASONS.get(code)) ?? `the system call failed (${code ?? 'unknown'})`
}

/** `StorageFailed` for a write of `what` that did not happen. */
export function storageFailed(what: string, cause: unknown): KmsError {
  return kmsError('StorageFailed', { what, reason: storageReason(cause) }, { cause })
}
