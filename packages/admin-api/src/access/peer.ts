import type { IncomingMessage } from 'node:http'
import type { Context } from 'hono'

/** Who is at the other end of the connection, as far as it is known. */
export interface Peer {
  /** IP address of the client. */
  readonly address?: string
  /** Whether the request came over TLS. */
  readonly secure: boolean
}

/** The peer of the socket itself: what a server without trusted proxies wants. */
export function socketPeer(c: Context): Peer {
  const { incoming } = (c.env ?? {}) as { readonly incoming?: IncomingMessage }
  if (incoming === undefined) return { secure: c.req.raw.url.startsWith('https:') }
  const { remoteAddress } = incoming.socket
  const secure = 'encrypted' in incoming.socket
  return remoteAddress === undefined ? { secure } : { address: remoteAddress, secure }
}
