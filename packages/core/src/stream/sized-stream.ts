import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import {
  FRAME_ALGORITHM,
  FRAME_BYTES,
  FRAME_NONCE_BYTES,
  FRAME_TAG_BYTES,
  SEALED_FRAME_BYTES,
  setNonce,
} from './frame-cipher.ts'

export interface SizedSealerOptions {
  readonly key: KeyObject
  /** Plaintext bytes of the whole stream. */
  readonly size: number
  /** What to throw when it gets more or fewer. */
  readonly wrongSize: () => Error
}

/**
 * `sealFrames` for a stream whose size is known beforehand, and with it which frame is the last: no byte is copied or held back. It is
 * pushed rather than iterated over, so that whoever owns the loop pays for one asynchronous step per chunk.
 */
export interface SizedSealer {
  /** What the next plaintext bytes are sealed as: pieces of frames, and tags. To be taken to its end before the next call. */
  push(plaintext: Uint8Array): Generator<Buffer, void, undefined>
  /** What remains when the plaintext has ended. Throws `wrongSize()` when bytes are missing. */
  end(): readonly Buffer[]
}

export function createSizedSealer({ key, size, wrongSize }: SizedSealerOptions): SizedSealer {
  let frame = 0
  let left = size
  let room = Math.min(left, FRAME_BYTES)
  const nonce = Buffer.alloc(FRAME_NONCE_BYTES)
  const begin = () => {
    setNonce(nonce, frame, left <= FRAME_BYTES)
    return createCipheriv(FRAME_ALGORITHM, key, nonce)
  }
  let cipher = begin()
  return {
    *push(plaintext) {
      for (let offset = 0; offset < plaintext.length; ) {
        if (left === 0) throw wrongSize()
        const piece = plaintext.subarray(offset, offset + room)
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
    },
    end() {
      if (left > 0) throw wrongSize()
      if (size > 0) return []
      cipher.final()
      return [cipher.getAuthTag()]
    },
  }
}

export interface SizedOpenerOptions {
  readonly key: KeyObject
  /** Sealed bytes it will get: whole frames, and the stream's last one if `endsStream`. */
  readonly sealedSize: number
  /** Number of the first frame; 0 unless given. */
  readonly firstFrame?: number
  /** Whether the stream's last frame is the last it gets; true unless given. */
  readonly endsStream?: boolean
  /** What to throw when a frame is not the one it should be, or bytes are missing or left over. */
  readonly damaged: () => Error
}

/**
 * `openFrames` for a known number of bytes: nothing is copied, and the plaintext of a frame is held back only until its tag was verified. Memory:
 * the plaintext of one frame.
 */
export interface SizedOpener {
  /** The plaintext of the frames that are complete by now. To be taken to its end before the next call. */
  push(sealed: Uint8Array): Generator<Buffer, void, undefined>
  /** Throws `damaged()` when bytes are missing. */
  end(): void
  /** Erases what is held back. */
  discard(): void
}

export function createSizedOpener(options: SizedOpenerOptions): SizedOpener {
  const { key, sealedSize, firstFrame = 0, endsStream = true, damaged } = options
  let frame = firstFrame
  let left = sealedSize
  let held: Buffer[] = []
  let tagged = 0
  const tag = Buffer.alloc(FRAME_TAG_BYTES)
  const nonce = Buffer.alloc(FRAME_NONCE_BYTES)
  const begin = () => {
    setNonce(nonce, frame, endsStream && left <= SEALED_FRAME_BYTES)
    return createDecipheriv(FRAME_ALGORITHM, key, nonce)
  }
  const plaintextOfFrame = () => Math.min(left, SEALED_FRAME_BYTES) - FRAME_TAG_BYTES
  let room = plaintextOfFrame()
  let decipher = begin()

  function verified(): Buffer[] {
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
    frame += 1
    room = plaintextOfFrame()
    if (left > 0) decipher = begin()
    return opened
  }

  return {
    *push(sealed) {
      for (let offset = 0; offset < sealed.length; ) {
        // A last frame shorter than a tag is none.
        if (left === 0 || room < 0) throw damaged()
        if (room > 0) {
          const piece = sealed.subarray(offset, offset + room)
          offset += piece.length
          room -= piece.length
          held.push(decipher.update(piece))
          continue
        }
        const part = sealed.subarray(offset, offset + FRAME_TAG_BYTES - tagged)
        tag.set(part, tagged)
        offset += part.length
        tagged += part.length
        if (tagged === FRAME_TAG_BYTES) yield* verified()
      }
    },
    end() {
      if (left > 0) throw damaged()
    },
    discard() {
      for (const piece of held) piece.fill(0)
      held = []
    },
  }
}
