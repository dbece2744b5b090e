import { hash } from 'node:crypto'
import { formatScope } from './credential-scope.ts'
import { EMPTY_SHA256 } from './payload.ts'
import { signCanonical } from './sign-canonical.ts'
import {
  checkPayloadHash,
  namesToSign,
  type SigningOptions,
  type SigningTime,
  signingHeaders,
  signingTime,
} from './signing-input.ts'
import { ALGORITHM } from './string-to-sign.ts'

/**
 * Where the request goes: a URL, read as `fetch` would read it, or a request target sent as it is. The second is for S3
 * keys that URL parsers change (`a/../b`).
 */
export type SigningDestination =
  | { readonly url: string | URL; readonly target?: never; readonly host?: never }
  | { readonly target: string; readonly host: string; readonly url?: never }

export type SignRequestOptions = SigningOptions &
  SigningDestination & {
    /** Hashed here; text as UTF-8. None means empty. */
    readonly body?: Uint8Array | string | undefined
    /** Instead of `body`: its SHA-256 in lower-case hex, or `UNSIGNED-PAYLOAD`. */
    readonly payloadHash?: string | undefined
  }

/**
 * Signs a request with an `Authorization` header. Returns every header to send, names in lower case: the caller's,
 * `host`, `x-amz-date`, `x-amz-content-sha256`, `x-amz-security-token` for temporary credentials, and `authorization`.
 * Throws `SigV4Error` `InvalidURI` for a target that no server could verify, `TypeError` for other bad input.
 */
export function signRequest(options: SignRequestOptions): Record<string, string> {
  return signWithHeader(options, payloadHashOf(options), []).headers
}

/** Signs with an `Authorization` header whatever `x-amz-content-sha256` says; `own` are headers the signer adds. */
export function signWithHeader(
  options: SigningOptions & SigningDestination,
  payloadHash: string,
  own: readonly (readonly [string, string])[],
): { readonly headers: Record<string, string>; readonly signature: string; readonly time: SigningTime } {
  const { method, credentials } = options
  const { target, host } = destinationOf(options)
  const time = signingTime(options)
  const headers = signingHeaders(options.headers, [
    ['host', host],
    ['x-amz-content-sha256', payloadHash],
    ['x-amz-date', time.timestamp],
    ...(credentials.sessionToken === undefined ? [] : [['x-amz-security-token', credentials.sessionToken] as const]),
    ...own,
  ])
  const signedHeaders = namesToSign(headers)
  const unsigned = { method, target, headers, signedHeaders, payloadHash }
  const signature = signCanonical(unsigned, time, credentials.secretAccessKey)
  const credential = `${credentials.accessKeyId}/${formatScope(time.scope)}`
  const authorization = `${ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
  return { headers: Object.fromEntries([...headers.values, ['authorization', authorization]]), signature, time }
}

function payloadHashOf(options: SignRequestOptions): string {
  if (options.payloadHash !== undefined) {
    if (options.body !== undefined) throw new TypeError('Give body or payloadHash, not both.')
    return checkPayloadHash(options.payloadHash)
  }
  return options.body === undefined ? EMPTY_SHA256 : hash('sha256', options.body, 'hex')
}

function destinationOf(destination: SigningDestination): { readonly target: string; readonly host: string } {
  if (destination.url === undefined) return destination
  const url = new URL(destination.url)
  return { target: url.pathname + url.search, host: url.host }
}
