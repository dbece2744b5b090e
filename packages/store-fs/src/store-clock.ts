/** Time, as the store needs it; `@kms/core`'s `Clock` is one. */
export interface StoreClock {
  /** Epoch milliseconds. */
  now(): number
  /** Calls back once; the result cancels. */
  after(ms: number, callback: () => void): () => void
}

/** The time of the machine; its timers keep no process alive. */
export const machineClock: StoreClock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
