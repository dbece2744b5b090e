/** What is due when, by name. */
export interface DueSchedule {
  /** `undefined`: never. */
  set(name: string, at: number | undefined): void
  /** The time of what is due first; it may be one that was taken back meanwhile. */
  next(): number | undefined
  /** Takes out what is due at `now`, earliest first. */
  take(now: number): readonly string[]
  clear(): void
}

/** Looking for what is due walks through all of it, so it is done only when something may be. */
export function createDueSchedule(): DueSchedule {
  const times = new Map<string, number>()
  let first: number | undefined

  return {
    set(name, at) {
      if (at === undefined) times.delete(name)
      else {
        times.set(name, at)
        if (first === undefined || at < first) first = at
      }
    },

    next: () => (times.size === 0 ? undefined : first),

    take(now) {
      if (first === undefined || first > now) return []
      first = undefined
      const due: [string, number][] = []
      for (const entry of times) {
        const [name, at] = entry
        if (at <= now) {
          times.delete(name)
          due.push(entry)
        } else if (first === undefined || at < first) first = at
      }
      return due.sort(([, a], [, b]) => a - b).map(([name]) => name)
    },

    clear() {
      times.clear()
      first = undefined
    },
  }
}
