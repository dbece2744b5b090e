import type { IncomingMessage } from 'node:http'
import type { RawRequest } from '@kms/sigv4'
import type { Context } from 'hono'

/** Who is at the other end of a connection, as far as it is known. */
export interface Peer {
  /** IP address. */
  readonly address?: string
  /** Whether the request came over TLS. */
  readonly secure: boolean
}

/** A request as it came over the wire; nothing of it is decoded. */
export interface ReceivedRequest extends RawRequest {
  /** `rawTarget` before its first `?`. */
  readonly rawPath: string
  /** `rawTarget` after its first `?`; empty when there is none. */
  readonly rawQuery: string
  /** The other end of the connection: the client, or a proxy before it. */
  readonly peer: Peer
  /** Still to be read: Node's request where there is one. */
  readonly body: IncomingMessage | ReadableStream<Uint8Array> | null
}

/**
 * Takes a request from Node's own object where the server put it into the bindings (`@hono/node-server` does), else
 * from the `Request`, whose URL has been normalised: good for tests, not for clients that send unusual targets.
 */
export function receiveRequest(c: Context): ReceivedRequest {
  const { incoming } = (c.env ?? {}) as { readonly incoming?: IncomingMessage }
  if (incoming !== undefined) return receiveIncoming(incoming)
  const { method, url, headers, body } = c.req.raw
  const { host, pathname, search } = new URL(url)
  const rawHeaders = [...headers].flat()
  if (!headers.has('host')) rawHeaders.push('host', host)
  return split(method, pathname + search, rawHeaders, { secure: url.startsWith('https:') }, body)
}

/** Takes a request from a Node server. */
export function receiveIncoming(incoming: IncomingMessage): ReceivedRequest {
  const { method = 'GET', url = '/', rawHeaders, socket } = incoming
  const { remoteAddress } = socket
  const secure = 'encrypted' in socket
  const peer = remoteAddress === undefined ? { secure } : { address: remoteAddress, secure }
  return split(method, url, rawHeaders, peer, incoming)
}

function split(
  method: string,
  rawTarget: string,
  rawHeaders: readonly string[],
  peer: Peer,
  body: ReceivedRequest['body'],
): ReceivedRequest {
  const mark = rawTarget.indexOf('?')
  return {
    method,
    rawTarget,
    rawHeaders,
    rawPath: mark < 0 ? rawTarget : rawTarget.slice(0, mark),
    rawQuery: mark < 0 ? '' : rawTarget.slice(mark + 1),
    peer,
    body,
  }
}
