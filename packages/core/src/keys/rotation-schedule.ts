import type { KeyRecord } from './key-backend.ts'

/** Bounds of `rotationPeriodDays`. */
export const ROTATION_PERIOD_DAYS = { min: 1, max: 3650 } as const

export const DAY_MS = 86_400_000

/**
 * When a key is rotated by itself, in milliseconds since the epoch: a period after its last rotation, or after it was
 * made. `undefined` for a key without a period and for one that is not enabled, which waits. A period missed, however
 * often, makes one rotation: the next one counts from there.
 */
export function nextRotationAt(record: KeyRecord): number | undefined {
  const { state, rotationPeriodDays, rotatedAt, createdAt } = record
  if (rotationPeriodDays === undefined || state !== 'Enabled') return undefined
  return (rotatedAt ?? createdAt) + rotationPeriodDays * DAY_MS
}
