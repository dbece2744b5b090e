import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { signRequest } from '@kms/sigv4'

export interface ObjectRequest {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | ChunkedBody
}

/** A body that is made while it is sent. */
export interface ChunkedBody {
  readonly size: number
  chunks(): Iterable<Uint8Array>
}

export interface ObjectReply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** Of a reply that is no success; and of a small one. */
  readonly text: string
  readonly size: number
  /** SHA-256 of the body received, in hex. */
  readonly sha256: string
}

/** Signed S3 requests, their bodies streamed both ways. */
export interface ObjectClient {
  send(method: string, path: string, request?: ObjectRequest): Promise<ObjectReply>
  /** Throws unless it is a success. */
  ok(method: string, path: string, request?: ObjectRequest): Promise<ObjectReply>
  /** Begins a request; the rest is the caller's. */
  begin(method: string, path: string, headers: Readonly<Record<string, string>>): ClientRequest
  /** Closes connections that are kept. */
  forgetConnections(): void
}

/** Larger replies are hashed and let go. */
const KEPT_BYTES = 64 * 1024

export function createObjectClient(url: string): ObjectClient {
  const agent = new Agent({ keepAlive: true })

  function begin(method: string, path: string, more: Readonly<Record<string, string>>): ClientRequest {
    const signed = signRequest({
      method,
      url: `${url}${path}`,
      headers: more,
      payloadHash: 'UNSIGNED-PAYLOAD',
      credentials: { accessKeyId: 'admin', secretAccessKey: 'admin' },
      region: 'us-east-1',
      service: 's3',
    })
    return request(`${url}${path}`, { method, headers: signed, agent })
  }

  async function send(method: string, path: string, { headers = {}, body }: ObjectRequest = {}): Promise<ObjectReply> {
    const outgoing = begin(method, path, headers)
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve)
      outgoing.on('error', reject)
    })
    answered.catch(() => {})
    if (body === undefined) outgoing.end()
    else if (body instanceof Uint8Array) outgoing.setHeader('content-length', body.length).end(body)
    else {
      outgoing.setHeader('content-length', body.size)
      const sending = pipeline(Readable.from(body.chunks(), { objectMode: false }), outgoing)
      // A reply that comes early says more than the connection that ends behind it.
      await Promise.race([sending, answered])
      sending.catch(() => {})
    }
    const incoming = await answered
    const sha256 = createHash('sha256')
    const kept: Buffer[] = []
    let size = 0
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      sha256.update(chunk)
      size += chunk.length
      if (size <= KEPT_BYTES) kept.push(chunk)
    }
    return {
      status: incoming.statusCode ?? 0,
      headers: incoming.headers,
      text: Buffer.concat(kept).toString('utf8'),
      size,
      sha256: sha256.digest('hex'),
    }
  }

  return {
    send,
    async ok(method, path, options) {
      const reply = await send(method, path, options)
      if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`)
      return reply
    },
    begin,
    forgetConnections: () => agent.destroy(),
  }
}
