import type { KeyObject } from 'node:crypto'
import { type ByteReader, createByteReader } from './byte-reader.ts'
import { type Checksum, checksumHeader, createChecksum, isChecksumValue, type RunningChecksum } from './checksum.ts'
import { createSignatureChain, type SignatureChain } from './chunk-signature.ts'
import { malformedTrailer } from './chunked-payload.ts'
import { type ChunkedPayload, isSha256Hex } from './payload.ts'
import type { SignedRequest } from './signed-request.ts'
import { isSignature } from './signing-key.ts'
import { SigV4Error, signatureDoesNotMatch } from './sigv4-error.ts'

export interface DecodeChunksOptions {
  /**
   * Largest signed chunk accepted, in bytes; 16 MiB unless given. One chunk is held in memory: its data is handed out only
   * once its signature was checked. (The AWS SDK for Java sends 128 KiB, minio-go 64 KiB.) Chunks of the unsigned form
   * pass through as they arrive, whatever their size.
   */
  readonly maxChunkBytes?: number
  /** Smallest chunk accepted before the last; 8192 unless given, as in S3. 0 accepts any. */
  readonly minChunkBytes?: number
}

/** The decoded body, to be read once. Nothing may be made of it before it was read to its end without an error. */
export interface DecodedBody extends AsyncIterable<Uint8Array> {
  /** The checksum that followed, once it was compared with the body; `undefined` before, and where none was announced. */
  readonly checksum: Checksum | undefined
}

const MAX_CHUNK_BYTES = 16 * 1024 * 1024
const MIN_CHUNK_BYTES = 8192
// The longest real line is a chunk header of 98 characters or a trailer of 94.
const MAX_LINE = 256
const chunkHeader = /^([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?$/
const trailerLine = /^([!-9;-~]+):[ \t]*(.*?)[ \t]*\n?$/
const TRAILER_SIGNATURE = 'x-amz-trailer-signature'

/**
 * Takes the `aws-chunked` encoding off a body and checks all it carries: signatures, sizes, checksum, end. `key` is the key
 * that made the request's signature. Throws `RangeError` for limits that are none.
 */
export function decodeChunks(
  source: AsyncIterable<Uint8Array>,
  claim: SignedRequest & { readonly payload: ChunkedPayload },
  key: KeyObject,
  options: DecodeChunksOptions = {},
): DecodedBody {
  const { maxChunkBytes = MAX_CHUNK_BYTES, minChunkBytes = MIN_CHUNK_BYTES } = options
  for (const limit of [maxChunkBytes, minChunkBytes]) {
    if (!Number.isSafeInteger(limit) || limit < 0) throw new RangeError('Chunk limits must be whole numbers of bytes.')
  }
  const { payload } = claim
  const chain = payload.signed ? createSignatureChain(key, claim.timestamp, claim, claim.signature) : undefined
  const running = payload.trailer === undefined ? undefined : createChecksum(payload.trailer)
  let checksum: Checksum | undefined

  async function* decode(): AsyncGenerator<Uint8Array, void, undefined> {
    // Not `for await`, which would close the source on an error: the server still has to answer on that connection.
    const reader = createByteReader(source[Symbol.asyncIterator]())
    let missing = payload.decodedLength
    let size = Number.POSITIVE_INFINITY
    for (;;) {
      const header = await readChunkHeader(reader, payload.signed)
      if (header.size > 0 && size < minChunkBytes) {
        throw new SigV4Error(
          'InvalidChunkSizeError',
          `Only the last chunk is allowed to have a size less than ${minChunkBytes} bytes`,
        )
      }
      size = header.size
      if (size > missing) throw incompleteBody('The chunks hold more bytes than x-amz-decoded-content-length says.')
      missing -= size
      if (chain === undefined) {
        yield* passThrough(reader, size, running)
      } else {
        if (size > maxChunkBytes) {
          throw new SigV4Error('InvalidChunkSizeError', `A signed chunk may hold at most ${maxChunkBytes} bytes.`)
        }
        const data = await reader.readExactly(size)
        if (data === undefined) throw incompleteBody()
        if (!isSignature(chain.chunk(data), header.signature)) throw signatureDoesNotMatch()
        running?.update(data)
        if (size > 0) yield data
      }
      if (size === 0) break
      if ((await reader.readLine(0)) === undefined) throw incompleteBody()
    }
    if (missing > 0) throw incompleteBody('The chunks hold fewer bytes than x-amz-decoded-content-length says.')
    const matched = running === undefined ? undefined : await readTrailer(reader, running.digest(), chain)
    if ((await reader.readLine(0)) === undefined) {
      throw running === undefined ? incompleteBody() : malformedTrailer()
    }
    if ((await reader.readSome(1)) !== undefined) throw incompleteBody('The request body goes on after its end.')
    checksum = matched
  }

  const chunks = decode()
  return {
    [Symbol.asyncIterator]: () => chunks,
    get checksum() {
      return checksum
    },
  }
}

async function readChunkHeader(
  reader: ByteReader,
  signed: boolean,
): Promise<{ readonly size: number; readonly signature: string }> {
  const [line, size, signature = ''] = chunkHeader.exec((await reader.readLine(MAX_LINE)) ?? '') ?? []
  if (line === undefined || size === undefined || (signature !== '') !== signed) throw incompleteBody()
  return { size: Number.parseInt(size, 16), signature }
}

async function* passThrough(
  reader: ByteReader,
  size: number,
  running: RunningChecksum | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let missing = size; missing > 0; ) {
    const some = await reader.readSome(missing)
    if (some === undefined) throw incompleteBody()
    missing -= some.length
    running?.update(some)
    yield some
  }
}

/** Reads the checksum that was announced, and its signature where there is one; returns it if both are right. */
async function readTrailer(
  reader: ByteReader,
  computed: Checksum,
  chain: SignatureChain | undefined,
): Promise<Checksum> {
  const { algorithm } = computed
  const value = await readTrailerLine(reader, checksumHeader(algorithm))
  if (value === undefined) throw malformedTrailer()
  if (chain !== undefined) {
    const signature = await readTrailerLine(reader, TRAILER_SIGNATURE)
    if (signature === undefined || !isSha256Hex(signature)) throw incompleteBody()
    const computedSignature = chain.trailer(`${checksumHeader(algorithm)}:${value}\n`)
    if (!isSignature(computedSignature, signature)) throw signatureDoesNotMatch()
  }
  if (!isChecksumValue(algorithm, value)) {
    throw new SigV4Error('InvalidRequest', `Value for ${checksumHeader(algorithm)} trailing header is invalid.`)
  }
  if (value !== computed.value) {
    throw new SigV4Error('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`)
  }
  return computed
}

/** The value of the next trailer; `undefined` when there is none or another one. */
async function readTrailerLine(reader: ByteReader, expected: string): Promise<string | undefined> {
  const line = await reader.readLine(MAX_LINE)
  if (line === '') return undefined
  const [whole, name, value] = trailerLine.exec(line ?? '') ?? []
  if (whole === undefined || name === undefined) throw incompleteBody()
  return name.toLowerCase() === expected ? value : undefined
}

function incompleteBody(message = 'The request body terminated unexpectedly'): SigV4Error {
  return new SigV4Error('IncompleteBody', message)
}
