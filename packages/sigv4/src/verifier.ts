import { type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import { otherPathSpellings } from './canonical-path.ts'
import { canonicalHeaders, hasInnerBlankRuns } from './header-table.ts'
import { parseRequest } from './parse-request.ts'
import { checkPayload, isSha256Hex, UNSIGNED_PAYLOAD } from './payload.ts'
import type { AnonymousRequest, Evidence, RawRequest, SignedRequest } from './signed-request.ts'
import { computeSignature, createSigningKeyCache, deriveSigningKey } from './signing-key.ts'
import { type SigV4Computation, SigV4Error } from './sigv4-error.ts'
import { formatCanonicalRequest, formatStringToSign } from './string-to-sign.ts'

/** What a credential lookup must return; it may return more, and `verify` hands that back. */
export interface SecretCredentials {
  readonly secretAccessKey: string
}

export interface VerifierOptions<C extends SecretCredentials> {
  /** Services a signature may be for (`s3`, `execute-api`, …); `s3` has its own path rules. */
  readonly services: readonly string[]
  /** The only region accepted; any region when absent. */
  readonly region?: string | undefined
  /**
   * Finds the credentials of an access key; `undefined` when there are none. To keep unknown keys indistinguishable from
   * wrong secrets it should take the same time either way. What it throws, `verify` throws.
   */
  readonly credentials: (
    accessKeyId: string,
    sessionToken: string | undefined,
  ) => C | undefined | Promise<C | undefined>
  /** Epoch milliseconds; `Date.now` unless given. */
  readonly now?: () => number
  /** How far the client's clock may be off, in seconds; 900 unless given. */
  readonly maxSkewSeconds?: number
  /** Derived signing keys kept; 1000 unless given, 0 for none. */
  readonly maxCachedKeys?: number
  /** Attach canonical request and string to sign to `SignatureDoesNotMatch`. They hold header values: never in production. */
  readonly debug?: boolean
}

export interface Verifier<C extends SecretCredentials> {
  /**
   * Reads what the request claims and checks all that needs neither secret nor body: form, scope, time, and that
   * everything that must be signed is. Call it before reading the body. Throws `SigV4Error`.
   */
  readonly parse: (request: RawRequest) => SignedRequest | AnonymousRequest
  /**
   * Proves a claim this verifier parsed, and returns the credentials that signed it. `bodySha256` (64 lower-case hex
   * digits) is the hash of the body received: required when `claim.payload.kind` is `body`; when it is `sha256`, compared
   * if given, else left to `checkPayload`. Rejects with `SigV4Error` `InvalidAccessKeyId`, `SignatureDoesNotMatch` or
   * `XAmzContentSHA256Mismatch`; with `TypeError` for a claim that is not from `parse` or a missing `bodySha256`.
   */
  readonly verify: (claim: SignedRequest, bodySha256?: string) => Promise<C>
}

/** Makes a verifier of AWS Signature Version 4 (header and presigned query). It keeps no state but cached signing keys. */
export function createVerifier<C extends SecretCredentials>(options: VerifierOptions<C>): Verifier<C> {
  const { region, credentials: lookup, now = Date.now, maxSkewSeconds = 900, debug = false } = options
  const services = [...options.services]
  const keys = createSigningKeyCache(options.maxCachedKeys ?? 1000)
  // Only `parse` can vouch that a claim and the request it came from belong together.
  const evidenceOf = new WeakMap<SignedRequest, Evidence>()
  const nobodysSecret = randomBytes(30).toString('base64')

  /**
   * A failing verification derives a signing key exactly once, cached or not, known access key or not: so its cost says
   * nothing. Only a key that has just proved itself is cached: failing requests can't displace those of others.
   */
  const provesSecret = (
    claim: SignedRequest,
    secretAccessKey: string,
    matches: (key: KeyObject) => boolean,
  ): boolean => {
    const cached = keys.get(claim.accessKeyId, secretAccessKey, claim)
    if (cached !== undefined && matches(cached)) return true
    const derived = deriveSigningKey(secretAccessKey, claim)
    if (cached !== undefined || !matches(derived)) return false
    keys.set(claim.accessKeyId, secretAccessKey, claim, derived)
    return true
  }

  return {
    parse: (request) => {
      const parsed = parseRequest(request, { services, region, maxSkewSeconds, nowMs: now() })
      if (parsed === undefined) return { kind: 'anonymous' }
      evidenceOf.set(parsed.claim, parsed.evidence)
      return parsed.claim
    },

    verify: async (claim, bodySha256) => {
      const evidence = evidenceOf.get(claim)
      if (evidence === undefined) throw new TypeError('verify takes a claim returned by parse of the same verifier.')
      const payloadHash = payloadHashOf(claim, bodySha256)
      const found = await lookup(claim.accessKeyId, claim.sessionToken)
      const matches = signatureMatcher(claim, evidence, payloadHash)
      const proved = provesSecret(claim, found?.secretAccessKey ?? nobodysSecret, matches)
      if (found === undefined) {
        throw new SigV4Error('InvalidAccessKeyId', 'The access key ID you provided does not exist in our records.')
      }
      if (!proved) {
        throw new SigV4Error(
          'SignatureDoesNotMatch',
          'The request signature we calculated does not match the signature you provided. Check your secret access key and signing method.',
          debug ? standardComputation(claim, evidence, payloadHash) : undefined,
        )
      }
      if (bodySha256 !== undefined) checkPayload(claim, { sha256: bodySha256 })
      return found
    },
  }
}

function payloadHashOf(claim: SignedRequest, bodySha256: string | undefined): string {
  if (bodySha256 !== undefined && !isSha256Hex(bodySha256)) {
    throw new TypeError('bodySha256 must be 64 lower-case hex digits.')
  }
  if (claim.payload.kind === 'sha256') return claim.payload.sha256
  if (claim.payload.kind === 'unsigned') return UNSIGNED_PAYLOAD
  if (bodySha256 === undefined) throw new TypeError('verify needs bodySha256: the request declares no payload hash.')
  return bodySha256
}

/** Tells whether a signing key makes the claim's signature, over the standard form or one that real clients sign. */
function signatureMatcher(
  claim: SignedRequest,
  evidence: Evidence,
  payloadHash: string,
): (signingKey: KeyObject) => boolean {
  const signature = Buffer.from(claim.signature, 'hex')
  const matchesOne = (key: KeyObject, path: string, query: string, headers: string): boolean => {
    const { stringToSign } = compute(claim, evidence, payloadHash, path, query, headers)
    return timingSafeEqual(computeSignature(key, stringToSign), signature)
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

function standardComputation(claim: SignedRequest, evidence: Evidence, payloadHash: string): SigV4Computation {
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
