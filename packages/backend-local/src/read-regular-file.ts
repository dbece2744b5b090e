import type { Buffer } from 'node:buffer'
import { type BigIntStats, constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { MAX_FILE_BYTES } from './authenticated-file.ts'

/** A file of the store as it was read; `bytes` is absent when it is not a regular file, or too large to be one of ours. */
export interface FoundFile {
  readonly stats: BigIntStats
  readonly bytes?: Buffer
}

/**
 * Reads a file of the store whole. Links are not followed (`ELOOP`): what they lead to is not part of the store. Rejects
 * with the error of the system call.
 */
export async function readRegularFile(path: string): Promise<FoundFile> {
  // Not blocking: opening a named pipe would wait for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = await file.stat({ bigint: true })
    return stats.isFile() && stats.size <= MAX_FILE_BYTES ? { stats, bytes: await file.readFile() } : { stats }
  } finally {
    await file.close()
  }
}
