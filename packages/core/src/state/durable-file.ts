import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { link, open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Prefix of the temporary files {@link writeDurably} makes; one found at start is a write that never happened. */
export const TEMPORARY_PREFIX = '.tmp-'

export interface DurableWriteOptions {
  /** File mode, e.g. `0o600`; applied whatever the umask. */
  readonly mode: number
  /** `true`: fail with `EEXIST` when the file exists, atomically (a hard link); `false`: replace it. */
  readonly exclusive?: boolean
  /** Where the temporary file is made, on the same file system; beside the file unless given. */
  readonly temporaryDirectory?: string
}

/**
 * Writes a whole file so that after a crash at any point the old bytes or the new ones are found, and so that when it
 * returns the new ones survive power loss: temporary file (O_EXCL) → write → fsync → rename or link → fsync directory.
 */
export async function writeDurably(
  path: string,
  bytes: string | Uint8Array,
  options: DurableWriteOptions,
): Promise<void> {
  const directory = dirname(path)
  const temporary = join(
    options.temporaryDirectory ?? directory,
    `${TEMPORARY_PREFIX}${basename(path).slice(0, 64)}-${randomBytes(6).toString('hex')}`,
  )
  try {
    const file = await open(temporary, 'wx', options.mode)
    try {
      await file.chmod(options.mode)
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    if (options.exclusive) await link(temporary, path)
    else await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
  if (options.exclusive) await unlink(temporary)
  await syncDirectory(directory)
}

/** Makes the entries of a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
