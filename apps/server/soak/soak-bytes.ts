import { Buffer } from 'node:buffer'
import { createCipheriv, createHash, hash } from 'node:crypto'
import type { ChunkedBody } from './object-client.ts'

const CHUNK_BYTES = 1024 * 1024
const FRAME_BYTES = 65_536

/**
 * Bytes `start` to `end` of the body of a seed. Every 64 KiB of it say where they stand, so that none of them can take another's
 * place unnoticed. Chunks are the caller's.
 */
function* soakBytes(seed: string, start: number, end: number): Generator<Buffer, void> {
  const cipher = createCipheriv('aes-256-ctr', hash('sha256', seed, 'buffer'), Buffer.alloc(16))
  const block = cipher.update(Buffer.alloc(CHUNK_BYTES))
  for (let offset = start - (start % CHUNK_BYTES); offset < end; offset += CHUNK_BYTES) {
    const chunk = Buffer.from(block)
    for (let frame = 0; frame < CHUNK_BYTES; frame += FRAME_BYTES) chunk.writeDoubleBE(offset + frame, frame)
    yield chunk.subarray(Math.max(0, start - offset), Math.min(CHUNK_BYTES, end - offset))
  }
}

/** Bytes of that body, for a request. */
export function soakBody(seed: string, start: number, end: number): ChunkedBody {
  return { size: end - start, chunks: () => soakBytes(seed, start, end) }
}

/** Their SHA-256, in hex. */
export function soakHash(seed: string, start: number, end: number): string {
  const sha256 = createHash('sha256')
  for (const chunk of soakBytes(seed, start, end)) sha256.update(chunk)
  return sha256.digest('hex')
}
