import { Buffer } from 'node:buffer'
import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'

/** The keys of one stream of frames. */
export interface StreamKeys {
  /** AES-256-GCM, for the frames. */
  readonly cipherKey: KeyObject
  /** 32 bytes; stored in the stream's header and compared, in constant time, before any frame is opened. */
  readonly commitment: Buffer
}

/** Length of the salt of a stream, in bytes. */
export const STREAM_SALT_BYTES = 32

/**
 * HKDF-SHA-256 (RFC 5869) of 32 secret bytes, 64 bytes long: cipher key ‖ commitment (formats §8). AES-GCM alone does not
 * commit to its key; the commitment makes it so that a stream opens under one key only. `salt` is fresh for each stream,
 * which is what lets frames count their nonces from zero; `info` binds whatever the stream belongs to.
 */
export function deriveStreamKeys(key: Uint8Array, salt: Uint8Array, info: Uint8Array): StreamKeys {
  if (key.length !== 32) throw new RangeError(`stream key: expected 32 bytes, got ${key.length}`)
  if (salt.length !== STREAM_SALT_BYTES) throw new RangeError(`stream salt: expected 32 bytes, got ${salt.length}`)
  const bytes = Buffer.from(hkdfSync('sha256', key, salt, info, 64))
  const cipherKey = createSecretKey(bytes.subarray(0, 32))
  const commitment = Buffer.from(bytes.subarray(32))
  bytes.fill(0)
  return { cipherKey, commitment }
}
