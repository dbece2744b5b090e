import type { KeyObject } from 'node:crypto'
import { otherPathSpellings } from './canonical-path.ts'
import type { Evidence } from './claim.ts'
import { canonicalHeaders, hasInnerBlankRuns } from './header-table.ts'
import type { SignedRequest } from './signed-request.ts'
import { computeSignature, isSignature } from './signing-key.ts'
import type { SigV4Computation } from './sigv4-error.ts'
import { formatCanonicalRequest, formatStringToSign } from './string-to-sign.ts'

/** Tells whether a signing key makes the claim's signature, over the standard form or one that real clients sign. */
export function signatureMatcher(
  claim: SignedRequest,
  evidence: Evidence,
  payloadHash: string,
): (signingKey: KeyObject) => boolean {
  const { path: standardPath, query: standardQuery, headerLines } = evidence
  const matchesOne = (key: KeyObject, path: string, query: string, headers: string): boolean => {
    const { stringToSign } = compute(claim, evidence, payloadHash, path, query, headers)
    return isSignature(computeSignature(key, stringToSign), claim.signature)
  }
  return (key) => {
    if (matchesOne(key, standardPath, standardQuery, headerLines)) return true
    const { headers, rawPath, rawQuery, terms } = evidence
    const paths = new Set([standardPath, ...otherPathSpellings(rawPath, claim.service)])
    const queries = new Set([standardQuery, rawQuery ?? standardQuery])
    const { names } = terms.signedHeaders
    const headerBlocks = hasInnerBlankRuns(headers, names)
      ? [headerLines, canonicalHeaders(headers, names, false)]
      : [headerLines]
    for (const path of paths) {
      for (const query of queries) {
        for (const block of headerBlocks) {
          const standard = path === standardPath && query === standardQuery && block === headerLines
          if (!standard && matchesOne(key, path, query, block)) return true
        }
      }
    }
    return false
  }
}

/** Headers whose values are secrets, or as good as one. */
const secretHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
  'x-amz-security-token',
  'x-amz-server-side-encryption-customer-key',
  'x-amz-server-side-encryption-customer-key-md5',
  'x-amz-copy-source-server-side-encryption-customer-key',
  'x-amz-copy-source-server-side-encryption-customer-key-md5',
])
const HIDDEN = '***'

/** What the standard form of the request computes to, for debugging; secrets in it show as `***`. */
export function standardComputation(claim: SignedRequest, evidence: Evidence, payloadHash: string): SigV4Computation {
  const { path, query, headerLines } = evidence
  const { stringToSign } = compute(claim, evidence, payloadHash, path, query, headerLines)
  const shownQuery = query.replace(/(^|&)(X-Amz-Security-Token)=[^&]*/, `$1$2=${HIDDEN}`)
  const shownLines = headerLines.replace(/^([^:]*):.*$/gm, (line, name: string) =>
    secretHeaders.has(name) ? `${name}:${HIDDEN}` : line,
  )
  const shown = compute(claim, evidence, payloadHash, path, shownQuery, shownLines)
  return { canonicalRequest: shown.canonicalRequest, stringToSign }
}

function compute(
  { timestamp }: SignedRequest,
  { method, terms: { credential, signedHeaders } }: Evidence,
  payloadHash: string,
  path: string,
  query: string,
  headers: string,
): SigV4Computation {
  const parts = { method, path, query, headers, signedHeaders: signedHeaders.list, payloadHash }
  const canonicalRequest = formatCanonicalRequest(parts)
  return { canonicalRequest, stringToSign: formatStringToSign(canonicalRequest, timestamp, credential.scope) }
}
