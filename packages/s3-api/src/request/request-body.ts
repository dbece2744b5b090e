import { Buffer } from 'node:buffer'
import { createHash, hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import {
  type Checksum,
  type ChecksumAlgorithm,
  checkPayload,
  createChecksum,
  type DecodedBody,
  type SignedRequest,
} from '@kms/sigv4'
import { s3Error } from '../s3-error.ts'
import type { DeclaredDigests } from './digests.ts'
import type { HeaderMap } from './header-map.ts'
import type { ReceivedRequest } from './received-request.ts'

/** A body, read once: its bytes are good when reading it has ended, and not before. */
export interface RequestBody {
  /** Bytes of the content, as far as the request says. */
  readonly size: number | undefined
  /**
   * Throws `IncompleteBody` when the client goes away, `BadDigest` for a checksum that does not fit, `XAmzContentSHA256Mismatch`, and what the chunk
   * decoder throws. `compute`: an algorithm the checksum is wanted in, whether the client sent one or not.
   */
  chunks(compute?: ChecksumAlgorithm): AsyncGenerator<Uint8Array, void>
  /** Bytes of the content, as far as it was read. */
  readonly received: number
  /** After the end: what the client sent, else what was to be computed. */
  checksum(): Checksum | undefined
}

export interface RequestBodyOptions {
  readonly received: ReceivedRequest
  readonly headers: HeaderMap
  /** Absent: nothing was signed. */
  readonly claim?: SignedRequest
  /** Read already, because the signature is over it. */
  readonly buffered?: Buffer
  readonly digests: DeclaredDigests
  readonly decodeChunks: (claim: SignedRequest, source: AsyncIterable<Uint8Array>) => DecodedBody
}

export function createRequestBody(options: RequestBodyOptions): RequestBody {
  const { claim, digests } = options
  const payload = claim?.payload
  let found: Checksum | undefined
  let received = 0

  async function* chunks(compute?: ChecksumAlgorithm): AsyncGenerator<Uint8Array, void> {
    const wanted = new Set([digests.checksum?.algorithm, compute].filter((algorithm) => algorithm !== undefined))
    const running = [...wanted].map(createChecksum)
    const source = wire(options)
    const decoded = claim !== undefined && payload?.kind === 'chunked' ? options.decodeChunks(claim, source) : undefined
    try {
      for await (const chunk of decoded ?? signed(options, source)) {
        received += chunk.length
        for (const checksum of running) checksum.update(chunk)
        yield chunk
      }
    } finally {
      // The decoder leaves its source open; what is left must be taken off the connection.
      await source.return()
    }
    const computed = running.map((checksum) => checksum.digest())
    if (digests.checksum !== undefined) requireEqual(digests.checksum, computed)
    found = digests.checksum ?? decoded?.checksum ?? computed[0]
    if (compute !== undefined) found = computed.find(({ algorithm }) => algorithm === compute) ?? found
  }

  return {
    size: sizeOf(options),
    chunks,
    checksum: () => found,
    get received() {
      return received
    },
  }
}

function sizeOf({ headers, claim, buffered }: RequestBodyOptions): number | undefined {
  if (buffered !== undefined) return buffered.length
  if (claim?.payload.kind === 'chunked') return claim.payload.decodedLength
  const announced = headers.get('content-length')
  return announced === undefined ? undefined : Number(announced)
}

/** The bytes a signature is over, unless it is one of chunks. */
async function* signed(
  { claim }: RequestBodyOptions,
  source: AsyncGenerator<Uint8Array, void>,
): AsyncGenerator<Uint8Array, void> {
  if (claim?.payload.kind !== 'sha256') {
    yield* source
    return
  }
  const sha256 = createHash('sha256')
  for await (const chunk of source) {
    sha256.update(chunk)
    yield chunk
  }
  checkPayload(claim, { sha256: sha256.digest('hex') })
}

/** What comes over the connection. Ending early leaves the connection as it is: a reply is still to be sent over it. */
async function* wire({ received: { body }, buffered }: RequestBodyOptions): AsyncGenerator<Uint8Array, void> {
  if (buffered !== undefined) yield buffered
  else if (body !== null) yield* readWire(body)
}

async function* readWire(body: IncomingMessage | ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const source: AsyncIterable<Uint8Array> =
    body instanceof ReadableStream
      ? (body.values({ preventCancel: true }) as AsyncIterable<Uint8Array>)
      : (body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>)
  const iterator = source[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await iterator.next().catch((error: unknown) => {
        throw s3Error('IncompleteBody', { cause: error })
      })
      if (next.done === true) return
      yield next.value
    }
  } finally {
    await iterator.return?.().catch(() => {})
  }
}

function requireEqual({ algorithm, value }: Checksum, computed: readonly Checksum[]): void {
  if (computed.some((checksum) => checksum.algorithm === algorithm && checksum.value === value)) return
  throw s3Error('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`)
}

/**
 * Reads a small body whole, its Content-MD5 checked. Throws `MaxMessageLengthExceeded` above `limit` bytes, counted as they arrive, and what reading
 * throws.
 */
export async function readSmallBody(body: RequestBody, limit: number, digests: DeclaredDigests): Promise<Buffer> {
  const tooLarge = (): Error =>
    s3Error('MaxMessageLengthExceeded', { details: { MaxMessageLengthBytes: String(limit) } })
  if (body.size !== undefined && body.size > limit) throw tooLarge()
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const chunk of body.chunks()) {
    size += chunk.length
    if (size > limit) throw tooLarge()
    pieces.push(chunk)
  }
  const bytes = Buffer.concat(pieces, size)
  const { contentMd5 } = digests
  if (contentMd5 !== undefined && !hash('md5', bytes, 'buffer').equals(contentMd5)) throw s3Error('BadDigest')
  return bytes
}

/** Reads a body that no hash was announced for, so that the signature can be checked. */
export async function bufferBody({ body }: ReceivedRequest, headers: HeaderMap, limit: number): Promise<Buffer> {
  const tooLarge = (): Error => s3Error('MissingContentSHA256')
  if (Number(headers.get('content-length') ?? 0) > limit) throw tooLarge()
  if (body === null) return Buffer.alloc(0)
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const chunk of readWire(body)) {
    size += chunk.length
    if (size > limit) throw tooLarge()
    pieces.push(chunk)
  }
  return Buffer.concat(pieces, size)
}
