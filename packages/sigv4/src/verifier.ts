import { type KeyObject, randomBytes } from 'node:crypto'
import { Claim } from './claim.ts'
import type { Credential } from './credential-scope.ts'
import { type DecodeChunksOptions, type DecodedBody, decodeChunks } from './decode-chunks.ts'
import { type ParseRules, parseRequest } from './parse-request.ts'
import { checkPayload, isSha256Hex, UNSIGNED_PAYLOAD } from './payload.ts'
import { type PostTarget, readPostForm } from './post-form.ts'
import type { ContentLengthRange } from './post-policy.ts'
import { signatureMatcher, standardComputation } from './signature-matcher.ts'
import type { AnonymousRequest, RawRequest, SignedRequest } from './signed-request.ts'
import { computeSignature, createSigningKeyCache, deriveSigningKey, isSignature } from './signing-key.ts'
import { SigV4Error, signatureDoesNotMatch } from './sigv4-error.ts'

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
  /**
   * Accept chunked bodies (`x-amz-content-sha256: STREAMING-…`) of header-signed requests to `s3`, to be read through
   * `decodeChunks`. Refused with `NotImplemented` unless `true`: a caller that does not know them would store the framing.
   */
  readonly streaming?: boolean
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
  /**
   * Decodes the body of a claim that `verify` proved and whose `payload.kind` is `chunked`. `source` is read, never closed:
   * after an error the server can still answer, and then has to drain or close the connection. Give a Node stream as
   * `stream.iterator({ destroyOnReturn: false })` or as it is.
   *
   * What it yields of the signed forms is proved; of the unsigned form, and of what the trailing checksum is for, only the
   * end of the iteration says that all was well. Reading throws `SigV4Error` `SignatureDoesNotMatch`, `IncompleteBody`,
   * `InvalidChunkSizeError`, `MalformedTrailerError`, `BadDigest` or `InvalidRequest`. Throws `TypeError` for any other claim.
   */
  readonly decodeChunks: (
    claim: SignedRequest,
    source: AsyncIterable<Uint8Array>,
    options?: DecodeChunksOptions,
  ) => DecodedBody
  /**
   * Verifies a POST form (`multipart/form-data`): `fields` are those before the file, text as UTF-8, and no name may be
   * there twice. Rejects with `SigV4Error`: `InvalidArgument` for malformed fields, `InvalidRequest` for signature version
   * 2, `InvalidAccessKeyId`, `SignatureDoesNotMatch`, `InvalidPolicyDocument`, and `AccessDenied` when the policy expired,
   * a condition fails, or a field (or the bucket) is covered by none. With `TypeError` when `s3` is not among the services.
   */
  readonly verifyPostPolicy: (
    fields: ReadonlyMap<string, string>,
    target: PostTarget,
  ) => Promise<VerifiedPost<C> | AnonymousRequest>
}

/** A POST form that was verified. */
export interface VerifiedPost<C extends SecretCredentials> {
  readonly kind: 'signed'
  readonly accessKeyId: string
  readonly credentials: C
  /** Sizes of file the policy allows, for `checkContentLength`; any when `undefined`. */
  readonly contentLengthRange: ContentLengthRange | undefined
}

/** Makes a verifier of AWS Signature Version 4: header, presigned query, chunked body, POST form. It keeps no state but cached signing keys. */
export function createVerifier<C extends SecretCredentials>(options: VerifierOptions<C>): Verifier<C> {
  const { region, credentials: lookup, now = Date.now, debug = false } = options
  const rules: ParseRules = {
    services: [...options.services],
    region,
    streaming: options.streaming ?? false,
    maxSkewSeconds: options.maxSkewSeconds ?? 900,
  }
  const keys = createSigningKeyCache(options.maxCachedKeys ?? 1000)
  const nobodysSecret = randomBytes(30).toString('base64')

  /**
   * The key that made a signature; `undefined` when it was not made with these credentials. A failing verification derives
   * a signing key exactly once, cached or not, known access key or not: so its cost says nothing. Only a key that has just
   * proved itself is cached: failing requests can't displace those of others.
   */
  const provingKey = (
    credential: Credential,
    found: C | undefined,
    matches: (key: KeyObject) => boolean,
  ): KeyObject | undefined => {
    const secretAccessKey = found?.secretAccessKey ?? nobodysSecret
    const cached = keys.get(credential, secretAccessKey)
    if (cached !== undefined && matches(cached)) return cached
    const derived = deriveSigningKey(secretAccessKey, credential)
    if (cached !== undefined || !matches(derived)) return undefined
    keys.set(credential, secretAccessKey, derived)
    return derived
  }

  return {
    parse: (request) => parseRequest(request, rules, now()) ?? { kind: 'anonymous' },

    verify: async (claim, bodySha256) => {
      const evidence = Claim.evidenceOf(claim, rules)
      if (evidence === undefined) throw new TypeError('verify takes a claim returned by parse of the same verifier.')
      const payloadHash = payloadHashOf(claim, bodySha256)
      const found = await lookup(claim.accessKeyId, claim.sessionToken)
      const key = provingKey(evidence.terms.credential, found, signatureMatcher(claim, evidence, payloadHash))
      if (found === undefined) throw unknownAccessKey()
      if (key === undefined) {
        throw signatureDoesNotMatch(debug ? standardComputation(claim, evidence, payloadHash) : undefined)
      }
      if (bodySha256 !== undefined) checkPayload(claim, { sha256: bodySha256 })
      if (claim.payload.kind === 'chunked') Claim.setProof(claim, key)
      return found
    },

    decodeChunks: (claim, source, limits) => {
      const { payload } = claim
      const key = Claim.proofOf(claim, rules)
      if (key === undefined || payload.kind !== 'chunked') {
        throw new TypeError(
          'decodeChunks takes a claim with a chunked payload that verify of the same verifier proved.',
        )
      }
      return decodeChunks(source, { ...claim, payload }, key, limits)
    },

    verifyPostPolicy: async (fields, target) => {
      if (!rules.services.includes('s3'))
        throw new TypeError('POST forms are signed for s3, which this verifier does not serve.')
      const form = readPostForm(fields, target, region)
      if (form === undefined) return { kind: 'anonymous' }
      const matches = (key: KeyObject): boolean => isSignature(computeSignature(key, form.policy), form.signature)
      const { accessKeyId } = form.credential
      const found = await lookup(accessKeyId, form.sessionToken)
      const key = provingKey(form.credential, found, matches)
      if (found === undefined) throw unknownAccessKey()
      if (key === undefined) throw signatureDoesNotMatch()
      const contentLengthRange = form.checkPolicy(now())
      return { kind: 'signed', accessKeyId, credentials: found, contentLengthRange }
    },
  }
}

function unknownAccessKey(): SigV4Error {
  return new SigV4Error('InvalidAccessKeyId', 'The access key ID you provided does not exist in our records.')
}

function payloadHashOf(claim: SignedRequest, bodySha256: string | undefined): string {
  if (bodySha256 !== undefined && !isSha256Hex(bodySha256)) {
    throw new TypeError('bodySha256 must be 64 lower-case hex digits.')
  }
  if (claim.payload.kind === 'sha256') return claim.payload.sha256
  if (claim.payload.kind === 'unsigned') return UNSIGNED_PAYLOAD
  if (claim.payload.kind === 'chunked') {
    if (bodySha256 !== undefined) throw new TypeError('A chunked body has no one hash: read it through decodeChunks.')
    return claim.payload.form
  }
  if (bodySha256 === undefined) throw new TypeError('verify needs bodySha256: the request declares no payload hash.')
  return bodySha256
}
