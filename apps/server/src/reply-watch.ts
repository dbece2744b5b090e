import type { ServerResponse } from 'node:http'

export interface ReplyWatchOptions {
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** In each window of this length, in milliseconds, … */
  readonly windowMs: number
  /** … a client that has more to take must take at least this many bytes. */
  readonly leastBytes: number
}

/** Finds replies whose client has stopped taking them. */
export interface ReplyWatch {
  /** Looks at the replies under way, which must be all of them each time; otherwise as `ProgressWatch`. */
  takeStalled(responses: Iterable<ServerResponse>): readonly ServerResponse[]
}

interface Mark {
  readonly bytes: number
  readonly since: number
}

/** A reply that waits for its client holds a file, a key and memory; for how long it may wait, nothing else bounds. */
export function createReplyWatch({ now, windowMs, leastBytes }: ReplyWatchOptions): ReplyWatch {
  let marks: ReadonlyMap<ServerResponse, Mark> = new Map()
  return {
    takeStalled(responses) {
      const time = now()
      const stalled: ServerResponse[] = []
      const seen = new Map<ServerResponse, Mark>()
      for (const response of responses) {
        const { socket } = response
        if (socket === null || response.destroyed || !response.writableNeedDrain) continue
        // What the system has taken over, of all that was written.
        const bytes = socket.bytesWritten - socket.writableLength
        const mark = marks.get(response)
        if (mark === undefined || bytes - mark.bytes >= leastBytes) seen.set(response, { bytes, since: time })
        else if (time - mark.since >= windowMs) stalled.push(response)
        else seen.set(response, mark)
      }
      marks = seen
      return stalled
    },
  }
}
