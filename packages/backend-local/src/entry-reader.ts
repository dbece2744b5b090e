import type { Buffer } from 'node:buffer'
import type { BigIntStats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { kmsError } from '@kms/core'
import { errnoOf } from '@kms/core/internal'
import { LRUCache } from 'lru-cache'
import { fileStem } from './file-name.ts'
import { decodeEntry, type Entry } from './key-file.ts'
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

/** An id and the stem of its files, as a listing found them. */
export interface ListedName {
  readonly id: string
  readonly stem: string
}

/** Reads the entries of a store, remembering those that have not changed. */
export interface EntryReader {
  /** What is on disk now: one stat() when nothing changed. Throws `BackendUnavailable`. */
  read(name: string): Promise<Entry>
  /** As {@link read}, by the stem of the file. */
  readStem(stem: string): Promise<Entry>
  /** What the last look found, without touching the disk; `undefined` when nothing is remembered. */
  remembered(name: string): Entry | undefined
  /** Forgets what was read, before it is written. */
  forget(name: string): void
  /** Remembers what was just written. */
  remember(name: string, entry: Entry): void
  /** Names of entries of any kind after `after`, ascending by bytes, without reading those that need not be read. */
  names(after: string): Promise<readonly ListedName[]>
  /** Reads the entries of many stems, in order. */
  readAll(names: readonly ListedName[]): AsyncIterable<readonly [ListedName, Entry]>
  close(): void
}

/**
 * `directory` is the key directory. The reader trusts a remembered entry while inode, times and size of its file stand
 * still: a commit always puts a new file in place.
 */
export function createEntryReader(directory: string, storeKeys: StoreKeys): EntryReader {
  const keys = join(directory, 'keys')
  const cache = new LRUCache<string, Cached>({ max: MAX_CACHED_ENTRIES })
  // Which name a stem with a hash stands for never changes; it can't be computed, only read.
  const namesOfHashedStems = new Map<string, string>()

  async function readStem(stem: string): Promise<Entry> {
    const path = join(keys, `${stem}.json`)
    let stats: BigIntStats
    try {
      stats = await stat(path, { bigint: true })
    } catch (error) {
      return withoutFile(stem, error)
    }
    const cached = cache.get(stem)
    if (cached?.stamp === stampOf(stats)) return cached.entry
    const found = await readFrom(path, stem)
    cache.set(stem, found)
    return found.entry
  }

  async function readFrom(path: string, stem: string): Promise<Cached> {
    try {
      const { stats, bytes } = await readRegularFile(path)
      const settled = Date.now() - Number(stats.mtimeMs) > SETTLED_AFTER_MS
      const entry: Entry =
        bytes === undefined ? { kind: 'unreadable', reason: 'its file is damaged' } : await decode(bytes, stem)
      // A stranger may be known at the next look without its file having changed.
      return settled && !('stranger' in entry) ? { entry, stamp: stampOf(stats) } : { entry }
    } catch (error) {
      return { entry: await withoutFile(stem, error) }
    }
  }

  /** A KEK that is not known may be one that another server has added since. */
  async function decode(bytes: Buffer, stem: string): Promise<Entry> {
    const entry = decodeEntry(bytes, stem, storeKeys.ring)
    const learned = 'stranger' in entry && (await storeKeys.learn())
    return learned ? decodeEntry(bytes, stem, storeKeys.ring) : entry
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
    if (!stem.includes('~')) return stem
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
    readStem,
    remembered: (name) => cache.get(fileStem(name))?.entry,
    forget(name) {
      cache.delete(fileStem(name))
    },
    remember(name, entry) {
      cache.set(fileStem(name), { entry })
    },

    async names(after) {
      const files = await readdir(keys).catch((error: unknown) => {
        throw readFailure(directory, error)
      })
      const stems = files
        .filter((file) => file.endsWith('.json') && !file.startsWith('.'))
        .map((file) => file.slice(0, -5))
      const listed: ListedName[] = []
      for (let start = 0; start < stems.length; start += READ_WIDTH) {
        const some = stems.slice(start, start + READ_WIDTH)
        const ids = some.some((stem) => stem.includes('~')) ? await Promise.all(some.map(nameOf)) : some
        for (const [i, stem] of some.entries()) {
          const id = ids[i] as string
          if (id > after) listed.push({ id, stem })
        }
      }
      // Names are ASCII, where the order of strings is that of their bytes.
      return listed.sort((a, b) => (a.id < b.id ? -1 : 1))
    },

    async *readAll(names) {
      for (let start = 0; start < names.length; start += READ_WIDTH) {
        const some = names.slice(start, start + READ_WIDTH)
        const entries = await Promise.all(some.map(({ stem }) => readStem(stem)))
        for (const [i, name] of some.entries()) yield [name, entries[i] as Entry]
      }
    },

    close() {
      cache.clear()
      namesOfHashedStems.clear()
    },
  }
}

function stampOf(stats: BigIntStats): string {
  return `${stats.dev} ${stats.ino} ${stats.mtimeNs} ${stats.ctimeNs} ${stats.size}`
}
