import type { KeyObject } from 'node:crypto'
import type { SignatureTerms } from './authorization-header.ts'
import type { HeaderTable } from './header-table.ts'
import type { Payload } from './payload.ts'
import type { SignedRequest } from './signed-request.ts'

/** The signed parts of a request that a claim is checked against. */
export interface Evidence {
  readonly terms: SignatureTerms
  readonly method: string
  readonly rawPath: string
  readonly path: string
  readonly query: string
  /** Also accepted as canonical query; `undefined` where it cannot be: a presigned query holds its own signature. */
  readonly rawQuery: string | undefined
  readonly headers: HeaderTable
  /** The signed ones, in canonical form. */
  readonly headerLines: string
}

/** What a signature says, wherever it stood. */
export interface SignatureParts {
  readonly via: 'header' | 'query'
  readonly terms: SignatureTerms
  readonly timestamp: string
  readonly signature: string
  readonly sessionToken: string | undefined
  readonly expiresSeconds: number | undefined
  readonly payload: Payload
}

/**
 * A claim together with the evidence for it, which is private: only whoever parsed a request can vouch that the two belong
 * together, so a copy of a claim, or one that was made up, has none. `parsedBy` stands for the verifier.
 */
export class Claim implements SignedRequest {
  readonly kind = 'signed'
  readonly via: 'header' | 'query'
  readonly accessKeyId: string
  readonly day: string
  readonly region: string
  readonly service: string
  readonly timestamp: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
  readonly sessionToken: string | undefined
  readonly expiresSeconds: number | undefined
  readonly payload: Payload
  readonly #evidence: Evidence
  readonly #parsedBy: object
  #provedBy: KeyObject | undefined

  constructor(parts: SignatureParts, evidence: Evidence, parsedBy: object) {
    const { credential, signedHeaders } = parts.terms
    this.via = parts.via
    this.accessKeyId = credential.accessKeyId
    this.day = credential.day
    this.region = credential.region
    this.service = credential.service
    this.timestamp = parts.timestamp
    this.signedHeaders = signedHeaders.names
    this.signature = parts.signature
    this.sessionToken = parts.sessionToken
    this.expiresSeconds = parts.expiresSeconds
    this.payload = parts.payload
    this.#evidence = evidence
    this.#parsedBy = parsedBy
    this.#provedBy = undefined
  }

  /** The evidence of a claim that `parsedBy` parsed; `undefined` for anything else. */
  static evidenceOf(claim: SignedRequest, parsedBy: object): Evidence | undefined {
    return #evidence in claim && claim.#parsedBy === parsedBy ? claim.#evidence : undefined
  }

  /** Remembers the key that proved the claim. */
  static setProof(claim: SignedRequest, key: KeyObject): void {
    if (#provedBy in claim) claim.#provedBy = key
  }

  /** The key that proved a claim of `parsedBy`; `undefined` while none did. */
  static proofOf(claim: SignedRequest, parsedBy: object): KeyObject | undefined {
    return #provedBy in claim && claim.#parsedBy === parsedBy ? claim.#provedBy : undefined
  }
}
