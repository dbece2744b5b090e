import { Buffer } from 'node:buffer'
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import type { Random } from '../random.ts'

const KEY_BYTES = 32
const NONCE_BYTES = 24
const TAG_BYTES = 16

/** Bytes {@link sealXChaCha} adds to a plaintext: a 24-byte nonce and a 16-byte tag. */
export const XCHACHA_OVERHEAD: number = NONCE_BYTES + TAG_BYTES

function checkKey(key: Uint8Array): void {
  if (key.length !== KEY_BYTES) throw new RangeError(`XChaCha20-Poly1305 key: expected 32 bytes, got ${key.length}`)
}

/**
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) under a fresh random nonce: nonce 24 ‖ ciphertext ‖ tag 16.
 * The 192-bit nonce needs no counter and has no practical ceiling on the number of wraps.
 */
export function sealXChaCha(key: Uint8Array, plaintext: Uint8Array, aad: Uint8Array, random: Random): Buffer {
  checkKey(key)
  const nonce = random(NONCE_BYTES)
  const sealed = Buffer.allocUnsafe(NONCE_BYTES + plaintext.length + TAG_BYTES)
  sealed.set(nonce)
  xchacha20poly1305(key, nonce, aad).encrypt(plaintext, sealed.subarray(NONCE_BYTES))
  return sealed
}

/** Opens what {@link sealXChaCha} made; `undefined` when anything at all does not fit. */
export function openXChaCha(key: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Buffer | undefined {
  checkKey(key)
  if (sealed.length < XCHACHA_OVERHEAD) return undefined
  const plaintext = Buffer.allocUnsafe(sealed.length - XCHACHA_OVERHEAD)
  try {
    xchacha20poly1305(key, sealed.subarray(0, NONCE_BYTES), aad).decrypt(sealed.subarray(NONCE_BYTES), plaintext)
    return plaintext
  } catch {
    return undefined
  }
}
