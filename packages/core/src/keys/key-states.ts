import { kmsError } from '../errors/kms-error.ts'
import type { KeyRecord, KeyState } from './key-backend.ts'

/** What is done with a key, or to it. */
export type KeyAction =
  | 'wrap'
  | 'unwrap'
  | 'rotate'
  | 'enable'
  | 'disable'
  /** Description, tags, new aliases, rotation period. */
  | 'change'
  | 'remove-alias'
  | 'schedule-deletion'
  | 'cancel-deletion'
  | 'destroy'

type RefusingState = Exclude<KeyState, 'Enabled' | 'Unavailable'>

/**
 * The states that refuse an action (contract §2, "Keys"); `Unavailable` refuses every one, but for keys that came back from
 * destruction, `Enabled` none. A disabled key
 * unwraps: what was encrypted stays readable. An alias can always be taken away, so that another key can have it.
 */
const REFUSING: Readonly<Record<KeyAction, readonly RefusingState[]>> = {
  wrap: ['Disabled', 'PendingDeletion'],
  unwrap: ['PendingDeletion'],
  rotate: ['Disabled', 'PendingDeletion'],
  enable: ['PendingDeletion'],
  disable: ['PendingDeletion'],
  change: ['PendingDeletion'],
  'remove-alias': [],
  'schedule-deletion': [],
  'cancel-deletion': [],
  destroy: [],
}

/** What may be done to a key that was destroyed and has come back: having it destroyed again. */
const DESTROYING: ReadonlySet<KeyAction> = new Set(['schedule-deletion', 'cancel-deletion', 'destroy'])

/** The state that what is due with a key goes by. */
export function stateForDeletion({ state, stateItCameBackWith }: KeyRecord): KeyState {
  return stateItCameBackWith ?? state
}

/** Throws `KeyDisabled`, `KeyPendingDeletion` or `KeyUnavailable` when the state of a key refuses an action. */
export function requireState(action: KeyAction, record: KeyRecord): void {
  const { keyId: key, state, problem } = record
  if (state === 'Enabled') return
  if (record.stateItCameBackWith !== undefined && DESTROYING.has(action)) return
  if (state === 'Unavailable') throw kmsError('KeyUnavailable', { key, reason: problem ?? 'its record is unusable' })
  if (!REFUSING[action].includes(state)) return
  throw kmsError(state === 'Disabled' ? 'KeyDisabled' : 'KeyPendingDeletion', { key })
}
