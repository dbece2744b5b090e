import { randomUUID } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { type CredentialStore, createAuthorizer } from '@kms/iam'
import { createVerifier } from '@kms/sigv4'
import type { ObjectCipher } from '@kms/sse'
import { Hono } from 'hono'
import { createAccess } from './access/access.ts'
import { type Authenticated, createAuthenticator, type FailureThrottle, type Guard } from './access/authenticate.ts'
import { createBucketPolicies } from './access/bucket-policies.ts'
import { createFormAccess } from './access/form-access.ts'
import { requestFacts } from './access/request-facts.ts'
import type { S3LogEntry } from './log-entry.ts'
import { findOperation, type Operation } from './operation.ts'
import { bucketOperations, objectOperations, serviceOperations } from './operations.ts'
import { type Answer, answerOf, toResponse } from './reply/answer.ts'
import { errorAnswer, publicS3Error } from './reply/error-answer.ts'
import { nodeListener } from './reply/node-listener.ts'
import { findAddress } from './request/address.ts'
import { readDigests } from './request/digests.ts'
import { type HeaderMap, readHeaderMap } from './request/header-map.ts'
import { isLoopbackClient } from './request/loopback-client.ts'
import { type Query, readQuery } from './request/query.ts'
import { type Peer, type ReceivedRequest, receiveRequest } from './request/received-request.ts'
import { createRequestBody } from './request/request-body.ts'
import type { S3Call } from './s3-call.ts'
import { s3Error } from './s3-error.ts'
import type { ObjectStore } from './store/object-store.ts'

export interface S3ApiSettings {
  /** The only region a signature may be for, and the one of all buckets; any, and `us-east-1`, when absent. */
  readonly region?: string
  /** Domains below which a bucket may be named in the host, in lower case. */
  readonly domains?: readonly string[]
  /** Whether customer keys may be sent over plain http from elsewhere; false unless given. */
  readonly allowInsecureSseC?: boolean
}

export interface S3ApiOptions {
  readonly store: ObjectStore
  readonly cipher: ObjectCipher
  readonly credentials: CredentialStore
  readonly settings?: S3ApiSettings
  /** Epoch milliseconds; `Date.now` unless given. */
  readonly now?: () => number
  /** The id of a request; a random UUID unless given. */
  readonly requestId?: () => string
  /** Who sent a request; the other end of its connection unless given. A server behind trusted proxies knows more. */
  readonly peer?: (request: ReceivedRequest) => Peer
  readonly guard?: Guard
  readonly throttle?: FailureThrottle
  /** Must not throw. */
  readonly log?: (entry: S3LogEntry) => void
}

export interface S3Api {
  /** Answers every request it is given, whatever it is mounted at: buckets and keys are found by the raw request target. */
  readonly app: Hono
  /** What `app` answers, for the requests of a Node server, without a `Request` and a `Response` on the way. */
  readonly listener: RequestListener
}

/** What is known of a request by the time it is answered. */
interface Trace {
  readonly requestId: string
  readonly startedAt: number
  readonly received: ReceivedRequest
  operation?: Operation
  authenticated?: Authenticated
}

/** Customer keys never count when they stand in a URL, which is logged along the way. */
const NEVER_IN_QUERY = /customer-key$/

/** Makes the S3 API of a store. */
export function createS3Api(options: S3ApiOptions): S3Api {
  const { store, cipher, credentials, settings = {}, log } = options
  const { region, domains = [], allowInsecureSseC = false } = settings
  const now = options.now ?? Date.now
  const newId = options.requestId ?? randomUUID
  const authorizer = createAuthorizer({ now })
  const policies = createBucketPolicies()
  const verifier = createVerifier({
    services: ['s3'],
    region,
    streaming: true,
    credentials: (accessKeyId, sessionToken) => credentials.find(accessKeyId, sessionToken),
    now,
  })
  const authenticator = createAuthenticator({
    verifier,
    peer: options.peer ?? (({ peer }) => peer),
    guard: options.guard,
    throttle: options.throttle,
  })
  const authenticateForm = createFormAccess({
    verifier,
    authenticator,
    guard: options.guard,
    authorizer,
    policies,
    now,
  })
  const services = { store, cipher, now, region, authenticateForm }

  async function answer(received: ReceivedRequest): Promise<Answer> {
    const trace: Trace = { requestId: newId(), startedAt: now(), received }
    const head = received.method === 'HEAD'
    try {
      const answered = answerOf(trace.requestId, await serve(trace), head)
      note(trace, answered.status, undefined)
      return answered
    } catch (error) {
      const told = publicS3Error(error)
      if (told.status >= 500 && told.status !== 501) log?.({ event: 'failure', requestId: trace.requestId, error })
      note(trace, told.status, told.code)
      return errorAnswer(told, trace.requestId, received.rawPath, head)
    }
  }

  async function serve(trace: Trace) {
    const { received } = trace
    const sent = readHeaderMap(received.rawHeaders)
    const query = readQuery(received.rawQuery)
    const address = findAddress(received.rawPath, sent.get('host'), domains)
    const authenticated = await authenticator.authenticate(received, sent)
    trace.authenticated = authenticated
    const { claim } = authenticated
    const headers = claim?.via === 'query' ? withQueryHeaders(sent, query) : sent
    const header = (name: string): string | undefined => headers.get(name)
    const facts = requestFacts({ authenticated, headers, query, now: trace.startedAt })
    const access = createAccess({ authorizer, policies, authenticated, facts })
    const table =
      address.scope === 'service' ? serviceOperations : address.scope === 'bucket' ? bucketOperations : objectOperations
    // Nobody but a policy can let in who did not sign, and no policy speaks of operations that are not there.
    const operation = whenSigned(authenticated, () => findOperation(table, received.method, { header, query }))
    trace.operation = operation
    const name = address.scope === 'service' ? '' : address.bucket
    const bucket = address.scope === 'service' ? undefined : await store.bucket(name)
    const place = { name, bucket, ...(address.scope === 'object' ? { key: address.key } : {}) }
    const declared = readDigests(header)
    const digests = operation.checksumsOfObject === true ? { ...declared, checksum: undefined } : declared
    const body = createRequestBody({
      received,
      headers,
      digests,
      ...(claim === undefined ? {} : { claim }),
      ...(authenticated.buffered === undefined ? {} : { buffered: authenticated.buffered }),
      decodeChunks: (chunked, source) => verifier.decodeChunks(chunked, source),
    })
    const transport = {
      tls: authenticated.peer.secure,
      loopback: isLoopbackClient(authenticated.peer, headers),
      allowInsecureSseC,
    }
    const call: S3Call = {
      services,
      requestId: trace.requestId,
      received,
      headers,
      header,
      query,
      authenticated,
      access,
      place,
      body,
      digests,
      transport,
    }
    return await run(operation, call)
  }

  async function run(operation: Operation, call: S3Call) {
    const { access, place } = call
    if (operation.action !== undefined) {
      if (place.name === '') access.requireService(operation.action)
      else access.require(operation.action, place, (await operation.facts?.(call)) ?? [])
      if (place.name !== '' && place.bucket === undefined && operation.makesBucket !== true)
        throw noSuchBucket(place.name)
    }
    return await operation.handle(call)
  }

  function note(trace: Trace, status: number, code: string | undefined): void {
    if (log === undefined) return
    const { received, authenticated, operation } = trace
    log({
      event: 'request',
      requestId: trace.requestId,
      operation: operation?.name,
      method: received.method.slice(0, 32),
      path: received.rawPath.slice(0, 1024),
      principal: authenticated?.principal.name,
      accessKeyId: authenticated?.principal.accessKeyId,
      address: authenticated?.peer.address,
      status,
      code,
      milliseconds: now() - trace.startedAt,
    })
  }

  const app = new Hono()
  app.all('*', async (c) => toResponse(await answer(receiveRequest(c))))
  const onBroken = (error: unknown): void => log?.({ event: 'failure', requestId: '', error })
  return { app, listener: nodeListener(answer, onBroken) }
}

/** SDKs move `x-amz-` headers into the query of a URL they presign; the signature covers them there as well. */
function withQueryHeaders(headers: HeaderMap, query: Query): HeaderMap {
  const moved = [...query].filter(([name]) => name.startsWith('x-amz-') && !NEVER_IN_QUERY.test(name))
  return moved.length === 0 ? headers : new Map([...moved, ...headers])
}

function whenSigned<T>({ principal }: Authenticated, find: () => T): T {
  try {
    return find()
  } catch (error) {
    if (principal.kind === 'anonymous')
      throw s3Error('AccessDenied', 'The request is not signed, and nothing lets everybody do this.')
    throw error
  }
}

function noSuchBucket(name: string): Error {
  return s3Error('NoSuchBucket', { details: { BucketName: name.slice(0, 255) } })
}
