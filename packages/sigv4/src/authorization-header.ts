import { type CredentialScope, parseCredential } from './credential-scope.ts'
import { isSha256Hex } from './payload.ts'
import { SigV4Error, type SigV4ErrorCode } from './sigv4-error.ts'
import { ALGORITHM } from './string-to-sign.ts'

/** What an `Authorization` header says. */
export interface AuthorizationHeader extends CredentialScope {
  readonly accessKeyId: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

const headerNames = /^[!#$%&'*+.^_`|~0-9a-z-]+(?:;[!#$%&'*+.^_`|~0-9a-z-]+)*$/

/** Lists that were read. A client keeps sending the same few, and finding one takes an eighth of the time of reading it. */
const knownLists = new Map<string, readonly string[]>()
const MAX_KNOWN_LISTS = 100

/**
 * Reads `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`; the three in any order, blanks around the commas
 * optional. Throws {@link SigV4Error}: `AuthorizationHeaderMalformed`, `InvalidRequest` for AWS schemes other than this
 * one, `InvalidArgument` for schemes that are not AWS's.
 */
export function parseAuthorization(authorization: string): AuthorizationHeader {
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
  const signedHeaders = parseSignedHeaders(signedHeaderList ?? '', 'AuthorizationHeaderMalformed')
  const signature = parseSignature(signatureText ?? '', 'AuthorizationHeaderMalformed')
  const { accessKeyId, day, region, service } = credential
  return { accessKeyId, day, region, service, signedHeaders, signature }
}

/** Reads `host;x-amz-date;…`: lower-case header names, once each, `host` among them. */
export function parseSignedHeaders(list: string, code: SigV4ErrorCode): readonly string[] {
  const known = knownLists.get(list)
  if (known !== undefined) return known
  const names = list.split(';')
  if (!headerNames.test(list) || new Set(names).size !== names.length) {
    throw new SigV4Error(code, 'SignedHeaders must list lower-case header names, once each, separated by semicolons.')
  }
  if (!names.includes('host')) throw new SigV4Error(code, 'SignedHeaders must include "host".')
  if (knownLists.size >= MAX_KNOWN_LISTS) knownLists.clear()
  knownLists.set(list, Object.freeze(names))
  return names
}

/** Returns the signature if it is well-formed. */
export function parseSignature(signature: string, code: SigV4ErrorCode): string {
  if (isSha256Hex(signature)) return signature
  throw new SigV4Error(code, 'The signature must be 64 lower-case hex digits.')
}

function malformed(reason: string): SigV4Error {
  return new SigV4Error('AuthorizationHeaderMalformed', `The authorization header is malformed; ${reason}.`)
}
