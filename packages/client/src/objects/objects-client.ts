import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { signChunks, signRequest } from '@kms/sigv4'
import { connectionError } from '../connection-error.ts'
import type { KmsClientOptions } from '../kms-client.ts'
import { createRepeater } from '../repeat.ts'
import { createStreamTransport, type StreamReply } from '../stream-transport.ts'
import { readListing } from './read-listing.ts'
import { readRefusal } from './read-refusal.ts'

export type ObjectsClientOptions = Omit<KmsClientOptions, 'credentials' | 'transport'> &
  Required<Pick<KmsClientOptions, 'credentials'>>

export interface ObjectName {
  readonly bucket: string
  readonly key: string
}

/** How an object is to be encrypted; without anything, as its bucket says. */
export interface ObjectProtection {
  readonly sse?: 'aws:kms' | 'AES256'
  readonly kmsKeyId?: string
  /** Whether one data key may serve several objects of the bucket. */
  readonly bucketKey?: boolean
  /** Authenticated with the object, never secret. */
  readonly context?: Readonly<Record<string, string>>
}

export interface ObjectHead {
  /** Bytes of its plaintext; absent of an upload, whose sender knows. */
  readonly size: number | undefined
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  readonly contentType: string | undefined
  /** `aws:kms`, `AES256`; absent when it is not encrypted by the server. */
  readonly sse: string | undefined
  readonly kmsKeyId: string | undefined
  readonly bucketKey: boolean
}

export interface ListedObject {
  readonly key: string
  readonly size: number
  readonly lastModified: string
}

/** S3 as far as looking after encrypted objects needs it; bodies are streams. Rejects as `KmsClient` does. */
export interface ObjectsClient {
  makeBucket(bucket: string): Promise<void>
  buckets(): Promise<readonly string[]>
  /** Every byte is signed, and a checksum follows. `open` may be called again when nothing was sent. */
  put(
    name: ObjectName,
    body: { readonly size: number; readonly open: () => AsyncIterable<Uint8Array> },
    options?: ObjectProtection & { readonly contentType?: string },
  ): Promise<ObjectHead>
  /** The body must be read to its end, or destroyed; it fails when it is not all there. */
  get(name: ObjectName): Promise<ObjectHead & { readonly body: Readable }>
  head(name: ObjectName): Promise<ObjectHead>
  /** In the order of keys, page by page. */
  list(bucket: string, prefix?: string): AsyncIterable<ListedObject>
  remove(name: ObjectName): Promise<void>
  close(): void
}

/** Of a signed chunk. */
const CHUNK_BYTES = 1024 * 1024

export function createObjectsClient(options: ObjectsClientOptions): ObjectsClient {
  const { credentials, region = 'us-east-1', timeoutMs = 60_000, ca } = options
  const { origin, host, pathname } = new URL(options.endpoint)
  const base = pathname.replace(/\/+$/, '')
  const transport = createStreamTransport({ origin, timeoutMs, ...(ca === undefined ? {} : { ca }) })
  const repeat = createRepeater({ ...options, timeoutMs })
  const signing = { credentials, region, service: 's3' }

  const send = (method: string, path: string, repeatable: boolean): Promise<StreamReply> =>
    repeat(async () => {
      const target = base + path
      const headers = signRequest({ method, target, host, ...signing })
      return accepted(await transport.send({ method, target, headers }))
    }, repeatable)
  const text = async (method: string, path: string): Promise<string> => {
    const { body } = await send(method, path, true)
    return (await body.setEncoding('utf8').toArray()).join('')
  }
  const finish = async (pending: Promise<StreamReply>): Promise<IncomingHttpHeaders> => {
    const { headers, body } = await pending
    body.resume()
    return headers
  }

  return {
    makeBucket: async (bucket) => void (await finish(send('PUT', `/${encode(bucket)}`, false))),
    buckets: async () => readListing(await text('GET', '/')).buckets,

    async put(name, { size, open }, { contentType, ...protection } = {}) {
      const attempt = async (): Promise<StreamReply> => {
        const target = base + pathOf(name)
        const { headers, body, encodedLength } = signChunks({
          method: 'PUT',
          target,
          host,
          ...signing,
          headers: { ...protectionHeaders(protection), ...(contentType ? { 'content-type': contentType } : {}) },
          body: open(),
          decodedLength: size,
          chunkBytes: CHUNK_BYTES,
          checksum: 'CRC64NVME',
        })
        return accepted(await transport.send({ method: 'PUT', target, headers, body, length: encodedLength }))
      }
      return { ...headOf(await finish(repeat(attempt, false))), size: undefined }
    },

    async get(name) {
      const { headers, body } = await send('GET', pathOf(name), true)
      return { ...headOf(headers), body }
    },

    head: async (name) => headOf(await finish(send('HEAD', pathOf(name), true))),

    async *list(bucket, prefix = '') {
      let token: string | undefined
      do {
        const more = token === undefined ? '' : `&continuation-token=${encode(token)}`
        const query = `encoding-type=url&list-type=2&prefix=${encode(prefix)}${more}`
        const { objects, next } = readListing(await text('GET', `/${encode(bucket)}?${query}`))
        yield* objects
        token = next
      } while (token !== undefined)
    },

    remove: async (name) => void (await finish(send('DELETE', pathOf(name), true))),
    close: () => transport.close(),
  }
}

/** Throws what a reply that is no success says. */
async function accepted(reply: StreamReply): Promise<StreamReply> {
  if (reply.status >= 200 && reply.status < 300) return reply
  throw await readRefusal(reply)
}

function pathOf({ bucket, key }: ObjectName): string {
  if (bucket === '' || key === '') throw connectionError('InvalidName', 'An object is named bucket/key.', true)
  return `/${encode(bucket)}/${key.split('/').map(encode).join('/')}`
}

/** As Signature Version 4 encodes: what `encodeURIComponent` leaves alone beyond that is encoded, too. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

const SSE = 'x-amz-server-side-encryption'

function protectionHeaders({ sse, kmsKeyId, bucketKey, context }: ObjectProtection): Record<string, string> {
  return {
    ...(sse === undefined ? {} : { [SSE]: sse }),
    ...(kmsKeyId === undefined ? {} : { [`${SSE}-aws-kms-key-id`]: kmsKeyId }),
    ...(bucketKey === undefined ? {} : { [`${SSE}-bucket-key-enabled`]: String(bucketKey) }),
    ...(context === undefined ? {} : { [`${SSE}-context`]: Buffer.from(JSON.stringify(context)).toString('base64') }),
  }
}

function headOf(headers: IncomingMessage['headers']): ObjectHead {
  const header = (name: string): string | undefined => {
    const value = headers[name]
    return typeof value === 'string' ? value : undefined
  }
  const length = header('content-length')
  return {
    size: length === undefined ? undefined : Number(length),
    etag: header('etag'),
    lastModified: header('last-modified'),
    contentType: header('content-type'),
    sse: header(SSE),
    kmsKeyId: header(`${SSE}-aws-kms-key-id`),
    bucketKey: header(`${SSE}-bucket-key-enabled`) === 'true',
  }
}
