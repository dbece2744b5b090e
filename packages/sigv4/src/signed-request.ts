import type { CredentialScope } from './credential-scope.ts'
import type { Payload } from './payload.ts'

/** A request as it came over the wire. */
export interface RawRequest {
  readonly method: string
  /** Undecoded, in origin form: Node's `request.url` (`/bucket/key?list-type=2`). */
  readonly rawTarget: string
  /** Name, value, name, value…, in any case, duplicates kept: Node's `request.rawHeaders`. */
  readonly rawHeaders: readonly string[]
}

/** What a signed request claims to be. Nothing of it is proved until it has been verified. */
export interface SignedRequest extends CredentialScope {
  readonly kind: 'signed'
  /** Signed by an `Authorization` header, or by query parameters (a presigned URL). */
  readonly via: 'header' | 'query'
  readonly accessKeyId: string
  /** `YYYYMMDDTHHMMSSZ`, UTC. */
  readonly timestamp: string
  /** Lower-case, in the order the client listed them. */
  readonly signedHeaders: readonly string[]
  /** 64 lower-case hex digits. */
  readonly signature: string
  readonly sessionToken: string | undefined
  /** Lifetime of a presigned URL, 1 to 604 800 seconds. */
  readonly expiresSeconds: number | undefined
  readonly payload: Payload
}

/** Nothing was signed: the request is the anonymous principal's. */
export interface AnonymousRequest {
  readonly kind: 'anonymous'
}
