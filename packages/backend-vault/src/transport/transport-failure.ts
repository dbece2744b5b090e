/** Why a request got no answer. */
export interface TransportFailure {
  readonly name: 'TransportFailure'
  /** Public; completes "cannot be reached: …". */
  readonly reason: string
  /** Whether the server may have seen the request. */
  readonly reached: boolean
  /** Whether the same request may fare better later. */
  readonly passing: boolean
}

/**
 * What is thrown instead of an error of a socket, of TLS or of node-vault: those carry the request, and with it the token.
 * None of them is kept as a cause.
 */
class TransportFailureError extends Error implements TransportFailure {
  override readonly name = 'TransportFailure'
  readonly reason: string
  readonly reached: boolean
  readonly passing: boolean

  constructor(reason: string, reached: boolean, passing: boolean) {
    super(reason)
    this.reason = reason
    this.reached = reached
    this.passing = passing
  }
}

export function transportFailure(
  reason: string,
  { reached, passing = true }: { readonly reached: boolean; readonly passing?: boolean },
): Error & TransportFailure {
  return new TransportFailureError(reason, reached, passing)
}

export function isTransportFailure(error: unknown): error is Error & TransportFailure {
  return error instanceof TransportFailureError
}

const PASSING: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'the connection was refused'],
  ['ECONNRESET', 'the connection was reset'],
  ['EPIPE', 'the connection was reset'],
  ['ECONNABORTED', 'the connection was reset'],
  ['ETIMEDOUT', 'the connection could not be made in time'],
  ['EHOSTUNREACH', 'the host cannot be reached'],
  ['ENETUNREACH', 'the network cannot be reached'],
  ['ENETDOWN', 'the network is down'],
  ['EADDRNOTAVAIL', 'no local address is left to connect from'],
  ['ENOTFOUND', 'its name does not resolve'],
  ['EAI_AGAIN', 'its name does not resolve at the moment'],
  ['ABORT_ERR', 'it did not answer in time'],
  ['HPE_INVALID_CONSTANT', 'what answers does not speak HTTP'],
])

const LASTING: ReadonlyMap<string, string> = new Map([
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet'],
  ['CERT_REVOKED', 'its certificate was revoked'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another name; tls_server_name says which one to expect'],
  ['EPROTO', 'the TLS handshake failed; does it speak TLS on that port?'],
])

const UNTRUSTED = 'its certificate is not signed by an authority trusted here; ca_cert or ca_cert_path names one'
const UNTRUSTED_CODES: ReadonlySet<string> = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
  'CERT_SIGNATURE_FAILURE',
])

/** Words for an error of a socket or of TLS. */
export function describeSocketError(error: unknown, reached: boolean): Error & TransportFailure {
  const code = codeOf(error)
  const passing = PASSING.get(code)
  if (passing !== undefined) return transportFailure(passing, { reached })
  const lasting = LASTING.get(code)
  if (lasting !== undefined) return transportFailure(lasting, { reached, passing: false })
  if (UNTRUSTED_CODES.has(code)) return transportFailure(UNTRUSTED, { reached, passing: false })
  if (/ALERT_(?:CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA)/.test(code)) {
    return transportFailure('it does not accept the client certificate, or demands one (client_cert, client_key)', {
      reached,
      passing: false,
    })
  }
  if (code.startsWith('ERR_SSL_')) return transportFailure(LASTING.get('EPROTO') as string, { reached, passing: false })
  const word = /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : 'unknown'
  return transportFailure(`the connection failed (${word})`, { reached })
}

/** Of several addresses that were tried, the first one's error says most. */
function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { code, errors } = error as { readonly code?: unknown; readonly errors?: unknown }
  if (typeof code === 'string') return code
  return Array.isArray(errors) && errors.length > 0 ? codeOf(errors[0]) : ''
}
