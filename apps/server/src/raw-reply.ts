import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'

/** Writes a reply on a connection whose request never became one, or came to a halt, and ends the connection. */
export function replyRaw(socket: Duplex, status: string, code: string, message: string): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const requestId = randomUUID()
  const body = JSON.stringify({ success: false, code, message, request_id: requestId })
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `x-request-id: ${requestId}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}
