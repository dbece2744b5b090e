/**
 * What a backend that talks to a peer over the network tells of its requests, and sends along with them. Handed to a
 * driver in `OpenOptions`; must not throw.
 */
export interface PeerTelemetry {
  /** Headers to send with the next request, such as `traceparent`; empty when nothing is traced. Asked for each request. */
  headers(): Readonly<Record<string, string>>
  /**
   * One request to the peer ended, a retry counted as one more. `request` is one of the driver's few fixed words for it
   * (`encrypt`, `kv-read`, `login`), `outcome` is `ok` or a code of the error catalogue: neither holds anything of a caller.
   */
  attempted(request: string, outcome: string, milliseconds: number): void
}
