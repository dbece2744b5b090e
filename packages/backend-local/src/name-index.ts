import type { BigIntStats } from 'node:fs'
import { opendir, stat } from 'node:fs/promises'
import type { Clock } from '@kms/core'

/** The names of a store's entries, in order, without reading the directory for every page of a listing. */
export interface NameIndex {
  /**
   * Names after `after`, ascending by bytes; `exact`: of a large directory too, those that another server made a moment ago.
   * Rejects with the error of a system call.
   */
  after(after: string, exact?: boolean): Promise<Iterable<string>>
  /** An entry of this name was written by this server. */
  add(name: string): void
  /** Entries were written whose names are not known. */
  forget(): void
  close(): void
}

export interface NameIndexOptions {
  /** The directory of the entries. */
  readonly directory: string
  /** The name that a stem with a hash stands for: it can't be computed, only read. */
  readonly nameOf: (stem: string) => Promise<string>
  readonly clock: Clock
}

/** Stems whose names are read at the same time. */
const READ_WIDTH = 32
/** Entries of the directory taken from the system at once. */
const READ_AHEAD = 1024
/** So many names are sorted without letting anybody else have a turn. */
const SORTED_AT_ONCE = 4096
/**
 * Up to so many names, the directory is read again whenever it has changed. Above, a listing may miss what another server
 * made a moment ago, so that a store being written to does not read its whole directory for every page.
 */
const ALWAYS_FRESH = 1000
/** That moment: so many times what reading took, so that a fraction of the time is spent on it at most; and its bound. */
const PATIENCE = 20
const MAX_STALE_MS = 5000
/** The clock of a file system ticks every few milliseconds: a change younger than this may not be the last one of its time. */
const SETTLED_AFTER_MS = 100
/** An index nobody asks for goes. */
const IDLE_MS = 60_000

interface Index {
  readonly names: string[]
  /** Of the directory as it was read; unset: it may have changed since without showing it. */
  readonly stamp: string | undefined
  readonly readAt: number
  readonly tookMs: number
}

export function createNameIndex({ directory, nameOf, clock }: NameIndexOptions): NameIndex {
  let index: Index | undefined
  let reading: Promise<Index> | undefined
  /** Written while the directory was being read, which may or may not have shown them. */
  let meanwhile: string[] = []
  let cancelForget: (() => void) | undefined

  function isGoodEnough({ names, stamp, readAt, tookMs }: Index, now: string, exact: boolean): boolean {
    if (stamp === now) return true
    return !exact && names.length > ALWAYS_FRESH && Date.now() - readAt < Math.min(PATIENCE * tookMs, MAX_STALE_MS)
  }

  async function read(): Promise<Index> {
    const startedAt = Date.now()
    const stats = await stat(directory, { bigint: true })
    const names = await sorted(await readNames())
    const settled = startedAt - Number(stats.mtimeMs) > SETTLED_AFTER_MS
    const readAt = Date.now()
    return { names, stamp: settled ? stampOf(stats) : undefined, readAt, tookMs: readAt - startedAt }
  }

  async function readNames(): Promise<string[]> {
    const names: string[] = []
    let hashed: string[] = []
    const resolve = async (): Promise<void> => {
      names.push(...(await Promise.all(hashed.map(nameOf))))
      hashed = []
    }
    for await (const { name } of await opendir(directory, { bufferSize: READ_AHEAD })) {
      if (!name.endsWith('.json') || name.startsWith('.')) continue
      const stem = name.slice(0, -'.json'.length)
      if (!stem.includes('~')) names.push(stem)
      else if (hashed.push(stem) === READ_WIDTH) await resolve()
    }
    await resolve()
    // A file that does not belong here can look like one that does: by upper-case letters, or by bytes that are no UTF-8.
    return [...new Set(names)]
  }

  async function current(exact: boolean): Promise<Index> {
    for (;;) {
      const now = stampOf(await stat(directory, { bigint: true }))
      if (index !== undefined && isGoodEnough(index, now, exact)) return index
      if (reading !== undefined) {
        // Begun before this was asked for: whether it is good enough shows when it has ended.
        await reading
        continue
      }
      meanwhile = []
      reading = read()
      try {
        const found = await reading
        for (const name of meanwhile) insert(found.names, name)
        index = found
        return found
      } finally {
        reading = undefined
      }
    }
  }

  return {
    async after(after, exact = false) {
      const { names } = await current(exact)
      cancelForget?.()
      cancelForget = clock.after(IDLE_MS, () => {
        index = undefined
      })
      return from(names, after)
    },

    add(name) {
      if (reading !== undefined) meanwhile.push(name)
      if (index !== undefined) insert(index.names, name)
    },

    forget() {
      index = undefined
    },

    close() {
      cancelForget?.()
      index = undefined
    },
  }
}

/** Where `name` is in the sorted names, or belongs. */
function positionOf(names: readonly string[], name: string): number {
  let [low, high] = [0, names.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((names[middle] as string) < name) low = middle + 1
    else high = middle
  }
  return low
}

function insert(names: string[], name: string): void {
  const at = positionOf(names, name)
  if (names[at] !== name) names.splice(at, 0, name)
}

/** By name rather than by position: what is added meanwhile moves what is behind it. */
function* from(names: readonly string[], after: string): Generator<string> {
  let last = after
  for (;;) {
    const at = positionOf(names, last)
    const next = names[at] === last ? names[at + 1] : names[at]
    if (next === undefined) return
    yield next
    last = next
  }
}

/**
 * Names in ascending order: they are ASCII, where the order of strings is that of their bytes. Sorted in pieces, by what
 * they begin with, and others get their turn in between.
 */
async function sorted(names: string[], depth = 0): Promise<string[]> {
  if (names.length <= SORTED_AT_ONCE) {
    await new Promise((resolve) => setImmediate(resolve))
    return names.sort()
  }
  const byCharacter = new Map<string, string[]>()
  for (const name of names) {
    const character = name.charAt(depth)
    const some = byCharacter.get(character)
    if (some === undefined) byCharacter.set(character, [name])
    else some.push(name)
  }
  const pieces: string[] = []
  for (const character of [...byCharacter.keys()].sort()) {
    for (const name of await sorted(byCharacter.get(character) as string[], depth + 1)) pieces.push(name)
  }
  return pieces
}

function stampOf({ dev, ino, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${mtimeNs} ${ctimeNs}`
}
