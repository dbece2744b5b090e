import { Buffer } from 'node:buffer'
import { kmsError } from '@kms/core'
import { openSizedFrames } from '@kms/core/internal'
import type { PartRead, StoredSegment } from './object-layout.ts'
import { isHeader, STREAM_HEADER_BYTES, type StreamSecrets } from './stream-header.ts'

/**
 * Reads a segment of what a store keeps, from its start to its end. What it returns is closed (`return()`) when reading ends early.
 */
export type FetchSegment = (segment: StoredSegment) => AsyncIterable<Uint8Array>

/**
 * The plaintext of reads, in order. The header of each stream is compared before any frame of it; a frame's plaintext is given out once all of
 * the frame was authenticated. `secretsOf` gives a part's secrets, `undefined` for plain parts. Throws `ObjectDamaged`.
 */
export async function* openParts(
  reads: readonly PartRead[],
  fetch: FetchSegment,
  secretsOf: (read: PartRead) => StreamSecrets | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  for (const read of reads) {
    const secrets = secretsOf(read)
    if (secrets === undefined) {
      yield* plainBytes(read, fetch)
      continue
    }
    const { frameBytes: sealedSize, firstFrame, endsStream } = read
    const options = { key: secrets.cipherKey, sealedSize, firstFrame, endsStream, damaged: () => damaged(read) }
    let { skip, take } = read
    for await (const piece of openSizedFrames(framesOf(read, fetch, secrets), options)) {
      const wanted = piece.subarray(skip, skip + take)
      skip -= Math.min(skip, piece.length)
      take -= wanted.length
      if (wanted.length > 0) yield wanted
    }
  }
}

/** The frames of a read, behind the header, which is compared first. */
async function* framesOf(
  read: PartRead,
  fetch: FetchSegment,
  secrets: StreamSecrets,
): AsyncGenerator<Uint8Array, void, undefined> {
  const header = Buffer.alloc(STREAM_HEADER_BYTES)
  let filled = 0
  for (const segment of read.segments) {
    for await (const chunk of fetch(segment)) {
      let frames = chunk
      if (filled < header.length) {
        const part = chunk.subarray(0, header.length - filled)
        header.set(part, filled)
        filled += part.length
        if (filled === header.length && !isHeader(header, secrets)) throw damaged(read)
        frames = chunk.subarray(part.length)
      }
      if (frames.length > 0) yield frames
    }
  }
  if (filled < header.length) throw damaged(read)
}

async function* plainBytes(read: PartRead, fetch: FetchSegment): AsyncGenerator<Buffer, void, undefined> {
  let left = read.take
  for (const segment of read.segments) {
    for await (const chunk of fetch(segment)) {
      left -= chunk.length
      if (left < 0) throw damaged(read)
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    }
  }
  if (left > 0) throw damaged(read)
}

function damaged(read: PartRead): Error {
  const number = read.segments[0]?.partNumber ?? 0
  return kmsError('ObjectDamaged', { what: number === 0 ? 'its body was changed' : `part ${number} was changed` })
}
