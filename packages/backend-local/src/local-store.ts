import type { Buffer } from 'node:buffer'
import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, isKeyName, type KeyRecord, kmsError, type Random } from '@kms/core'
import { TEMPORARY_PREFIX } from '@kms/core/internal'
import { commitFile } from './commit-file.ts'
import { createEntryReader, type EntryReader } from './entry-reader.ts'
import { fileStem } from './file-name.ts'
import { type Entry, encodeEntry, type WritableEntry } from './key-file.ts'
import type { KeyRing } from './key-ring.ts'
import { applyStagedRestore, isCommitted, isStagedRestore, removeIfAbandoned } from './staged-restore.ts'
import { writeFailure } from './storage-error.ts'
import type { StoreKeys } from './store-keys.ts'
import { createStoreLock, removeAbandonedAttempts } from './store-lock.ts'
import { createVersionStore, type VersionStore } from './version-store.ts'

export interface LocalStoreOptions {
  /** The key directory, absolute. */
  readonly directory: string
  readonly storeKeys: StoreKeys
  /** Mode of new files. */
  readonly mode: number
  readonly clock: Clock
  readonly random: Random
}

/** An unlocked store: what its verbs and its background work share. */
export interface LocalStore extends LocalStoreOptions {
  readonly ring: KeyRing
  readonly entries: EntryReader
  readonly versions: VersionStore
  /** Whether `close` was called. */
  readonly closing: boolean
  /** For the beginning of a verb: writes that began before `close` still finish. Throws `BackendUnavailable`. */
  refuseClosed(): void
  /** For what follows an await: without the keys, nothing read can be told from damage. Throws `BackendUnavailable`. */
  refuseReleased(): void
  /** What there is under a name; one that is no name is absent. */
  read(name: string): Promise<Entry>
  /**
   * Runs a write when no other one runs, here or in another server, with the keys that `store.json` holds then. Throws what
   * keeps the store from being written to.
   */
  alone<T>(write: () => Promise<T>): Promise<T>
  /** Writes a file, durably; inside `alone`. */
  commit(path: string, bytes: Buffer, exclusive?: boolean): Promise<void>
  /** Writes an entry, durably, under the current KEK; inside `alone`. */
  save(entry: WritableEntry, exclusive?: boolean): Promise<void>
  pathOf(name: string): string
  /** Lets the writes under way finish, then forgets everything and zeroes the keys. Idempotent. */
  close(): Promise<void>
}

export function createLocalStore(options: LocalStoreOptions): LocalStore {
  const { directory, storeKeys, mode, clock } = options
  const { ring } = storeKeys
  const keys = join(directory, 'keys')
  const lock = createStoreLock(directory, clock)
  const entries = createEntryReader(directory, storeKeys, clock)
  const versions = createVersionStore(directory, storeKeys, refuseReleased)
  let closed: Promise<void> | undefined
  let released = false
  let swept = false

  function refuseClosed(): void {
    if (closed !== undefined) throw kmsError('BackendUnavailable', { store: directory, reason: 'it was closed' })
  }

  function refuseReleased(): void {
    if (released) refuseClosed()
  }

  const pathOf = (name: string): string => join(keys, `${fileStem(name)}.json`)

  /** What others left: files of writes that never happened, and restores, which are finished or taken back. */
  async function tidyUp(): Promise<void> {
    try {
      const names = await readdir(directory)
      for (const name of names) if (isStagedRestore(name)) await settleRestore(name)
      if (swept) return
      for (const name of names) if (name.startsWith(TEMPORARY_PREFIX)) await unlink(join(directory, name))
      await removeAbandonedAttempts(directory, names)
      swept = true
    } catch (error) {
      throw writeFailure(directory, error)
    }
  }

  async function settleRestore(name: string): Promise<void> {
    if (await isCommitted(directory, name, ring)) {
      for (const stem of await applyStagedRestore(directory, name)) entries.noteChange(stem)
    } else await removeIfAbandoned(directory, name)
  }

  // All temporary files are in one place, where finding those that were left costs nothing however many keys there are.
  const commit = (path: string, bytes: Buffer, exclusive = false): Promise<void> =>
    commitFile(path, bytes, { mode, exclusive, temporaryDirectory: directory })

  return {
    ...options,
    ring,
    entries,
    versions,
    pathOf,
    commit,
    refuseClosed,
    refuseReleased,
    get closing() {
      return closed !== undefined
    },

    async read(name) {
      if (!isKeyName(name)) return { kind: 'absent' }
      const entry = await entries.read(name)
      refuseReleased()
      if (entry.kind === 'tombstone') versions.forget(entry.name)
      return entry
    },

    async alone(write) {
      refuseClosed()
      return lock.run(async () => {
        await storeKeys.refresh()
        await tidyUp()
        return write()
      })
    },

    async save(entry, exclusive = false) {
      entries.forget(entry.name)
      await commit(pathOf(entry.name), encodeEntry(entry, ring), exclusive)
      entries.remember(entry.name, entry)
    },

    close() {
      closed ??= lock.idle().then(() => {
        released = true
        versions.close()
        entries.close()
        storeKeys.close()
      })
      return closed
    },
  }
}

/** The record of a key, or why there is none: `KeyUnavailable`, `KeyDestroyed`, `KeyNotFound`. */
export function keyOf(name: string, entry: Entry): KeyRecord {
  if (entry.kind === 'key') return entry.record
  if (entry.kind === 'unreadable') throw kmsError('KeyUnavailable', { key: name, reason: entry.reason })
  if (entry.kind === 'tombstone') throw kmsError('KeyDestroyed', { key: name })
  throw kmsError('KeyNotFound', { key: name })
}
