import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../../clock.ts'
import type { Realm } from '../../envelope/envelope.ts'
import { isKmsError } from '../../errors/kms-error.ts'
import { inLanes } from '../../in-lanes.ts'
import type { KeyBackend, KeyRecord } from '../../keys/key-backend.ts'
import { stateForDeletion } from '../../keys/key-states.ts'
import { nextRotationAt } from '../../keys/rotation-schedule.ts'
import type { ServingListener } from '../../lifecycle/publisher.ts'
import { changeKey, type KeyRequest } from '../keys/change-key.ts'
import { destroyKey, type KeyDestructionContext } from '../keys/destroy-key.ts'
import { rotation } from '../keys/rotation.ts'
import { alsoServing, onSnapshot, type Snapshot } from '../snapshot.ts'
import { SYSTEM } from '../system-caller.ts'
import { createDueSchedule } from './due-schedule.ts'
import { createTroubleLog } from './trouble-log.ts'

/**
 * Does what falls due with the keys of the active store: deletions whose window has passed, and rotations. It knows of
 * them from the changes made here and from looking through the whole store, page by page, when it begins and every six
 * hours; in between it sleeps until the next thing is due. Every act is decided on the record as it is then and done
 * under that record, so several servers of one store rotate once, and a deletion cancelled elsewhere stays cancelled.
 * What fails is told once and tried again later; nothing of it stops the service.
 */
export interface KeyWorker extends ServingListener {
  /** Plans what a record that was just written makes due. */
  plan(record: KeyRecord, realm: Realm): void
  /** Plans nothing any more for a key that is gone. */
  drop(keyId: string, realm: Realm): void
  /** Resolves when nothing is being done. */
  idle(): Promise<void>
}

export interface KeyWorkerOptions extends Pick<KeyDestructionContext, 'source' | 'keyUse' | 'onEvent' | 'ending'> {
  readonly clock: Clock
}

const MINUTE_MS = 60_000
const SCAN_EVERY_MS = 6 * 60 * MINUTE_MS
const SCAN_PAGE = 500
/** Keys acted on at the same time. */
const WIDTH = 4
/** It looks at the clock at least this often: clocks are set, and machines sleep. */
const LONGEST_SLEEP_MS = 10 * MINUTE_MS

export function createKeyWorker({ source, keyUse, ending, onEvent, clock }: KeyWorkerOptions): KeyWorker {
  const schedule = createDueSchedule()
  const troubles = createTroubleLog((message) => onEvent({ event: 'kms_warning', message }))
  const context: KeyDestructionContext = { source, keyUse, ending, onEvent, onWritten: plan, onGone: drop }
  /** The store looked after. */
  let realm: Realm | undefined
  let nextScanAt = 0
  /** While the store as a whole does not answer. */
  let pausedUntil = 0
  /** Keys planned since the page under examination was asked for: the page may be older. */
  const planned = new Set<string>()
  let busy: Promise<void> | undefined
  let cancelSleep: (() => void) | undefined

  function plan(record: KeyRecord, of: Realm): void {
    if (of !== realm) return
    planned.add(record.keyId)
    schedule.set(record.keyId, dueAt(record))
    sleep()
  }

  function drop(keyId: string, of: Realm): void {
    if (of !== realm) return
    planned.add(keyId)
    schedule.set(keyId, undefined)
  }

  function nextAt(): number {
    return Math.max(pausedUntil, Math.min(nextScanAt, schedule.next() ?? Number.POSITIVE_INFINITY))
  }

  function sleep(): void {
    cancelSleep?.()
    cancelSleep = undefined
    if (realm === undefined || busy !== undefined) return
    const wait = Math.min(nextAt() - clock.now(), LONGEST_SLEEP_MS)
    if (wait <= 0) wake()
    else cancelSleep = clock.after(wait, wake)
  }

  function wake(): void {
    busy ??= work().finally(() => {
      busy = undefined
      sleep()
    })
  }

  async function work(): Promise<void> {
    if (clock.now() < pausedUntil) return
    if (clock.now() >= nextScanAt) await lookThrough()
    await inLanes(schedule.take(clock.now()), WIDTH, async (keyId) => {
      if (clock.now() < pausedUntil) schedule.set(keyId, pausedUntil)
      else await attend(keyId)
    })
  }

  async function lookThrough(): Promise<void> {
    const of = realm
    nextScanAt = clock.now() + SCAN_EVERY_MS
    try {
      await finishLeftovers()
      let after: string | undefined
      do {
        planned.clear()
        const from = after === undefined ? {} : { after }
        const page = await onStore((backend) => backend.list({ limit: SCAN_PAGE, ...from }))
        if (of !== realm) return
        for (const record of page.keys) if (!planned.has(record.keyId)) schedule.set(record.keyId, dueAt(record))
        after = page.next
        await nextTurn()
      } while (after !== undefined)
      troubles.over('scan')
    } catch (error) {
      if (of !== realm) return
      nextScanAt = clock.now() + troubles.note('scan', 'The keys could not be looked through for what is due', error)
    }
  }

  async function finishLeftovers(): Promise<void> {
    try {
      await onStore(async (backend) => backend.finishLeftovers?.())
      troubles.over('leftovers')
    } catch (error) {
      troubles.note('leftovers', 'What a crash left half-made could not be finished', error)
    }
  }

  function onStore<T>(use: (backend: KeyBackend) => Promise<T>): Promise<T> {
    return onSnapshot(source, ({ active }) => active.use(() => active.call(use)))
  }

  async function attend(keyId: string): Promise<void> {
    const request: KeyRequest = { key: `arn:aws:kms:::key/${keyId}`, authorize: () => {}, caller: SYSTEM }
    let snapshot: Snapshot | undefined
    try {
      const { active } = (snapshot = source.current())
      const record = await active.use(() => active.describe(keyId, false))
      if (isDeletionDue(record)) {
        const { record: left, destroyed } = await destroyKey(context, request, isDeletionDue)
        if (!destroyed) schedule.set(keyId, dueAt(left))
      } else if (isRotationDue(record)) {
        const { record: left, changed } = await changeKey(context, request, rotation(isRotationDue))
        const next = dueAt(left)
        // The store's clock may be so far behind that the rotation seems to be due again.
        schedule.set(keyId, changed && next !== undefined ? Math.max(next, clock.now() + 60 * MINUTE_MS) : next)
      } else schedule.set(keyId, dueAt(record))
      troubles.over(keyId)
      troubles.over('store')
    } catch (error) {
      postpone(keyId, snapshot, error)
    }
  }

  function postpone(keyId: string, snapshot: Snapshot | undefined, error: unknown): void {
    // Gone, or not to be acted on as it is now: whoever changed that plans it, or the next look does.
    if (isKmsError(error, ...NOTHING_TO_DO)) return
    const now = clock.now()
    if (isKmsError(error, 'BackendUnavailable', 'BackendTimeout')) {
      // Closed because another configuration took over: that one serves.
      if (snapshot !== undefined && alsoServing(source, snapshot).size > 1) schedule.set(keyId, now)
      else {
        if (now >= pausedUntil) pausedUntil = now + troubles.note('store', 'What is due with the keys waits', error)
        schedule.set(keyId, pausedUntil)
      }
      return
    }
    schedule.set(keyId, now + troubles.note(keyId, `What is due with key "${keyId}" could not be done`, error))
  }

  function isDeletionDue(record: KeyRecord): boolean {
    const { deletionAt } = record
    return stateForDeletion(record) === 'PendingDeletion' && deletionAt !== undefined && deletionAt <= clock.now()
  }

  function isRotationDue(record: KeyRecord): boolean {
    const at = nextRotationAt(record)
    return at !== undefined && at <= clock.now()
  }

  /** Looks after another store from now on, or after none. */
  function follow(next: Realm | undefined): void {
    if (next === realm) return
    realm = next
    schedule.clear()
    troubles.clear()
    nextScanAt = 0
    pausedUntil = 0
    sleep()
  }

  return {
    onPublished: ({ active }) => follow(active.realm),
    onUnpublished: () => follow(undefined),
    plan,
    drop,
    async idle() {
      for (let current = busy; current !== undefined; current = busy) await current
    },
  }
}

const NOTHING_TO_DO = [
  'NotRunning',
  'KeyNotFound',
  'KeyDestroyed',
  'KeyUnavailable',
  'KeyDisabled',
  'KeyPendingDeletion',
] as const

function dueAt(record: KeyRecord): number | undefined {
  return stateForDeletion(record) === 'PendingDeletion' ? record.deletionAt : nextRotationAt(record)
}
