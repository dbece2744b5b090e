import { Buffer } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { storageFailed } from '../state/storage-error.ts'
import { ARCHIVE_PREFIX_BYTES } from './archive-header.ts'
import type { ArchiveSecret } from './archive-key.ts'
import type { ArchiveSource } from './archive-source.ts'
import { openArchive } from './open-archive.ts'

/** An archive in a file, which stays sealed there. Throws what {@link openArchive} throws, and `StorageFailed`. */
export async function openSpooledArchive(path: string, secret: ArchiveSecret): Promise<ArchiveSource> {
  return openArchive(await readPrefix(path), () => readFrames(path), secret)
}

async function* readFrames(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of createReadStream(path, { start: ARCHIVE_PREFIX_BYTES })) yield chunk as Buffer
  } catch (error) {
    throw storageFailed(path, error)
  }
}

async function readPrefix(path: string): Promise<Buffer> {
  try {
    const file = await open(path, 'r')
    try {
      const bytes = Buffer.alloc(ARCHIVE_PREFIX_BYTES)
      const { bytesRead } = await file.read(bytes, 0, ARCHIVE_PREFIX_BYTES, 0)
      return bytes.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    throw storageFailed(path, error)
  }
}
