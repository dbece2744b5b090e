import { isKmsError, kmsError } from '../errors/kms-error.ts'
import type { Capabilities, KeyRecord } from '../keys/key-backend.ts'
import { parseKeyReference } from '../keys/key-name.ts'
import { requireCapability } from '../keys/require-capability.ts'
import { defaultKeyOf, type Snapshot } from './snapshot.ts'

/**
 * Decides whether the caller may do what it asks with the key of this resolved id; throws when not. Called before
 * anything about the key is revealed, its existence included.
 */
export type Authorize = (keyId: string) => void

/** Reads the record of an id or alias. */
export type ReadRecord = (name: string) => Promise<KeyRecord>

/**
 * The record a caller's spelling names in the active store, authorised; absent: the default key's. It is at most 5 s old,
 * where the configuration wants caches, unless `read` says otherwise.
 */
export async function resolveKey(
  snapshot: Snapshot,
  key: string | undefined,
  authorize: Authorize,
  read: ReadRecord = (name) => snapshot.active.describe(name, snapshot.config.enable_cache),
): Promise<KeyRecord> {
  const reference = key === undefined ? defaultKeyOf(snapshot) : parseKeyReference(key)
  if (reference === undefined) {
    throw kmsError('InvalidRequest', {
      reason: 'No key_id was given and no default_key_id is configured. Name a key, or configure a default.',
    })
  }
  let record: KeyRecord
  try {
    record = await read(reference.name)
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

/**
 * {@link resolveKey} for an operation the backend may not be able to do (`UnsupportedCapability`). Denial comes first;
 * what the backend lacks comes before anything about the key.
 */
export async function resolveAble(
  snapshot: Snapshot,
  key: string | undefined,
  authorize: Authorize,
  capability: keyof Capabilities,
  read: ReadRecord,
): Promise<KeyRecord> {
  const { active, config } = snapshot
  const requireAble = (): void => requireCapability(active.backend, capability, config.backend_type)
  let authorised = false
  const permit: Authorize = (keyId) => {
    authorize(keyId)
    authorised = true
  }
  let record: KeyRecord
  try {
    record = await resolveKey(snapshot, key, permit, read)
  } catch (error) {
    if (authorised) requireAble()
    throw error
  }
  requireAble()
  return record
}
