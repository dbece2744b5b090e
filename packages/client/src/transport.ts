import { Buffer } from 'node:buffer'
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { connectionError, failedConnection } from './connection-error.ts'

export interface WireRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

export interface WireReply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

/** Sends one request, once. */
export interface Transport {
  send(request: WireRequest): Promise<WireReply>
  close(): void
}

/** A reply is a document of an API: what is larger is not one. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024

export function createTransport(options: { readonly ca?: string; readonly timeoutMs: number }): Transport {
  const { ca, timeoutMs } = options
  const http = new HttpAgent({ keepAlive: true })
  const https = new HttpsAgent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) })
  return {
    send: ({ method, url, headers, body }) =>
      new Promise((resolve, reject) => {
        const secure = url.startsWith('https:')
        const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
        const sent = { method, headers: { ...headers, ...length } }
        const outgoing = secure
          ? requestHttps(url, { ...sent, agent: https })
          : requestHttp(url, { ...sent, agent: http })
        const timer = setTimeout(() => {
          const message = `No reply within ${timeoutMs / 1000} s.`
          outgoing.destroy(connectionError('RequestTimeout', message, false))
        }, timeoutMs)
        const fail = (cause: NodeJS.ErrnoException): void => {
          clearTimeout(timer)
          reject(failedConnection(cause, new URL(url).origin))
        }
        outgoing.on('error', fail)
        outgoing.on('response', (incoming) => {
          const chunks: Buffer[] = []
          let size = 0
          incoming.on('data', (chunk: Buffer) => {
            size += chunk.length
            if (size <= MAX_REPLY_BYTES) chunks.push(chunk)
            else incoming.destroy(connectionError('UnreadableReply', 'The reply is larger than 64 MiB.', false))
          })
          incoming.on('error', fail)
          incoming.on('end', () => {
            clearTimeout(timer)
            const text = Buffer.concat(chunks).toString('utf8')
            resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text })
          })
        })
        outgoing.end(body)
      }),
    close() {
      http.destroy()
      https.destroy()
    },
  }
}
