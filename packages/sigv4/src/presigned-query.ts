import { parseSignature, type SignatureTerms } from './authorization-header.ts'
import type { QueryParameter } from './canonical-query.ts'
import { parseCredential } from './credential-scope.ts'
import { parseSignedHeaders } from './signed-headers.ts'
import { SigV4Error } from './sigv4-error.ts'
import { ALGORITHM } from './string-to-sign.ts'
import { uriDecode } from './uri-encoding.ts'

/** Longest lifetime of a presigned URL: seven days. */
export const MAX_EXPIRES_SECONDS = 604_800

/** What the query parameters of a presigned URL say. */
export interface PresignedQuery extends SignatureTerms {
  readonly timestamp: string
  readonly signature: string
  readonly expiresSeconds: number
  readonly sessionToken: string | undefined
  /** `X-Amz-Content-Sha256`, which the AWS SDK for JavaScript puts into the query. */
  readonly payload: string | undefined
}

const required = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
] as const
const known: ReadonlySet<string> = new Set([...required, 'X-Amz-Security-Token', 'X-Amz-Content-Sha256'])
const CODE = 'AuthorizationQueryParametersError'
const fewDigits = /^[0-9]{1,9}$/

/** Whether the query tries to carry a Version 4 signature. */
export function isPresigned(parameters: readonly QueryParameter[]): boolean {
  return parameters.some(
    ({ name }) => name === 'X-Amz-Algorithm' || name === 'X-Amz-Credential' || name === 'X-Amz-Signature',
  )
}

/** Whether the query carries a Version 2 signature, which this package does not verify. */
export function isPresignedVersion2(parameters: readonly QueryParameter[]): boolean {
  return parameters.some(({ name }) => name === 'AWSAccessKeyId') && parameters.some(({ name }) => name === 'Signature')
}

/**
 * Amazon S3 API reference, "Authenticating requests: using query parameters". Throws {@link SigV4Error}
 * `AuthorizationQueryParametersError`.
 */
export function parsePresigned(parameters: readonly QueryParameter[]): PresignedQuery {
  const values = new Map<string, string>()
  for (const { name, value } of parameters) {
    if (!known.has(name)) continue
    if (values.has(name)) throw new SigV4Error(CODE, `Send the query parameter ${name} only once.`)
    values.set(name, uriDecode(value))
  }
  const [algorithm, credentialText, timestamp, expires, signedHeaders, signature] = required.map((name) => {
    const value = values.get(name)
    if (value !== undefined) return value
    throw new SigV4Error(CODE, `Query-string authentication version 4 requires ${required.join(', ')}.`)
  }) as [string, string, string, string, string, string]

  if (algorithm !== ALGORITHM) throw new SigV4Error(CODE, `X-Amz-Algorithm only supports "${ALGORITHM}".`)
  const credential = parseCredential(credentialText)
  if (credential === undefined) {
    throw new SigV4Error(CODE, 'X-Amz-Credential must read "<access key>/YYYYMMDD/REGION/SERVICE/aws4_request".')
  }
  const expiresSeconds = fewDigits.test(expires) ? Number(expires) : 0
  if (expiresSeconds < 1 || expiresSeconds > MAX_EXPIRES_SECONDS) {
    throw new SigV4Error(CODE, `X-Amz-Expires must be a number of seconds from 1 to ${MAX_EXPIRES_SECONDS}.`)
  }
  return {
    credential,
    timestamp,
    expiresSeconds,
    signedHeaders: parseSignedHeaders(signedHeaders, CODE),
    signature: parseSignature(signature, CODE),
    sessionToken: values.get('X-Amz-Security-Token'),
    payload: values.get('X-Amz-Content-Sha256'),
  }
}
