import { LRUCache } from 'lru-cache'
import { isKmsError } from '../../errors/kms-error.ts'

/** Failures of work that is tried again by itself: told once, tried ever less often. */
export interface TroubleLog {
  /**
   * Notes a failure of `what`; told unless its last failure was the same. Returns how long to wait before the next
   * attempt, in milliseconds.
   */
  note(what: string, message: string, error: unknown): number
  /** `what` works again. */
  over(what: string): void
  clear(): void
}

/** Waits after the first, second, … failure in a row, in minutes; the last one repeats. */
const WAITS = [1, 5, 15, 60] as const

/** More than this many troubles at once are told again rather than remembered. */
const MAX_REMEMBERED = 10_000

export function createTroubleLog(tell: (message: string) => void): TroubleLog {
  const troubles = new LRUCache<string, { readonly code: string; readonly failures: number }>({ max: MAX_REMEMBERED })
  return {
    note(what, message, error) {
      const [code, reason] = isKmsError(error)
        ? [error.code, error.message]
        : ['InternalError', 'an internal error occurred']
      const before = troubles.get(what)
      const failures = (before?.failures ?? 0) + 1
      troubles.set(what, { code, failures })
      if (before?.code !== code) tell(`${message}: ${reason}`)
      return (WAITS[Math.min(failures, WAITS.length) - 1] as number) * 60_000
    },
    over: (what) => void troubles.delete(what),
    clear: () => troubles.clear(),
  }
}
