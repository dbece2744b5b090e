import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request } from 'node:https'
import type { Certificate } from '../certificates.ts'
import type { OpenBao } from './openbao-server.ts'

/** What becomes of one request. */
export type Treatment =
  | 'pass'
  /** It reaches the server; the connection ends before the answer. */
  | 'lose answer'
  /** It does not reach the server, and is answered so. */
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }

/** A proxy that sees requests, with a certificate of the same authority as the server's. */
export interface HttpsProxy {
  readonly address: string
  /** Decides for each request; `GET /v1/…` as it came. */
  treat: (method: string, path: string, headers: IncomingMessage['headers']) => Treatment
  /** Sent to the server with every request. */
  readonly headers: Record<string, string>
  /** Every request, as `METHOD /path`. */
  readonly seen: readonly string[]
  close(): Promise<void>
}

export interface HttpsProxyOptions {
  readonly target: OpenBao
  /** Made by the authority of the target. */
  readonly certificate: Certificate
}

export async function startHttpsProxy({ target, certificate }: HttpsProxyOptions): Promise<HttpsProxy> {
  const seen: string[] = []
  const headers: Record<string, string> = {}

  function forward(incoming: IncomingMessage, outgoing: ServerResponse, treatment: 'pass' | 'lose answer'): void {
    const { method, url } = incoming
    const upstream = request(
      `${target.address}${url}`,
      { method, ca: target.ca, agent: false, headers: { ...incoming.headers, host: target.host, ...headers } },
      (answer) => {
        if (treatment === 'lose answer') {
          answer.resume().on('end', () => incoming.socket.destroy())
          return
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      },
    )
    upstream.on('error', () => incoming.socket.destroy())
    incoming.pipe(upstream)
  }

  const server = createServer(
    { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) },
    (incoming, outgoing) => {
      const { method = '', url = '' } = incoming
      seen.push(`${method} ${url}`)
      const treatment = proxy.treat(method, url, incoming.headers)
      if (typeof treatment === 'string') return forward(incoming, outgoing, treatment)
      incoming.resume()
      outgoing.writeHead(treatment.status, { 'content-type': 'application/json', ...treatment.headers })
      outgoing.end(treatment.body === undefined ? '' : JSON.stringify(treatment.body))
    },
  )
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as { port: number }

  const proxy: HttpsProxy = {
    address: `https://127.0.0.1:${port}`,
    treat: () => 'pass',
    headers,
    seen,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
