import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createSecureContext } from 'node:tls'
import { replyJsonError } from './json-reply.ts'
import { replyRaw } from './raw-reply.ts'
import type { ListenAddress } from './setting-kinds.ts'
import { createStallWatch } from './stall-watch.ts'
import { bodyProgress, replyProgress } from './transfer-progress.ts'

/** A certificate chain and its key, in PEM. */
export interface TlsMaterial {
  readonly cert: string
  readonly key: string
}

export interface HttpServerOptions {
  readonly handler: RequestListener
  readonly tls?: TlsMaterial
  /** For tests: how long a body may stand still, either way, in milliseconds. */
  readonly bodyStallMs?: number
}

/** A listener that can end without cutting off what it has begun. */
export interface HttpServer {
  /** Whether it is ending: new work should not come here. */
  readonly draining: boolean
  /** Requests that are not answered yet. */
  readonly inFlight: number
  /** Resolves to the port; rejects with the system's error. */
  listen(address: ListenAddress): Promise<number>
  /** Uses another certificate for new connections. Throws, and keeps the old one, when the pair is not usable. */
  replaceTls(material: TlsMaterial): void
  /** Accepts nothing more, lets requests under way finish for at most `seconds`, then closes what is left. */
  drain(seconds: number): Promise<void>
}

const TLS_FLOOR = { minVersion: 'TLSv1.2' } as const

const SERVER_OPTIONS = {
  // Time spent on one request is bounded by progress, not by the clock: bodies may be large and lines slow.
  requestTimeout: 0,
  headersTimeout: 20_000,
  connectionsCheckingInterval: 5000,
  // Longer than the 60 s after which load balancers commonly drop an idle connection, so that they never meet ours closing.
  keepAliveTimeout: 75_000,
  // S3's limit for user metadata is 2 KB; signatures, contexts and session tokens take most of the rest.
  maxHeaderSize: 32 * 1024,
  // Probes of HTTP/1.0 send none; whoever needs the header looks for it.
  requireHostHeader: false,
} as const

const BODY_STALL_MS = 30_000
const BODY_LEAST_BYTES = 512

export function createHttpServer({ handler, tls, bodyStallMs = BODY_STALL_MS }: HttpServerOptions): HttpServer {
  const server: Server | TlsServer =
    tls === undefined ? createServer(SERVER_OPTIONS) : createTlsServer({ ...SERVER_OPTIONS, ...TLS_FLOOR, ...tls })
  const pace = { now: () => performance.now(), windowMs: bodyStallMs, leastBytes: BODY_LEAST_BYTES }
  const bodies = createStallWatch({ ...pace, progress: bodyProgress })
  const replies = createStallWatch({ ...pace, progress: replyProgress })
  const responses = new Set<ServerResponse>()
  let draining = false

  server.on('request', serve)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    inviteBodyWhenRead(request, response)
    serve(request, response)
  })
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    request.resume()
    replyJsonError(response, 417, 'InvalidRequest', 'The only expectation understood is 100-continue.')
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET') socket.destroy()
    else if (error.code === 'HPE_HEADER_OVERFLOW') {
      replyRaw(socket, '431 Request Header Fields Too Large', 'InvalidRequest', 'The headers are larger than 32 KiB.')
    } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
      replyRaw(socket, '408 Request Timeout', 'InvalidRequest', 'The headers did not arrive in time.')
    } else replyRaw(socket, '400 Bad Request', 'InvalidRequest', 'This is not an HTTP request that can be read.')
  })

  const timer = setInterval(() => {
    for (const request of bodies.takeStalled(requestsOf(responses))) {
      replyRaw(
        request.socket,
        '408 Request Timeout',
        'InvalidRequest',
        'The body stopped arriving. Send the request again.',
      )
    }
    for (const response of replies.takeStalled(responses)) response.destroy()
  }, bodyStallMs / 4)
  timer.unref()

  function serve(request: IncomingMessage, response: ServerResponse): void {
    responses.add(response)
    response.once('close', () => {
      responses.delete(response)
      // The parser has not yet noted that the request is over.
      if (draining) setImmediate(() => server.closeIdleConnections())
    })
    if (draining) response.shouldKeepAlive = false
    handler(request, response)
  }

  return {
    get draining() {
      return draining
    },
    get inFlight() {
      return responses.size
    },

    async listen({ host, port }) {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          resolve()
        })
      })
      return (server.address() as AddressInfo).port
    },

    replaceTls(material) {
      const secure = { ...TLS_FLOOR, ...material }
      createSecureContext(secure)
      ;(server as TlsServer).setSecureContext(secure)
    },

    async drain(seconds) {
      draining = true
      for (const response of responses) response.shouldKeepAlive = false
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      const limit = setTimeout(() => server.closeAllConnections(), seconds * 1000)
      await closed
      clearTimeout(limit)
      clearInterval(timer)
    },
  }
}

function* requestsOf(responses: Iterable<ServerResponse>): Generator<IncomingMessage> {
  for (const { req } of responses) yield req
}

/** Answers `Expect: 100-continue` when somebody begins to read: a request refused before that never sends its body. */
function inviteBodyWhenRead(request: IncomingMessage, response: ServerResponse): void {
  // Whatever arrives without an invitation cannot be told from the next request.
  response.shouldKeepAlive = false
  const invite = (event: string | symbol): void => {
    if (event !== 'data' && event !== 'readable') return
    request.off('newListener', invite)
    if (response.headersSent) return
    response.shouldKeepAlive = true
    response.writeContinue()
  }
  request.on('newListener', invite)
}
