import type { ArchiveEntry } from './archive-entry.ts'
import type { ArchiveHeader } from './archive-header.ts'

/** An archive that can be read again and again. */
export interface ArchiveSource {
  readonly header: ArchiveHeader
  /** Its entries, in order, opened anew each time. Throws `ArchiveDamaged`. */
  entries(): AsyncIterable<ArchiveEntry>
}
