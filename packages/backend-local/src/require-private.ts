import { lstat } from 'node:fs/promises'
import { kmsError } from '@kms/core'
import { formatPermissions } from './file-permissions.ts'
import { readFailure } from './storage-error.ts'

/**
 * Throws `StoreUnwritable` unless a part of a store is what it should be (no link to one), belongs to the user of this
 * process, and is closed to everybody else. It says which command makes it so: what others may have seen or put there is for
 * the operator to judge, so nothing is narrowed here.
 */
export async function requirePrivate(path: string, kind: 'directory' | 'file'): Promise<void> {
  const stats = await lstat(path).catch((error: unknown) => {
    throw readFailure(path, error)
  })
  if (!(kind === 'directory' ? stats.isDirectory() : stats.isFile())) {
    throw refusal(path, `it is no ${kind}, and a link to one is not followed`)
  }
  const user = process.geteuid?.()
  if (user === undefined) return
  if (stats.uid !== user) {
    throw refusal(path, `it belongs to another user (uid ${stats.uid}); run: chown -R ${user} ${path}`)
  }
  const mode = stats.mode & 0o777
  if ((mode & 0o077) !== 0) {
    throw refusal(
      path,
      `others than its owner may use it (mode ${formatPermissions(mode)}); run: chmod -R go-rwx ${path}`,
    )
  }
}

function refusal(path: string, reason: string): Error {
  return kmsError('StoreUnwritable', { path, reason })
}
