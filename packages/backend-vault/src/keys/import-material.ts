import { Buffer } from 'node:buffer'
import { constants, createCipheriv, createPublicKey, type KeyObject, publicEncrypt } from 'node:crypto'
import type { Random } from '@kms/core'

/** RFC 5649, §3: the alternative initial value. */
const ALTERNATIVE_IV = Buffer.from('A65959A6', 'hex')

/** The mount's wrapping key; `undefined` when it is no RSA key. */
export function readWrappingKey(pem: unknown): KeyObject | undefined {
  if (typeof pem !== 'string') return undefined
  try {
    const key = createPublicKey(pem)
    return key.asymmetricKeyType === 'rsa' ? key : undefined
  } catch {
    return undefined
  }
}

/**
 * Material as Transit takes it (Transit, "Bring your own key"): an ephemeral AES-256 key under the mount's RSA wrapping key
 * (OAEP with SHA-256), then the material under that key (AES-KWP, RFC 5649). In base64.
 */
export function wrapForImport(wrappingKey: KeyObject, material: Uint8Array, random: Random): string {
  const ephemeral = random(32)
  try {
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    const wrappedKey = publicEncrypt({ key: wrappingKey, padding, oaepHash: 'sha256' }, ephemeral)
    const cipher = createCipheriv('id-aes256-wrap-pad', ephemeral, ALTERNATIVE_IV)
    return Buffer.concat([wrappedKey, cipher.update(material), cipher.final()]).toString('base64')
  } finally {
    ephemeral.fill(0)
  }
}
