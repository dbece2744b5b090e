import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { connectionError, failedConnection } from './connection-error.ts'

export interface StreamRequest {
  readonly method: string
  /** Sent as it is. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: AsyncIterable<Uint8Array>
  /** Of the body, in bytes. */
  readonly length?: number
}

export interface StreamReply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: IncomingMessage
}

/** How long a body waits for the server's word to send it; a server that knows nothing of it gets it then. */
const CONTINUE_MS = 1000

/** Sends requests whose bodies are streams. Rejects when nothing moves for `timeoutMs`. */
export function createStreamTransport(options: {
  readonly origin: string
  readonly timeoutMs: number
  readonly ca?: string
}): { send(request: StreamRequest): Promise<StreamReply>; close(): void } {
  const { origin, timeoutMs, ca } = options
  const secure = origin.startsWith('https:')
  const agent = secure
    ? new HttpsAgent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) })
    : new HttpAgent({ keepAlive: true })
  return {
    send: ({ method, target, headers, body, length }) =>
      new Promise((resolve, reject) => {
        const { hostname, port } = new URL(origin)
        const own = body === undefined ? {} : { 'content-length': String(length), expect: '100-continue' }
        const outgoing: ClientRequest = (secure ? requestHttps : requestHttp)({
          agent,
          hostname: hostname.replace(/^\[|\]$/g, ''),
          port,
          method,
          path: target,
          headers: { ...headers, ...own },
          timeout: timeoutMs,
        })
        outgoing.on('timeout', () =>
          outgoing.destroy(connectionError('RequestTimeout', `Nothing moved for ${timeoutMs / 1000} s.`, false)),
        )
        outgoing.on('error', (error) => reject(failedConnection(error, origin)))
        let sent = body === undefined
        let patience: NodeJS.Timeout | undefined
        outgoing.on('response', (incoming) => {
          clearTimeout(patience)
          // A request whose body nobody wanted is over, and so is its connection.
          if (!sent) incoming.once('end', () => outgoing.destroy())
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: incoming })
        })
        if (body === undefined) {
          outgoing.end()
          return
        }
        let broken: unknown
        async function* read(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
          try {
            yield* source
          } catch (error) {
            broken = error
            throw error
          }
        }
        const sendBody = (): void => {
          clearTimeout(patience)
          if (sent) return
          sent = true
          pipeline(Readable.from(read(body)), outgoing).catch((error: Error) =>
            reject(broken ?? failedConnection(error, origin)),
          )
        }
        patience = setTimeout(sendBody, CONTINUE_MS)
        outgoing.on('continue', sendBody)
        outgoing.on('close', () => clearTimeout(patience))
        outgoing.flushHeaders()
      }),
    close: () => agent.destroy(),
  }
}
