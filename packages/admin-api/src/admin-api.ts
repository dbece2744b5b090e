import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import type { RequestListener } from 'node:http'
import {
  type ArchiveSecret,
  type AuditRecord,
  type AuditSink,
  type Clock,
  isKmsError,
  type KmsManager,
  kmsError,
  systemClock,
} from '@kms/core'
import { createDecisions, type Decisions, decisionRecord } from '@kms/core/internal'
import { type CredentialStore, createAuthorizer, type IamDirectory, isIamError, type Sts } from '@kms/iam'
import { isSigV4Error, type SigV4Computation } from '@kms/sigv4'
import { type Context, Hono } from 'hono'
import {
  type AuthenticatedRequest,
  type AuthenticatedUpload,
  createAuthenticator,
  type Guard,
} from './access/authenticate.ts'
import { createFailureThrottle } from './access/failure-throttle.ts'
import { createGate, denied, type Gate, type Permission } from './access/gate.ts'
import { judgeRefusal } from './access/judge-refusal.ts'
import type { Peer } from './access/peer.ts'
import { requireSomeAction } from './access/require-some-action.ts'
import { type PublicError, publicError } from './error-reply.ts'
import type { AdminLogEntry } from './log-entry.ts'
import { type Answer, jsonAnswer, streamAnswer, textAnswer, toResponse, xmlAnswer } from './reply/answer.ts'
import { nodeListener } from './reply/node-listener.ts'
import { noBody, readJson } from './request/read-json.ts'
import { decodePercent, NO_PARAMETERS, readQuery, refuseUnknownParameters } from './request/read-query.ts'
import { headerOf, type ReceivedRequest, receiveRequest } from './request/received-request.ts'
import { PASSPHRASE_HEADER } from './routes/archive-routes.ts'
import type { ItemsRoute, KeyRoute, PublicRoute, Reply, Route, RouteInput } from './routes/route.ts'
import { effectOf } from './routes/route-effect.ts'
import { findPath, isEncryptedUserPath } from './routes/route-table.ts'
import { formatError } from './sts/sts-reply.ts'
import { answerSts } from './sts/sts-service.ts'

export interface AdminApiSettings {
  /** The only region a signature may be for; any when absent. */
  readonly region?: string
  /** Whether `admin:ServerInfo` passes for what it gates in the playbook; true unless given. */
  readonly compatServerInfo?: boolean
  /** Log what a signature that did not match was computed from. It holds header values: never in production. */
  readonly debugSignatures?: boolean
  /**
   * Failed authentications of one address with one access key in a minute before further ones are answered
   * `TooManyRequests`; 0, the default, for no limit. Correctly signed requests always pass.
   */
  readonly authFailuresPerMinute?: number
}

export interface AdminApiOptions {
  readonly manager: KmsManager
  readonly credentials: CredentialStore
  /** Users and policies; without it their routes are 501. */
  readonly directory?: IamDirectory
  /** Gives temporary credentials; without it STS is 501. */
  readonly sts?: Sts
  readonly settings?: AdminApiSettings
  readonly clock?: Clock
  /** Milliseconds of a clock that only goes forward, for how long requests take; `performance.now` unless given. */
  readonly elapsed?: () => number
  /** The id of a request; a random UUID unless given. */
  readonly requestId?: (request: ReceivedRequest) => string
  /** Who sent a request; the other end of its connection unless given. A server behind trusted proxies knows more. */
  readonly peer?: (request: ReceivedRequest) => Peer
  readonly guard?: Guard
  /** Keeps a record of every decision about a caller who wants to use a key or to change something, and of every denial. */
  readonly audit?: AuditSink
  /** 32 bytes that archives are sealed with, and opened, where no passphrase is given. Without it, one has to be. */
  readonly archiveKey?: Uint8Array
  /** Must not throw. */
  readonly log?: (entry: AdminLogEntry) => void
}

export interface AdminApi {
  /**
   * Answers every request it is given, whatever it is mounted at: routes are found by the raw request target. Mount it
   * at `/rustfs/admin/v3/*` and `/minio/admin/v3/*`.
   */
  readonly app: Hono
  /** Answers every request it is given as AWS's STS does, in XML. Send it `POST /`. */
  readonly stsApp: Hono
  /** What `app` answers, for the requests of a Node server, without a `Request` and a `Response` on the way. */
  readonly listener: RequestListener
  /** The same of `stsApp`. */
  readonly stsListener: RequestListener
  /**
   * Reads and verifies a request for routes outside this package. Throws `AccessDenied` when nothing was signed,
   * `EntityTooLarge` above 1 MiB, and the errors of signatures; answer them with `refuse`.
   */
  authenticate(c: Context): Promise<AuthenticatedRequest>
  /** Checks an operation on a whole service, or on the resource of an ARN. Throws `AccessDenied`. */
  authorize(request: AuthenticatedRequest, permission: Permission, resource?: string): void
  /** A page of the server's own, for whoever may read it; refusals and the log are as for the operations of the API. */
  pageListener(page: Page): RequestListener
  /** The reply to an error: code, message and request id as JSON, and nothing of an error that is not ours. */
  refuse(c: Context, error: unknown): Response
}

/** Something to read that is no operation of the API. */
export interface Page {
  /** What the log calls it. */
  readonly operation: string
  /** One of these on the service as a whole lets a signed caller read it. */
  readonly permission: Permission
  /** Lets a request in without a signature. */
  readonly admits?: (request: ReceivedRequest) => boolean
  read(): Promise<{ readonly contentType: string; readonly text: string }>
}

/** What is known of a request by the time it is answered. */
interface Trace {
  readonly requestId: string
  readonly startedAt: number
  readonly request: ReceivedRequest
  route?: Route
  /** Of what is no route: an action of STS, a page of the server. */
  operation?: string
  allow?: string
  authenticated?: Omit<AuthenticatedRequest, 'body'>
  gate?: Gate
  decisions?: Decisions
  /** Whether the caller was let in to an operation on the service. */
  admitted?: boolean
}

type SignedRoute = Exclude<Route, PublicRoute>

/** An authenticated request on its way through a route. */
interface Work {
  readonly gate: Gate
  /** For what it does besides. */
  readonly makeGate: (permission: Permission) => Gate
  /** Filled as far as the request can be read. */
  readonly input: { -readonly [F in keyof RouteInput]: RouteInput[F] }
  readonly authenticated: AuthenticatedRequest | AuthenticatedUpload
  readonly rawKey: string | undefined
  readonly requestId: string
}

/** Services a signature may be for (contract §1): what real clients are set to. */
const SERVICES = ['s3', 'execute-api', 'kms', 'sts'] as const

/** Makes the admin API of a manager. */
export function createAdminApi(options: AdminApiOptions): AdminApi {
  const { manager, log, settings = {}, clock = systemClock, requestId = () => randomUUID() } = options
  const { elapsed = () => performance.now(), audit } = options
  const now = (): number => clock.now()
  const authorizer = createAuthorizer({ compatServerInfo: settings.compatServerInfo ?? true, now })
  const throttle = createFailureThrottle({ perMinute: settings.authFailuresPerMinute ?? 0, clock })
  const authenticatorFor = (services: readonly string[]) =>
    createAuthenticator({
      services,
      throttle,
      credentials: options.credentials,
      clock,
      peer: options.peer ?? (({ peer }) => peer),
      guard: options.guard,
      region: settings.region,
      debugSignatures: settings.debugSignatures ?? false,
    })
  const authenticator = authenticatorFor(SERVICES)
  const stsAuthenticator = authenticatorFor(['sts'])
  const archiveKey: ArchiveSecret | undefined = options.archiveKey && { key: options.archiveKey }

  function directory(): IamDirectory {
    if (options.directory !== undefined) return options.directory
    throw kmsError('UnsupportedOperation', { reason: 'This server keeps no users.' })
  }

  function traceOf(request: ReceivedRequest): Trace {
    return { requestId: requestId(request), startedAt: elapsed(), request }
  }

  async function answer(request: ReceivedRequest): Promise<Answer> {
    const trace = traceOf(request)
    try {
      const reply = await serve(trace)
      if (audit !== undefined) await audit.record(auditRecords(trace, 'ok'))
      note(trace, 200)
      const { requestId: id } = trace
      if ('stream' in reply) {
        const disposition = `attachment; filename="${reply.fileName}"`
        return streamAnswer(id, 'application/octet-stream', reply.stream, ['content-disposition', disposition])
      }
      const { body, etag } = reply
      return jsonAnswer(id, 200, body, trace.route?.indented === true, etag === undefined ? [] : ['etag', etag])
    } catch (error) {
      return refuse(await recordRefusal(error, trace), trace)
    }
  }

  /** The error to answer with: that no record can be kept, where that is so. */
  async function recordRefusal(error: unknown, trace: Trace): Promise<unknown> {
    if (audit === undefined || isKmsError(error, 'AuditUnavailable')) return error
    try {
      await audit.record(auditRecords(trace, publicError(error).code))
      return error
    } catch (unkept) {
      return unkept
    }
  }

  function serve(trace: Trace): Promise<Reply> | Reply {
    const { method, rawPath } = trace.request
    const found = findPath(rawPath)
    const path = rawPath.slice(0, 256)
    if (found === undefined) {
      if (!isEncryptedUserPath(rawPath)) throw kmsError('NoSuchRoute', { path })
      const reason = 'Encrypted bodies are not supported. Use the same route, in plain JSON, below /rustfs/admin/v3.'
      throw kmsError('UnsupportedOperation', { reason })
    }
    const route = found.byMethod.get(method)
    if (route === undefined) {
      trace.allow = found.allow
      throw kmsError('MethodNotAllowed', { method: method.slice(0, 32), path, allow: found.allow })
    }
    trace.route = route
    return route.scope === 'public' ? route.handle() : serveSigned(route, found.rawKey, trace)
  }

  async function serveSigned(route: SignedRoute, rawKey: string | undefined, trace: Trace): Promise<Reply> {
    const { request } = trace
    const authenticated =
      route.scope === 'service' && route.takesBytes === true
        ? await authenticator.streamed(request)
        : await authenticator.whole(request, route.maxBodyBytes)
    trace.authenticated = authenticated
    if (audit !== undefined) {
      if (effectOf(route) !== 'read') audit.admit()
      trace.decisions = createDecisions()
    }
    const makeGate = gateMaker(authenticated, trace.decisions)
    const gate = makeGate(route.permission)
    trace.gate = gate
    const input = { json: undefined, query: NO_PARAMETERS, pathKey: undefined }
    const work = { gate, makeGate, input, authenticated, rawKey, requestId: trace.requestId }
    if (route.scope === 'key') return serveKey(route, work)
    if (route.scope === 'items') return serveItems(route, work)
    gate.requireService()
    trace.admitted = true
    return await call(route, work)
  }

  async function serveKey(route: KeyRoute, work: Work): Promise<Reply> {
    const { gate, input } = work
    try {
      return await call(route, work)
    } catch (error) {
      await judgeRefusal({ gate, passed: gate.passed, claim: route.key(input, manager), error, keys: manager.keys })
      throw error
    }
  }

  async function serveItems(route: ItemsRoute, work: Work): Promise<Reply> {
    try {
      return await call(route, work)
    } catch (error) {
      if (!isKmsError(error, 'AccessDenied')) requireSomeAction(route.permission, work.makeGate)
      throw error
    }
  }

  function gateMaker(authenticated: Work['authenticated'], decisions?: Decisions): Work['makeGate'] {
    return (permission) => createGate(authorizer, authenticated, permission, decisions)
  }

  function call(route: SignedRoute, work: Work): Promise<Reply> | Reply {
    const { gate, input, rawKey } = work
    const { request, principal, peer } = work.authenticated
    const body = 'body' in work.authenticated ? work.authenticated.body : NOTHING
    const changes = request.method !== 'GET' && request.method !== 'HEAD'
    if (rawKey !== undefined) input.pathKey = decodePercent(rawKey)
    input.query = readQuery(request.rawQuery)
    if (changes) {
      input.json = readJson(body)
      if (input.query.size > 0) refuseUnknownParameters(input.query, Object.keys(route.query?.schema.shape ?? {}))
    }
    const { address } = peer
    return route.handle({
      manager,
      directory,
      caller: { principal: principal.name, requestId: work.requestId, ...(address === undefined ? {} : { address }) },
      body: changes ? (route.body ?? noBody).read(input.json) : undefined,
      query: route.query?.read(input.query),
      pathKey: input.pathKey,
      ifMatch: headerOf(request, 'if-match'),
      upload: 'upload' in work.authenticated ? work.authenticated.upload : NO_UPLOAD,
      archivePassphrase: headerOf(request, PASSPHRASE_HEADER),
      archiveKey,
      authorize: gate.authorize,
      learn: gate.learn,
      alsoRequire: (permission) => work.makeGate(permission).requireService(),
      gateFor: work.makeGate,
      tell: (error) => disclose(error, work.requestId),
    })
  }

  /** What may be told of an error; the log learns of those that are the server's. */
  function disclose(error: unknown, id: string): PublicError {
    const told = publicError(error)
    if (told.status >= 500) log?.({ event: 'failure', requestId: id, error })
    return told
  }

  /** Tells the log of an error and returns what may be told to the caller. */
  function report(error: unknown, trace: Trace): PublicError {
    const told = disclose(error, trace.requestId)
    if (isSigV4Error(error) && error.computed !== undefined) {
      log?.({ event: 'signature', requestId: trace.requestId, computed: withoutPassphrase(error.computed) })
    }
    note(trace, told.status, told.code)
    return told
  }

  async function answerPage(page: Page, request: ReceivedRequest): Promise<Answer> {
    const trace = traceOf(request)
    trace.operation = page.operation
    try {
      const { method, rawPath } = request
      if (method !== 'GET' && method !== 'HEAD') {
        trace.allow = 'GET, HEAD'
        const path = rawPath.slice(0, 256)
        throw kmsError('MethodNotAllowed', { method: method.slice(0, 32), path, allow: trace.allow })
      }
      if (page.admits?.(request) !== true) {
        trace.authenticated = await authenticator.whole(request)
        trace.decisions = audit && createDecisions()
        createGate(authorizer, trace.authenticated, page.permission, trace.decisions).requireService()
      }
      const { contentType, text } = await page.read()
      note(trace, 200)
      return textAnswer(trace.requestId, contentType, text)
    } catch (error) {
      return refuse(await recordRefusal(error, trace), trace)
    }
  }

  async function answerXml(request: ReceivedRequest): Promise<Answer> {
    const trace = traceOf(request)
    try {
      const { method, rawPath, rawQuery } = request
      if (method !== 'POST')
        throw kmsError('MethodNotAllowed', { method: method.slice(0, 32), path: '/', allow: 'POST' })
      const authenticated = await stsAuthenticator.whole(request)
      trace.authenticated = authenticated
      if (rawPath !== '/' || rawQuery !== '') {
        throw kmsError('InvalidRequest', { reason: 'STS takes its parameters in the body of POST /.' })
      }
      if (options.sts === undefined) {
        throw kmsError('UnsupportedOperation', { reason: 'This server gives no temporary credentials.' })
      }
      audit?.admit()
      trace.decisions = audit && createDecisions()
      const { action, xml } = await answerSts(options.sts, authenticated, trace.requestId)
      trace.operation = action
      trace.decisions?.add(`sts:${action}`, undefined, true)
      if (audit !== undefined) await audit.record(auditRecords(trace, 'ok'))
      note(trace, 200)
      return xmlAnswer(trace.requestId, 200, xml)
    } catch (error) {
      if (isKmsError(error, 'AccessDenied') || isIamError(error, 'AccessDenied')) {
        trace.decisions?.add('sts:AssumeRole', undefined, false)
      }
      return refuseXml(await recordRefusal(error, trace), trace)
    }
  }

  function refuseXml(error: unknown, trace: Trace): Answer {
    const told = report(error, trace)
    const allow = told.code === 'MethodNotAllowed' ? ['allow', 'POST'] : []
    const text = formatError(told, trace.requestId)
    return xmlAnswer(trace.requestId, told.status, text, [...allow, ...retryAfter(told)])
  }

  function refuse(error: unknown, trace: Trace): Answer {
    const told = report(error, trace)
    const { code, status, message } = told
    const { requestId: id, route, allow } = trace
    const state = route?.lifecycle === true && trace.admitted === true ? { status: manager.status().status } : undefined
    const body = { success: false, code, message, request_id: id, ...state }
    return jsonAnswer(id, status, body, route?.indented === true, [
      ...(allow === undefined ? [] : ['allow', allow]),
      ...retryAfter(told),
    ])
  }

  function note(
    { requestId: id, request, route, operation, authenticated, gate, startedAt }: Trace,
    status: number,
    code?: string,
  ) {
    log?.({
      event: 'request',
      requestId: id,
      operation: route?.operation ?? operation,
      action: route === undefined || route.scope === 'public' ? undefined : route.permission[0],
      effect: route && effectOf(route),
      method: request.method,
      path: request.rawPath,
      principal: authenticated?.principal.name,
      accessKeyId: authenticated?.principal.accessKeyId,
      address: authenticated?.peer.address,
      keyId: gate?.keyId,
      status,
      code,
      milliseconds: elapsed() - startedAt,
    })
  }

  // Hono's own error handler would print the error.
  const app = new Hono()
  app.all('*', async (c) => toResponse(await answer(receiveRequest(c))))
  app.onError((error, c) => toResponse(refuse(error, traceOf(receiveRequest(c)))))
  const stsApp = new Hono()
  stsApp.all('*', async (c) => toResponse(await answerXml(receiveRequest(c))))
  stsApp.onError((error, c) => toResponse(refuseXml(error, traceOf(receiveRequest(c)))))
  return {
    app,
    stsApp,
    listener: nodeListener(answer),
    stsListener: nodeListener(answerXml),
    pageListener: (page) => nodeListener((request) => answerPage(page, request)),
    authenticate: (c) => authenticator.whole(receiveRequest(c)),
    authorize({ principal, context }, action, resource) {
      const target = resource === undefined ? {} : { resource }
      if (!authorizer.authorize(principal, { action, context, ...target }).allowed) throw denied(action)
    },
    refuse: (c, error) => toResponse(refuse(error, traceOf(receiveRequest(c)))),
  }
}

const NOTHING = Buffer.alloc(0)
const NO_UPLOAD: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} }

/** Header values stand in what a signature is computed from. */
function withoutPassphrase({ canonicalRequest, ...rest }: SigV4Computation): SigV4Computation {
  const shown = canonicalRequest.replace(new RegExp(`^${PASSPHRASE_HEADER}:.*$`, 'm'), `${PASSPHRASE_HEADER}:***`)
  return { ...rest, canonicalRequest: shown }
}

/** Looking at something needs a record only where it was denied. */
function auditRecords(trace: Trace, outcome: AuditRecord['outcome']): AuditRecord[] {
  const { authenticated, decisions, route, requestId } = trace
  if (authenticated === undefined || decisions === undefined) return []
  const { principal, peer } = authenticated
  const reads = route !== undefined && effectOf(route) === 'read'
  const operation = route?.operation ?? trace.operation ?? 'sts'
  const origin = { plane: 'admin', operation, principal, address: peer.address, requestId } as const
  return decisions.all
    .filter(({ decision }) => decision === 'deny' || !reads)
    .map((decision) => decisionRecord(decision, outcome, origin))
}

function retryAfter({ retryAfterSeconds }: PublicError): readonly string[] {
  return retryAfterSeconds === undefined ? [] : ['retry-after', String(retryAfterSeconds)]
}
