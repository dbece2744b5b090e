import type { Buffer } from 'node:buffer'
import { createHash, hash } from 'node:crypto'
import { type Clock, isKmsError, kmsError } from '@kms/core'
import { type CredentialStore, isIamError, type Principal, type RequestContext, type StoredCredential } from '@kms/iam'
import { checkPayload, createVerifier, EMPTY_SHA256, isSigV4Error, type SignedRequest } from '@kms/sigv4'
import { readBody } from '../request/read-body.ts'
import type { ReceivedRequest } from '../request/received-request.ts'
import { streamBody } from '../request/stream-body.ts'
import type { FailureThrottle } from './failure-throttle.ts'
import type { Peer } from './peer.ts'

/** A request whose signature was verified, with its body. */
export interface AuthenticatedRequest {
  readonly request: ReceivedRequest
  readonly principal: Principal
  readonly peer: Peer
  /** Whole; its hash is the one that was signed, unless the client signed `UNSIGNED-PAYLOAD`. */
  readonly body: Buffer
  /** Condition keys for policies: `aws:SecureTransport`, `aws:SourceIp`. */
  readonly context: RequestContext
}

/** A request whose signature was verified, with a body of any length that was not read yet. */
export interface AuthenticatedUpload extends Omit<AuthenticatedRequest, 'body'> {
  /** To be read once. Its end throws `XAmzContentSHA256Mismatch` when the bytes were not those that were signed. */
  readonly upload: AsyncIterable<Uint8Array>
}

/** Turns requests into principals. */
export interface Authenticator {
  /** Reads the body, of at most 1 MiB unless given. */
  whole(request: ReceivedRequest, maxBodyBytes?: number): Promise<AuthenticatedRequest>
  /** Leaves the body to be read. One without a hash may still be 1 MiB at most, because the signature covers it. */
  streamed(request: ReceivedRequest): Promise<AuthenticatedUpload>
}

/**
 * Called with every request that proved who it is from, before anything is done for it; refuses by throwing. For rules
 * of the server itself, such as where default credentials may be used.
 */
export type Guard = (request: ReceivedRequest, principal: Principal, peer: Peer) => void

export interface AuthenticatorOptions {
  readonly credentials: CredentialStore
  readonly clock: Clock
  readonly peer: (request: ReceivedRequest) => Peer
  readonly guard: Guard | undefined
  readonly region: string | undefined
  readonly debugSignatures: boolean
  /** Services a signature may be for. */
  readonly services: readonly string[]
  readonly throttle: FailureThrottle | undefined
}

/** Largest body, in bytes, unless a route takes larger ones; and of any route when its hash was not announced. */
const MAX_BODY_BYTES = 1_048_576

const BY_TRANSPORT: Readonly<Record<'true' | 'false', readonly string[]>> = { true: ['true'], false: ['false'] }

interface Proof {
  readonly claim: SignedRequest
  readonly principal: Principal
  readonly peer: Peer
  /** Where it had to be read to be verified. */
  readonly body: Buffer | undefined
}

/**
 * Makes the step that turns a request into a principal. Its verbs throw `AccessDenied` when nothing was signed, and otherwise
 * the errors of `@kms/sigv4`, `EntityTooLarge`, `InvalidRequest`, `TooManyRequests` instead of one failure too many, and what
 * `guard` and the credential store throw. A body is not read for a request that can be refused without it.
 */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { credentials, clock, guard, throttle } = options
  const verifier = createVerifier({
    services: options.services,
    region: options.region,
    credentials: (accessKeyId, sessionToken) => credentials.find(accessKeyId, sessionToken),
    now: () => clock.now(),
    debug: options.debugSignatures,
  })

  /** What a failed proof is answered with. Only failures that a guess of a secret would cause are counted. */
  function throttled(error: unknown, { accessKeyId }: SignedRequest, { address }: Peer): unknown {
    if (!isSigV4Error(error, 'InvalidAccessKeyId', 'SignatureDoesNotMatch') && !isIamError(error, 'InvalidTokenId')) {
      return error
    }
    const wait = throttle?.fail(address, accessKeyId)
    return wait === undefined
      ? error
      : kmsError('TooManyRequests', undefined, { retryAfterSeconds: wait, cause: error })
  }

  async function prove(request: ReceivedRequest, maxBodyBytes: number): Promise<Proof> {
    const claim = verifier.parse(request)
    if (claim.kind === 'anonymous') {
      const reason = 'The request is not signed. Sign it with AWS Signature Version 4.'
      throw kmsError('AccessDenied', { reason })
    }
    const peer = options.peer(request)
    requireSafeForm(claim, request, peer)
    let credential: StoredCredential
    let body: Buffer | undefined
    try {
      if (claim.payload.kind === 'body') {
        body = await readUnannounced(request, maxBodyBytes)
        credential = await verifier.verify(claim, body.length === 0 ? EMPTY_SHA256 : hash('sha256', body, 'hex'))
      } else credential = await verifier.verify(claim)
    } catch (error) {
      throw throttled(error, claim, peer)
    }
    return { claim, principal: credential.principal, peer, body }
  }

  return {
    async whole(request, maxBodyBytes = MAX_BODY_BYTES) {
      const { claim, principal, peer, body: known } = await prove(request, maxBodyBytes)
      const body = known ?? (await readBody(request, maxBodyBytes))
      if (known === undefined) checkPayload(claim, body)
      guard?.(request, principal, peer)
      return { request, principal, peer, body, context: contextOf(peer) }
    },

    async streamed(request) {
      const { claim, principal, peer, body } = await prove(request, Number.POSITIVE_INFINITY)
      guard?.(request, principal, peer)
      const upload = body === undefined ? checked(streamBody(request), claim) : once(body)
      return { request, principal, peer, upload, context: contextOf(peer) }
    },
  }
}

/** The same bytes; the end is reached only by those that were signed. */
async function* checked(
  source: AsyncIterable<Uint8Array>,
  claim: SignedRequest,
): AsyncGenerator<Uint8Array, void, undefined> {
  const sha256 = createHash('sha256')
  for await (const chunk of source) {
    sha256.update(chunk)
    yield chunk
  }
  checkPayload(claim, { sha256: sha256.digest('hex') })
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}

/** Reads a body that has to be hashed before anything is known of it. Throws `MissingContentSHA256` where a hash would help. */
async function readUnannounced(request: ReceivedRequest, limit: number): Promise<Buffer> {
  try {
    return await readBody(request, MAX_BODY_BYTES)
  } catch (error) {
    if (limit === MAX_BODY_BYTES || !isKmsError(error, 'EntityTooLarge')) throw error
    throw kmsError('MissingContentSHA256', { limit: MAX_BODY_BYTES })
  }
}

/** What S3 tolerates and a plane that changes things does not: URLs that act, and bodies anybody on the way can replace. */
function requireSafeForm(claim: SignedRequest, { method }: ReceivedRequest, peer: Peer): void {
  if (method === 'GET' || method === 'HEAD') return
  if (claim.via === 'query') {
    const reason = 'Signatures in the query are accepted for GET and HEAD only. Sign with an Authorization header.'
    throw kmsError('AuthorizationQueryParametersError', { reason })
  }
  if (claim.payload.kind === 'unsigned' && !peer.secure) {
    const reason = 'UNSIGNED-PAYLOAD needs TLS. Send the SHA-256 of the body in x-amz-content-sha256, or use https.'
    throw kmsError('InvalidRequest', { reason })
  }
}

function contextOf({ address, secure }: Peer): RequestContext {
  const context = new Map([['aws:SecureTransport', BY_TRANSPORT[`${secure}`]]])
  if (address !== undefined) context.set('aws:SourceIp', [address])
  return context
}
