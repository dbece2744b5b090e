import { Buffer } from 'node:buffer'
import type { KeyObject } from 'node:crypto'
import { createFrameOpener, createFrameSealer, FRAME_BYTES, SEALED_FRAME_BYTES } from './frame-cipher.ts'

type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** Seals a whole stream, however its bytes are cut into chunks. Memory: one frame. */
export async function* sealFrames(source: ByteSource, key: KeyObject): AsyncGenerator<Buffer, void, undefined> {
  const sealer = createFrameSealer(key)
  for await (const { frame, last } of cut(source, FRAME_BYTES)) yield* sealer.seal(frame, last)
}

export interface OpenFramesOptions {
  readonly key: KeyObject
  /** Number of the frame the source begins with. */
  readonly firstFrame?: number
  /** Whether the source ends with the stream's last frame; true unless given. */
  readonly endsStream?: boolean
  /** What to throw when a frame is not the one it should be. */
  readonly damaged: () => Error
}

/**
 * Opens frames, however their bytes are cut into chunks; yields the plaintext of a frame once all of it was authenticated.
 * Throws `damaged()` for anything but what was sealed, in order and to the end. Memory: one frame.
 */
export async function* openFrames(
  source: ByteSource,
  { key, firstFrame = 0, endsStream = true, damaged }: OpenFramesOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const opener = createFrameOpener(key, firstFrame)
  for await (const { frame, last } of cut(source, SEALED_FRAME_BYTES)) {
    const plaintext = opener.open(frame, last && endsStream)
    if (plaintext === undefined) throw damaged()
    if (plaintext.length > 0) yield plaintext
  }
}

/** Cuts bytes into pieces of `size`; the last one may be shorter, and is empty when the source is. A piece is good until the next. */
async function* cut(
  source: ByteSource,
  size: number,
): AsyncGenerator<{ readonly frame: Buffer; readonly last: boolean }, void, undefined> {
  const frame = Buffer.allocUnsafeSlow(size)
  let filled = 0
  try {
    for await (const chunk of source) {
      for (let offset = 0; offset < chunk.length; ) {
        // Whether a full frame is the last one shows only when more bytes come, or the end does.
        if (filled === size) {
          yield { frame, last: false }
          filled = 0
        }
        const part = chunk.subarray(offset, offset + size - filled)
        frame.set(part, filled)
        filled += part.length
        offset += part.length
      }
    }
    yield { frame: frame.subarray(0, filled), last: true }
  } finally {
    frame.fill(0)
  }
}
