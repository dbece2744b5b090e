export interface StallWatchOptions<T> {
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** In each window of this length, in milliseconds, … */
  readonly windowMs: number
  /** … what we wait for must bring, or take, at least this many bytes. */
  readonly leastBytes: number
  /** How many bytes the other end has brought, or taken, by now; `undefined` while it is not the other end that we wait for. */
  readonly progress: (item: T) => number | undefined
}

/** Finds those among many transfers whose other end has stopped. */
export interface StallWatch<T> {
  /**
   * Looks at the transfers under way, which must be all of them each time, and returns those that have stalled since it first
   * saw them so; one that is still there a window later is returned again. To be called a few times per window: a transfer
   * that is over before the next look costs nothing.
   */
  takeStalled(items: Iterable<T>): readonly T[]
}

interface Mark {
  readonly bytes: number
  readonly since: number
}

/** Time in which we do not wait for the other end is not the other end's. */
export function createStallWatch<T>({ now, windowMs, leastBytes, progress }: StallWatchOptions<T>): StallWatch<T> {
  let marks: ReadonlyMap<T, Mark> = new Map()
  return {
    takeStalled(items) {
      const time = now()
      const stalled: T[] = []
      const seen = new Map<T, Mark>()
      for (const item of items) {
        const bytes = progress(item)
        if (bytes === undefined) continue
        const mark = marks.get(item)
        if (mark === undefined || bytes - mark.bytes >= leastBytes) seen.set(item, { bytes, since: time })
        else if (time - mark.since >= windowMs) stalled.push(item)
        else seen.set(item, mark)
      }
      marks = seen
      return stalled
    },
  }
}
