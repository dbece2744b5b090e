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
  /** Watches a request until its body is complete or its connection closed. */
  add(request: IncomingMessage): void
  /** The requests that have stalled; they are not watched any longer. To be called a few times per window. */
  takeStalled(): readonly IncomingMessage[]
}

interface Mark {
  bytes: number
  since: number
}

/**
 * Node's own `requestTimeout` bounds the whole request, and with it the size of what a slow but honest client can send;
 * this bounds only how long nothing may come. Time in which we do not read is not the client's.
 */
export function createProgressWatch({ now, windowMs, leastBytes }: ProgressWatchOptions): ProgressWatch {
  const marks = new Map<IncomingMessage, Mark>()
  return {
    add(request) {
      if (request.complete) return
      marks.set(request, { bytes: request.socket.bytesRead, since: now() })
      request.once('close', () => marks.delete(request))
    },
    takeStalled() {
      const time = now()
      const stalled: IncomingMessage[] = []
      for (const [request, mark] of marks) {
        if (request.complete || request.destroyed) {
          marks.delete(request)
          continue
        }
        const { bytesRead } = request.socket
        if (!waitsForClient(request) || bytesRead - mark.bytes >= leastBytes) {
          mark.bytes = bytesRead
          mark.since = time
        } else if (time - mark.since >= windowMs) {
          marks.delete(request)
          stalled.push(request)
        }
      }
      return stalled
    },
  }
}

function waitsForClient(request: IncomingMessage): boolean {
  const readers = request.listenerCount('data') + request.listenerCount('readable')
  return readers > 0 && !request.isPaused() && request.readableLength < request.readableHighWaterMark
}
