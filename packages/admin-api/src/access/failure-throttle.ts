import { hash, randomBytes } from 'node:crypto'
import type { Clock } from '@kms/core'

export interface FailureThrottleOptions {
  /** Failures of one address with one access key that are answered as what they are; 0: all of them. */
  readonly perMinute: number
  readonly clock: Clock
  /** For tests. Random unless given. */
  readonly salt?: string
}

/** Counts failed authentications. It only ever speaks about failures: who signs correctly is never asked about. */
export interface FailureThrottle {
  /**
   * Counts one more failure. Returns how many seconds the caller should wait when it is one too many, `undefined` while
   * it is not.
   */
  fail(address: string | undefined, accessKeyId: string): number | undefined
}

const WINDOW_MS = 60_000
const SLOTS = 65_536

/**
 * Counts per clock minute, in a table of fixed size: nothing a stranger sends makes it grow, and, unlike in a cache,
 * nobody can push a counter out by failing under many names. Two callers may share a slot; which ones, nobody outside can
 * tell, as it depends on a salt of this process.
 */
export function createFailureThrottle(options: FailureThrottleOptions): FailureThrottle {
  const { perMinute, clock, salt = randomBytes(16).toString('hex') } = options
  const counts = new Uint32Array(SLOTS)
  let window = 0
  return {
    fail(address = '', accessKeyId) {
      if (perMinute === 0) return undefined
      const now = clock.now()
      const current = Math.floor(now / WINDOW_MS)
      if (current !== window) {
        counts.fill(0)
        window = current
      }
      const slot = Number.parseInt(hash('sha256', `${salt}${address}\n${accessKeyId}`).slice(0, 4), 16)
      const count = (counts[slot] as number) + 1
      counts[slot] = count
      return count <= perMinute ? undefined : Math.ceil(((current + 1) * WINDOW_MS - now) / 1000)
    },
  }
}
