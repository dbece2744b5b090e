import { Buffer } from 'node:buffer'
import { createFrameOpener, SEALED_FRAME_BYTES } from '@kms/core/internal'
import { damaged } from './damaged.ts'
import type { PartRead } from './object-layout.ts'
import { isHeader, STREAM_HEADER_BYTES, type StreamSecrets } from './stream-header.ts'

/**
 * The plaintext of reads of which all stored bytes are here. As `openParts`: the header of each stream is compared before any frame of it, and
 * nothing is returned unless every frame was authenticated. Throws `ObjectDamaged`.
 */
export function openWhole(
  reads: readonly PartRead[],
  stored: Buffer,
  secretsOf: (read: PartRead) => StreamSecrets | undefined,
): Buffer {
  const pieces: Buffer[] = []
  let offset = 0
  try {
    for (const read of reads) {
      const size = read.segments.reduce((sum, { start, end }) => sum + end - start, 0)
      const bytes = stored.subarray(offset, offset + size)
      offset += size
      if (bytes.length !== size) throw damaged(read)
      const secrets = secretsOf(read)
      if (secrets === undefined) pieces.push(bytes)
      else openStream(read, bytes, secrets, pieces)
    }
    if (offset !== stored.length) throw damaged(reads[0])
  } catch (error) {
    for (const piece of pieces) piece.fill(0)
    throw error
  }
  const [only, ...more] = pieces
  return only === undefined || more.length > 0 ? Buffer.concat(pieces) : only
}

/** Adds what of the plaintext is wanted. */
function openStream(read: PartRead, bytes: Buffer, secrets: StreamSecrets, pieces: Buffer[]): void {
  if (!isHeader(bytes.subarray(0, STREAM_HEADER_BYTES), secrets)) throw damaged(read)
  const opener = createFrameOpener(secrets.cipherKey, read.firstFrame)
  let { skip, take } = read
  for (let start = STREAM_HEADER_BYTES; start < bytes.length; start += SEALED_FRAME_BYTES) {
    const frame = bytes.subarray(start, start + SEALED_FRAME_BYTES)
    const plaintext = opener.open(frame, read.endsStream && start + frame.length === bytes.length)
    if (plaintext === undefined) throw damaged(read)
    pieces.push(skip === 0 && plaintext.length <= take ? plaintext : plaintext.subarray(skip, skip + take))
    skip = 0
    take -= pieces.at(-1)?.length ?? 0
  }
}
