import { Buffer } from 'node:buffer'
import type { KeyObject } from 'node:crypto'
import { CompactEncrypt, compactDecrypt } from 'jose'
import { parsePolicy } from '../policy/parse-policy.ts'
import type { Policy } from '../policy/policy.ts'
import { isSessionId } from './session-keys.ts'

/** What a session token says. */
export interface SessionClaims {
  readonly jti: string
  /** Access key of the long-term user, or root's. */
  readonly parent: string
  /** Milliseconds since 1970. */
  readonly issuedAt: number
  readonly expiresAt: number
  readonly policy: Policy | undefined
}

/** Largest inline policy: UTF-8 bytes of its compact JSON. */
export const MAX_SESSION_POLICY_BYTES = 2048

/** Longest token: an inline policy of nothing but quotes, a name of backslashes. */
const MAX_TOKEN_LENGTH = 8192

/** Every token begins with it: the algorithms are pinned before anything is decoded. The second part, a key, is empty. */
const HEADER = Buffer.from('{"alg":"dir","enc":"A256GCM"}').toString('base64url')
const TOKEN = new RegExp(`^${HEADER}\\.\\.([\\w-]{16})\\.([\\w-]+)\\.([\\w-]{22})$`)

const DECRYPT = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] }

/**
 * A compact JWE (RFC 7516) of `{"jti","parent","iat","exp"[,"policy"]}`. `iat` and `exp` are NumericDates (RFC 7519 §2)
 * with milliseconds; `policy` is the inline policy as compact JSON text.
 */
export function sealSessionToken(key: KeyObject, claims: SessionClaims): Promise<string> {
  const { jti, parent, issuedAt, expiresAt, policy } = claims
  const inline = policy === undefined ? {} : { policy: policy.source }
  const payload = JSON.stringify({ jti, parent, iat: issuedAt / 1000, exp: expiresAt / 1000, ...inline })
  return new CompactEncrypt(Buffer.from(payload)).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' }).encrypt(key)
}

/** The claims of a token sealed with `key`, or `undefined` for anything else. */
export async function openSessionToken(key: KeyObject, token: string): Promise<SessionClaims | undefined> {
  if (token.length > MAX_TOKEN_LENGTH) return undefined
  const parts = TOKEN.exec(token)?.slice(1)
  if (parts === undefined || !parts.every(isCanonical)) return undefined
  try {
    const { plaintext } = await compactDecrypt(token, key, DECRYPT)
    return readClaims(JSON.parse(Buffer.from(plaintext).toString()))
  } catch {
    return undefined
  }
}

/** Node's decoder is lenient: one token would have several spellings. */
function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part
}

function readClaims(value: unknown): SessionClaims | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { jti, parent, iat, exp, policy } = value as Readonly<Record<string, unknown>>
  if (typeof jti !== 'string' || !isSessionId(jti) || typeof parent !== 'string') return undefined
  if (typeof iat !== 'number' || typeof exp !== 'number') return undefined
  return {
    jti,
    parent,
    issuedAt: Math.round(iat * 1000),
    expiresAt: Math.round(exp * 1000),
    policy: policy === undefined ? undefined : parsePolicy(policy),
  }
}
