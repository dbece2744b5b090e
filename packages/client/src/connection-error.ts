import { KmsClientError } from './client-error.ts'

/** Errors of a connection that was never there: nothing was sent. */
const NOT_CONNECTED = /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/
const NOT_TRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)|^ERR_TLS|^ERR_SSL|^EPROTO$/

/** What became of a request without a reply; an error of ours stays what it is. */
export function failedConnection(cause: NodeJS.ErrnoException, origin: string): KmsClientError {
  if (cause instanceof KmsClientError) return cause
  const code = cause.code ?? 'unknown'
  if (NOT_TRUSTED.test(code)) {
    const message = `The server at ${origin} could not prove who it is (${code}). Give the certificate authority that signed for it.`
    return connectionError('CertificateRefused', message, true, cause)
  }
  const message = `The server at ${origin} could not be reached (${code}).`
  return connectionError('ConnectionFailed', message, NOT_CONNECTED.test(code), cause)
}

export function connectionError(code: string, message: string, notSent: boolean, cause?: unknown): KmsClientError {
  const facts = { code, status: 0, requestId: undefined, retryAfterSeconds: undefined, notSent }
  return new KmsClientError(message, facts, cause === undefined ? undefined : { cause })
}
