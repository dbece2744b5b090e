import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import { FRAME_ALGORITHM, FRAME_BYTES, FRAME_TAG_BYTES, frameNonce, SEALED_FRAME_BYTES } from './frame-cipher.ts'

type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

export interface SealSizedOptions {
  readonly key: KeyObject
  /** Plaintext bytes of the whole stream. */
  readonly size: number
  /** What to throw when the source has more or fewer. */
  readonly wrongSize: () => Error
}

/**
 * `sealFrames` for a stream whose size is known beforehand, and with it which frame is the last: no byte is copied or held
 * back. Yields pieces of frames as the source is cut.
 */
export async function* sealSizedFrames(
  source: ByteSource,
  { key, size, wrongSize }: SealSizedOptions,
): AsyncGenerator<Buffer, void, undefined> {
  let frame = 0
  let left = size
  let room = Math.min(left, FRAME_BYTES)
  const begin = () => createCipheriv(FRAME_ALGORITHM, key, frameNonce(frame, left <= FRAME_BYTES))
  let cipher = begin()
  for await (const chunk of source) {
    for (let offset = 0; offset < chunk.length; ) {
      if (left === 0) throw wrongSize()
      const piece = chunk.subarray(offset, offset + room)
      offset += piece.length
      room -= piece.length
      yield cipher.update(piece)
      if (room > 0) continue
      cipher.final()
      yield cipher.getAuthTag()
      left -= Math.min(left, FRAME_BYTES)
      if (left === 0) continue
      frame += 1
      room = Math.min(left, FRAME_BYTES)
      cipher = begin()
    }
  }
  if (left > 0) throw wrongSize()
  if (size > 0) return
  cipher.final()
  yield cipher.getAuthTag()
}

export interface OpenSizedOptions {
  readonly key: KeyObject
  /** Sealed bytes the source must have: whole frames, and the stream's last one if `endsStream`. */
  readonly sealedSize: number
  /** Number of the frame the source begins with; 0 unless given. */
  readonly firstFrame?: number
  /** Whether the source ends with the stream's last frame; true unless given. */
  readonly endsStream?: boolean
  /** What to throw when a frame is not the one it should be, or bytes are missing or left over. */
  readonly damaged: () => Error
}

/**
 * `openFrames` for a known number of bytes: nothing is copied, and the plaintext of a frame is held back only until its
 * tag was verified. Memory: the plaintext of one frame.
 */
export async function* openSizedFrames(
  source: ByteSource,
  { key, sealedSize, firstFrame = 0, endsStream = true, damaged }: OpenSizedOptions,
): AsyncGenerator<Buffer, void, undefined> {
  let frame = firstFrame
  let left = sealedSize
  let held: Buffer[] = []
  let tagged = 0
  const tag = Buffer.alloc(FRAME_TAG_BYTES)
  const begin = () =>
    createDecipheriv(FRAME_ALGORITHM, key, frameNonce(frame, endsStream && left <= SEALED_FRAME_BYTES))
  const size = () => Math.min(left, SEALED_FRAME_BYTES) - FRAME_TAG_BYTES
  let room = size()
  if (room < 0) throw damaged()
  let decipher = begin()
  try {
    for await (const chunk of source) {
      for (let offset = 0; offset < chunk.length; ) {
        if (left === 0) throw damaged()
        if (room > 0) {
          const piece = chunk.subarray(offset, offset + room)
          offset += piece.length
          room -= piece.length
          held.push(decipher.update(piece))
          continue
        }
        const part = chunk.subarray(offset, offset + FRAME_TAG_BYTES - tagged)
        tag.set(part, tagged)
        offset += part.length
        tagged += part.length
        if (tagged < FRAME_TAG_BYTES) continue
        decipher.setAuthTag(tag)
        try {
          decipher.final()
        } catch {
          throw damaged()
        }
        const opened = held
        held = []
        tagged = 0
        left -= Math.min(left, SEALED_FRAME_BYTES)
        if (left > 0) {
          frame += 1
          room = size()
          if (room < 0) throw damaged()
          decipher = begin()
        }
        for (const piece of opened) yield piece
      }
    }
    if (left > 0) throw damaged()
  } finally {
    for (const piece of held) piece.fill(0)
  }
}
