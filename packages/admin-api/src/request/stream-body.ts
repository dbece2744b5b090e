import type { IncomingMessage } from 'node:http'
import { broken } from './read-body.ts'
import { headerOf, type ReceivedRequest } from './received-request.ts'

/**
 * The body of a request as it arrives, of any length; reading begins with the first step. Whoever stops in the middle leaves the
 * connection as it is, for an answer. Throws `InvalidRequest` when the client goes away before the end.
 */
export async function* streamBody(request: ReceivedRequest): AsyncGenerator<Uint8Array, void, undefined> {
  const { body } = request
  if (body === null) return
  try {
    if (body instanceof ReadableStream) yield* readStream(body)
    else if (hasBody(request)) yield* readIncoming(body)
  } catch (error) {
    throw broken(error)
  }
}

function hasBody(request: ReceivedRequest): boolean {
  return headerOf(request, 'content-length') !== undefined || headerOf(request, 'transfer-encoding') !== undefined
}

async function* readIncoming(incoming: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) yield chunk as Uint8Array
}

async function* readStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    yield value
  }
}
