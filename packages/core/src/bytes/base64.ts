import { Buffer } from 'node:buffer'

/**
 * Decodes canonical base64 (RFC 4648 §4, with padding, nothing else), or returns `undefined`.
 * Node's decoder is lenient, so the result is encoded again and compared.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}
