import { Buffer } from 'node:buffer'
import { type BigIntStats, close, constants, fstat, open, read } from 'node:fs'
import { promisify } from 'node:util'
import { MAX_FILE_BYTES } from './authenticated-file.ts'

/** A file of the store as it was read; `bytes` is absent when it is not a regular file, or too large to be one of ours. */
export interface FoundFile {
  readonly stats: BigIntStats
  readonly bytes?: Buffer
}

// Not those of node:fs/promises: their file handles cost more than the reading, and a start reads hundreds of files.
const openFile = promisify(open)
const statFile = promisify(fstat)
const readFile = promisify(read)
const closeFile = promisify(close)

/**
 * Reads a file of the store whole. Links are not followed (`ELOOP`): what they lead to is not part of the store. Rejects
 * with the error of the system call.
 */
export async function readRegularFile(path: string): Promise<FoundFile> {
  // Not blocking: opening a named pipe would wait for a writer.
  const file = await openFile(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = await statFile(file, { bigint: true })
    if (!stats.isFile() || stats.size > MAX_FILE_BYTES) return { stats }
    // A file in place never changes its size; one that somebody else is writing into is not what it will be, however it is read.
    const size = Number(stats.size)
    const bytes = Buffer.allocUnsafe(size)
    let length = 0
    while (length < size) {
      const { bytesRead } = await readFile(file, bytes, length, size - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return { stats, bytes: bytes.subarray(0, length) }
  } finally {
    await closeFile(file)
  }
}
