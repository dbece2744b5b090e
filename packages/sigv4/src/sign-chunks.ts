import { type ByteReader, createByteReader } from './byte-reader.ts'
import { type ChecksumAlgorithm, checksumBytes, checksumHeader, createChecksum } from './checksum.ts'
import { createSignatureChain } from './chunk-signature.ts'
import { CHUNKED_CODING } from './chunked-payload.ts'
import type { ChunkedForm } from './payload.ts'
import { type SigningDestination, signWithHeader } from './sign-request.ts'
import type { SigningOptions } from './signing-input.ts'
import { deriveSigningKey } from './signing-key.ts'

export type SignChunksOptions = SigningOptions &
  SigningDestination & {
    /** The body, in pieces of any size. */
    readonly body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
    /** Its size in bytes. */
    readonly decodedLength: number
    /** Size of all chunks but the last, in bytes: at least 8192, 65 536 unless given. */
    readonly chunkBytes?: number
    /** Sent and checked after the last chunk; none unless given. */
    readonly checksum?: ChecksumAlgorithm | undefined
    /** `false` leaves the chunks unsigned: for TLS only. Needs a checksum. `true` unless given. */
    readonly signed?: boolean
  }

/** A request ready to send. */
export interface ChunkedRequest {
  /** As `signRequest` returns them, with those of chunked bodies. */
  readonly headers: Record<string, string>
  /** What goes over the wire, to be read once. Rejects with `RangeError` when `body` has another size than it should. */
  readonly body: AsyncGenerator<Uint8Array, void, undefined>
  /** Size of that in bytes: the `Content-Length` to send. */
  readonly encodedLength: number
}

const MIN_CHUNK_BYTES = 8192
const CRLF = Buffer.from('\r\n')

/**
 * Signs an upload whose body is not known in advance, in the `aws-chunked` encoding. Throws `RangeError` for sizes out of
 * bounds, `TypeError` for an unsigned body without a checksum, and as `signRequest`.
 */
export function signChunks(options: SignChunksOptions): ChunkedRequest {
  const { decodedLength, chunkBytes = 65_536, checksum, signed = true } = options
  if (!Number.isSafeInteger(decodedLength) || decodedLength < 0) {
    throw new RangeError('decodedLength must be a whole number of bytes.')
  }
  if (!Number.isSafeInteger(chunkBytes) || chunkBytes < MIN_CHUNK_BYTES) {
    throw new RangeError(`chunkBytes must be a whole number from ${MIN_CHUNK_BYTES}.`)
  }
  const { headers, signature, time } = signWithHeader(options, formOf(signed, checksum), [
    ['content-encoding', CHUNKED_CODING],
    ['x-amz-decoded-content-length', String(decodedLength)],
    ...(checksum === undefined ? [] : [['x-amz-trailer', checksumHeader(checksum)] as const]),
  ])
  const key = deriveSigningKey(options.credentials.secretAccessKey, time.scope)
  const chain = signed ? createSignatureChain(key, time.timestamp, time.scope, signature) : undefined
  const running = checksum === undefined ? undefined : createChecksum(checksum)

  const chunkHeader = (data: Uint8Array): string =>
    `${data.length.toString(16)}${chain === undefined ? '' : `;chunk-signature=${chain.chunk(data).toString('hex')}`}\r\n`

  async function* chunks(reader: ByteReader): AsyncGenerator<Uint8Array, void, undefined> {
    for (let missing = decodedLength; missing > 0; ) {
      const data = await reader.readExactly(Math.min(chunkBytes, missing))
      if (data === undefined) throw new RangeError('The body is shorter than decodedLength.')
      missing -= data.length
      running?.update(data)
      yield Buffer.concat([Buffer.from(chunkHeader(data)), data, CRLF])
    }
    if ((await reader.readSome(1)) !== undefined) throw new RangeError('The body is longer than decodedLength.')
    let end = chunkHeader(new Uint8Array(0))
    if (running !== undefined) {
      const { algorithm, value } = running.digest()
      const trailer = `${checksumHeader(algorithm)}:${value}`
      end += `${trailer}\r\n`
      if (chain !== undefined) end += `x-amz-trailer-signature:${chain.trailer(`${trailer}\n`).toString('hex')}\r\n`
    }
    yield Buffer.from(`${end}\r\n`)
  }

  async function* encode(): AsyncGenerator<Uint8Array, void, undefined> {
    const iterator = iteratorOf(options.body)
    try {
      yield* chunks(createByteReader(iterator))
    } finally {
      await iterator.return?.()
    }
  }

  return { headers, body: encode(), encodedLength: encodedLength(decodedLength, chunkBytes, signed, checksum) }
}

function formOf(signed: boolean, checksum: ChecksumAlgorithm | undefined): ChunkedForm {
  if (signed) return `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${checksum === undefined ? '' : '-TRAILER'}`
  if (checksum === undefined) throw new TypeError('An unsigned chunked body needs a checksum.')
  return 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
}

function encodedLength(
  decodedLength: number,
  chunkBytes: number,
  signed: boolean,
  checksum: ChecksumAlgorithm | undefined,
): number {
  const overhead = 2 * CRLF.length + (signed ? ';chunk-signature='.length + 64 : 0)
  const chunk = (size: number): number => size.toString(16).length + overhead + size
  const rest = decodedLength % chunkBytes
  let length = ((decodedLength - rest) / chunkBytes) * chunk(chunkBytes) + (rest > 0 ? chunk(rest) : 0) + chunk(0)
  if (checksum !== undefined) {
    length += checksumHeader(checksum).length + 1 + 4 * Math.ceil(checksumBytes[checksum] / 3) + CRLF.length
    if (signed) length += 'x-amz-trailer-signature:'.length + 64 + CRLF.length
  }
  return length
}

function iteratorOf(body: SignChunksOptions['body']): AsyncIterator<Uint8Array> | Iterator<Uint8Array> {
  return Symbol.asyncIterator in body ? body[Symbol.asyncIterator]() : body[Symbol.iterator]()
}
