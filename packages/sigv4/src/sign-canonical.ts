import { canonicalPath } from './canonical-path.ts'
import { canonicalQuery, parseQuery } from './canonical-query.ts'
import { formatScope } from './credential-scope.ts'
import { canonicalHeaders, type HeaderTable } from './header-table.ts'
import { splitTarget } from './request-target.ts'
import type { SigningTime } from './signing-input.ts'
import { computeSignature, deriveSigningKey } from './signing-key.ts'
import { formatCanonicalRequest, formatStringToSign } from './string-to-sign.ts'

/** A request with everything in place that its signature covers. */
export interface UnsignedRequest {
  readonly method: string
  readonly target: string
  readonly headers: HeaderTable
  readonly signedHeaders: readonly string[]
  readonly payloadHash: string
}

/** The signature of a request, 64 hex digits. Throws `SigV4Error` `InvalidURI` for a target no server could verify. */
export function signCanonical(request: UnsignedRequest, time: SigningTime, secretAccessKey: string): string {
  const { rawPath, rawQuery } = splitTarget(request.target)
  const canonicalRequest = formatCanonicalRequest({
    method: request.method,
    path: canonicalPath(rawPath, time.scope.service),
    query: canonicalQuery(parseQuery(rawQuery)),
    headers: canonicalHeaders(request.headers, request.signedHeaders, true),
    signedHeaders: request.signedHeaders.join(';'),
    payloadHash: request.payloadHash,
  })
  const stringToSign = formatStringToSign(canonicalRequest, time.timestamp, formatScope(time.scope))
  return computeSignature(deriveSigningKey(secretAccessKey, time.scope), stringToSign).toString('hex')
}
