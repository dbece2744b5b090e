import type { Buffer } from 'node:buffer'
import { constants, createPrivateKey, generateKeyPair, privateDecrypt } from 'node:crypto'
import { promisify } from 'node:util'

/** A key pair that material is wrapped under, once. */
export interface WrappingKeyPair {
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Buffer
  /** PKCS #8 in DER; whoever holds it zeroes it. */
  readonly privateKey: Buffer
}

const generate = promisify(generateKeyPair)

/** An RSA-4096 key pair, made off the main thread: it takes a second or two. */
export async function generateWrappingKey(): Promise<WrappingKeyPair> {
  return generate('rsa', {
    modulusLength: 4096,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  })
}

/** Opens RSAES-OAEP with SHA-256 (RFC 8017 §7.1); `undefined` for anything that does not open, without saying why. */
export function openWrapped(wrapped: Uint8Array, privateKey: Buffer): Buffer | undefined {
  const key = createPrivateKey({ key: privateKey, type: 'pkcs8', format: 'der' })
  // RFC 8017 §7.1.2 step 1b; OpenSSL also takes what lost a leading zero octet.
  if (wrapped.length * 8 !== key.asymmetricKeyDetails?.modulusLength) return undefined
  try {
    return privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, wrapped)
  } catch {
    return undefined
  }
}
