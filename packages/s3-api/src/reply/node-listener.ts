import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { type ReceivedRequest, receiveIncoming } from '../request/received-request.ts'
import type { Answer, BodyStream } from './answer.ts'

const DISCARD_MS = 1000

/**
 * Answers the requests of a Node server. `answer` does not reject; should it, the connection ends. The rest of a body that
 * was not wanted may keep a connection for `discardMs`. `onBroken` hears of a reply that could not be sent.
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
          outgoing.destroy()
          onBroken(error)
        })
      },
      () => incoming.destroy(),
    )
  }
}

async function write(outgoing: ServerResponse, { status, headers, body, onEnd }: Answer): Promise<void> {
  outgoing.writeHead(status, [...headers])
  if (body !== undefined && !(body instanceof Uint8Array)) return await writeStream(outgoing, body, onEnd)
  outgoing.end(body)
  onEnd?.(body?.length ?? 0)
}

/** At the pace of the client; a client that goes away ends the reading. */
async function writeStream(outgoing: ServerResponse, body: BodyStream, onEnd: Answer['onEnd']): Promise<void> {
  let sent = 0
  let failure: unknown
  const gone = new AbortController()
  const onClose = (): void => gone.abort()
  outgoing.once('close', onClose)
  try {
    if (outgoing.destroyed) return
    for await (const chunk of body.chunks()) {
      if (gone.signal.aborted) return
      sent += chunk.length
      if (!outgoing.write(chunk)) await once(outgoing, 'drain', { signal: gone.signal })
    }
    outgoing.end()
  } catch (error) {
    if (gone.signal.aborted) return
    failure = error
    // Nothing else tells a client that has the status already.
    outgoing.destroy()
  } finally {
    outgoing.off('close', onClose)
    onEnd?.(sent, failure)
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
