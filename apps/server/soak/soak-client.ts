import { Buffer } from 'node:buffer'
import { Agent, request } from 'node:http'
import { signRequest } from '@kms/sigv4'

export interface SoakReply {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** Signed calls of the admin API over connections that are kept. */
export interface SoakClient {
  /** A path under `/kms/`. */
  send(method: string, path: string, body?: unknown): Promise<SoakReply>
  close(): void
}

const CREDENTIALS = { accessKeyId: 'admin', secretAccessKey: 'admin' } as const

export function createSoakClient(url: string): SoakClient {
  const agent = new Agent({ keepAlive: true })
  return {
    send: (method, path, body) => {
      const target = `${url}/rustfs/admin/v3/kms/${path}`
      const raw = body === undefined ? undefined : JSON.stringify(body)
      const headers = signRequest({
        method,
        url: target,
        body: raw,
        credentials: CREDENTIALS,
        region: 'us-east-1',
        service: 's3',
      })
      return new Promise((resolve, reject) => {
        const outgoing = request(target, { method, headers, agent }, (incoming) => {
          let text = ''
          incoming.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk
          })
          incoming.on('error', reject)
          incoming.on('end', () => {
            resolve({ status: incoming.statusCode ?? 0, body: JSON.parse(text) as SoakReply['body'] })
          })
        })
        outgoing.on('error', reject)
        // Node announces the body of a POST, but not that of a DELETE.
        if (raw !== undefined) outgoing.setHeader('content-length', Buffer.byteLength(raw))
        outgoing.end(raw)
      })
    },
    close: () => agent.destroy(),
  }
}

/** Throws unless the reply is a good one. */
export async function must(pending: Promise<SoakReply>): Promise<SoakReply> {
  const reply = await pending
  if (reply.status !== 200) throw new Error(`${reply.status} ${JSON.stringify(reply.body)}`)
  return reply
}
