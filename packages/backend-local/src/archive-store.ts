import type { ArchivedGap, ArchivedVersion, ArchiveEntry, KeyRecord } from '@kms/core'
import type { LocalStore } from './local-store.ts'

/** Versions read at the same time. */
const WIDTH = 16

/**
 * What an archive of the store holds. Takes no lock: a record names versions that never change, so a key read in one piece
 * is as it was at one moment; one destroyed in between is read again. Memory: the versions of one key.
 */
export async function* archiveStore(store: LocalStore): AsyncGenerator<ArchiveEntry, void, undefined> {
  for await (const [name, entry] of store.entries.all('', true)) {
    store.refuseClosed()
    if (entry.kind === 'key') yield* archiveKey(store, entry.record)
    else if (entry.kind === 'tombstone') yield { ...entry, keyId: entry.name }
    else if (entry.kind === 'unreadable') yield { kind: 'ruin', name, reason: entry.reason }
  }
}

async function* archiveKey(store: LocalStore, found: KeyRecord): AsyncGenerator<ArchiveEntry, void, undefined> {
  for (let record = found; ; ) {
    const versions = await readVersions(store, record)
    if (!versions.some(({ kind }) => kind === 'gap')) {
      yield { kind: 'key', record }
      yield* versions
      return
    }
    // Missing because the key was destroyed while it was read, or because something is wrong with it.
    const now = await store.read(record.keyId)
    if (now.kind === 'key' && now.record.etag === record.etag) {
      yield { kind: 'key', record }
      yield* versions
      return
    }
    for (const version of versions) if (version.kind === 'version') version.material.fill(0)
    if (now.kind === 'tombstone') yield { ...now, keyId: now.name }
    else if (now.kind === 'unreadable') yield { kind: 'ruin', name: record.keyId, reason: now.reason }
    if (now.kind !== 'key') return
    record = now.record
  }
}

async function readVersions(store: LocalStore, record: KeyRecord): Promise<readonly (ArchivedVersion | ArchivedGap)[]> {
  const { keyId, oldestVersion, currentVersion } = record
  const read: (ArchivedVersion | ArchivedGap)[] = []
  for (let first = oldestVersion; first <= currentVersion; first += WIDTH) {
    const count = Math.min(WIDTH, currentVersion - first + 1)
    const some = Array.from({ length: count }, (_, i) => readVersion(store, keyId, first + i))
    read.push(...(await Promise.all(some)))
  }
  return read
}

async function readVersion(
  { versions }: LocalStore,
  keyId: string,
  version: number,
): Promise<ArchivedVersion | ArchivedGap> {
  const found = await versions.read({ keyId, version })
  if (typeof found === 'string') return { kind: 'gap', keyId, version, reason: `its file ${found}` }
  return { kind: 'version', keyId, version, ...found }
}
