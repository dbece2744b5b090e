import type { Realm } from '../../envelope/envelope.ts'
import { isKmsError, kmsError } from '../../errors/kms-error.ts'
import type { Capabilities, KeyBackend, KeyRecord } from '../../keys/key-backend.ts'
import { type KeyAction, requireState } from '../../keys/key-states.ts'
import type { Caller, ManagerEvent } from '../manager-types.ts'
import { type Authorize, resolveAble } from '../resolve-key.ts'
import type { Snapshot, SnapshotSource } from '../snapshot.ts'
import type { EndingKeys } from './ending-keys.ts'
import { forgetKey } from './forget-key.ts'

/** A key that is to be changed, and who asks for it. */
export interface KeyRequest {
  /** Any spelling. */
  readonly key: string
  readonly authorize: Authorize
  readonly caller: Caller
}

/** A key as a change left it. */
export interface ChangedKey {
  readonly record: KeyRecord
  /** False when it was so before. */
  readonly changed: boolean
}

/** What changes of keys have in common. */
export interface KeyChangeContext {
  readonly source: SnapshotSource
  readonly onEvent: (event: ManagerEvent) => void
  /** Told of every record that was written and every key that is gone, so that what is due can be planned. */
  readonly onWritten: (record: KeyRecord, realm: Realm) => void
  readonly onGone: (keyId: string, realm: Realm) => void
  readonly ending: EndingKeys
}

/** A write of the key's record, as the backend is asked for it. */
export type KeyWrite = (backend: KeyBackend) => Promise<KeyRecord>

/** One kind of change. */
export interface ChangeRule {
  readonly capability: keyof Capabilities
  readonly action: KeyAction
  /** Whether whoever would use the key waits while this is decided and done. */
  readonly ends?: true
  /**
   * The write for the record as it stands, or nothing where it is so already. Called once per attempt, after the caller
   * was authorised and state and capability allow the action. Refuses by throwing.
   */
  edit(record: KeyRecord, snapshot: Snapshot): KeyWrite | undefined | Promise<KeyWrite | undefined>
  /** What is told once it is done. */
  event(record: KeyRecord): Pick<ManagerEvent, 'event' | 'message'>
}

/** Each lost race means that somebody else's change was written: this many in a row are no race any more. */
export const MAX_ATTEMPTS = 100

/**
 * Changes a key by compare-and-set on its record, read from the backend and not from a cache. A change that loses the
 * race against another one is decided anew on what that one left. It is never carried over to another store: should the
 * store be closed meanwhile, the caller has to ask again.
 */
export async function changeKey(
  context: KeyChangeContext,
  { key, authorize, caller }: KeyRequest,
  rule: ChangeRule,
): Promise<ChangedKey> {
  const snapshot = context.source.current()
  const { active } = snapshot
  return active.use(async () => {
    const record = await resolveAble(snapshot, key, authorize, rule.capability, (name) => active.describe(name, false))
    const over = rule.ends === true ? context.ending.begin(active.realm, record.keyId) : undefined
    try {
      return await change(context, snapshot, record, rule, caller)
    } finally {
      over?.()
    }
  })
}

async function change(
  { source, onEvent, onWritten }: KeyChangeContext,
  snapshot: Snapshot,
  found: KeyRecord,
  rule: ChangeRule,
  caller: Caller,
): Promise<ChangedKey> {
  const { active } = snapshot
  const { keyId } = found
  let record = found
  for (let attempt = 1; ; attempt++) {
    requireState(rule.action, record)
    const write = await rule.edit(record, snapshot)
    if (write === undefined) return { record, changed: false }
    const names = record.aliases
    try {
      const written = await active.call(write)
      forgetKey(source, snapshot, keyId, names)
      await active.remember(written)
      onWritten(written, active.realm)
      onEvent({ ...rule.event(written), caller, keyId, realm: active.realm })
      return { record: active.judge(written), changed: true }
    } catch (error) {
      // A write that failed may have happened.
      forgetKey(source, snapshot, keyId, names)
      if (attempt === MAX_ATTEMPTS || !isKmsError(error, 'PreconditionFailed')) throw error
    }
    record = await active.describe(keyId, false)
    if (record.keyId !== keyId) throw kmsError('KeyNotFound', { key: keyId })
  }
}
