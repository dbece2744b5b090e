import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'

/** Answers with JSON and a request id. */
export function replyJson(
  response: ServerResponse,
  status: number,
  body: Readonly<Record<string, unknown>>,
  requestId: string = randomUUID(),
): void {
  const bytes = Buffer.from(JSON.stringify(body))
  response.writeHead(status, {
    'x-request-id': requestId,
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.length,
    'cache-control': 'no-store',
  })
  response.end(bytes)
}

/** Answers with the error body of the admin plane (contract §1). */
export function replyJsonError(response: ServerResponse, status: number, code: string, message: string): void {
  const requestId = randomUUID()
  replyJson(response, status, { success: false, code, message, request_id: requestId }, requestId)
}
