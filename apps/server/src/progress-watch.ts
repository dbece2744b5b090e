import type { IncomingMessage } from 'node:http'

export interface ProgressWatchOptions {
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** In each window of this length, in milliseconds, … */
  readonly windowMs: number
  /** … a body that we wait for must bring at least this many bytes. */
  readonly leastBytes: number
}

/** Finds requests whose client has stopped sending the body it announced. */
export interface ProgressWatch {
  /**
   * Looks at the requests under way, which must be all of them each time, and returns those that have stalled since it first
   * saw them so; one that is still there a window later is returned again. To be called a few times per window: a request
   * that is over before the next look costs nothing.
   */
  takeStalled(requests: Iterable<IncomingMessage>): readonly IncomingMessage[]
}

interface Mark {
  readonly bytes: number
  readonly since: number
}

/**
 * Node's own `requestTimeout` bounds the whole request, and with it the size of what a slow but honest client can send;
 * this bounds only how long nothing may come. Time in which we do not read is not the client's.
 */
export function createProgressWatch({ now, windowMs, leastBytes }: ProgressWatchOptions): ProgressWatch {
  let marks: ReadonlyMap<IncomingMessage, Mark> = new Map()
  return {
    takeStalled(requests) {
      const time = now()
      const stalled: IncomingMessage[] = []
      const seen = new Map<IncomingMessage, Mark>()
      for (const request of requests) {
        if (request.complete || request.destroyed) continue
        const { bytesRead } = request.socket
        const mark = marks.get(request)
        if (mark === undefined || !waitsForClient(request) || bytesRead - mark.bytes >= leastBytes) {
          seen.set(request, { bytes: bytesRead, since: time })
        } else if (time - mark.since >= windowMs) stalled.push(request)
        else seen.set(request, mark)
      }
      marks = seen
      return stalled
    },
  }
}

function waitsForClient(request: IncomingMessage): boolean {
  const readers = request.listenerCount('data') + request.listenerCount('readable')
  return readers > 0 && !request.isPaused() && request.readableLength < request.readableHighWaterMark
}
