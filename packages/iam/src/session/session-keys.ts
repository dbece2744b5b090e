import { Buffer } from 'node:buffer'
import { createHmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'

/** `jti`: base64url of 16 random bytes ‖ 8 bytes that bind the session to the parent's secret. 32 characters. */
const RANDOM_BYTES = 16
const BINDING_BYTES = 8

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Who a session belongs to, and the secret that was theirs when it was issued. */
export interface SessionParent {
  readonly name: string
  readonly secretAccessKey: string
}

/** A new session's `jti`. */
export function createSessionId(key: KeyObject, parent: SessionParent, random: Uint8Array = randomBytes(16)): string {
  if (random.length !== RANDOM_BYTES) throw new TypeError('A session id takes 16 random bytes.')
  return Buffer.concat([random, bindingOf(key, parent)]).toString('base64url')
}

/** Whether `jti` has the form of one. */
export function isSessionId(jti: string): boolean {
  const bytes = Buffer.from(jti, 'base64url')
  return bytes.length === RANDOM_BYTES + BINDING_BYTES && bytes.toString('base64url') === jti
}

/**
 * Whether the parent's secret is the one of when the session was issued. Times tell that only of users of the API:
 * nobody knows when root's secret or one in the operator's file was set.
 */
export function bindsSession(key: KeyObject, jti: string, parent: SessionParent): boolean {
  return timingSafeEqual(Buffer.from(jti, 'base64url').subarray(RANDOM_BYTES), bindingOf(key, parent))
}

/** base64url(HMAC-SHA-256(subkey, label `secret` ‖ jti)); 43 characters. */
export function sessionSecret(key: KeyObject, jti: string): string {
  return mac(key, 'secret', Buffer.from(jti, 'latin1')).toString('base64url')
}

/**
 * `ASIA`, as AWS begins temporary access keys, and the first 16 characters of base32 (RFC 4648) of
 * HMAC-SHA-256(subkey, label `access-key-id` ‖ jti).
 */
export function sessionAccessKeyId(key: KeyObject, jti: string): string {
  let bits = BigInt(`0x${mac(key, 'access-key-id', Buffer.from(jti, 'latin1')).toString('hex', 0, 10)}`)
  let text = ''
  for (let i = 0; i < 16; i += 1) {
    text = BASE32.charAt(Number(bits & 31n)) + text
    bits >>= 5n
  }
  return `ASIA${text}`
}

/** HMAC-SHA-256(subkey, label `parent-secret` ‖ lp(name) ‖ lp(secret))[0..8). */
function bindingOf(key: KeyObject, parent: SessionParent): Buffer {
  return mac(key, 'parent-secret', lp(parent.name), lp(parent.secretAccessKey)).subarray(0, BINDING_BYTES)
}

function mac(key: KeyObject, label: string, ...parts: readonly Buffer[]): Buffer {
  const hmac = createHmac('sha256', key).update(`${label}\0`, 'latin1')
  for (const part of parts) hmac.update(part)
  return hmac.digest()
}

/** u32 length ‖ bytes. */
function lp(text: string): Buffer {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
