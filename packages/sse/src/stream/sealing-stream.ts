import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { kmsError } from '@kms/core'
import { createSizedSealer, sealFrames } from '@kms/core/internal'
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
  /** Awaited before anything is given out or taken of the source. */
  readonly onBegin?: () => Promise<void>
  /** Told when the source failed, or whoever reads stopped. */
  readonly onFailure: () => void
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

export function createSealingStream({ secrets, size, md5, onBegin, onFailure }: SealingStreamOptions): SealingStream {
  let state: 'new' | 'sealing' | 'sealed' = 'new'
  let counted = 0
  const hash = md5 ? createHash('md5') : undefined
  let digest: Buffer | undefined

  function observe(chunk: Uint8Array): void {
    counted += chunk.length
    if (size !== undefined && counted > size) throw wrongSize()
    hash?.update(chunk)
  }

  async function* observed(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of source) {
      observe(chunk)
      yield chunk
    }
  }

  async function* run(source: ByteSource): AsyncGenerator<Buffer, void, undefined> {
    try {
      await onBegin?.()
      if (secrets === undefined) {
        for await (const chunk of source) {
          observe(chunk)
          yield asBuffer(chunk)
        }
      } else if (size === undefined) {
        yield secrets.header
        yield* sealFrames(observed(source), secrets.cipherKey)
      } else {
        yield secrets.header
        const sealer = createSizedSealer({ key: secrets.cipherKey, size, wrongSize })
        for await (const chunk of source) {
          observe(chunk)
          for (const piece of sealer.push(chunk)) yield piece
        }
        for (const piece of sealer.end()) yield piece
      }
      if (size !== undefined && counted !== size) throw wrongSize()
      digest = hash?.digest()
      state = 'sealed'
    } finally {
      if (state !== 'sealed') onFailure()
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

function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}

function wrongSize(): Error {
  return kmsError('InvalidRequest', { reason: 'The body has another size than the request announced. Send it again.' })
}
