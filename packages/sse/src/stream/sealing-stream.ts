import { Buffer } from 'node:buffer'
import { createHash, type Hash } from 'node:crypto'
import { kmsError } from '@kms/core'
import { sealFrames, sealSizedFrames } from '@kms/core/internal'
import type { StreamSecrets } from './stream-header.ts'

/** Anything that gives bytes: an async generator, a Node `Readable`, an array of chunks. */
export type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

export interface SealingStreamOptions {
  /** Absent: the bytes are stored as they are. */
  readonly secrets: StreamSecrets | undefined
  /** Plaintext bytes, where known: nothing is copied then, and another number of bytes is an error. */
  readonly size: number | undefined
  /** Whether the MD5 of the plaintext is needed. */
  readonly md5: boolean
}

/** What is known of a stream once all of it was sealed. */
export interface SealedStream {
  readonly size: number
  readonly md5: Buffer | undefined
}

/** Seals one stream, once. */
export interface SealingStream {
  /** The bytes to store, in order. Throws `TypeError` when called again, `InvalidRequest` for another size than announced. */
  seal(source: ByteSource): AsyncGenerator<Buffer, void, undefined>
  /** Throws `TypeError` unless the bytes of {@link seal} were taken to the end. */
  result(): SealedStream
}

export function createSealingStream({ secrets, size, md5 }: SealingStreamOptions): SealingStream {
  let state: 'new' | 'sealing' | 'sealed' = 'new'
  let counted = 0
  const hash = md5 ? createHash('md5') : undefined
  let digest: Buffer | undefined

  async function* run(source: ByteSource): AsyncGenerator<Buffer, void, undefined> {
    if (size !== undefined && secrets !== undefined) {
      yield secrets.header
      yield* sealSizedFrames(hash === undefined ? source : observed(source, hash), {
        key: secrets.cipherKey,
        size,
        wrongSize,
      })
      counted = size
    } else {
      const counting = count(source)
      if (secrets === undefined) {
        for await (const chunk of counting) yield asBuffer(chunk)
      } else {
        yield secrets.header
        yield* sealFrames(counting, secrets.cipherKey)
      }
      if (size !== undefined && counted !== size) throw wrongSize()
    }
    digest = hash?.digest()
    state = 'sealed'
  }

  async function* count(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of source) {
      counted += chunk.length
      if (size !== undefined && counted > size) throw wrongSize()
      hash?.update(chunk)
      yield chunk
    }
  }

  return {
    seal(source) {
      if (state !== 'new') throw new TypeError('a stream is sealed once')
      state = 'sealing'
      return run(source)
    },
    result() {
      if (state !== 'sealed') throw new TypeError('the stream was not sealed to its end')
      return { size: counted, md5: digest }
    },
  }
}

async function* observed(source: ByteSource, hash: Hash): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    hash.update(chunk)
    yield chunk
  }
}

function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}

function wrongSize(): Error {
  return kmsError('InvalidRequest', { reason: 'The body has another size than the request announced. Send it again.' })
}
