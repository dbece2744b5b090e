import { Buffer } from 'node:buffer'
import { z } from 'zod'
import { decodeBase64 } from '../bytes/base64.ts'
import { lp } from '../bytes/framing.ts'
import { XCHACHA20_POLY1305 } from '../envelope/envelope.ts'
import { isKeyName } from '../keys/key-name.ts'
import type { ArchiveEntry } from './archive-entry.ts'

/** Names the last entry of an archive. */
export const END = 'end'

const hex16 = z.string().regex(/^[0-9a-f]{32}$/)
const time = z.int().nonnegative()
const versionNumber = z.int().min(1).max(0xffff_ffff)

const keyBody = z.strictObject({
  write: z.string().regex(/^[0-9a-f]{16}$/),
  state: z.enum(['Enabled', 'Disabled', 'PendingDeletion']),
  aliases: z.array(z.string()),
  description: z.string(),
  /** Pairs: an object would lose `__proto__`. */
  tags: z.array(z.tuple([z.string(), z.string()])),
  created_at: time,
  rotated_at: time.optional(),
  deletion_at: time.optional(),
  state_before_deletion: z.enum(['Enabled', 'Disabled']).optional(),
  rotation_period_days: z.int().min(1).optional(),
  current_version: versionNumber,
  oldest_version: versionNumber,
  material_id: hex16,
  origin: z.enum(['KMS', 'EXTERNAL']),
})
const versionBody = z.strictObject({
  algorithm: z.literal(XCHACHA20_POLY1305),
  created_at: time,
  material_id: hex16,
  material: z.base64(),
})
const tombstoneBody = z.strictObject({ last_version: versionNumber, destroyed_at: time })
const reasonBody = z.strictObject({ reason: z.string() })
/** How many entries come before the last one, and the SHA-256 of their bytes in hex. */
export interface ArchiveEnd {
  readonly entries: number
  readonly sha256: string
}

const endBody: z.ZodType<ArchiveEnd> = z.strictObject({
  entries: z.int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})

/** lp(name) ‖ lp(body), the body as JSON. */
export function encodeEntry(entry: ArchiveEntry): Buffer {
  const [name, body] = partsOf(entry)
  return Buffer.concat([lp(name), lp(JSON.stringify(body))])
}

export function encodeEnd(end: ArchiveEnd): Buffer {
  return Buffer.concat([lp(END), lp(JSON.stringify(end))])
}

function partsOf(entry: ArchiveEntry): readonly [name: string, body: object] {
  switch (entry.kind) {
    case 'key':
      return [`key/${entry.record.keyId}`, bodyOfKey(entry.record)]
    case 'version': {
      const { keyId, version, createdAt, materialId, material } = entry
      const body: z.infer<typeof versionBody> = {
        algorithm: XCHACHA20_POLY1305,
        created_at: createdAt,
        material_id: materialId,
        material: material.toString('base64'),
      }
      return [`version/${keyId}/${version}`, body]
    }
    case 'gap':
      return [`gap/${entry.keyId}/${entry.version}`, { reason: entry.reason }]
    case 'tombstone':
      return [`tombstone/${entry.keyId}`, { last_version: entry.lastVersion, destroyed_at: entry.destroyedAt }]
    case 'ruin':
      return [`ruin/${entry.name}`, { reason: entry.reason }]
  }
}

function bodyOfKey(record: (ArchiveEntry & { readonly kind: 'key' })['record']): z.infer<typeof keyBody> {
  return {
    write: record.etag,
    state: record.state as z.infer<typeof keyBody>['state'],
    aliases: [...record.aliases],
    description: record.description,
    tags: [...record.tags],
    created_at: record.createdAt,
    rotated_at: record.rotatedAt,
    deletion_at: record.deletionAt,
    state_before_deletion: record.stateBeforeDeletion,
    rotation_period_days: record.rotationPeriodDays,
    current_version: record.currentVersion,
    oldest_version: record.oldestVersion,
    material_id: record.materialId,
    origin: record.origin,
  }
}

/** What `name` and `body` say, or `undefined` when that is nothing an archive holds. */
export function decodeEntry(name: string, body: unknown): ArchiveEntry | undefined {
  const [kind, keyId = '', number, ...rest] = name.split('/')
  if (rest.length > 0) return undefined
  if (kind === 'ruin') {
    const reason = reasonBody.safeParse(body).data?.reason
    return reason === undefined || number !== undefined ? undefined : { kind, name: keyId, reason }
  }
  if (!isKeyName(keyId)) return undefined
  if (kind === 'version' || kind === 'gap') return decodeVersion(kind, keyId, number, body)
  if (number !== undefined) return undefined
  if (kind === 'tombstone') {
    const found = tombstoneBody.safeParse(body).data
    return found && { kind, keyId, lastVersion: found.last_version, destroyedAt: found.destroyed_at }
  }
  return kind === 'key' ? decodeKey(keyId, body) : undefined
}

export function decodeEnd(body: unknown): ArchiveEnd | undefined {
  return endBody.safeParse(body).data
}

function decodeVersion(
  kind: 'version' | 'gap',
  keyId: string,
  number: string | undefined,
  body: unknown,
): ArchiveEntry | undefined {
  const version = /^[1-9]\d{0,9}$/.test(number ?? '') ? Number(number) : 0
  if (!versionNumber.safeParse(version).success) return undefined
  if (kind === 'gap') {
    const reason = reasonBody.safeParse(body).data?.reason
    return reason === undefined ? undefined : { kind, keyId, version, reason }
  }
  const found = versionBody.safeParse(body).data
  const material = found && decodeBase64(found.material)
  if (found === undefined || material?.length !== 32) return undefined
  return { kind, keyId, version, createdAt: found.created_at, materialId: found.material_id, material }
}

function decodeKey(keyId: string, body: unknown): ArchiveEntry | undefined {
  const found = keyBody.safeParse(body).data
  if (found === undefined || found.oldest_version > found.current_version) return undefined
  return {
    kind: 'key',
    record: {
      keyId,
      aliases: found.aliases,
      description: found.description,
      tags: new Map(found.tags),
      state: found.state,
      createdAt: found.created_at,
      ...(found.rotated_at === undefined ? {} : { rotatedAt: found.rotated_at }),
      ...(found.deletion_at === undefined ? {} : { deletionAt: found.deletion_at }),
      ...(found.state_before_deletion === undefined ? {} : { stateBeforeDeletion: found.state_before_deletion }),
      ...(found.rotation_period_days === undefined ? {} : { rotationPeriodDays: found.rotation_period_days }),
      currentVersion: found.current_version,
      oldestVersion: found.oldest_version,
      materialId: found.material_id,
      origin: found.origin,
      etag: found.write,
    },
  }
}
