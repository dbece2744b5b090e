import { Buffer } from 'node:buffer'
import type { ArchiveEntry } from '../archive/archive-entry.ts'
import type { ArchiveSource } from '../archive/archive-source.ts'
import type { SeenKeys } from '../archive/restore-types.ts'
import type { Realm } from '../envelope/envelope.ts'
import type { KeyBackend } from '../keys/key-backend.ts'

/** An archive in memory, for tests of what is done with one: not sealed, so that it can be changed. */
export function heldArchive(realm: Realm, entries: readonly ArchiveEntry[]): ArchiveSource {
  return {
    header: { realm, createdAt: 0, origin: { kind: 'key', keyId: Buffer.alloc(16) } },
    async *entries() {
      // Whoever takes material zeroes it.
      for (const entry of entries) {
        yield entry.kind === 'version' ? { ...entry, material: Buffer.from(entry.material) } : entry
      }
    },
  }
}

/** What `backup` of a backend gives, in memory. */
export async function archiveOf(backend: KeyBackend): Promise<readonly ArchiveEntry[]> {
  const entries: ArchiveEntry[] = []
  for await (const entry of (await backend.backup?.()) ?? []) entries.push(entry)
  return entries
}

/** A server that has seen nothing yet. */
export const nothingSeen: SeenKeys = { memory: () => undefined, known: () => [] }
