import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto'
import type { Random } from '@kms/core'
import { deriveStreamKeys, label, STREAM_SALT_BYTES } from '@kms/core/internal'

/** What kind of key a Seal is made under (formats §8). */
export type SealKind = 'bucket key' | 'customer key' | 'offline'

/** A key that seals object keys. */
export interface SealingKey {
  readonly kind: SealKind
  /** 16 bytes that name the key; zero for a customer's. */
  readonly id: Uint8Array
  /** 32 bytes. */
  readonly key: Uint8Array
}

/** suite 1 ‖ kind 1 ‖ key id 16 ‖ salt 32 ‖ commitment 32 ‖ ciphertext 32 ‖ tag 16. */
export const SEAL_BYTES = 130
export const SEALING_KEY_ID_BYTES = 16
/** The id in the Seals of customers' keys, which have none. */
export const NO_KEY_ID: Buffer = Buffer.alloc(SEALING_KEY_ID_BYTES)

const SUITE = 1
const KINDS: Readonly<Record<SealKind, number>> = { 'bucket key': 1, 'customer key': 2, offline: 3 }
const SALT = 18
const COMMITMENT = SALT + STREAM_SALT_BYTES
const CIPHERTEXT = COMMITMENT + 32
const TAG = CIPHERTEXT + 32
const LABEL = label('kms/ok-seal/v1')
/** The key is derived for one Seal alone. */
const NONCE = Buffer.alloc(12)

/** Seals 32 bytes, an object's key, for one object. */
export function sealObjectKey(objectKey: Uint8Array, under: SealingKey, binding: Uint8Array, random: Random): Buffer {
  if (objectKey.length !== 32) throw new RangeError(`object key: expected 32 bytes, got ${objectKey.length}`)
  const salt = random(STREAM_SALT_BYTES)
  const { cipherKey, commitment } = deriveStreamKeys(under.key, salt, infoOf(under, binding))
  const cipher = createCipheriv('aes-256-gcm', cipherKey, NONCE)
  const head = Buffer.of(SUITE, KINDS[under.kind])
  const ciphertext = cipher.update(objectKey)
  cipher.final()
  return Buffer.concat([head, under.id, salt, commitment, ciphertext, cipher.getAuthTag()], SEAL_BYTES)
}

/** The id of the key a Seal of 130 bytes names. */
export function sealingKeyId(seal: Buffer): Buffer {
  return seal.subarray(2, SALT)
}

export type OpenSealResult =
  | { readonly ok: true; readonly objectKey: Buffer }
  /** `wrong-key`: the commitment is another key's, object's or kind's. `damaged`: what it commits to does not open. */
  | { readonly ok: false; readonly problem: 'wrong-key' | 'damaged' }

/** Opens what {@link sealObjectKey} made, for the same object, key and kind. */
export function openSeal(seal: Buffer, under: SealingKey, binding: Uint8Array): OpenSealResult {
  if (seal.length !== SEAL_BYTES || seal[0] !== SUITE || seal[1] !== KINDS[under.kind]) {
    return { ok: false, problem: 'damaged' }
  }
  if (!sealingKeyId(seal).equals(under.id)) return { ok: false, problem: 'wrong-key' }
  const { cipherKey, commitment } = deriveStreamKeys(under.key, seal.subarray(SALT, COMMITMENT), infoOf(under, binding))
  if (!timingSafeEqual(commitment, seal.subarray(COMMITMENT, CIPHERTEXT))) return { ok: false, problem: 'wrong-key' }
  const decipher = createDecipheriv('aes-256-gcm', cipherKey, NONCE)
  decipher.setAuthTag(seal.subarray(TAG))
  const objectKey = decipher.update(seal.subarray(CIPHERTEXT, TAG))
  try {
    decipher.final()
    return { ok: true, objectKey }
  } catch {
    objectKey.fill(0)
    return { ok: false, problem: 'damaged' }
  }
}

function infoOf({ kind, id }: SealingKey, binding: Uint8Array): Buffer {
  if (id.length !== SEALING_KEY_ID_BYTES) throw new RangeError(`sealing key id: expected 16 bytes, got ${id.length}`)
  return Buffer.concat([LABEL, Buffer.of(KINDS[kind]), id, binding])
}
