import { randomUUID } from 'node:crypto'
import { type Clock, isKmsError, type KmsManager, kmsError, systemClock } from '@kms/core'
import { type CredentialStore, createAuthorizer } from '@kms/iam'
import { isSigV4Error } from '@kms/sigv4'
import { type Context, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type AuthenticatedRequest, createAuthenticator, type Guard } from './access/authenticate.ts'
import { createGate, denied, type Gate, type Permission } from './access/gate.ts'
import { type Peer, socketPeer } from './access/peer.ts'
import { publicError } from './error-reply.ts'
import type { AdminLogEntry } from './log-entry.ts'
import { noBody, readJson } from './request/read-json.ts'
import { decodePercent, NO_PARAMETERS, readQuery, refuseUnknownParameters } from './request/read-query.ts'
import { headerOf, type ReceivedRequest, receiveRequest } from './request/received-request.ts'
import type { KeyRoute, Reply, Route, RouteInput, ServiceRoute } from './routes/route.ts'
import { findPath } from './routes/route-table.ts'

export interface AdminApiSettings {
  /** The only region a signature may be for; any when absent. */
  readonly region?: string
  /** Whether `admin:ServerInfo` passes for what it gates in the playbook; true unless given. */
  readonly compatServerInfo?: boolean
  /** Log what a signature that did not match was computed from. It holds header values: never in production. */
  readonly debugSignatures?: boolean
}

export interface AdminApiOptions {
  readonly manager: KmsManager
  readonly credentials: CredentialStore
  readonly settings?: AdminApiSettings
  readonly clock?: Clock
  /** The id of a request; a random UUID unless given. */
  readonly requestId?: (c: Context) => string
  /** Who is at the other end; the peer of the socket unless given. A server behind trusted proxies knows more. */
  readonly peer?: (c: Context) => Peer
  readonly guard?: Guard
  /** Must not throw. */
  readonly log?: (entry: AdminLogEntry) => void
}

export interface AdminApi {
  /**
   * Answers every request it is given, whatever it is mounted at: routes are found by the raw request target. Mount it
   * at `/rustfs/admin/v3/*` and `/minio/admin/v3/*`.
   */
  readonly app: Hono
  /**
   * Reads and verifies a request for routes outside this package. Throws `AccessDenied` when nothing was signed,
   * `EntityTooLarge` above 1 MiB, and the errors of signatures; answer them with `refuse`.
   */
  authenticate(c: Context): Promise<AuthenticatedRequest>
  /** Checks an operation on a whole service, or on the resource of an ARN. Throws `AccessDenied`. */
  authorize(request: AuthenticatedRequest, permission: Permission, resource?: string): void
  /** The reply to an error: code, message and request id as JSON, and nothing of an error that is not ours. */
  refuse(c: Context, error: unknown): Response
}

/** What is known of a request by the time it is answered. */
interface Trace {
  readonly requestId: string
  readonly startedAt: number
  readonly request: ReceivedRequest
  route?: Route
  allow?: string
  authenticated?: AuthenticatedRequest
  gate?: Gate
  /** Whether the caller was let in to an operation on the service. */
  admitted?: boolean
}

/** An authenticated request on its way through a route. */
interface Work {
  readonly gate: Gate
  /** Filled as far as the request can be read. */
  readonly input: { -readonly [F in keyof RouteInput]: RouteInput[F] }
  readonly authenticated: AuthenticatedRequest
  readonly rawKey: string | undefined
  readonly requestId: string
}

const JSON_TYPE = 'application/json; charset=utf-8'

/** Makes the admin API of a manager. */
export function createAdminApi(options: AdminApiOptions): AdminApi {
  const { manager, log, settings = {}, clock = systemClock, requestId = () => randomUUID() } = options
  const now = (): number => clock.now()
  const authorizer = createAuthorizer({ compatServerInfo: settings.compatServerInfo ?? true, now })
  const authenticate = createAuthenticator({
    credentials: options.credentials,
    clock,
    peer: options.peer ?? socketPeer,
    guard: options.guard,
    region: settings.region,
    debugSignatures: settings.debugSignatures ?? false,
  })

  function traceOf(c: Context): Trace {
    return { requestId: requestId(c), startedAt: now(), request: receiveRequest(c) }
  }

  async function answer(c: Context): Promise<Response> {
    const trace = traceOf(c)
    try {
      const { body, etag } = await serve(c, trace)
      note(trace, 200)
      const { route } = trace
      return write(c, trace.requestId, 200, body, route?.indented === true, etag === undefined ? undefined : { etag })
    } catch (error) {
      return refuse(c, error, trace)
    }
  }

  async function serve(c: Context, trace: Trace): Promise<Reply> {
    const { request } = trace
    const { method, rawPath } = request
    const found = findPath(rawPath)
    const path = rawPath.slice(0, 256)
    if (found === undefined) throw kmsError('NoSuchRoute', { path })
    const route = found.byMethod.get(method)
    if (route === undefined) {
      trace.allow = found.allow
      throw kmsError('MethodNotAllowed', { method: method.slice(0, 32), path, allow: found.allow })
    }
    trace.route = route
    if (route.scope === 'public') return route.handle()

    const authenticated = await authenticate(c, request)
    trace.authenticated = authenticated
    const gate = createGate(authorizer, authenticated, route.permission)
    trace.gate = gate
    const input = { json: undefined, query: NO_PARAMETERS, pathKey: undefined }
    const work = { gate, input, authenticated, rawKey: found.rawKey, requestId: trace.requestId }
    if (route.scope === 'key') return callKeyRoute(route, work)
    gate.requireService()
    trace.admitted = true
    return call(route, work)
  }

  /** Denial comes first: a refusal that says something else is only for those who may do this to the key it is about. */
  async function callKeyRoute(route: KeyRoute, work: Work): Promise<Reply> {
    try {
      return await call(route, work)
    } catch (error) {
      if (!work.gate.passed && !isKmsError(error, 'AccessDenied')) await judgeRefused(route, work, error)
      throw error
    }
  }

  async function judgeRefused(route: KeyRoute, { gate, input }: Work, error: unknown): Promise<void> {
    const claim = route.key(input, manager)
    if (claim !== undefined && 'id' in claim) {
      gate.authorize(claim.id)
      return
    }
    // What core could not resolve just now would fail again, only later.
    if (claim !== undefined && publicError(error).status < 500) {
      try {
        await manager.keys.describe({ key: claim.reference, authorize: gate.authorize })
      } catch (unresolved) {
        if (isKmsError(unresolved, 'AccessDenied')) throw unresolved
      }
    }
    gate.requireSomeKey()
  }

  async function call(route: ServiceRoute | KeyRoute, work: Work): Promise<Reply> {
    const { gate, input, rawKey } = work
    const { request, principal, peer, body } = work.authenticated
    const isPost = request.method === 'POST'
    if (rawKey !== undefined) input.pathKey = decodePercent(rawKey)
    input.query = readQuery(request.rawQuery)
    if (isPost) {
      input.json = readJson(body)
      if (input.query.size > 0) refuseUnknownParameters(input.query, Object.keys(route.query?.schema.shape ?? {}))
    }
    const { address } = peer
    return route.handle({
      manager,
      caller: { principal: principal.name, requestId: work.requestId, ...(address === undefined ? {} : { address }) },
      body: isPost ? (route.body ?? noBody).read(input.json) : undefined,
      query: route.query?.read(input.query),
      pathKey: input.pathKey,
      ifMatch: headerOf(request, 'if-match'),
      authorize: gate.authorize,
      learn: gate.learn,
    })
  }

  function refuse(c: Context, error: unknown, trace: Trace): Response {
    const { code, status, message, retryAfterSeconds } = publicError(error)
    const { requestId: id, route, allow } = trace
    if (status >= 500) log?.({ event: 'failure', requestId: id, error })
    if (isSigV4Error(error) && error.computed !== undefined) {
      log?.({ event: 'signature', requestId: id, computed: error.computed })
    }
    note(trace, status, code)
    const state = route?.lifecycle === true && trace.admitted === true ? { status: manager.status().status } : undefined
    const body = { success: false, code, message, request_id: id, ...state }
    return write(c, id, status, body, route?.indented === true, {
      ...(allow === undefined ? {} : { allow }),
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    })
  }

  function note(
    { requestId: id, request, route, authenticated, gate, startedAt }: Trace,
    status: number,
    code?: string,
  ) {
    log?.({
      event: 'request',
      requestId: id,
      operation: route?.operation,
      method: request.method,
      path: request.rawPath,
      principal: authenticated?.principal.name,
      accessKeyId: authenticated?.principal.accessKeyId,
      address: authenticated?.peer.address,
      keyId: gate?.keyId,
      status,
      code,
      milliseconds: now() - startedAt,
    })
  }

  const app = new Hono()
  app.all('*', (c) => answer(c))
  // Hono's own handler would print the error.
  app.onError((error, c) => refuse(c, error, traceOf(c)))
  return {
    app,
    authenticate: (c) => authenticate(c),
    authorize({ principal, context }, action, resource) {
      const target = resource === undefined ? {} : { resource }
      if (!authorizer.authorize(principal, { action, context, ...target }).allowed) throw denied(action)
    },
    refuse: (c, error) => refuse(c, error, traceOf(c)),
  }
}

function write(
  c: Context,
  requestId: string,
  status: number,
  body: object,
  indented: boolean,
  more: Readonly<Record<string, string>> = {},
): Response {
  // A fresh object each time: the adapter writes Content-Length into it.
  const text = indented ? JSON.stringify(body, null, 2) : JSON.stringify(body)
  return c.body(text, status as ContentfulStatusCode, {
    'content-type': JSON_TYPE,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
    ...more,
  })
}
