import { createHash } from 'node:crypto'
import { Secret } from '@kms/core'
import { LRUCache } from 'lru-cache'

/**
 * Secret ids that came out of response-wrapping tokens, for as long as the process lives: such a token opens once, and a
 * configuration is opened more often than that.
 */
export interface SecretIdMemory {
  get(wrappingToken: string): Secret | undefined
  set(wrappingToken: string, secretId: string): void
}

export function createSecretIdMemory(): SecretIdMemory {
  const known = new LRUCache<string, Secret>({ max: 100 })
  const nameOf = (token: string): string => createHash('sha256').update(token).digest('hex')
  return {
    get: (token) => known.get(nameOf(token)),
    set: (token, secretId) => void known.set(nameOf(token), new Secret(secretId)),
  }
}
