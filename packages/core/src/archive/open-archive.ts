import type { Buffer } from 'node:buffer'
import { parseArchivePrefix } from './archive-header.ts'
import { type ArchiveSecret, openArchiveKeys } from './archive-key.ts'
import type { ArchiveSource } from './archive-source.ts'
import { readArchive } from './read-archive.ts'

/**
 * An archive whose bytes are somewhere: `prefix` its first {@link ARCHIVE_PREFIX_BYTES}, `frames` those that follow, anew each
 * time. Throws `ArchiveDamaged`, `UnsupportedArchive`, `ArchiveKeyMismatch`; frames are looked at when entries are read.
 */
export async function openArchive(
  prefix: Buffer,
  frames: () => AsyncIterable<Uint8Array>,
  secret: ArchiveSecret,
): Promise<ArchiveSource> {
  const parsed = parseArchivePrefix(prefix)
  const { cipherKey } = await openArchiveKeys(secret, parsed)
  return { header: parsed.header, entries: () => readArchive(frames(), cipherKey) }
}
