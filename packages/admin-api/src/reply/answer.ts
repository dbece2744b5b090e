import { Readable } from 'node:stream'

/** A reply, before it is written to whatever carries it. */
export interface Answer {
  readonly status: number
  /** Name, value, name, value…; without the length. */
  readonly headers: readonly string[]
  readonly text: string
  /** Instead of the text: bytes that are made while they are sent. Whoever carries them ends it when nobody takes them. */
  readonly stream?: AsyncIterable<Uint8Array>
}

/** Answers with JSON; `more` are further headers, name, value, …. */
export function jsonAnswer(
  requestId: string,
  status: number,
  body: object,
  indented: boolean,
  more: readonly string[] = [],
): Answer {
  const text = indented ? JSON.stringify(body, null, 2) : JSON.stringify(body)
  return { status, headers: headersOf(requestId, 'application/json; charset=utf-8', more), text }
}

/** Answers with XML, as AWS does. */
export function xmlAnswer(requestId: string, status: number, text: string, more: readonly string[] = []): Answer {
  const headers = headersOf(requestId, 'text/xml; charset=utf-8', ['x-amzn-requestid', requestId, ...more])
  return { status, headers, text }
}

/** Answers with text of another kind. */
export function textAnswer(requestId: string, contentType: string, text: string): Answer {
  return { status: 200, headers: headersOf(requestId, contentType, []), text }
}

/** Answers with bytes that are made while they are sent; `more` are further headers. */
export function streamAnswer(
  requestId: string,
  contentType: string,
  stream: AsyncIterable<Uint8Array>,
  more: readonly string[],
): Answer {
  return { status: 200, headers: headersOf(requestId, contentType, more), text: '', stream }
}

/** The answer as `fetch` knows replies. */
export function toResponse({ status, headers, text, stream }: Answer): Response {
  const pairs: [string, string][] = []
  for (let i = 0; i < headers.length; i += 2) pairs.push([headers[i] as string, headers[i + 1] as string])
  const body = stream === undefined ? text : (Readable.toWeb(Readable.from(stream)) as ReadableStream<Uint8Array>)
  return new Response(body, { status, headers: pairs })
}

function headersOf(requestId: string, type: string, more: readonly string[]): readonly string[] {
  return [
    'content-type',
    type,
    'cache-control',
    'no-store',
    'x-content-type-options',
    'nosniff',
    'x-request-id',
    requestId,
    ...more,
  ]
}
