import type { KeyState, NewKey } from '@kms/core'
import { z } from 'zod'

/** What we keep of a key in KV; everything about its versions is Transit's. Times in milliseconds since the epoch. */
export interface StoredKey {
  readonly keyId: string
  /** `Creating`: its Transit key may not be there yet. */
  readonly state: 'Creating' | Exclude<KeyState, 'Unavailable'>
  readonly aliases: readonly string[]
  readonly description: string
  readonly tags: ReadonlyMap<string, string>
  readonly createdAt: number
  readonly deletionAt?: number
  readonly stateBeforeDeletion?: 'Enabled' | 'Disabled'
  readonly rotationPeriodDays?: number
  readonly origin: 'KMS' | 'EXTERNAL'
  readonly adopted: boolean
}

/**
 * What stands at a name. Nothing is ever deleted there: a name that is given up is overwritten by `free`, which compare-and-set
 * makes safe where a deletion, which has none, could hit what somebody has just written.
 */
export type Entry =
  | { readonly kind: 'key'; readonly key: StoredKey }
  /** Holds only while the record of its key lists it. */
  | { readonly kind: 'alias'; readonly keyId: string }
  | {
      readonly kind: 'tombstone'
      readonly lastVersion: number
      readonly destroyedAt: number
      /** The Transit key may still be there: its deletion is finished by whoever comes by. */
      readonly pending: boolean
    }
  | { readonly kind: 'free' }

const FORMAT = 1
const version: z.ZodInt = z.int().min(1).max(0xffff_ffff)
const time: z.ZodInt = z.int().min(0)
const names = z.array(z.string())

const fileSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('key'),
    key_id: z.string(),
    state: z.enum(['Creating', 'Enabled', 'Disabled', 'PendingDeletion']),
    aliases: names,
    description: z.string(),
    tags: z.array(z.tuple([z.string(), z.string()])),
    created_at: time,
    deletion_at: time.optional(),
    state_before_deletion: z.enum(['Enabled', 'Disabled']).optional(),
    rotation_period_days: z.int().min(1).optional(),
    origin: z.enum(['KMS', 'EXTERNAL']),
    adopted: z.boolean().default(false),
  }),
  z.object({ kind: z.literal('alias'), alias: z.string(), key_id: z.string() }),
  z.object({
    kind: z.literal('tombstone'),
    key_id: z.string(),
    last_version: version,
    destroyed_at: time,
    pending: z.boolean(),
  }),
  z.object({ kind: z.literal('free'), name: z.string() }),
])

/** Reads what stands at `name`; a text says why it cannot be read, in public words. */
export function readEntry(name: string, data: unknown): Entry | string {
  const format = typeof data === 'object' && data !== null ? (data as Record<string, unknown>)['format'] : undefined
  if (typeof format === 'number' && format > FORMAT)
    return `its record has format ${format}, which is newer than this release`
  const parsed = format === FORMAT ? fileSchema.safeParse(data) : undefined
  if (parsed?.success !== true) return 'its record is not one of ours, or damaged'
  const file = parsed.data
  switch (file.kind) {
    case 'key': {
      if (file.key_id !== name) return 'its record belongs to another key'
      const { deletion_at, state_before_deletion, rotation_period_days } = file
      return {
        kind: 'key',
        key: {
          keyId: file.key_id,
          state: file.state,
          aliases: file.aliases,
          description: file.description,
          tags: new Map(file.tags),
          createdAt: file.created_at,
          ...(deletion_at === undefined ? {} : { deletionAt: deletion_at }),
          ...(state_before_deletion === undefined ? {} : { stateBeforeDeletion: state_before_deletion }),
          ...(rotation_period_days === undefined ? {} : { rotationPeriodDays: rotation_period_days }),
          origin: file.origin,
          adopted: file.adopted,
        },
      }
    }
    case 'alias':
      return file.alias === name ? { kind: 'alias', keyId: file.key_id } : 'its record belongs to another alias'
    case 'tombstone':
      if (file.key_id !== name) return 'its record belongs to another key'
      return {
        kind: 'tombstone',
        lastVersion: file.last_version,
        destroyedAt: file.destroyed_at,
        pending: file.pending,
      }
    case 'free':
      return file.name === name ? { kind: 'free' } : 'its record belongs to another name'
    default:
      return file satisfies never
  }
}

/** The record as KV keeps it; `write` tells one write from every other. */
export function encodeEntry(name: string, entry: Entry, write: string): Readonly<Record<string, unknown>> {
  const head = { format: FORMAT, kind: entry.kind, write }
  switch (entry.kind) {
    case 'key': {
      const { key } = entry
      return {
        ...head,
        key_id: name,
        state: key.state,
        aliases: key.aliases,
        description: key.description,
        tags: [...key.tags],
        created_at: key.createdAt,
        deletion_at: key.deletionAt,
        state_before_deletion: key.stateBeforeDeletion,
        rotation_period_days: key.rotationPeriodDays,
        origin: key.origin,
        ...(key.adopted ? { adopted: true } : {}),
      }
    }
    case 'alias':
      return { ...head, alias: name, key_id: entry.keyId }
    case 'tombstone':
      return {
        ...head,
        key_id: name,
        last_version: entry.lastVersion,
        destroyed_at: entry.destroyedAt,
        pending: entry.pending,
      }
    case 'free':
      return { ...head, name }
    default:
      return entry satisfies never
  }
}

/** What a new key is stored as. */
export function newStoredKey(key: NewKey, state: StoredKey['state'], createdAt: number): StoredKey {
  const { keyId, aliases, description, tags, material } = key
  return {
    keyId,
    state,
    aliases: [...aliases],
    description,
    tags: new Map(tags),
    createdAt,
    origin: material === undefined ? 'KMS' : 'EXTERNAL',
    adopted: false,
  }
}
