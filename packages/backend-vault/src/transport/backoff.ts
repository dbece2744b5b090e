import type { Random } from '@kms/core'

export interface BackoffOptions {
  /** How many times an operation is tried again. */
  readonly attempts: number
  /** Length of the whole operation. */
  readonly timeoutMs: number
  readonly random: Random
}

/** Longest first pause. */
const FIRST_MS = 100

/**
 * How long to wait before the nth retry (from 0): exponential with full jitter, which keeps many clients of one recovering
 * server apart. The ceilings grow from 100 ms to half of the operation's time, so that the retries, however few, reach
 * across an election of a new leader rather than ending before it.
 */
export function createBackoff({ attempts, timeoutMs, random }: BackoffOptions): (retry: number) => number {
  const last = Math.max(FIRST_MS, timeoutMs / 2)
  const factor = attempts > 1 ? (last / FIRST_MS) ** (1 / (attempts - 1)) : 1
  return (retry) => Math.round(fraction(random) * Math.min(last, FIRST_MS * factor ** retry))
}

/** A number in [0, 1). */
function fraction(random: Random): number {
  return random(4).readUInt32BE() / 2 ** 32
}
