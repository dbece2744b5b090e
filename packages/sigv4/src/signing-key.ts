import { createHmac, createSecretKey, hash, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Credential, CredentialScope } from './credential-scope.ts'

/** IAM User Guide, "Create a signed AWS API request", step 4: derive a signing key. */
export function deriveSigningKey(secretAccessKey: string, scope: CredentialScope): KeyObject {
  const root = Buffer.from(`AWS4${secretAccessKey}`)
  const day = hmac(root, scope.day)
  const region = hmac(day, scope.region)
  const service = hmac(region, scope.service)
  const signing = hmac(service, 'aws4_request')
  const key = createSecretKey(signing)
  for (const buffer of [root, day, region, service, signing]) buffer.fill(0)
  return key
}

/** Step 5: the signature, 32 bytes. */
export function computeSignature(signingKey: KeyObject, stringToSign: string): Buffer {
  return hmac(signingKey, stringToSign)
}

const claimedBytes = Buffer.alloc(32)

/** Compares in constant time. `claimed` must be 64 hex digits. */
export function isSignature(computed: Buffer, claimed: string): boolean {
  return claimedBytes.write(claimed, 'hex') === 32 && timingSafeEqual(computed, claimedBytes)
}

/** Derived keys of credentials that have proved themselves, the least recently used dropped first. */
export interface SigningKeyCache {
  /** The key for exactly this secret; never one derived from a secret the access key had before. */
  readonly get: (credential: Credential, secretAccessKey: string) => KeyObject | undefined
  readonly set: (credential: Credential, secretAccessKey: string, key: KeyObject) => void
}

/** `maxEntries` 0 caches nothing. */
export function createSigningKeyCache(maxEntries: number): SigningKeyCache {
  const entries = new Map<string, { readonly secretTag: string; readonly key: KeyObject }>()
  // Secrets are recognised by a salted hash, so the cache keeps none alive.
  const salt = randomBytes(32).toString('hex')
  const tag = (secret: string): string => hash('sha256', `${salt}${secret}`, 'base64')
  return {
    get: ({ text }, secretAccessKey) => {
      const secretTag = tag(secretAccessKey)
      const entry = entries.get(text)
      if (entry === undefined || entry.secretTag !== secretTag) return undefined
      entries.delete(text)
      entries.set(text, entry)
      return entry.key
    },
    set: ({ text }, secretAccessKey, key) => {
      entries.delete(text)
      entries.set(text, { secretTag: tag(secretAccessKey), key })
      if (entries.size > maxEntries) entries.delete(entries.keys().next().value as string)
    },
  }
}

function hmac(key: KeyObject | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest()
}
