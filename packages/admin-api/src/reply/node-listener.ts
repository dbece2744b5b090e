import { Buffer } from 'node:buffer'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { type ReceivedRequest, receiveIncoming } from '../request/received-request.ts'
import type { Answer } from './answer.ts'

const DISCARD_MS = 1000

/**
 * Answers the requests of a Node server. `answer` does not reject; should it, the connection ends. The rest of a body that
 * was not wanted may keep a connection for `discardMs`.
 */
export function nodeListener(
  answer: (request: ReceivedRequest) => Promise<Answer>,
  discardMs: number = DISCARD_MS,
): RequestListener {
  return (incoming, outgoing) => {
    answer(receiveIncoming(incoming)).then(
      (answered) => {
        if (!incoming.readableEnded) outgoing.once('finish', () => discardRest(incoming, discardMs))
        write(outgoing, answered)
      },
      () => incoming.destroy(),
    )
  }
}

function write(outgoing: ServerResponse, { status, headers, text, stream }: Answer): void {
  if (stream !== undefined) {
    outgoing.writeHead(status, headers as string[])
    // What breaks off ends the connection: the client sees that something is missing. Whoever makes the bytes tells of it.
    pipeline(stream, outgoing, () => {})
    return
  }
  const length = Buffer.byteLength(text)
  outgoing.writeHead(status, [...headers, 'content-length', String(length)])
  // Text of ASCII alone is the same in both, and Node writes Latin-1 faster.
  outgoing.end(text, length === text.length ? 'latin1' : 'utf8')
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
