import { FRAME_BYTES, FRAME_TAG_BYTES, SEALED_FRAME_BYTES } from './frame-cipher.ts'

/** Frames of a stream of `size` plaintext bytes: at least one, because an empty stream is one empty frame. */
export function frameCount(size: number): number {
  return Math.max(1, Math.ceil(size / FRAME_BYTES))
}

/** Bytes of the frames of a stream of `size` plaintext bytes, without its header. */
export function sealedSize(size: number): number {
  return size + frameCount(size) * FRAME_TAG_BYTES
}

/** Plaintext size of a stream whose frames take `sealed` bytes, or `undefined` when no stream has that size. */
export function plaintextSize(sealed: number): number | undefined {
  const frames = Math.ceil(sealed / SEALED_FRAME_BYTES)
  const size = sealed - frames * FRAME_TAG_BYTES
  return size >= 0 && sealedSize(size) === sealed ? size : undefined
}

/** Which frames hold the plaintext bytes `start`–`end` (inclusive) of a stream, and where in the sealed bytes they lie. */
export interface FrameRange {
  readonly firstFrame: number
  /** Whether the range reaches the stream's last frame. */
  readonly endsStream: boolean
  /** Offsets into the frames of the stream: from `sealedStart` up to, not including, `sealedEnd`. */
  readonly sealedStart: number
  readonly sealedEnd: number
  /** Plaintext bytes of the first frame that lie before the range. */
  readonly skip: number
}

/** `0 <= start <= end < size`, `size` being the plaintext size of the whole stream. */
export function frameRange(start: number, end: number, size: number): FrameRange {
  if (!(start >= 0 && start <= end && end < size)) throw new RangeError(`${start}-${end} is no range of ${size} bytes`)
  const firstFrame = Math.floor(start / FRAME_BYTES)
  const lastFrame = Math.floor(end / FRAME_BYTES)
  const endsStream = lastFrame === frameCount(size) - 1
  return {
    firstFrame,
    endsStream,
    sealedStart: firstFrame * SEALED_FRAME_BYTES,
    sealedEnd: endsStream ? sealedSize(size) : (lastFrame + 1) * SEALED_FRAME_BYTES,
    skip: start - firstFrame * FRAME_BYTES,
  }
}
