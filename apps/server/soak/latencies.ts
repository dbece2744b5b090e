/** Milliseconds of many requests. */
export interface Latencies {
  add(milliseconds: number): void
  readonly count: number
  /** `undefined` when there are none. */
  percentile(percent: number): number | undefined
}

export function createLatencies(): Latencies {
  const values: number[] = []
  let sorted = true
  return {
    add(milliseconds) {
      values.push(milliseconds)
      sorted = false
    },
    get count() {
      return values.length
    },
    percentile(percent) {
      if (!sorted) {
        values.sort((a, b) => a - b)
        sorted = true
      }
      return values[Math.min(values.length - 1, Math.floor((values.length * percent) / 100))]
    },
  }
}
