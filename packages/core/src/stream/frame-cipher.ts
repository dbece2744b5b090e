import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'

/** Plaintext of every frame but the last, in bytes. */
export const FRAME_BYTES = 65_536
/** What a frame adds to its plaintext: the tag of AES-256-GCM. */
export const FRAME_TAG_BYTES = 16
/** A whole frame, sealed. */
export const SEALED_FRAME_BYTES: number = FRAME_BYTES + FRAME_TAG_BYTES

export const FRAME_ALGORITHM = 'aes-256-gcm'
export const FRAME_NONCE_BYTES = 12
/** u88 counter ‖ 1 in the last frame: the counter's low 64 bits begin here. */
const COUNTER_OFFSET = 3

/** Seals the frames of one stream, in order, each nonce once. */
export interface FrameSealer {
  /**
   * The next frame: ciphertext and tag, as two buffers so that nothing is copied. Every frame but the last has
   * {@link FRAME_BYTES}; the last has at least one byte, or none when it is the only one. Throws `RangeError` otherwise,
   * and after the last one.
   */
  seal(plaintext: Uint8Array, last: boolean): readonly [ciphertext: Buffer, tag: Buffer]
}

/** Opens frames of one stream, in order. */
export interface FrameOpener {
  /**
   * The plaintext of the next frame, or `undefined` when it is not that frame: damaged, out of order, of another stream, or
   * last where it should not be. Nothing of a frame is returned before all of it was authenticated.
   */
  open(sealed: Buffer, last: boolean): Buffer | undefined
}

/**
 * STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) over AES-256-GCM: nonce = u88 frame number ‖ (1 if last else 0), no
 * additional data (formats §8). `key` must belong to this stream alone (`deriveStreamKeys`).
 */
export function createFrameSealer(key: KeyObject): FrameSealer {
  const nonce = Buffer.alloc(FRAME_NONCE_BYTES)
  let next = 0
  let ended = false
  return {
    seal(plaintext, last) {
      const { length } = plaintext
      if (ended) throw new RangeError('the last frame was sealed already')
      if (last ? length > FRAME_BYTES || (length === 0 && next > 0) : length !== FRAME_BYTES) {
        throw new RangeError(`frame ${next}: ${length} bytes are not a ${last ? 'last' : 'whole'} frame`)
      }
      setNonce(nonce, next, last)
      next += 1
      ended = last
      const cipher = createCipheriv(FRAME_ALGORITHM, key, nonce)
      const ciphertext = cipher.update(plaintext)
      cipher.final()
      return [ciphertext, cipher.getAuthTag()]
    },
  }
}

/** {@link createFrameSealer}'s opposite; `first` is the number of the first frame that will be opened, for a range. */
export function createFrameOpener(key: KeyObject, first = 0): FrameOpener {
  const nonce = Buffer.alloc(FRAME_NONCE_BYTES)
  let next = first
  return {
    open(sealed, last) {
      const length = sealed.length - FRAME_TAG_BYTES
      if (last ? length < 0 || length > FRAME_BYTES || (length === 0 && next > 0) : length !== FRAME_BYTES)
        return undefined
      setNonce(nonce, next, last)
      next += 1
      const decipher = createDecipheriv(FRAME_ALGORITHM, key, nonce)
      decipher.setAuthTag(sealed.subarray(length))
      const plaintext = decipher.update(sealed.subarray(0, length))
      try {
        decipher.final()
        return plaintext
      } catch {
        plaintext.fill(0)
        return undefined
      }
    },
  }
}

/** Writes the nonce of a frame; a stream uses one buffer for all of them. */
export function setNonce(nonce: Buffer, frame: number, last: boolean): void {
  // Two halves instead of one BigInt; 2^53 frames are 2^69 bytes.
  nonce.writeUInt32BE(Math.floor(frame / 2 ** 32), COUNTER_OFFSET)
  nonce.writeUInt32BE(frame % 2 ** 32, COUNTER_OFFSET + 4)
  nonce[FRAME_NONCE_BYTES - 1] = last ? 1 : 0
}
