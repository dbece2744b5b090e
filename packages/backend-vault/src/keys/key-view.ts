import type { KeyRecord, Realm } from '@kms/core'
import type { StoredKey } from './record-file.ts'
import { type TransitKey, transitMaterialId } from './transit-key.ts'

/** A key as it was read: its record in KV, its versions in Transit, and what both make together. */
export interface KeyView {
  /** What KV holds, or what it would hold for a key that was made in Transit by somebody else. */
  readonly stored: StoredKey
  /** Version of the record in KV; 0 for a key without one. */
  readonly kvVersion: number
  readonly transit: TransitKey
  readonly record: KeyRecord
}

/** What stands for the record of a key that somebody made in Transit, until something about it is changed here. */
export function adoptedKey({ name, createdAt, oldestVersion }: TransitKey): StoredKey {
  return {
    keyId: name,
    state: 'Enabled',
    aliases: [],
    description: '',
    tags: new Map(),
    createdAt: (createdAt.get(1) ?? createdAt.get(oldestVersion) ?? 0) * 1000,
    origin: 'EXTERNAL',
    adopted: true,
  }
}

const NO_MATERIAL = '0'.repeat(32)

/** Puts a key together. `stored.state` is not `Creating`. */
export function viewOf(realm: Realm, stored: StoredKey, kvVersion: number, transit: TransitKey): KeyView {
  const { latestVersion, oldestVersion, createdAt, problem } = transit
  const { state, adopted, deletionAt, stateBeforeDeletion, rotationPeriodDays } = stored
  const rotatedAt = latestVersion > 1 ? createdAt.get(latestVersion) : undefined
  const record: KeyRecord = {
    keyId: stored.keyId,
    aliases: stored.aliases,
    description: stored.description,
    tags: stored.tags,
    state: problem === undefined ? (state as KeyRecord['state']) : 'Unavailable',
    ...(problem === undefined ? {} : { problem }),
    createdAt: stored.createdAt,
    ...(rotatedAt === undefined ? {} : { rotatedAt: rotatedAt * 1000 }),
    ...(deletionAt === undefined ? {} : { deletionAt }),
    ...(stateBeforeDeletion === undefined ? {} : { stateBeforeDeletion }),
    ...(rotationPeriodDays === undefined ? {} : { rotationPeriodDays }),
    currentVersion: latestVersion,
    oldestVersion,
    materialId: transitMaterialId(realm, transit, latestVersion) ?? NO_MATERIAL,
    origin: stored.origin,
    ...(adopted ? { adopted: true } : {}),
    // Both halves: a key that was rotated in Vault itself is another one than was read.
    etag: `${kvVersion}.${latestVersion}`,
  }
  return { stored, kvVersion, transit, record }
}
