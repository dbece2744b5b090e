import { parseAuthorization } from './authorization-header.ts'
import { canonicalPath } from './canonical-path.ts'
import { canonicalQuery, parseQuery, type QueryParameter } from './canonical-query.ts'
import { readChunkedPayload } from './chunked-payload.ts'
import type { CredentialScope } from './credential-scope.ts'
import { type HeaderTable, readHeaders, singleHeader } from './header-table.ts'
import { type Payload, parsePayload } from './payload.ts'
import { isPresigned, isPresignedVersion2, parsePresigned } from './presigned-query.ts'
import { type RequestTarget, splitTarget } from './request-target.ts'
import type { Evidence, RawRequest, SignedRequest } from './signed-request.ts'
import { SigV4Error, type SigV4ErrorCode } from './sigv4-error.ts'
import { formatTimestamp, parseHttpDate, parseTimestamp } from './timestamp.ts'

/** What a claim must satisfy besides its signature. */
export interface ParseOptions {
  readonly services: readonly string[]
  /** Any region when `undefined`. */
  readonly region: string | undefined
  /** Whether a request to `s3` may have a chunked body. */
  readonly streaming: boolean
  readonly maxSkewSeconds: number
  readonly nowMs: number
}

const methodToken = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/**
 * Reads a request's signature and checks all that needs no secret. `undefined` when nothing was signed; throws
 * {@link SigV4Error} when the signature is malformed, for another service or region, out of date, or leaves out
 * something it must cover.
 */
export function parseRequest(
  request: RawRequest,
  options: ParseOptions,
): { readonly claim: SignedRequest; readonly evidence: Evidence } | undefined {
  if (!methodToken.test(request.method)) throw new SigV4Error('InvalidRequest', 'The request method is not a token.')
  const target = splitTarget(request.rawTarget)
  const parameters = parseQuery(target.rawQuery)
  const headers = readHeaders(request.rawHeaders)
  const authorization = singleHeader(headers, 'authorization')
  const presigned = isPresigned(parameters)
  if (authorization !== undefined && presigned) {
    throw new SigV4Error(
      'InvalidArgument',
      'Only one authentication mechanism is allowed: either the Authorization header or query parameters.',
    )
  }
  const claim =
    authorization !== undefined
      ? readHeaderClaim(authorization, headers, options)
      : presigned
        ? readQueryClaim(parameters, headers, options)
        : undefined
  if (claim === undefined) {
    if (!isPresignedVersion2(parameters)) return undefined
    throw new SigV4Error('InvalidRequest', 'Signature version 2 is not supported. Please use AWS4-HMAC-SHA256.')
  }
  checkSignedHeaders(claim.signedHeaders, headers)
  return { claim, evidence: collectEvidence(request.method, claim, target, parameters, headers) }
}

function readHeaderClaim(authorization: string, headers: HeaderTable, options: ParseOptions): SignedRequest {
  const code = 'AuthorizationHeaderMalformed'
  const { accessKeyId, day, region, service, signedHeaders, signature } = parseAuthorization(authorization)
  const { timestamp, epochMs } = readHeaderDate(headers)
  checkScope({ day, region, service }, timestamp, options, code)
  if (Math.abs(options.nowMs - epochMs) > options.maxSkewSeconds * 1000) {
    throw new SigV4Error(
      'RequestTimeTooSkewed',
      `The difference between the request time and the server's time (${formatTimestamp(options.nowMs)}) is too large. Set the client's clock.`,
    )
  }
  return {
    kind: 'signed',
    via: 'header',
    accessKeyId,
    day,
    region,
    service,
    timestamp,
    signedHeaders,
    signature,
    sessionToken: singleHeader(headers, 'x-amz-security-token'),
    expiresSeconds: undefined,
    payload: readHeaderPayload(headers, options.streaming && service === 's3'),
  }
}

function readHeaderPayload(headers: HeaderTable, streaming: boolean): Payload {
  const declared = singleHeader(headers, 'x-amz-content-sha256')
  if (declared === undefined) return { kind: 'body' }
  return (streaming ? readChunkedPayload(declared, headers) : undefined) ?? parsePayload(declared)
}

function readQueryClaim(
  parameters: readonly QueryParameter[],
  headers: HeaderTable,
  options: ParseOptions,
): SignedRequest {
  const code = 'AuthorizationQueryParametersError'
  const query = parsePresigned(parameters)
  const { accessKeyId, day, region, service, timestamp, expiresSeconds, signedHeaders, signature } = query
  const epochMs = parseTimestamp(timestamp)
  if (epochMs === undefined) throw new SigV4Error(code, 'X-Amz-Date must read YYYYMMDDTHHMMSSZ, in UTC.')
  checkScope({ day, region, service }, timestamp, options, code)
  if (options.nowMs > epochMs + expiresSeconds * 1000) throw new SigV4Error('AccessDenied', 'Request has expired')
  if (options.nowMs < epochMs - options.maxSkewSeconds * 1000) {
    throw new SigV4Error('AccessDenied', 'Request is not yet valid')
  }
  const headerToken = singleHeader(headers, 'x-amz-security-token')
  if (headerToken !== undefined && query.sessionToken !== undefined && headerToken !== query.sessionToken) {
    throw new SigV4Error('InvalidArgument', 'The session tokens of the query and of the header differ. Send one.')
  }
  return {
    kind: 'signed',
    via: 'query',
    accessKeyId,
    day,
    region,
    service,
    timestamp,
    signedHeaders,
    signature,
    sessionToken: query.sessionToken ?? headerToken,
    expiresSeconds,
    payload: readQueryPayload(query.payload, singleHeader(headers, 'x-amz-content-sha256'), service),
  }
}

/** A presigned S3 request covers no body unless it says so; other services sign the body received. */
function readQueryPayload(inQuery: string | undefined, inHeader: string | undefined, service: string): Payload {
  if (inQuery !== undefined && inHeader !== undefined && inQuery !== inHeader) {
    throw new SigV4Error('InvalidArgument', 'The payload hashes of the query and of the header differ. Send one.')
  }
  const declared = inQuery ?? inHeader
  if (declared !== undefined) return parsePayload(declared)
  return { kind: service === 's3' ? 'unsigned' : 'body' }
}

/** `x-amz-date` before `Date`, as AWS documents it. */
function readHeaderDate(headers: HeaderTable): { readonly timestamp: string; readonly epochMs: number } {
  const text = singleHeader(headers, 'x-amz-date') ?? singleHeader(headers, 'date') ?? ''
  const epochMs = parseTimestamp(text)
  if (epochMs !== undefined) return { timestamp: text, epochMs }
  const httpDate = parseHttpDate(text)
  if (httpDate === undefined) {
    throw new SigV4Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  }
  return { timestamp: formatTimestamp(httpDate), epochMs: httpDate }
}

function checkScope(scope: CredentialScope, timestamp: string, options: ParseOptions, code: SigV4ErrorCode): void {
  if (!timestamp.startsWith(scope.day)) {
    throw new SigV4Error(code, `The day of the credential scope is not that of the request time (${timestamp}).`)
  }
  if (!options.services.includes(scope.service)) {
    throw new SigV4Error(code, `The service of the credential scope must be one of ${options.services.join(', ')}.`)
  }
  if (options.region !== undefined && scope.region !== options.region) {
    throw new SigV4Error(code, `The region of the credential scope is wrong; expecting "${options.region}".`)
  }
}

/**
 * What was listed must have arrived, and every `x-amz-*` header must be listed: it changes what the request means. The
 * payload hash is exempt: its value goes into the signature by itself (awscurl below 0.37 leaves it out).
 */
function checkSignedHeaders(signedHeaders: readonly string[], headers: HeaderTable): void {
  let listed = 0
  for (const name of signedHeaders) {
    if (!headers.values.has(name)) {
      throw new SigV4Error('SignatureDoesNotMatch', `The signed header "${name}" did not arrive.`)
    }
    if (mustBeSigned(name)) listed++
  }
  singleHeader(headers, 'host')
  // The names listed are unique and all arrived: when as many arrived as are listed, they are the same ones.
  let arrived = 0
  for (const name of headers.values.keys()) if (mustBeSigned(name)) arrived++
  if (arrived === listed) return
  const name = [...headers.values.keys()].find((each) => mustBeSigned(each) && !signedHeaders.includes(each))
  throw new SigV4Error('AccessDenied', `The header "${name}" was not signed. Sign every x-amz-* header.`)
}

function mustBeSigned(name: string): boolean {
  return name.startsWith('x-amz-') && name !== 'x-amz-content-sha256'
}

function collectEvidence(
  method: string,
  claim: SignedRequest,
  target: RequestTarget,
  parameters: readonly QueryParameter[],
  headers: HeaderTable,
): Evidence {
  const presigned = claim.via === 'query'
  return {
    method,
    rawPath: target.rawPath,
    path: canonicalPath(target.rawPath, claim.service),
    query: canonicalQuery(parameters, presigned ? 'X-Amz-Signature' : undefined),
    rawQuery: presigned ? undefined : target.rawQuery,
    headers,
  }
}
