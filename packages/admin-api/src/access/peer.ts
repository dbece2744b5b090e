/** Who is at the other end of a connection, as far as it is known. */
export interface Peer {
  /** IP address. */
  readonly address?: string
  /** Whether the request came over TLS. */
  readonly secure: boolean
}
