import { Buffer } from 'node:buffer'
import { createSizedOpener } from '@kms/core/internal'
import { damaged } from './damaged.ts'
import type { PartRead, StoredSegment } from './object-layout.ts'
import { isHeader, STREAM_HEADER_BYTES, type StreamSecrets } from './stream-header.ts'

/**
 * Reads a segment of what a store keeps, from its start to its end. What it returns is closed (`return()`) when reading ends early.
 */
export type FetchSegment = (segment: StoredSegment) => AsyncIterable<Uint8Array>

/** Turns the stored bytes of one read into its plaintext. */
interface PartOpener {
  push(stored: Uint8Array): Iterable<Buffer>
  end(): void
  discard(): void
}

/**
 * The plaintext of reads, in order, as many pieces at a time as what was fetched at once gave. The header of each stream is compared before any frame of it; a frame's plaintext is given out once all of
 * the frame was authenticated. `secretsOf` gives a part's secrets, `undefined` for plain parts; `onEnd` is told that reading is over, however.
 * Throws `ObjectDamaged`.
 */
export async function* openParts(
  reads: readonly PartRead[],
  fetch: FetchSegment,
  secretsOf: (read: PartRead) => StreamSecrets | undefined,
  onEnd: () => void,
): AsyncGenerator<readonly Buffer[], void, undefined> {
  let opener: PartOpener | undefined
  try {
    for (const read of reads) {
      const secrets = secretsOf(read)
      opener = secrets === undefined ? plainPart(read) : sealedPart(read, secrets)
      for (const segment of read.segments) {
        for await (const chunk of fetch(segment)) {
          const pieces: Buffer[] = []
          try {
            for (const piece of opener.push(chunk)) pieces.push(piece)
          } finally {
            // Frames before a damaged one are whole.
            if (pieces.length > 0) yield pieces
          }
        }
      }
      opener.end()
    }
  } finally {
    opener?.discard()
    onEnd()
  }
}

function sealedPart(read: PartRead, secrets: StreamSecrets): PartOpener {
  const { frameBytes: sealedSize, firstFrame, endsStream } = read
  const frames = createSizedOpener({
    key: secrets.cipherKey,
    sealedSize,
    firstFrame,
    endsStream,
    damaged: () => damaged(read),
  })
  const header = Buffer.alloc(STREAM_HEADER_BYTES)
  let filled = 0
  let { skip, take } = read

  /** What of the stored bytes is frames: all of them, once the header was compared. */
  function behindHeader(stored: Uint8Array): Uint8Array {
    if (filled === header.length) return stored
    const part = stored.subarray(0, header.length - filled)
    header.set(part, filled)
    filled += part.length
    if (filled === header.length && !isHeader(header, secrets)) throw damaged(read)
    return stored.subarray(part.length)
  }

  return {
    *push(stored) {
      for (const piece of frames.push(behindHeader(stored))) {
        const wanted = skip === 0 && piece.length <= take ? piece : piece.subarray(skip, skip + take)
        skip -= Math.min(skip, piece.length)
        take -= wanted.length
        if (wanted.length > 0) yield wanted
      }
    },
    end: () => frames.end(),
    discard: () => frames.discard(),
  }
}

function plainPart(read: PartRead): PartOpener {
  let left = read.take
  return {
    push(stored) {
      left -= stored.length
      if (left < 0) throw damaged(read)
      return stored.length === 0 ? [] : [Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)]
    },
    end() {
      if (left > 0) throw damaged(read)
    },
    discard() {},
  }
}
