import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { type ReceivedRequest, receiveIncoming } from '../request/received-request.ts'
import type { Answer, BodyStream } from './answer.ts'

const DISCARD_MS = 1000

/**
 * Answers the requests of a Node server. `answer` does not reject; should it, the connection ends. The rest of a body that
 * was not wanted may keep a connection for `discardMs`. `onBroken` hears of a reply that could not be finished.
 */
export function nodeListener(
  answer: (request: ReceivedRequest) => Promise<Answer>,
  onBroken: (error: unknown) => void,
  discardMs: number = DISCARD_MS,
): RequestListener {
  return (incoming, outgoing) => {
    answer(receiveIncoming(incoming)).then(
      (answered) => {
        if (!incoming.readableEnded) outgoing.once('finish', () => discardRest(incoming, discardMs))
        write(outgoing, answered).catch((error: unknown) => {
          // Nothing else tells a client that has the status already.
          outgoing.destroy()
          onBroken(error)
        })
      },
      () => incoming.destroy(),
    )
  }
}

async function write(outgoing: ServerResponse, { status, headers, body }: Answer): Promise<void> {
  outgoing.writeHead(status, [...headers])
  if (body === undefined) outgoing.end()
  else if (body instanceof Uint8Array) outgoing.end(body)
  else await writeStream(outgoing, body)
}

/** At the pace of the client; a client that goes away ends the reading. */
async function writeStream(outgoing: ServerResponse, body: BodyStream): Promise<void> {
  const gone = new AbortController()
  const onClose = (): void => gone.abort()
  outgoing.once('close', onClose)
  try {
    if (outgoing.destroyed) return
    for await (const chunk of body.chunks()) {
      if (gone.signal.aborted) return
      if (!outgoing.write(chunk)) await once(outgoing, 'drain', { signal: gone.signal })
    }
    outgoing.end()
  } catch (error) {
    if (!gone.signal.aborted) throw error
  } finally {
    outgoing.off('close', onClose)
    await body.cancel()
  }
}

/** Takes what is left of a body off the connection, so that the next request can come; a client that goes on and on loses it. */
function discardRest(incoming: IncomingMessage, discardMs: number): void {
  incoming.resume()
  if (incoming.complete) return
  const { socket } = incoming
  const limit = setTimeout(() => socket.destroySoon(), discardMs)
  limit.unref()
  incoming.once('close', () => clearTimeout(limit))
}
