import type { Clock } from '../../clock.ts'
import { kmsError } from '../../errors/kms-error.ts'
import { stateForDeletion } from '../../keys/key-states.ts'
import { DAY_MS } from '../../keys/rotation-schedule.ts'
import type { ChangeRule } from './change-key.ts'
import type { KeyDestructionContext } from './destroy-key.ts'
import { requireDispensable } from './dispensable.ts'

/** Days between asking for a deletion and the deletion (contract §2, "Keys"). */
const WINDOW_DAYS = { min: 7, max: 30 } as const

/**
 * Schedules the deletion of a key; `days` absent: 30. A key that is scheduled already keeps its date, and asking for a
 * certain window then is refused, because the date may be an earlier one.
 */
export function deletion(
  days: number | undefined,
  clock: Clock,
  { source, keyUse }: Pick<KeyDestructionContext, 'source' | 'keyUse'>,
): ChangeRule {
  return {
    capability: 'schedule_deletion',
    action: 'schedule-deletion',
    ends: true,
    async edit(record, snapshot) {
      const { keyId, etag } = record
      const state = stateForDeletion(record)
      checkWindow(days)
      if (state === 'PendingDeletion' && days !== undefined) throw kmsError('KeyPendingDeletion', { key: keyId })
      if (state !== 'Enabled' && state !== 'Disabled') return undefined
      await requireDispensable(record, source, snapshot, keyUse)
      const deletionAt = clock.now() + (days ?? WINDOW_DAYS.max) * DAY_MS
      return (backend) =>
        backend.update(keyId, { state: 'PendingDeletion', deletionAt, stateBeforeDeletion: state }, etag)
    },
    event: ({ keyId, deletionAt }) => ({
      event: 'kms_key_deletion_scheduled',
      message: `Key "${keyId}" is to be destroyed on ${new Date(deletionAt as number).toISOString()}.`,
    }),
  }
}

/** Gives a key that is scheduled for deletion the state it had before. */
export const cancellation: ChangeRule = {
  capability: 'schedule_deletion',
  action: 'cancel-deletion',
  edit(record) {
    const { keyId, etag, stateBeforeDeletion } = record
    if (stateForDeletion(record) !== 'PendingDeletion') return undefined
    // Somebody else scheduled it, and did not say what it was before: it then wraps nothing until somebody says so.
    const restored = stateBeforeDeletion ?? 'Disabled'
    return (backend) => backend.update(keyId, { state: restored, deletionAt: null, stateBeforeDeletion: null }, etag)
  },
  event: ({ keyId, state }) => ({
    event: 'kms_key_deletion_cancelled',
    message: `Key "${keyId}" is not to be destroyed any more: it is ${state}.`,
  }),
}

function checkWindow(days: number | undefined): void {
  const { min, max } = WINDOW_DAYS
  if (days === undefined || (Number.isInteger(days) && days >= min && days <= max)) return
  throw kmsError('ValidationError', {
    path: 'pending_window_in_days',
    reason: `must be a whole number from ${min} to ${max}`,
  })
}
