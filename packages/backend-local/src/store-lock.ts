import { createHash, randomBytes } from 'node:crypto'
import { link, readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, kmsError, lookForProcess, ownIdentity, type ProcessIdentity } from '@kms/core'
import { errnoOf } from '@kms/core/internal'
import { z } from 'zod'
import { writeFailure } from './storage-error.ts'

const PATIENCE_MS = 10_000
/** After this long, unchanged, a lock whose owner can't be looked up (another host or container) counts as abandoned. */
const FOREIGN_PATIENCE_MS = 30_000

/** One writer at a time on a store, in this process and across processes. Readers need no lock. */
export interface StoreLock {
  /** Runs `write` alone. Throws `BackendUnavailable` when another writer keeps the lock for longer than it waits. */
  run<T>(write: () => Promise<T>): Promise<T>
  /** Resolves when no write of this lock runs or waits, and none of its files is left behind that can be removed. */
  idle(): Promise<void>
}

export interface StoreLockOptions {
  /** The file; `.lock` unless given. */
  readonly name?: string
  /** How long a write waits for another one; 10 s unless given. */
  readonly patienceMs?: number
}

const ownerSchema: z.ZodType<ProcessIdentity> = z.object({
  pid: z.int(),
  started: z.string(),
  boot: z.string(),
  namespace: z.string(),
})

interface Held {
  readonly path: string
  /** Identity of one taking of the lock: never the same twice. */
  readonly token: string
  readonly owner: ProcessIdentity | undefined
  /** When it was written; milliseconds since the epoch, by the clock of the file system. */
  readonly since: number
}

/**
 * The lock is the file `.lock`, made by link(), naming its owner. A lock whose owner is gone is never taken away, since
 * two servers might do that at once and one of them remove the other's: it is *succeeded* by `.lock.<token of the dead
 * one>`, which again only one can make. Whoever made the last of such a chain holds the store, and removes the chain,
 * first file first, when done.
 */
export function createStoreLock(directory: string, clock: Clock, options: StoreLockOptions = {}): StoreLock {
  const { name = '.lock', patienceMs = PATIENCE_MS } = options
  const root = join(directory, name)
  const firstSeen = new Map<string, number>()
  const unremoved: string[] = []
  let queue: Promise<unknown> = Promise.resolve()

  async function isAbandoned({ token, owner }: Held): Promise<boolean> {
    const found = owner === undefined ? 'gone' : await lookForProcess(owner)
    if (found === 'alive' || found === 'gone') return found === 'gone'
    const since = firstSeen.get(token) ?? clock.now()
    firstSeen.set(token, since)
    return clock.now() - since >= FOREIGN_PATIENCE_MS
  }

  /** The files to remove afterwards, or `undefined` when somebody else holds the store. */
  async function attempt(temporary: string): Promise<readonly string[] | undefined> {
    const dead: Held[] = []
    for (let path = root; ; ) {
      if (await linked(temporary, path)) {
        for (const { path: before, token } of dead) {
          if ((await readLock(before))?.token === token) continue
          // The chain was removed meanwhile: what was made is the end of nothing.
          await unlink(path)
          return undefined
        }
        return [...dead.map((held) => held.path), path]
      }
      const held = await readLock(path)
      if (held === undefined || !(await isAbandoned(held))) return undefined
      dead.push(held)
      path = `${root}.${held.token}`
    }
  }

  async function acquire(): Promise<readonly string[]> {
    await remove(unremoved.splice(0))
    const self = await ownIdentity()
    const nonce = randomBytes(8).toString('hex')
    const temporary = `${root}.tmp-${nonce}`
    // The clock's timers let the process end; a write that waits for its turn must not be dropped by that.
    const wait = setInterval(() => {}, PATIENCE_MS)
    const announce = () => writeFile(temporary, JSON.stringify({ ...self, nonce }), { flag: 'wx', mode: 0o600 })
    try {
      await announce()
      const deadline = clock.now() + patienceMs
      for (let delay = 2; ; delay = Math.min(2 * delay, 50)) {
        const files = await attempt(temporary).catch(async (error: unknown) => {
          if (errnoOf(error) !== 'ENOENT') throw error
          // Before it was whole it looked like nobody's, and another server tidied it up.
          await announce()
          return undefined
        })
        if (files !== undefined) {
          firstSeen.clear()
          return files
        }
        if (clock.now() >= deadline) {
          throw kmsError('BackendUnavailable', { store: directory, reason: 'another server keeps writing to it' })
        }
        await new Promise<void>((resolve) => clock.after(delay, resolve))
      }
    } finally {
      clearInterval(wait)
      await unlink(temporary).catch(() => {})
    }
  }

  async function remove(files: readonly string[]): Promise<void> {
    for (const file of files) {
      await unlink(file).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') unremoved.push(file)
      })
    }
  }

  async function exclusively<T>(write: () => Promise<T>): Promise<T> {
    const files = await acquire().catch((error: unknown) => {
      throw writeFailure(directory, error)
    })
    try {
      return await write()
    } finally {
      // A lock file that can't be removed must not turn a finished write into a failure; the next write tries again.
      await remove(files)
    }
  }

  return {
    run(write) {
      const result = queue.then(() => exclusively(write))
      queue = result.catch(() => {})
      return result
    },
    async idle() {
      await queue
      await remove(unremoved.splice(0))
    },
  }
}

/** An attempt of a process that can't be looked up (another host or container) is over after so long, ended or not. */
const ATTEMPT_OVER_MS = 3_600_000

/** Removes what processes that are gone left of their attempts at the locks of a directory. */
export async function removeAbandonedAttempts(directory: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if (!/^\.[a-z]+\.tmp-[0-9a-f]{16}$/.test(name)) continue
    const path = join(directory, name)
    const attempt = await readLock(path)
    if (attempt === undefined) continue
    const found = attempt.owner === undefined ? 'gone' : await lookForProcess(attempt.owner)
    if (found === 'alive' || (found !== 'gone' && Date.now() - attempt.since < ATTEMPT_OVER_MS)) continue
    await unlink(path).catch(() => {})
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

async function readLock(path: string): Promise<Held | undefined> {
  try {
    const [text, { ino, mtimeMs: since }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    const token = createHash('sha256').update(`${ino} ${text}`).digest('hex').slice(0, 16)
    return { path, token, owner: parseOwner(text), since }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** A lock is linked only once it is whole, so one that can't be read was cut short by a power failure: nobody's. */
export function parseOwner(text: string): ProcessIdentity | undefined {
  try {
    return ownerSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
