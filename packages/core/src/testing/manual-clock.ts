import type { Clock } from '../clock.ts'

/** A {@link Clock} that stands still until it is told to move. */
export interface ManualClock extends Clock {
  /** Moves time on by `ms` ≥ 0; callbacks that fall due run in order of their time, each seeing its own time. */
  advance(ms: number): void
  /** Moves time on by `ms` ≥ 0 at once, as for a machine that slept; what fell due meanwhile runs at the end, in order. */
  jump(ms: number): void
  /** When the next callback falls due; `undefined` when none is waited for. */
  readonly next: number | undefined
}

/** Makes a clock that starts at `startMs` milliseconds since the epoch. */
export function createManualClock(startMs: number): ManualClock {
  let time = startMs
  const timers = new Set<{ readonly due: number; readonly callback: () => void }>()

  function earliest(limit: number): { readonly due: number; readonly callback: () => void } | undefined {
    let first: { readonly due: number; readonly callback: () => void } | undefined
    for (const timer of timers) if (timer.due <= limit && (first === undefined || timer.due < first.due)) first = timer
    return first
  }

  return {
    get next() {
      return earliest(Number.POSITIVE_INFINITY)?.due
    },
    now: () => time,
    after(ms, callback) {
      const timer = { due: time + Math.max(0, ms), callback }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    advance(ms) {
      if (!(ms >= 0)) throw new RangeError(`advance: expected milliseconds >= 0, got ${ms}`)
      const end = time + ms
      for (let timer = earliest(end); timer !== undefined; timer = earliest(end)) {
        timers.delete(timer)
        time = Math.max(time, timer.due)
        timer.callback()
      }
      time = end
    },
    jump(ms) {
      if (!(ms >= 0)) throw new RangeError(`jump: expected milliseconds >= 0, got ${ms}`)
      time += ms
      for (let timer = earliest(time); timer !== undefined; timer = earliest(time)) {
        timers.delete(timer)
        timer.callback()
      }
    },
  }
}
