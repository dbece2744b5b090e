import type { Buffer } from 'node:buffer'
import type { KeyRecord } from '@kms/core'
import { z } from 'zod'
import { encodeFile, FILE_FORMAT, isAuthentic, newerFormat, splitFile, UNKNOWN_KEK } from './authenticated-file.ts'
import { fileStem } from './file-name.ts'
import { hex16, time, versionNumber } from './file-schema.ts'
import type { KeyRing } from './key-ring.ts'

/** What `keys/<name>.json` says. */
export type Entry =
  | { readonly kind: 'absent' }
  | { readonly kind: 'key'; readonly name: string; readonly record: KeyRecord }
  /** A destroyed key. */
  | { readonly kind: 'tombstone'; readonly name: string; readonly lastVersion: number; readonly destroyedAt: number }
  /** Points at a key; holds only while that key's record lists it. */
  | { readonly kind: 'alias'; readonly name: string; readonly keyId: string }
  /**
   * Exists and can't be believed; `reason` is public. `name` is known when the file still tells it. `stranger`: it names a KEK
   * that the ring does not hold. `newer`: a later release wrote it.
   */
  | {
      readonly kind: 'unreadable'
      readonly name?: string
      readonly reason: string
      readonly stranger?: true
      readonly newer?: true
    }

/** What is written as an entry. */
export type WritableEntry = Extract<Entry, { readonly kind: 'key' | 'tombstone' | 'alias' }>

const keySchema = z.strictObject({
  format: z.literal(FILE_FORMAT),
  kind: z.literal('key'),
  kek: hex16,
  key_id: z.string(),
  /** Random, new with each write: the record's etag. */
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
const tombstoneSchema = z.strictObject({
  format: z.literal(FILE_FORMAT),
  kind: z.literal('tombstone'),
  kek: hex16,
  key_id: z.string(),
  last_version: versionNumber,
  destroyed_at: time,
})
const aliasSchema = z.strictObject({
  format: z.literal(FILE_FORMAT),
  kind: z.literal('alias'),
  kek: hex16,
  alias: z.string(),
  key_id: z.string(),
})
const schema = z.discriminatedUnion('kind', [keySchema, tombstoneSchema, aliasSchema])
type EntryFile = z.infer<typeof schema>

/** The file of an entry, authenticated under the current KEK. */
export function encodeEntry(entry: WritableEntry, ring: KeyRing): Buffer {
  return encodeFile(toFile(entry, ring.current.id), ring.current.macKey)
}

function toFile(entry: WritableEntry, kek: string): EntryFile {
  switch (entry.kind) {
    case 'alias':
      return { format: FILE_FORMAT, kind: 'alias', kek, alias: entry.name, key_id: entry.keyId }
    case 'tombstone': {
      const { name, lastVersion, destroyedAt } = entry
      return {
        format: FILE_FORMAT,
        kind: 'tombstone',
        kek,
        key_id: name,
        last_version: lastVersion,
        destroyed_at: destroyedAt,
      }
    }
    case 'key': {
      const { record } = entry
      return {
        format: FILE_FORMAT,
        kind: 'key',
        kek,
        key_id: record.keyId,
        write: record.etag,
        state: record.state as z.infer<typeof keySchema>['state'],
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
  }
}

/** Reads the file with the given stem; whatever is wrong with it makes it `unreadable`. */
export function decodeEntry(bytes: Buffer, stem: string, ring: KeyRing): Entry {
  const raw = splitFile(bytes)
  if (raw === undefined) return { kind: 'unreadable', reason: 'its file is damaged' }
  const kind = raw.json['kind']
  const claimed = raw.json[kind === 'alias' ? 'alias' : 'key_id']
  // The stem proves the name: it is the name, or holds its hash.
  const name = typeof claimed === 'string' && fileStem(claimed) === stem ? { name: claimed } : {}
  if (newerFormat(raw) !== undefined) {
    return { kind: 'unreadable', ...name, reason: 'its file was written by a newer release', newer: true }
  }
  const damaged: Entry = { kind: 'unreadable', ...name, reason: 'its file is damaged' }
  const kek = ring.find(raw.json['kek'])
  if (kek === undefined && typeof raw.json['kek'] !== 'string') return damaged
  if (kek === undefined) return { kind: 'unreadable', ...name, reason: `its file ${UNKNOWN_KEK}`, stranger: true }
  if (kind !== 'key' && kind !== 'tombstone' && kind !== 'alias') return damaged
  if (!isAuthentic(raw, kind, kek.macKey)) return damaged
  const file = schema.safeParse(raw.json).data
  return file === undefined || name.name === undefined ? damaged : fromFile(file)
}

function fromFile(file: EntryFile): Entry {
  switch (file.kind) {
    case 'alias':
      return { kind: 'alias', name: file.alias, keyId: file.key_id }
    case 'tombstone':
      return { kind: 'tombstone', name: file.key_id, lastVersion: file.last_version, destroyedAt: file.destroyed_at }
    case 'key':
      return {
        kind: 'key',
        name: file.key_id,
        record: {
          keyId: file.key_id,
          aliases: file.aliases,
          description: file.description,
          tags: new Map(file.tags),
          state: file.state,
          createdAt: file.created_at,
          ...(file.rotated_at === undefined ? {} : { rotatedAt: file.rotated_at }),
          ...(file.deletion_at === undefined ? {} : { deletionAt: file.deletion_at }),
          ...(file.state_before_deletion === undefined ? {} : { stateBeforeDeletion: file.state_before_deletion }),
          ...(file.rotation_period_days === undefined ? {} : { rotationPeriodDays: file.rotation_period_days }),
          currentVersion: file.current_version,
          oldestVersion: file.oldest_version,
          materialId: file.material_id,
          origin: file.origin,
          etag: file.write,
        },
      }
  }
}
