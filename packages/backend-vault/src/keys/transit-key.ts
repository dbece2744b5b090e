import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { Realm } from '@kms/core'
import { label, lp, u32 } from '@kms/core/internal'

/** A key as Transit describes it. */
export interface TransitKey {
  readonly name: string
  readonly type: string
  readonly latestVersion: number
  /** The oldest version that still decrypts: neither trimmed nor disallowed. */
  readonly oldestVersion: number
  /** Versions below are gone for good. */
  readonly oldestAvailable: number
  /** Creation time of each version held, in whole seconds since the epoch. */
  readonly createdAt: ReadonlyMap<number, number>
  readonly exportable: boolean
  readonly plaintextBackup: boolean
  readonly imported: boolean
  /** Why it cannot be used as a KMS key; public. */
  readonly problem?: string
}

/** Types that take associated data (Transit API, "Create key"). */
const AEAD_TYPES: ReadonlySet<string> = new Set([
  'aes128-gcm96',
  'aes256-gcm96',
  'chacha20-poly1305',
  'xchacha20-poly1305',
])

const MATERIAL_LABEL = label('kms/material-id/transit/v1')

/** Reads `data` of `GET transit/keys/:name`; `undefined` when it is not that. */
export function readTransitKey(data: Readonly<Record<string, unknown>>): TransitKey | undefined {
  const { name, type, latest_version: latest } = data
  if (typeof name !== 'string' || typeof type !== 'string' || !isVersion(latest)) return undefined
  const minDecryption = versionOr1(data['min_decryption_version'])
  const oldestAvailable = versionOr1(data['min_available_version'])
  const createdAt = readTimes(data['keys'])
  const problem = findProblem(data, type, createdAt.has(latest))
  return {
    name,
    type,
    latestVersion: latest,
    oldestVersion: Math.max(minDecryption, oldestAvailable),
    oldestAvailable,
    createdAt,
    exportable: data['exportable'] === true,
    plaintextBackup: data['allow_plaintext_backup'] === true,
    imported: data['imported_key'] === true,
    ...(problem === undefined ? {} : { problem }),
  }
}

function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 0xffff_ffff
}

function versionOr1(value: unknown): number {
  return isVersion(value) ? value : 1
}

/** Symmetric keys have seconds there, others an object with a time. */
function readTimes(keys: unknown): ReadonlyMap<number, number> {
  const times = new Map<number, number>()
  if (typeof keys !== 'object' || keys === null) return times
  for (const [version, entry] of Object.entries(keys)) {
    const seconds = readSeconds(entry)
    if (seconds !== undefined) times.set(Number(version), seconds)
  }
  return times
}

function readSeconds(entry: unknown): number | undefined {
  if (typeof entry === 'number') return Number.isSafeInteger(entry) && entry >= 0 ? entry : undefined
  const text = typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>)['creation_time'] : entry
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000)
}

function findProblem(data: Readonly<Record<string, unknown>>, type: string, hasLatest: boolean): string | undefined {
  if (!AEAD_TYPES.has(type)) {
    const named = /^[a-z0-9-]{1,40}$/.test(type) ? type : 'none that is known'
    return `its type in Transit is ${named}; only ${[...AEAD_TYPES].join(', ')} can wrap`
  }
  if (data['derived'] === true) return 'it is a derived key in Transit, which needs a derivation context'
  if (data['convergent_encryption'] === true) return 'it encrypts convergently in Transit, which shows equal plaintexts'
  if (data['soft_deleted'] === true) return 'it is soft-deleted in Transit; soft-delete-restore brings it back'
  if (data['supports_encryption'] === false || data['supports_decryption'] === false) {
    return 'Transit says that it does not encrypt'
  }
  return hasLatest ? undefined : 'Transit does not say when its current version was made'
}

/** Formats §2: SHA-256(label ‖ realm ‖ lp(key id) ‖ u32 version ‖ u64 creation time)[0..16), in hex. */
export function transitMaterialId(realm: Realm, { name, createdAt }: TransitKey, version: number): string | undefined {
  const seconds = createdAt.get(version)
  if (seconds === undefined) return undefined
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(BigInt(seconds))
  const covered = Buffer.concat([MATERIAL_LABEL, Buffer.from(realm, 'hex'), lp(name), u32(version), time])
  return createHash('sha256').update(covered).digest('hex').slice(0, 32)
}
