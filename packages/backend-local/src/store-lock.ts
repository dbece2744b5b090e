import { createHash, randomBytes } from 'node:crypto'
import { link, readFile, readlink, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, kmsError } from '@kms/core'
import { errnoOf } from '@kms/core/internal'
import { writeFailure } from './storage-error.ts'

/** How long a write waits for another one. */
const PATIENCE_MS = 10_000
/** After this long, unchanged, a lock whose owner can't be looked up (another host or container) counts as abandoned. */
const FOREIGN_PATIENCE_MS = 30_000

/** One writer at a time on a store, in this process and across processes. Readers need no lock. */
export interface StoreLock {
  /** Runs `write` alone. Throws `BackendUnavailable` when another writer keeps the store for 10 s. */
  run<T>(write: () => Promise<T>): Promise<T>
  /** Resolves when no write of this lock runs or waits. */
  idle(): Promise<void>
}

/** Who holds a lock: a process id means something only within one boot and one pid namespace. */
interface Owner {
  readonly pid: number
  readonly start: string
  readonly world: string
}

interface Held {
  readonly path: string
  /** Identity of one taking of the lock: never the same twice. */
  readonly token: string
  readonly owner: Owner | undefined
}

/**
 * The lock is the file `.lock`, made by link(), naming its owner. A lock whose owner is gone is never taken away, since
 * two servers might do that at once and one of them remove the other's: it is *succeeded* by `.lock.<token of the dead
 * one>`, which again only one can make. Whoever made the last of such a chain holds the store, and removes the chain,
 * first file first, when done.
 */
export function createStoreLock(directory: string, clock: Clock): StoreLock {
  const root = join(directory, '.lock')
  const firstSeen = new Map<string, number>()
  const unremoved: string[] = []
  let queue: Promise<unknown> = Promise.resolve()

  async function isAbandoned({ token, owner }: Held, self: Owner): Promise<boolean> {
    if (owner === undefined) return true
    if (owner.world === self.world) {
      const start = await startOf(owner.pid)
      return start === undefined || (start !== '' && owner.start !== '' && start !== owner.start)
    }
    const since = firstSeen.get(token) ?? clock.now()
    firstSeen.set(token, since)
    return clock.now() - since >= FOREIGN_PATIENCE_MS
  }

  /** The files to remove afterwards, or `undefined` when somebody else holds the store. */
  async function attempt(temporary: string, self: Owner): Promise<readonly string[] | undefined> {
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
      if (held === undefined || !(await isAbandoned(held, self))) return undefined
      dead.push(held)
      path = `${root}.${held.token}`
    }
  }

  async function acquire(): Promise<readonly string[]> {
    await remove(unremoved.splice(0))
    const self = await ownIdentity()
    const nonce = randomBytes(8).toString('hex')
    const temporary = `${root}.tmp-${nonce}`
    await writeFile(temporary, JSON.stringify({ ...self, nonce }), { flag: 'wx', mode: 0o600 })
    // The clock's timers let the process end; a write that waits for its turn must not be dropped by that.
    const wait = setInterval(() => {}, PATIENCE_MS)
    try {
      const deadline = clock.now() + PATIENCE_MS
      for (let delay = 2; ; delay = Math.min(2 * delay, 50)) {
        const files = await attempt(temporary, self)
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
    },
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
    const [text, { ino }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    const token = createHash('sha256').update(`${ino} ${text}`).digest('hex').slice(0, 16)
    return { path, token, owner: parseOwner(text) }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** A lock is linked only once it is whole, so one that can't be read was cut short by a power failure: nobody's. */
function parseOwner(text: string): Owner | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const { pid, start, world } = (value ?? {}) as Partial<Record<keyof Owner, unknown>>
  return typeof pid === 'number' && typeof start === 'string' && typeof world === 'string'
    ? { pid, start, world }
    : undefined
}

async function ownIdentity(): Promise<Owner> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => '')
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '')
  return { pid: process.pid, start: (await startOf(process.pid)) ?? '', world: `${boot.trim()} ${namespace}`.trim() }
}

/**
 * When a process started, in clock ticks since boot (proc(5), field 22 of `stat`), which tells it from a later one with
 * the same id; `undefined` when it is gone or only waits to be reaped, the empty string when it lives and /proc does not
 * show it.
 */
async function startOf(pid: number): Promise<string | undefined> {
  let text: string
  try {
    text = await readFile(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return isAlive(pid) ? '' : undefined
  }
  // The second field is the command in parentheses and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) === 'EPERM'
  }
}
