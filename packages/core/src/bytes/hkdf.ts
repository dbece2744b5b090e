import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'

const BLOCK_BYTES = 64
const INNER = 0x36
const OUTER = 0x5c

/**
 * HMAC-SHA-256 (RFC 2104) for a key that is used once or twice, of at most 64 bytes, and a message that is in one piece. `createHmac` makes
 * an object of OpenSSL's and a stream for each message, which costs more than hashing a short one does.
 */
export function hmacOnce(key: Uint8Array, message: Uint8Array): Buffer {
  if (key.length > BLOCK_BYTES) throw new RangeError(`HMAC key: expected at most 64 bytes, got ${key.length}`)
  const inner = Buffer.allocUnsafe(BLOCK_BYTES + message.length)
  const outer = Buffer.allocUnsafe(BLOCK_BYTES + 32)
  inner.fill(INNER, 0, BLOCK_BYTES)
  outer.fill(OUTER, 0, BLOCK_BYTES)
  for (let index = 0; index < key.length; index++) {
    const byte = key[index] as number
    inner[index] = byte ^ INNER
    outer[index] = byte ^ OUTER
  }
  inner.set(message, BLOCK_BYTES)
  // Of use to nobody without the key, so that it may be a string, which takes a third of the time a buffer does.
  outer.write(hash('sha256', inner, 'binary'), BLOCK_BYTES, 'latin1')
  const mac = hash('sha256', outer, 'buffer')
  inner.fill(0, 0, BLOCK_BYTES)
  outer.fill(0)
  return mac
}

/** HKDF-SHA-256 (RFC 5869) of 32 or 64 bytes; `salt` has at most 64. `hkdfSync` makes a job for a thread it does not use. */
export function hkdfOnce(key: Uint8Array, salt: Uint8Array, info: Uint8Array, length: 32 | 64): Buffer {
  const extracted = hmacOnce(salt, key)
  const message = Buffer.allocUnsafe(32 + info.length + 1)
  message.set(info, 32)
  message[32 + info.length] = 1
  const first = hmacOnce(extracted, message.subarray(32))
  if (length === 32) {
    extracted.fill(0)
    return first
  }
  message.set(first)
  message[32 + info.length] = 2
  const second = hmacOnce(extracted, message)
  const bytes = Buffer.concat([first, second])
  for (const secret of [extracted, first, second, message]) secret.fill(0)
  return bytes
}
