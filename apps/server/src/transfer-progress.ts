import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Bytes that came of a body; `undefined` while its client has nothing to send, or we do not read. Node's own `requestTimeout`
 * bounds the whole request, and with it the size of what a slow but honest client can send.
 */
export function bodyProgress(request: IncomingMessage): number | undefined {
  return request.complete || request.destroyed || !waitsForClient(request) ? undefined : request.socket.bytesRead
}

function waitsForClient(request: IncomingMessage): boolean {
  const readers = request.listenerCount('data') + request.listenerCount('readable')
  return readers > 0 && !request.isPaused() && request.readableLength < request.readableHighWaterMark
}

/**
 * Bytes that the system has taken over of a reply; `undefined` while it does not wait for its client. A reply that waits holds
 * a file, a key and memory; for how long it may, nothing else bounds.
 */
export function replyProgress(response: ServerResponse): number | undefined {
  const { socket } = response
  if (socket === null || response.destroyed || !response.writableNeedDrain) return undefined
  return socket.bytesWritten - socket.writableLength
}
