import type { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { anonymousPrincipal, isIamError, type Principal, type StoredCredential } from '@kms/iam'
import { EMPTY_SHA256, isSigV4Error, type SignedRequest, type Verifier } from '@kms/sigv4'
import type { HeaderMap } from '../request/header-map.ts'
import type { Peer, ReceivedRequest } from '../request/received-request.ts'
import { bufferBody } from '../request/request-body.ts'
import { s3Error } from '../s3-error.ts'

/** Who sent a request, proved. */
export interface Authenticated {
  readonly principal: Principal
  readonly peer: Peer
  /** Absent when nothing was signed, or a form was. */
  readonly claim?: SignedRequest
  /** The body, where the signature was over its bytes. */
  readonly buffered?: Buffer
}

/** Counts failures to authenticate; says how many seconds to wait after one too many. */
export interface FailureThrottle {
  fail(address: string | undefined, accessKeyId: string): number | undefined
}

/** Refuses authenticated requests by throwing. */
export type Guard = (request: ReceivedRequest, principal: Principal, peer: Peer) => void

export interface AuthenticatorOptions {
  readonly verifier: Verifier<StoredCredential>
  readonly peer: (request: ReceivedRequest) => Peer
  readonly guard: Guard | undefined
  readonly throttle: FailureThrottle | undefined
}

/** A body without an announced hash may have this many bytes. */
const UNANNOUNCED_BYTES = 1_048_576

export interface Authenticator {
  /**
   * Proves who sent a request. The body is left alone unless the signature is over its very bytes; `postForm` lets a request
   * pass unsigned, for its fields to be checked. Throws the errors of signatures, users and the guard, and `SlowDown`.
   */
  authenticate(received: ReceivedRequest, headers: HeaderMap): Promise<Authenticated>
  /** What a failed proof is answered with: itself, or `SlowDown` when it is one too many. */
  throttled(error: unknown, accessKeyId: string, peer: Peer): unknown
  readonly peer: (request: ReceivedRequest) => Peer
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { verifier, guard, throttle } = options

  async function prove(claim: SignedRequest, received: ReceivedRequest, headers: HeaderMap) {
    if (claim.payload.kind !== 'body') return { credential: await verifier.verify(claim) }
    const buffered = await bufferBody(received, headers, UNANNOUNCED_BYTES)
    const sha256 = buffered.length === 0 ? EMPTY_SHA256 : hash('sha256', buffered, 'hex')
    return { credential: await verifier.verify(claim, sha256), buffered }
  }

  function throttled(error: unknown, accessKeyId: string, { address }: Peer): unknown {
    // Only what guessing a secret would cause is counted.
    const guess =
      isSigV4Error(error, 'InvalidAccessKeyId', 'SignatureDoesNotMatch') || isIamError(error, 'InvalidTokenId')
    const wait = guess ? throttle?.fail(address, accessKeyId) : undefined
    return wait === undefined ? error : s3Error('SlowDown', { retryAfterSeconds: wait, cause: error })
  }

  return {
    peer: options.peer,
    throttled,
    async authenticate(received, headers) {
      const peer = options.peer(received)
      const claim = verifier.parse(received)
      if (claim.kind === 'anonymous') return { principal: anonymousPrincipal, peer }
      let proved: Awaited<ReturnType<typeof prove>>
      try {
        proved = await prove(claim, received, headers)
      } catch (error) {
        throw throttled(error, claim.accessKeyId, peer)
      }
      const { principal } = proved.credential
      guard?.(received, principal, peer)
      return { principal, peer, claim, ...(proved.buffered === undefined ? {} : { buffered: proved.buffered }) }
    },
  }
}
