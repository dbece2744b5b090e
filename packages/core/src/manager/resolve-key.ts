import { isKmsError, kmsError } from '../errors/kms-error.ts'
import type { KeyRecord } from '../keys/key-backend.ts'
import { parseKeyReference } from '../keys/key-name.ts'
import type { Snapshot } from './snapshot.ts'

/**
 * Decides whether the caller may do what it asks with the key of this resolved id; throws when not. Called before
 * anything about the key is revealed, its existence included.
 */
export type Authorize = (keyId: string) => void

/**
 * The record a caller's spelling names in the active store, authorised; absent: the default key's. `cached`: at most 5 s
 * old, where the configuration wants caches; `now`: as the backend has it.
 */
export async function resolveKey(
  snapshot: Snapshot,
  key: string | undefined,
  authorize: Authorize,
  freshness: 'cached' | 'now' = 'cached',
): Promise<KeyRecord> {
  if (key === undefined && snapshot.defaultKeyId === undefined) {
    throw kmsError('InvalidRequest', {
      reason: 'No key_id was given and no default_key_id is configured. Name a key, or configure a default.',
    })
  }
  const reference =
    key === undefined ? { name: snapshot.defaultKeyId as string, kind: 'key' as const } : parseKeyReference(key)
  let record: KeyRecord
  try {
    record = await snapshot.active.describe(reference.name, freshness === 'cached' && snapshot.config.enable_cache)
  } catch (error) {
    if (isKmsError(error, 'KeyNotFound', 'KeyDestroyed', 'KeyUnavailable')) authorize(reference.name)
    throw error
  }
  authorize(record.keyId)
  const isAlias = record.keyId !== reference.name
  if ((reference.kind === 'key' && isAlias) || (reference.kind === 'alias' && !isAlias)) {
    throw kmsError('KeyNotFound', { key: key ?? reference.name })
  }
  return record
}
