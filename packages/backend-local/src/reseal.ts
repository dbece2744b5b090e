import type { Buffer } from 'node:buffer'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { isKmsError, kmsError, type Notice, type ResealProgress } from '@kms/core'
import { errnoOf } from '@kms/core/internal'
import { kekNamedBy } from './authenticated-file.ts'
import { fileStem } from './file-name.ts'
import { decodeEntry, encodeEntry } from './key-file.ts'
import type { LocalStore } from './local-store.ts'
import { readRegularFile } from './read-regular-file.ts'
import type { RootSource } from './root-source.ts'
import { dropKeks } from './rotate-root.ts'
import { readFailure } from './storage-error.ts'
import { createStoreLock } from './store-lock.ts'
import { decodeVersionFile, encodeVersionFile, versionNameOf } from './version-file.ts'

/** Brings every file of a store under its current KEK, in the background, then drops the KEKs of before. */
export interface Reseal {
  /** How far it is, or how it ended; `undefined` when there was nothing to do since the store was opened. */
  readonly progress: ResealProgress | undefined
  /** Starts it, unless it runs already or the current KEK is the only one. */
  begin(): void
  /** {@link begin}, in a while: for what was interrupted, and not for a store that is only looked at. */
  resume(): void
  /** Stops after what is being written. */
  stop(): Promise<void>
}

export interface ResealOptions {
  readonly store: LocalStore
  readonly root: RootSource
  readonly notify: (notice: Notice) => void
}

/** A store is opened a second time, to be proven and closed again, far more often than a re-seal is interrupted. */
const RESUME_AFTER_MS = 1000
/** When another server is at it, or the storage fails. */
const RETRY_AFTER_MS = 60_000
/** Files sealed under one taking of the store's lock, all at once: their fsyncs share commits of the journal. */
const BATCH = 16
const MAX_NAMED = 5

/** A file that may have to be sealed anew. */
interface Item {
  readonly path: string
  /** Seals it; inside `alone`. Returns whether it is under the current KEK now, or gone. */
  reseal(): Promise<boolean>
}

export function createReseal({ store, root, notify }: ResealOptions): Reseal {
  const { directory, ring, storeKeys, clock, random } = store
  const keys = join(directory, 'keys')
  // Two servers at once would do no harm, and everything twice.
  const lease = createStoreLock(directory, clock, { name: '.reseal', patienceMs: 0 })
  let progress: ResealProgress | undefined
  let running: Promise<void> | undefined
  let cancelWait: (() => void) | undefined
  let wake: (() => void) | undefined
  let stopped = false

  function begin(): void {
    cancelWait?.()
    if (stopped || running !== undefined || ring.keks.length === 1) return
    progress = { done: 0, total: 0, left: 0, running: true }
    running = attempt().finally(() => {
      running = undefined
    })
  }

  async function attempt(): Promise<void> {
    let ours = false
    const work = lease.run(() => {
      ours = true
      return run()
    })
    try {
      await work
    } catch (error) {
      if (stopped) return
      later(RETRY_AFTER_MS)
      // Another server is at it.
      if (!ours && isKmsError(error, 'BackendUnavailable')) return
      const reason = isKmsError(error) ? error.message : 'an internal error occurred'
      notify({
        level: 'warning',
        message: `The re-seal of ${directory} was interrupted and will go on by itself. ${reason}`,
      })
    }
    if (progress !== undefined) progress = { ...progress, running: false }
  }

  function later(milliseconds: number): void {
    cancelWait?.()
    cancelWait = clock.after(milliseconds, () => {
      void storeKeys.learn().then(begin)
    })
  }

  const unfinished = (): boolean => !stopped && ring.keks.length > 1

  async function run(): Promise<void> {
    // Whatever a write that was interrupted left to be finished is finished first.
    await store.alone(async () => {})
    const startedAt = clock.now()
    let sealed = 0
    let tell = true
    while (unfinished()) {
      const before = new Set(ring.keks.filter(({ id }) => id !== ring.current.id).map(({ id }) => id))
      const pass = await sealAll((total) => {
        if (tell) notify({ level: 'info', message: `Re-sealing ${directory}: ${total} entries.` })
        tell = false
      })
      sealed += pass.sealed
      if (stopped) return
      if (pass.left.length > 0) {
        const some = pass.left.slice(0, MAX_NAMED).join(', ')
        const message = `${pass.left.length} files of ${directory} cannot be re-sealed, so the key-encryption key of before stays. Mend or remove them and call rotate-root again: ${some}`
        notify({ level: 'warning', message })
        return
      }
      await store.alone(() => dropKeks(store, root, before))
    }
    const seconds = Math.round((clock.now() - startedAt) / 1000)
    notify({ level: 'info', message: `${directory} is re-sealed: ${sealed} files in ${seconds} s.` })
  }

  /** One pass over all files; `left` names those that are not under the current KEK at its end. */
  async function sealAll(
    onTotal: (total: number) => void,
  ): Promise<{ readonly sealed: number; readonly left: string[] }> {
    const left: string[] = []
    let sealed = 0
    let batch: Item[] = []

    const flush = async (): Promise<void> => {
      const items = batch
      batch = []
      if (items.length === 0) return
      const startedAt = clock.now()
      // All of them end before the lock is given back, also when one fails.
      const outcomes = await store.alone(() => Promise.allSettled(items.map((item) => item.reseal())))
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.status === 'rejected') throw outcome.reason
        if (outcome.value) sealed++
        else left.push((items[i] as Item).path.slice(directory.length + 1))
      }
      // Others that want to write get as much of the time.
      await pause(Math.max(1, clock.now() - startedAt))
    }

    const stems = await readStems()
    progress = { done: 0, total: stems.size, left: 0, running: true }
    onTotal(stems.size)
    for (const [stem, files] of stems) {
      for await (const item of itemsOf(stem, files)) {
        if (stopped) return { sealed, left }
        if (await isUnderCurrent(item.path)) continue
        batch.push(item)
        if (batch.length === BATCH) await flush()
      }
      progress = { ...progress, done: progress.done + 1, left: left.length }
    }
    await flush()
    progress = { ...progress, left: left.length }
    return { sealed, left }
  }

  /** Everything in `keys/`, by stem: whether there is an entry, and what its versions are in. */
  async function readStems(): Promise<ReadonlyMap<string, readonly string[]>> {
    const stems = new Map<string, string[]>()
    const found = await readdir(keys).catch((error: unknown) => {
      throw readFailure(directory, error)
    })
    for (const name of found) {
      const stem = /^([^.].*)\.(?:json|versions)$/.exec(name)?.[1]
      if (stem === undefined) continue
      const files = stems.get(stem)
      if (files === undefined) stems.set(stem, [name])
      else files.push(name)
    }
    return stems
  }

  async function* itemsOf(stem: string, files: readonly string[]): AsyncGenerator<Item> {
    for (const file of files) {
      const path = join(keys, file)
      if (file.endsWith('.json')) yield { path, reseal: () => resealEntry(path, stem) }
      else yield* versionsIn(path, stem)
    }
  }

  async function* versionsIn(path: string, stem: string): AsyncGenerator<Item> {
    const files = await readdir(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return []
      throw readFailure(path, error)
    })
    for (const file of files) {
      const version = Number(/^([1-9]\d*)\.json$/.exec(file)?.[1] ?? Number.NaN)
      const at = join(path, file)
      if (!Number.isNaN(version)) yield { path: at, reseal: () => resealVersion(at, stem, version) }
    }
  }

  /** Whether a file needs nothing: also when it is damaged and names the current KEK, or was removed. */
  async function isUnderCurrent(path: string): Promise<boolean> {
    const bytes = await bytesOf(path)
    return bytes === 'gone' || (bytes !== undefined && kekNamedBy(bytes) === ring.current.id)
  }

  async function bytesOf(path: string): Promise<Buffer | 'gone' | undefined> {
    try {
      return (await readRegularFile(path)).bytes
    } catch (error) {
      const code = errnoOf(error)
      if (code === 'ENOENT') return 'gone'
      if (code === 'EACCES' || code === 'EPERM' || code === 'ELOOP') return undefined
      throw readFailure(directory, error)
    }
  }

  async function resealEntry(path: string, stem: string): Promise<boolean> {
    const bytes = await bytesOf(path)
    if (bytes === 'gone') return true
    const entry = bytes === undefined ? undefined : decodeEntry(bytes, stem, ring)
    if (entry === undefined || entry.kind === 'unreadable' || entry.kind === 'absent') return false
    if (!isDeepStrictEqual(decodeEntry(encodeEntry(entry, ring), stem, ring), entry)) throw kmsError('InternalError')
    await store.save(entry)
    return true
  }

  async function resealVersion(path: string, stem: string, version: number): Promise<boolean> {
    const bytes = await bytesOf(path)
    if (bytes === 'gone') return true
    const name = bytes === undefined ? undefined : versionNameOf(bytes)
    if (bytes === undefined || name?.version !== version || fileStem(name.keyId) !== stem) return false
    const held = decodeVersionFile(bytes, name, ring)
    if (typeof held === 'string') return false
    const sealed = encodeVersionFile(name, held, { ring, createdAt: held.createdAt, random })
    const again = decodeVersionFile(sealed, name, ring)
    const same = isDeepStrictEqual(again, held)
    held.material.fill(0)
    if (typeof again !== 'string') again.material.fill(0)
    if (!same) throw kmsError('InternalError')
    await store.commit(path, sealed)
    return true
  }

  function pause(milliseconds: number): Promise<void> {
    // Nothing would wake it any more, and the clock's timers let the process end.
    if (stopped) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = clock.after(milliseconds, resolve)
      wake = () => {
        cancel()
        resolve()
      }
    })
  }

  return {
    get progress() {
      return progress && { ...progress, running: progress.running && ring.keks.length > 1 }
    },
    begin,
    resume() {
      if (ring.keks.length > 1) later(RESUME_AFTER_MS)
    },
    async stop() {
      stopped = true
      cancelWait?.()
      wake?.()
      await running
      await lease.idle()
    },
  }
}
