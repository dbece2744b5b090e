import { Buffer } from 'node:buffer'
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { KmsClientError } from './client-error.ts'

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

/** Errors of a connection that was never there: nothing was sent. */
const NOT_CONNECTED = /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/
const NOT_TRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)|^ERR_TLS|^ERR_SSL|^EPROTO$/

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
          if (cause instanceof KmsClientError) return reject(cause)
          const code = cause.code ?? 'unknown'
          const { origin } = new URL(url)
          if (NOT_TRUSTED.test(code)) {
            const message = `The server at ${origin} could not prove who it is (${code}). Give the certificate authority that signed for it.`
            return reject(connectionError('CertificateRefused', message, true, cause))
          }
          const message = `The server at ${origin} could not be reached (${code}).`
          reject(connectionError('ConnectionFailed', message, NOT_CONNECTED.test(code), cause))
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

function connectionError(code: string, message: string, notSent: boolean, cause?: unknown): KmsClientError {
  const facts = { code, status: 0, requestId: undefined, retryAfterSeconds: undefined, notSent }
  return new KmsClientError(message, facts, cause === undefined ? undefined : { cause })
}
