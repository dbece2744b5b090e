import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'

/** Ciphertext 32 ‖ tag 16. */
export const WRAPPED_RECORD_KEY_BYTES = 48

const INFO = 'kms/record-key/v1'
/** The key belongs to one object key and write id, and wraps one record key. */
const NONCE = Buffer.alloc(12)

/** A record key under an object's key: AES-256-GCM under HKDF(OK, salt write id, info `kms/record-key/v1`) (formats §8). */
export function wrapRecordKey(recordKey: Uint8Array, objectKey: Uint8Array, writeId: Uint8Array): Buffer {
  if (recordKey.length !== 32) throw new RangeError(`record key: expected 32 bytes, got ${recordKey.length}`)
  const cipher = createCipheriv('aes-256-gcm', wrappingKey(objectKey, writeId), NONCE)
  const ciphertext = cipher.update(recordKey)
  cipher.final()
  return Buffer.concat([ciphertext, cipher.getAuthTag()])
}

/** The record key, or `undefined` when it was wrapped under another object's key, or is damaged. */
export function unwrapRecordKey(wrapped: Buffer, objectKey: Uint8Array, writeId: Uint8Array): Buffer | undefined {
  if (wrapped.length !== WRAPPED_RECORD_KEY_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', wrappingKey(objectKey, writeId), NONCE)
  decipher.setAuthTag(wrapped.subarray(32))
  const recordKey = decipher.update(wrapped.subarray(0, 32))
  try {
    decipher.final()
    return recordKey
  } catch {
    recordKey.fill(0)
    return undefined
  }
}

function wrappingKey(objectKey: Uint8Array, writeId: Uint8Array): KeyObject {
  const bytes = Buffer.from(hkdfSync('sha256', objectKey, writeId, INFO, 32))
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}
