import { parseAuthorization } from './authorization-header.ts'
import { canonicalPath } from './canonical-path.ts'
import { canonicalQuery, parseQuery, type QueryParameter } from './canonical-query.ts'
import { readChunkedPayload } from './chunked-payload.ts'
import { Claim, type Evidence, type SignatureParts } from './claim.ts'
import type { CredentialScope } from './credential-scope.ts'
import { canonicalHeaders, type HeaderTable, readHeaders, singleHeader } from './header-table.ts'
import { type Payload, parsePayload } from './payload.ts'
import { isPresigned, isPresignedVersion2, parsePresigned } from './presigned-query.ts'
import { type RequestTarget, splitTarget } from './request-target.ts'
import { mustBeSigned, type SignedHeaders } from './signed-headers.ts'
import type { RawRequest } from './signed-request.ts'
import { SigV4Error, type SigV4ErrorCode } from './sigv4-error.ts'
import { formatTimestamp, parseHttpDate, parseTimestamp } from './timestamp.ts'

/** What the claims of a verifier must satisfy besides their signatures; also who parsed them. */
export interface ParseRules {
  readonly services: readonly string[]
  /** Any region when `undefined`. */
  readonly region: string | undefined
  /** Whether a request to `s3` may have a chunked body. */
  readonly streaming: boolean
  readonly maxSkewSeconds: number
}

const methodToken = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/**
 * Reads a request's signature and checks all that needs no secret. `undefined` when nothing was signed; throws
 * {@link SigV4Error} when the signature is malformed, for another service or region, out of date, or leaves out
 * something it must cover.
 */
export function parseRequest(request: RawRequest, rules: ParseRules, nowMs: number): Claim | undefined {
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
  const parts =
    authorization !== undefined
      ? readHeaderParts(authorization, headers, rules, nowMs)
      : presigned
        ? readQueryParts(parameters, headers, rules, nowMs)
        : undefined
  if (parts === undefined) {
    if (!isPresignedVersion2(parameters)) return undefined
    throw new SigV4Error('InvalidRequest', 'Signature version 2 is not supported. Please use AWS4-HMAC-SHA256.')
  }
  return new Claim(parts, collectEvidence(request.method, parts, target, parameters, headers), rules)
}

function readHeaderParts(
  authorization: string,
  headers: HeaderTable,
  rules: ParseRules,
  nowMs: number,
): SignatureParts {
  const { terms, signature } = parseAuthorization(authorization)
  const { credential } = terms
  const { timestamp, epochMs } = readHeaderDate(headers)
  checkScope(credential, timestamp, rules, 'AuthorizationHeaderMalformed')
  if (Math.abs(nowMs - epochMs) > rules.maxSkewSeconds * 1000) {
    throw new SigV4Error(
      'RequestTimeTooSkewed',
      `The difference between the request time and the server's time (${formatTimestamp(nowMs)}) is too large. Set the client's clock.`,
    )
  }
  return {
    via: 'header',
    terms,
    timestamp,
    signature,
    sessionToken: singleHeader(headers, 'x-amz-security-token'),
    expiresSeconds: undefined,
    payload: readHeaderPayload(headers, rules.streaming && credential.service === 's3'),
  }
}

function readHeaderPayload(headers: HeaderTable, streaming: boolean): Payload {
  const declared = singleHeader(headers, 'x-amz-content-sha256')
  if (declared === undefined) return { kind: 'body' }
  return (streaming ? readChunkedPayload(declared, headers) : undefined) ?? parsePayload(declared)
}

function readQueryParts(
  parameters: readonly QueryParameter[],
  headers: HeaderTable,
  rules: ParseRules,
  nowMs: number,
): SignatureParts {
  const code = 'AuthorizationQueryParametersError'
  const { credential, signedHeaders, timestamp, expiresSeconds, signature, ...query } = parsePresigned(parameters)
  const epochMs = parseTimestamp(timestamp)
  if (epochMs === undefined) throw new SigV4Error(code, 'X-Amz-Date must read YYYYMMDDTHHMMSSZ, in UTC.')
  checkScope(credential, timestamp, rules, code)
  if (nowMs > epochMs + expiresSeconds * 1000) throw new SigV4Error('AccessDenied', 'Request has expired')
  if (nowMs < epochMs - rules.maxSkewSeconds * 1000) {
    throw new SigV4Error('AccessDenied', 'Request is not yet valid')
  }
  const headerToken = singleHeader(headers, 'x-amz-security-token')
  if (headerToken !== undefined && query.sessionToken !== undefined && headerToken !== query.sessionToken) {
    throw new SigV4Error('InvalidArgument', 'The session tokens of the query and of the header differ. Send one.')
  }
  return {
    via: 'query',
    terms: { credential, signedHeaders },
    timestamp,
    signature,
    sessionToken: query.sessionToken ?? headerToken,
    expiresSeconds,
    payload: readQueryPayload(query.payload, singleHeader(headers, 'x-amz-content-sha256'), credential.service),
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

function checkScope(scope: CredentialScope, timestamp: string, rules: ParseRules, code: SigV4ErrorCode): void {
  if (!timestamp.startsWith(scope.day)) {
    throw new SigV4Error(code, `The day of the credential scope is not that of the request time (${timestamp}).`)
  }
  if (!rules.services.includes(scope.service)) {
    throw new SigV4Error(code, `The service of the credential scope must be one of ${rules.services.join(', ')}.`)
  }
  if (rules.region !== undefined && scope.region !== rules.region) {
    throw new SigV4Error(code, `The region of the credential scope is wrong; expecting "${rules.region}".`)
  }
}

/** Every header that changes what the request means must be listed; that what was listed arrived, `canonicalHeaders` sees to. */
function checkSignedHeaders({ names, obligatory }: SignedHeaders, headers: HeaderTable): void {
  singleHeader(headers, 'host')
  // The names listed are unique and all arrived: when as many arrived as are listed, they are the same ones.
  if (headers.obligatory === obligatory) return
  const name = [...headers.values.keys()].find((each) => mustBeSigned(each) && !names.includes(each))
  throw new SigV4Error('AccessDenied', `The header "${name}" was not signed. Sign every x-amz-* header.`)
}

function collectEvidence(
  method: string,
  { via, terms }: SignatureParts,
  { rawPath, rawQuery }: RequestTarget,
  parameters: readonly QueryParameter[],
  headers: HeaderTable,
): Evidence {
  const { credential, signedHeaders } = terms
  const headerLines = canonicalHeaders(headers, signedHeaders.names, true)
  checkSignedHeaders(signedHeaders, headers)
  const presigned = via === 'query'
  return {
    terms,
    method,
    rawPath,
    path: canonicalPath(rawPath, credential.service),
    query: canonicalQuery(parameters, presigned ? 'X-Amz-Signature' : undefined),
    rawQuery: presigned ? undefined : rawQuery,
    headers,
    headerLines,
  }
}
