import { parseQuery } from './canonical-query.ts'
import { formatScope } from './credential-scope.ts'
import { EMPTY_SHA256, UNSIGNED_PAYLOAD } from './payload.ts'
import { MAX_EXPIRES_SECONDS } from './presigned-query.ts'
import { signCanonical } from './sign-canonical.ts'
import { checkPayloadHash, namesToSign, type SigningOptions, signingHeaders, signingTime } from './signing-input.ts'
import { ALGORITHM } from './string-to-sign.ts'
import { uriEncode } from './uri-encoding.ts'

export interface PresignOptions extends SigningOptions {
  readonly url: string | URL
  /** Lifetime in seconds, 1 to 604 800. */
  readonly expiresSeconds: number
  /**
   * SHA-256 of the body in lower-case hex, or `UNSIGNED-PAYLOAD`; written into the URL. Unless given, a URL for `s3` covers
   * no body and one for another service only the empty body.
   */
  readonly payloadHash?: string | undefined
}

/**
 * Signs a request in its URL: whoever has the URL can send the request until it expires, with exactly the `headers` given
 * here (usually none). Throws `RangeError` for a lifetime out of bounds, `TypeError` for other bad input.
 */
export function presignUrl(options: PresignOptions): string {
  const { method, credentials, service, expiresSeconds, payloadHash } = options
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > MAX_EXPIRES_SECONDS) {
    throw new RangeError(`expiresSeconds must be a whole number from 1 to ${MAX_EXPIRES_SECONDS}.`)
  }
  const url = new URL(options.url)
  if (parseQuery(url.search.slice(1)).some(({ name }) => name.startsWith('X-Amz-'))) {
    throw new TypeError('The URL already has X-Amz-* parameters: presign the plain URL.')
  }
  const time = signingTime(options)
  const headers = signingHeaders(options.headers, [['host', url.host]])
  const signedHeaders = namesToSign(headers)
  const added: readonly (readonly [string, string | undefined])[] = [
    ['X-Amz-Algorithm', ALGORITHM],
    ['X-Amz-Content-Sha256', payloadHash === undefined ? undefined : checkPayloadHash(payloadHash)],
    ['X-Amz-Credential', `${credentials.accessKeyId}/${formatScope(time.scope)}`],
    ['X-Amz-Date', time.timestamp],
    ['X-Amz-Expires', String(expiresSeconds)],
    ['X-Amz-Security-Token', credentials.sessionToken],
    ['X-Amz-SignedHeaders', signedHeaders.join(';')],
  ]
  const own = added.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${uriEncode(value)}`])).join('&')
  const target = `${url.pathname}${url.search === '' ? '?' : `${url.search}&`}${own}`
  const hash = payloadHash ?? (service === 's3' ? UNSIGNED_PAYLOAD : EMPTY_SHA256)
  const unsigned = { method, target, headers, signedHeaders, payloadHash: hash }
  return `${url.origin}${target}&X-Amz-Signature=${signCanonical(unsigned, time, credentials.secretAccessKey)}`
}
