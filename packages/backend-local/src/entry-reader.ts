import type { BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, kmsError } from '@kms/core'
import { errnoOf } from '@kms/core/internal'
import { LRUCache } from 'lru-cache'
import { fileStem } from './file-name.ts'
import { decodeEntry, type Entry } from './key-file.ts'
import { createNameIndex } from './name-index.ts'
import { readRegularFile } from './read-regular-file.ts'
import { readFailure } from './storage-error.ts'
import { STORE_FILE } from './store-file.ts'
import type { StoreKeys } from './store-keys.ts'

const MAX_CACHED_ENTRIES = 10_000
/** Files read at the same time while listing. */
const READ_WIDTH = 32
/**
 * A file whose last change is younger than this may change again without its time moving (the clock of a file system
 * ticks every few milliseconds, and inodes are reused), so it is read again rather than believed unchanged.
 */
const SETTLED_AFTER_MS = 100

const ABSENT: Entry = { kind: 'absent' }

interface Cached {
  readonly entry: Entry
  /** Unset: read again on the next look. */
  readonly stamp?: string
}

/** Reads the entries of a store, remembering those that have not changed. */
export interface EntryReader {
  /** What is on disk now: one stat() when nothing changed. Throws `BackendUnavailable`. */
  read(name: string): Promise<Entry>
  /** What the last look found, without touching the disk; `undefined` when nothing is remembered. */
  remembered(name: string): Entry | undefined
  /** Forgets what was read, before it is written. */
  forget(name: string): void
  /** Remembers what was just written. */
  remember(name: string, entry: Entry): void
  /** A file was put in place otherwise: what was read of it is forgotten, and it is listed. */
  noteChange(stem: string): void
  /**
   * The entries of any kind after the name `after`, ascending by bytes, each with the name it is listed under: its own, or
   * the stem of a file that no longer tells it. `exact`: not one that is there now is missing. Throws `BackendUnavailable`.
   */
  all(after: string, exact?: boolean): AsyncIterable<readonly [string, Entry]>
  close(): void
}

/**
 * `directory` is the key directory. The reader trusts a remembered entry while inode, times and size of its file stand
 * still: a commit always puts a new file in place.
 */
export function createEntryReader(directory: string, storeKeys: StoreKeys, clock: Clock): EntryReader {
  const keys = join(directory, 'keys')
  const names = createNameIndex({ directory: keys, nameOf, clock })
  const cache = new LRUCache<string, Cached>({ max: MAX_CACHED_ENTRIES })
  // Which name a stem with a hash stands for never changes; it can't be computed, only read.
  const namesOfHashedStems = new Map<string, string>()

  async function readStem(stem: string): Promise<Entry> {
    const path = join(keys, `${stem}.json`)
    const cached = cache.get(stem)
    if (cached?.stamp !== undefined) {
      try {
        if (stampOf(await stat(path, { bigint: true })) === cached.stamp) return cached.entry
      } catch (error) {
        return withoutFile(stem, error)
      }
    }
    const found = await readFrom(path, stem)
    if (found.entry.kind !== 'absent') cache.set(stem, found)
    return found.entry
  }

  async function readFrom(path: string, stem: string): Promise<Cached> {
    try {
      const found = await readAndDecode(path, stem)
      if (!('stranger' in found.entry)) return found
      // Its KEK may have been added by another server since the KEKs were read, or dropped since the file was.
      await storeKeys.learn()
      const again = await readAndDecode(path, stem)
      // The KEK may become known without the file changing.
      return 'stranger' in again.entry ? { entry: again.entry } : again
    } catch (error) {
      return { entry: await withoutFile(stem, error) }
    }
  }

  async function readAndDecode(path: string, stem: string): Promise<Cached> {
    const { stats, bytes } = await readRegularFile(path)
    const settled = Date.now() - Number(stats.mtimeMs) > SETTLED_AFTER_MS
    const entry: Entry =
      bytes === undefined
        ? { kind: 'unreadable', reason: 'its file is damaged' }
        : decodeEntry(bytes, stem, storeKeys.ring)
    return settled ? { entry, stamp: stampOf(stats) } : { entry }
  }

  async function withoutFile(stem: string, error: unknown): Promise<Entry> {
    const code = errnoOf(error)
    if (code === 'EACCES' || code === 'EPERM' || code === 'ELOOP') {
      return { kind: 'unreadable', reason: 'its file cannot be read' }
    }
    if (code !== 'ENOENT') throw readFailure(directory, error)
    cache.delete(stem)
    // A key that is not there and a volume that is not there look alike from here.
    await stat(join(directory, STORE_FILE)).catch((cause: unknown) => {
      throw kmsError('BackendUnavailable', { store: directory, reason: `its ${STORE_FILE} is gone` }, { cause })
    })
    return ABSENT
  }

  async function nameOf(stem: string): Promise<string> {
    const known = namesOfHashedStems.get(stem)
    if (known !== undefined) return known
    const entry = await readStem(stem)
    const name = entry.kind === 'absent' ? undefined : entry.name
    // A file that no longer tells its name is listed under its stem, rather than hidden.
    if (name === undefined) return stem
    namesOfHashedStems.set(stem, name)
    return name
  }

  return {
    read: (name) => readStem(fileStem(name)),
    remembered: (name) => cache.get(fileStem(name))?.entry,
    forget(name) {
      cache.delete(fileStem(name))
    },
    remember(name, entry) {
      cache.set(fileStem(name), { entry })
      names.add(name)
    },

    noteChange(stem) {
      cache.delete(stem)
      names.forget()
    },

    async *all(after, exact = false) {
      const found = await names.after(after, exact).catch((error: unknown) => {
        throw readFailure(directory, error)
      })
      for (const some of chunked(found, READ_WIDTH)) {
        const entries = await Promise.all(some.map((name) => readStem(fileStem(name))))
        for (const [i, name] of some.entries()) yield [name, entries[i] as Entry]
      }
    },

    close() {
      names.close()
      cache.clear()
      namesOfHashedStems.clear()
    },
  }
}

function* chunked<T>(items: Iterable<T>, size: number): Generator<readonly T[]> {
  let chunk: T[] = []
  for (const item of items) {
    if (chunk.push(item) < size) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

function stampOf(stats: BigIntStats): string {
  return `${stats.dev} ${stats.ino} ${stats.mtimeNs} ${stats.ctimeNs} ${stats.size}`
}
