import type { KeyObject } from 'node:crypto'
import { otherPathSpellings } from './canonical-path.ts'
import { canonicalHeaders, hasInnerBlankRuns } from './header-table.ts'
import type { Evidence, SignedRequest } from './signed-request.ts'
import { computeSignature, isSignature } from './signing-key.ts'
import type { SigV4Computation } from './sigv4-error.ts'
import { formatCanonicalRequest, formatStringToSign } from './string-to-sign.ts'

/** Tells whether a signing key makes the claim's signature, over the standard form or one that real clients sign. */
export function signatureMatcher(
  claim: SignedRequest,
  evidence: Evidence,
  payloadHash: string,
): (signingKey: KeyObject) => boolean {
  const matchesOne = (key: KeyObject, path: string, query: string, headers: string): boolean => {
    const { stringToSign } = compute(claim, evidence, payloadHash, path, query, headers)
    return isSignature(computeSignature(key, stringToSign), claim.signature)
  }
  return (key) => {
    const headers = canonicalHeaders(evidence.headers, claim.signedHeaders, true)
    if (matchesOne(key, evidence.path, evidence.query, headers)) return true
    const paths = new Set([evidence.path, ...otherPathSpellings(evidence.rawPath, claim.service)])
    const queries = new Set([evidence.query, evidence.rawQuery ?? evidence.query])
    const headerBlocks = hasInnerBlankRuns(evidence.headers, claim.signedHeaders)
      ? [headers, canonicalHeaders(evidence.headers, claim.signedHeaders, false)]
      : [headers]
    for (const path of paths) {
      for (const query of queries) {
        for (const block of headerBlocks) {
          const standard = path === evidence.path && query === evidence.query && block === headers
          if (!standard && matchesOne(key, path, query, block)) return true
        }
      }
    }
    return false
  }
}

/** What the standard form of the request computes to, for debugging. */
export function standardComputation(claim: SignedRequest, evidence: Evidence, payloadHash: string): SigV4Computation {
  const headers = canonicalHeaders(evidence.headers, claim.signedHeaders, true)
  return compute(claim, evidence, payloadHash, evidence.path, evidence.query, headers)
}

function compute(
  claim: SignedRequest,
  evidence: Evidence,
  payloadHash: string,
  path: string,
  query: string,
  headers: string,
): SigV4Computation {
  const canonicalRequest = formatCanonicalRequest({
    method: evidence.method,
    path,
    query,
    headers,
    signedHeaders: claim.signedHeaders.join(';'),
    payloadHash,
  })
  return { canonicalRequest, stringToSign: formatStringToSign(canonicalRequest, claim.timestamp, claim) }
}
