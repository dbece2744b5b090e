import type { Clock } from '@kms/core'

/** Keeps requests from a server that does not answer, and looks for the moment when it does again. */
export interface Breaker {
  /** Whether an operation may begin. Of those that ask while it is half open, one may: the probe. */
  admit(): boolean
  /** Whether requests are kept back, but for probes. */
  readonly open: boolean
  /** Milliseconds until the next probe; 0 unless it is open. */
  readonly waitMs: number
  /** What the last failure was; public. */
  readonly reason: string
  /** Tells of an answer that shows the server at work. */
  succeeded(): void
  /** Tells that the server did not answer, or only that it cannot serve. */
  failed(reason: string): void
}

/** So many failures in a row, and it opens. */
const THRESHOLD = 5
const FIRST_PAUSE_MS = 250
/** Contract §2: key state is at most 5 s old, so nothing here may keep the news of a recovery for longer. */
const LONGEST_PAUSE_MS = 4000

/** A breaker belongs to one opened backend: a candidate that fails never opens that of the active one. */
export function createBreaker(clock: Clock): Breaker {
  let failures = 0
  let pause = FIRST_PAUSE_MS
  /** When the next probe may go; unset while closed. */
  let probeAt: number | undefined
  let probing = false
  let reason = ''

  return {
    get reason() {
      return reason
    },
    get open() {
      return probeAt !== undefined
    },
    get waitMs() {
      return probeAt === undefined ? 0 : Math.max(0, probeAt - clock.now())
    },
    admit() {
      if (probeAt === undefined) return true
      if (clock.now() < probeAt) return false
      // A probe that never comes back is followed by another one.
      probeAt = clock.now() + pause
      probing = true
      return true
    },
    succeeded() {
      failures = 0
      pause = FIRST_PAUSE_MS
      probeAt = undefined
      probing = false
    },
    failed(why) {
      reason = why
      failures += 1
      if (failures < THRESHOLD) return
      if (probing) pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
      // Whatever is tried meanwhile and fails too puts the next probe off.
      probeAt = clock.now() + pause
      probing = false
    },
  }
}
