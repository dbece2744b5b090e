import { randomUUID } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { type AuditSink, isKmsError } from '@kms/core'
import { createDecisions } from '@kms/core/internal'
import { type CredentialStore, createAuthorizer } from '@kms/iam'
import { createVerifier } from '@kms/sigv4'
import type { ObjectCipher } from '@kms/sse'
import { Hono } from 'hono'
import { createAccess } from './access/access.ts'
import { type Authenticated, createAuthenticator, type FailureThrottle, type Guard } from './access/authenticate.ts'
import { createBucketPolicies } from './access/bucket-policies.ts'
import { createFormAccess } from './access/form-access.ts'
import { requestFacts } from './access/request-facts.ts'
import { auditRecords } from './audit-records.ts'
import type { CallNotes } from './call-notes.ts'
import type { S3LogEntry } from './log-entry.ts'
import { findOperation, type Operation } from './operation.ts'
import { bucketOperations, objectOperations, serviceOperations } from './operations.ts'
import { type Answer, answerOf, type Reply, toResponse } from './reply/answer.ts'
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
  /** Keeps a record of every use of a KMS key, every change of a bucket and every denial of an authenticated caller. */
  readonly audit?: AuditSink
  /** Milliseconds of a clock that only goes forward, for how long requests take; `performance.now` unless given. */
  readonly elapsed?: () => number
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
  /** Epoch milliseconds. */
  readonly at: number
  readonly startedAt: number
  readonly received: ReceivedRequest
  readonly notes: CallNotes
  operation?: Operation
}

/** Customer keys never count when they stand in a URL, which is logged along the way. */
const NEVER_IN_QUERY = /customer-key$/

/** Makes the S3 API of a store. */
export function createS3Api(options: S3ApiOptions): S3Api {
  const { store, cipher, credentials, settings = {}, log, audit } = options
  const { region, domains = [], allowInsecureSseC = false } = settings
  const now = options.now ?? Date.now
  const elapsed = options.elapsed ?? (() => performance.now())
  const admit = audit === undefined ? () => {} : () => audit.admit()
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
    const trace: Trace = {
      requestId: newId(),
      at: now(),
      startedAt: elapsed(),
      received,
      notes: {
        authenticated: undefined,
        bucket: undefined,
        mode: undefined,
        keyId: undefined,
        body: undefined,
        decisions: createDecisions(),
        admit,
      },
    }
    const head = received.method === 'HEAD'
    try {
      const reply = await serve(trace)
      if (audit !== undefined) await keepRecords(audit, trace, reply)
      return noted(trace, answerOf(trace.requestId, reply, head), undefined)
    } catch (error) {
      const refusal = await recordRefusal(error, trace)
      const told = publicS3Error(refusal)
      if (told.status >= 500 && told.status !== 501) tellFailure(trace, refusal)
      return noted(trace, errorAnswer(told, trace.requestId, received.rawPath, head), told.code)
    }
  }

  function tellFailure({ requestId }: Trace, error: unknown): void {
    log?.({ event: 'failure', requestId, error })
  }

  async function keepRecords(sink: AuditSink, trace: Trace, { stream }: Reply): Promise<void> {
    try {
      await sink.record(auditRecords(trace.notes, 'ok', originOf(trace)))
    } catch (error) {
      await stream?.cancel()
      throw error
    }
  }

  /** The error to answer with: that no record can be kept, where that is so. */
  async function recordRefusal(error: unknown, trace: Trace): Promise<unknown> {
    const { code } = publicS3Error(error)
    if (audit === undefined || isKmsError(error, 'AuditUnavailable')) return error
    const { decisions } = trace.notes
    // Denials that no policy spoke of: another's customer key, a list nobody may see.
    if (code === 'AccessDenied' && decisions.all.every(({ decision }) => decision === 'allow')) {
      decisions.add(trace.operation?.action ?? `s3:${trace.operation?.name ?? 'Unknown'}`, undefined, false)
    }
    try {
      await audit.record(auditRecords(trace.notes, code, originOf(trace)))
      return error
    } catch (unkept) {
      return unkept
    }
  }

  async function serve(trace: Trace) {
    const { received, notes } = trace
    const sent = readHeaderMap(received.rawHeaders)
    const query = readQuery(received.rawQuery)
    const address = findAddress(received.rawPath, sent.get('host'), domains)
    if (address.scope !== 'service') notes.bucket = address.bucket
    const authenticated = await authenticator.authenticate(received, sent)
    notes.authenticated = authenticated
    const { claim } = authenticated
    const headers = claim?.via === 'query' ? withQueryHeaders(sent, query) : sent
    const header = (name: string): string | undefined => headers.get(name)
    const facts = requestFacts({ authenticated, headers, query, now: trace.at })
    const access = createAccess({ authorizer, policies, authenticated, facts, notes })
    const table =
      address.scope === 'service' ? serviceOperations : address.scope === 'bucket' ? bucketOperations : objectOperations
    // Nobody but a policy can let in who did not sign, and no policy speaks of operations that are not there.
    const operation = whenSigned(authenticated, () => findOperation(table, received.method, { header, query }))
    trace.operation = operation
    if (changes(received)) notes.admit()
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
    notes.body = body
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
      notes,
    }
    return await run(operation, call)
  }

  async function run(operation: Operation, call: S3Call) {
    const { access, place, notes } = call
    if (operation.action !== undefined) {
      if (place.name === '') access.requireService(operation.action)
      else access.require(operation.action, place, (await operation.facts?.(call)) ?? [])
      if (place.name !== '' && place.bucket === undefined && operation.makesBucket !== true)
        throw noSuchBucket(place.name)
      if (operation.changesBucket === true) notes.decisions.add(operation.action, undefined, true)
    }
    return await operation.handle(call)
  }

  /** The answer, and its line in the log when it has ended. */
  function noted(trace: Trace, answered: Answer, code: string | undefined): Answer {
    if (log === undefined) return answered
    const { requestId, startedAt, received, operation, notes } = trace
    const { status, headers, body } = answered
    const milliseconds = elapsed() - startedAt
    const onEnd = (sentBytes: number, error?: unknown): void => {
      if (error !== undefined) tellFailure(trace, error)
      const { authenticated } = notes
      log({
        event: 'request',
        requestId,
        operation: operation?.name,
        method: received.method.slice(0, 32),
        bucket: notes.bucket,
        principal: authenticated?.principal.name,
        accessKeyId: authenticated?.principal.accessKeyId,
        address: authenticated?.peer.address,
        mode: notes.mode,
        keyId: notes.keyId,
        status,
        code: error === undefined ? code : publicS3Error(error).code,
        receivedBytes: notes.body?.received ?? 0,
        sentBytes: code === undefined && operation?.name === 'GetObject' ? sentBytes : 0,
        milliseconds,
        totalMilliseconds: elapsed() - startedAt,
      })
    }
    return body === undefined ? { status, headers, onEnd } : { status, headers, body, onEnd }
  }

  const app = new Hono()
  app.all('*', async (c) => toResponse(await answer(receiveRequest(c))))
  const onBroken = (error: unknown): void => log?.({ event: 'failure', requestId: '', error })
  return { app, listener: nodeListener(answer, onBroken) }
}

function originOf({ operation, requestId }: Trace): { readonly operation: string; readonly requestId: string } {
  return { operation: operation?.name ?? 'Unknown', requestId }
}

function changes({ method }: ReceivedRequest): boolean {
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS'
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
