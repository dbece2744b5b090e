import { Buffer } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { storageFailed } from '../state/storage-error.ts'
import { ARCHIVE_PREFIX_BYTES, parseArchivePrefix } from './archive-header.ts'
import { type ArchiveSecret, openArchiveKeys } from './archive-key.ts'
import type { ArchiveSource } from './archive-source.ts'
import { readArchive } from './read-archive.ts'

/**
 * An archive in a file, which stays sealed there. Throws `ArchiveDamaged`, `UnsupportedArchive`, `ArchiveKeyMismatch`; what
 * is behind the header is looked at when entries are read.
 */
export async function openSpooledArchive(path: string, secret: ArchiveSecret): Promise<ArchiveSource> {
  const prefix = parseArchivePrefix(await readPrefix(path))
  const { cipherKey } = await openArchiveKeys(secret, prefix)
  return {
    header: prefix.header,
    entries: () => readArchive(createReadStream(path, { start: ARCHIVE_PREFIX_BYTES }), cipherKey),
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
