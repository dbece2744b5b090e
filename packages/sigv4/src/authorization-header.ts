import { type Credential, parseCredential } from './credential-scope.ts'
import { isSha256Hex } from './payload.ts'
import { parseSignedHeaders, type SignedHeaders } from './signed-headers.ts'
import { SigV4Error, type SigV4ErrorCode } from './sigv4-error.ts'
import { ALGORITHM } from './string-to-sign.ts'

/** What a signature says of itself: with which key it was made, and over which headers. */
export interface SignatureTerms {
  readonly credential: Credential
  readonly signedHeaders: SignedHeaders
}

/** What an `Authorization` header says. */
export interface AuthorizationHeader {
  readonly terms: SignatureTerms
  /** 64 lower-case hex digits. */
  readonly signature: string
}

/**
 * The terms of headers that were read, by all that stands before the signature. A client sends the same ones all day, and
 * finding them takes an eighth of the time of reading them. Bounded by number and length, as anybody can fill it.
 */
const knownTerms = new Map<string, SignatureTerms>()
const MAX_KNOWN = 1000
const MAX_KNOWN_LENGTH = 1024

/**
 * Reads `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`; the three in any order, blanks around the commas
 * optional. Throws {@link SigV4Error}: `AuthorizationHeaderMalformed`, `InvalidRequest` for AWS schemes other than this
 * one, `InvalidArgument` for schemes that are not AWS's.
 */
export function parseAuthorization(authorization: string): AuthorizationHeader {
  const signatureAt = authorization.length - 64
  const beginning = authorization.slice(0, Math.max(signatureAt, 0))
  const known = knownTerms.get(beginning)
  if (known !== undefined) return { terms: known, signature: parseSignature(authorization.slice(signatureAt), CODE) }
  const read = readAuthorization(authorization)
  if (beginning.endsWith('Signature=') && beginning.length <= MAX_KNOWN_LENGTH) {
    if (knownTerms.size >= MAX_KNOWN) knownTerms.clear()
    knownTerms.set(beginning, read.terms)
  }
  return read
}

const CODE = 'AuthorizationHeaderMalformed'

function readAuthorization(authorization: string): AuthorizationHeader {
  const blank = authorization.indexOf(' ')
  const scheme = blank < 0 ? authorization : authorization.slice(0, blank)
  if (scheme !== ALGORITHM) {
    if (scheme === 'AWS' || scheme.startsWith('AWS4-')) {
      throw new SigV4Error('InvalidRequest', `This authorization mechanism is not supported. Please use ${ALGORITHM}.`)
    }
    throw new SigV4Error('InvalidArgument', `Unsupported authorization type. Please use ${ALGORITHM}.`)
  }
  let credentialText: string | undefined
  let signedHeaderList: string | undefined
  let signatureText: string | undefined
  for (let start = scheme.length; start <= authorization.length; ) {
    const comma = authorization.indexOf(',', start)
    const end = comma < 0 ? authorization.length : comma
    const field = authorization.slice(start, end).trim()
    start = end + 1
    if (credentialText === undefined && field.startsWith('Credential=')) credentialText = field.slice(11)
    else if (signedHeaderList === undefined && field.startsWith('SignedHeaders=')) signedHeaderList = field.slice(14)
    else if (signatureText === undefined && field.startsWith('Signature=')) signatureText = field.slice(10)
    else throw malformed('it must consist of Credential, SignedHeaders and Signature, once each, separated by commas')
  }
  const credential = parseCredential(credentialText ?? '')
  if (credential === undefined) {
    throw malformed('the Credential must read "<access key>/YYYYMMDD/REGION/SERVICE/aws4_request"')
  }
  const signedHeaders = parseSignedHeaders(signedHeaderList ?? '', CODE)
  return { terms: { credential, signedHeaders }, signature: parseSignature(signatureText ?? '', CODE) }
}

/** Returns the signature if it is well-formed. */
export function parseSignature(signature: string, code: SigV4ErrorCode): string {
  if (isSha256Hex(signature)) return signature
  throw new SigV4Error(code, 'The signature must be 64 lower-case hex digits.')
}

function malformed(reason: string): SigV4Error {
  return new SigV4Error(CODE, `The authorization header is malformed; ${reason}.`)
}
