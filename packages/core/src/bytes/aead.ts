import { Buffer } from 'node:buffer'
import { chacha20poly1305, hchacha } from '@noble/ciphers/chacha.js'
import type { Random } from '../random.ts'

const KEY_BYTES = 32
const NONCE_BYTES = 24
const TAG_BYTES = 16

/** Bytes {@link sealXChaCha} adds to a plaintext: a 24-byte nonce and a 16-byte tag. */
export const XCHACHA_OVERHEAD: number = NONCE_BYTES + TAG_BYTES

/** Words as HChaCha20 takes them, and the same memory as bytes. */
function scratch(bytes: number): { readonly words: Uint32Array; readonly bytes: Uint8Array } {
  const words = new Uint32Array(bytes / 4)
  return { words, bytes: new Uint8Array(words.buffer) }
}

const constants = scratch(16)
constants.bytes.set(Buffer.from('expand 32-byte k', 'latin1'))
const innerKey = scratch(32)
const outerKey = scratch(32)
const outerNonce = scratch(16)
const innerNonce = Buffer.allocUnsafeSlow(12).fill(0)

/**
 * Runs `use` with the ChaCha20-Poly1305 that XChaCha20-Poly1305 is under this nonce (draft §2.3): the key made by HChaCha20
 * of the first 16 bytes, four zero bytes and the other 8 as nonce. noble's own `xchacha20poly1305` makes that key anew for
 * the keystream and for the tag, which is a third of the time of a wrap. Nothing is awaited while the key is in memory.
 */
function withChaCha<T>(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  use: (cipher: ReturnType<typeof chacha20poly1305>) => T,
): T {
  // What a shorter one left unset would be of the message before.
  if (nonce.length !== NONCE_BYTES) throw new RangeError(`XChaCha20 nonce: expected 24 bytes, got ${nonce.length}`)
  try {
    outerKey.bytes.set(key)
    outerNonce.bytes.set(nonce.subarray(0, 16))
    hchacha(constants.words, outerKey.words, outerNonce.words, innerKey.words)
    innerNonce.set(nonce.subarray(16), 4)
    return use(chacha20poly1305(innerKey.bytes, innerNonce, aad))
  } finally {
    outerKey.words.fill(0)
    innerKey.words.fill(0)
  }
}

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
  withChaCha(key, nonce, aad, (cipher) => cipher.encrypt(plaintext, sealed.subarray(NONCE_BYTES)))
  return sealed
}

/** Opens what {@link sealXChaCha} made; `undefined` when anything at all does not fit. */
export function openXChaCha(key: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Buffer | undefined {
  checkKey(key)
  if (sealed.length < XCHACHA_OVERHEAD) return undefined
  const plaintext = Buffer.allocUnsafe(sealed.length - XCHACHA_OVERHEAD)
  try {
    withChaCha(key, sealed.subarray(0, NONCE_BYTES), aad, (cipher) =>
      cipher.decrypt(sealed.subarray(NONCE_BYTES), plaintext),
    )
    return plaintext
  } catch {
    return undefined
  }
}
