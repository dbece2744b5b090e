import { LRUCache } from 'lru-cache'
import { makeCanary } from '../canary/canary.ts'
import type { CanarySet } from '../canary/canary-store.ts'
import type { Clock } from '../clock.ts'
import type { Realm } from '../envelope/envelope.ts'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import type { KeyBackend, KeyRecord } from '../keys/key-backend.ts'
import type { Random } from '../random.ts'
import { createDeadline, withDeadline } from './deadline.ts'

/** An opened backend as the rest of core uses it: with deadlines, fresh records and a memory of what was seen. */
export interface OpenStore {
  readonly realm: Realm
  readonly backend: KeyBackend
  readonly canaries: CanarySet
  /**
   * The record of a key (id or alias), at most 5 s old, or read now when `cached` is false. A record older than what
   * this server has seen comes back as `Unavailable`. Throws as `KeyBackend.describe`.
   */
  describe(name: string, cached: boolean): Promise<KeyRecord>
  /** {@link describe}'s judgement of a record that was read otherwise (a listing, the result of a change). */
  judge(record: KeyRecord): KeyRecord
  /** Drops cached records, after every change: those held under these names and those of keys with these ids; or all. */
  forget(...names: readonly string[]): void
  /** Remembers a record's current version durably, with a canary, unless it is known; best effort. */
  remember(record: KeyRecord): Promise<void>
  /** Calls the backend within the deadline of one operation. */
  call<T>(work: (backend: KeyBackend) => Promise<T>): Promise<T>
  /**
   * Keeps the store open until the matching `leave`; an operation on the data path stands between the two. Throws
   * `BackendUnavailable` when it is being closed.
   */
  enter(): void
  leave(): void
  /** Runs `work` between `enter` and `leave`. */
  use<T>(work: () => Promise<T>): Promise<T>
  /**
   * Waits for the work under way, at most `seconds`, then closes the backend. Throws `BackendTimeout` when that takes
   * too long. Idempotent.
   */
  retire(seconds: number): Promise<void>
}

export interface OpenStoreOptions {
  readonly backend: KeyBackend
  readonly canaries: CanarySet
  readonly timeoutSeconds: number
  readonly clock: Clock
  readonly random: Random
  /** Told when a canary could not be stored; public text. */
  readonly onWarning: (message: string) => void
}

/** Contract §2: key state is at most 5 s old anywhere. */
const RECORD_TTL_MS = 5000
const MAX_RECORDS = 10_000
/** A backend that does not close must not keep a lifecycle call from ending. */
const CLOSE_SECONDS = 10

export function createOpenStore(options: OpenStoreOptions): OpenStore {
  const { backend, canaries, timeoutSeconds, clock, random, onWarning } = options
  const records = new LRUCache<string, { readonly record: KeyRecord; readonly readAt: number }>({ max: MAX_RECORDS })
  const deadline = createDeadline(timeoutSeconds, clock)
  const reading = new Map<string, { readonly record: Promise<KeyRecord>; readonly startedAt: number }>()
  const remembering = new Map<string, Promise<void>>()
  let generation = 0
  let inFlight = 0
  let idle: (() => void) | undefined
  let retired: Promise<void> | undefined

  function judge(record: KeyRecord): KeyRecord {
    const memory = canaries.memory(record.keyId)
    if (memory === undefined || record.state === 'Unavailable') return record
    const { highestVersion, destroyed } = memory
    if (destroyed && record.currentVersion <= highestVersion) {
      const problem =
        'it was destroyed on purpose and has come back; all that can be done with it is to delete it again'
      return { ...record, state: 'Unavailable', problem, stateItCameBackWith: record.state }
    }
    if (record.currentVersion < highestVersion) {
      const problem = `its record was rolled back to version ${record.currentVersion}; version ${highestVersion} was seen here`
      return { ...record, state: 'Unavailable', problem }
    }
    return record
  }

  async function remember(record: KeyRecord): Promise<void> {
    const { keyId, currentVersion, state } = record
    if (state === 'Unavailable') return
    const memory = canaries.memory(keyId)
    if (memory !== undefined && memory.highestVersion >= currentVersion) return
    // Many may meet a new version at the same time; one canary is enough.
    const version = `${currentVersion} ${keyId}`
    let underWay = remembering.get(version)
    if (underWay === undefined) {
      underWay = addCanary(record).finally(() => remembering.delete(version))
      remembering.set(version, underWay)
    }
    await underWay
  }

  async function addCanary(record: KeyRecord): Promise<void> {
    try {
      await canaries.add(await deadline.bound(makeCanary(backend, record, random)))
    } catch (error) {
      // Somebody rotated or removed the key meanwhile: whoever sees the new record remembers that.
      if (isKmsError(error, 'KeyVersionNotCurrent', 'KeyNotFound', 'KeyDestroyed')) return
      const reason = isKmsError(error) ? error.message : 'an internal error occurred'
      onWarning(`No canary could be kept for key "${record.keyId}" version ${record.currentVersion}: ${reason}`)
    }
  }

  async function read(name: string): Promise<KeyRecord> {
    const startedIn = generation
    const readAt = clock.now()
    const record = judge(await deadline.bound(backend.describe(name)))
    await remember(record)
    if (startedIn === generation) records.set(name, { record, readAt })
    return record
  }

  function enter(): void {
    if (retired !== undefined) throw kmsError('BackendUnavailable', { store: backend.realm, reason: 'it was closed' })
    inFlight++
  }

  function leave(): void {
    inFlight--
    if (inFlight === 0) idle?.()
  }

  return {
    realm: backend.realm,
    backend,
    canaries,
    judge,
    remember,

    describe(name, cached) {
      if (!cached) return read(name)
      const held = records.get(name)
      if (held !== undefined && clock.now() - held.readAt < RECORD_TTL_MS) return Promise.resolve(held.record)
      const underWay = reading.get(name)
      // What was asked long ago may have been answered long ago, and be older by now than a record may be.
      if (underWay !== undefined && clock.now() - underWay.startedAt < RECORD_TTL_MS) return underWay.record
      const record = read(name)
      const started = { record, startedAt: clock.now() }
      reading.set(name, started)
      const finished = () => {
        if (reading.get(name) === started) reading.delete(name)
      }
      record.then(finished, finished)
      return record
    },

    forget(...names) {
      generation++
      reading.clear()
      if (names.length === 0) records.clear()
      else
        for (const [name, { record }] of records.entries()) {
          if (names.includes(name) || names.includes(record.keyId)) records.delete(name)
        }
    },

    call: (work) => deadline.bound(work(backend)),
    enter,
    leave,

    async use(work) {
      enter()
      try {
        return await work()
      } finally {
        leave()
      }
    },

    retire(seconds) {
      retired ??= (async () => {
        if (inFlight > 0) {
          await new Promise<void>((resolve) => {
            const cancel = clock.after(seconds * 1000, resolve)
            idle = () => {
              cancel()
              resolve()
            }
          })
        }
        await withDeadline(backend.close(), CLOSE_SECONDS, clock)
      })()
      return retired
    },
  }
}
