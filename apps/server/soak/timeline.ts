/** A span of time, in milliseconds; open as long as it has no end. */
interface Span {
  readonly what: string
  readonly from: number
  to: number
}

/** What was going on when: changes, and backends that did not answer. */
export interface Timeline {
  /** Notes that something begins; the returned function notes its end. */
  begin(what: string): () => void
  /** Whether something, or this, was going on at any time from `from` to `to`. */
  overlaps(from: number, to: number, what?: string): boolean
}

export function createTimeline(now: () => number = () => performance.now()): Timeline {
  const spans: Span[] = []
  return {
    begin(what) {
      const span: Span = { what, from: now(), to: Number.POSITIVE_INFINITY }
      spans.push(span)
      return () => {
        span.to = now()
      }
    },
    overlaps(from, to, what) {
      // The newest are the likely ones.
      return (
        spans.findLast((span) => (what === undefined || span.what === what) && span.from <= to && span.to >= from) !==
        undefined
      )
    },
  }
}
