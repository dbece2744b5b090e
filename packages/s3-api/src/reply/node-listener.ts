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

/** At the pace of the client, the next pieces being made while it takes these; a client that goes away ends the reading. */
async function writeStream(outgoing: ServerResponse, body: BodyStream, onEnd: Answer['onEnd']): Promise<void> {
  let sent = 0
  let failure: unknown
  let wake = (): void => {}
  const awake = (): void => wake()
  outgoing.on('drain', awake).on('close', awake)
  let ahead = body.next()
  try {
    while (!outgoing.destroyed) {
      const pieces = await ahead
      if (outgoing.destroyed) break
      if (pieces === undefined) {
        outgoing.end()
        break
      }
      // One system call for all of them.
      outgoing.cork()
      let room = true
      for (const piece of pieces) {
        sent += piece.length
        room = outgoing.write(piece)
      }
      outgoing.uncork()
      ahead = body.next()
      if (room || outgoing.destroyed) continue
      // What goes wrong with them shows when it is their turn.
      ahead.catch(() => {})
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } catch (error) {
    if (outgoing.destroyed) return
    failure = error
    // Nothing else tells a client that has the status already.
    outgoing.destroy()
  } finally {
    outgoing.off('drain', awake).off('close', awake)
    ahead.catch(() => {})
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
