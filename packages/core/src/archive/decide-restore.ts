import { isDeepStrictEqual } from 'node:util'
import type { KeyMemory } from '../canary/canary-store.ts'
import type { KeyRecord } from '../keys/key-backend.ts'
import type { ConflictPolicy } from './restore-types.ts'

/** What a store holds under the id of an archived key. */
export type HeldEntry =
  | { readonly kind: 'absent' }
  /** `versions`: the material ids of those that can be read. */
  | { readonly kind: 'key'; readonly record: KeyRecord; readonly versions: ReadonlyMap<number, string> }
  | { readonly kind: 'tombstone'; readonly lastVersion: number }
  /** The id is an alias of another key, whose record lists it. */
  | { readonly kind: 'alias'; readonly keyId: string }
  /** A record that is damaged; `versions` as above, `bare`: there is not even a damaged one. */
  | { readonly kind: 'damaged'; readonly versions: ReadonlyMap<number, string>; readonly bare: boolean }
  /** Something this server cannot judge: it is sealed by what it was not given, or of a newer release. */
  | { readonly kind: 'foreign'; readonly reason: string }

/** An archived key; `versions`: the material ids of those the archive has. */
export interface ArchivedState {
  readonly record: KeyRecord
  readonly versions: ReadonlyMap<number, string>
}

/** That the two do not agree, and what `overwrite` makes of it: the archive's, the store's, or nothing at all. */
export interface Disagreement {
  /** Public. */
  readonly reason: string
  readonly overwrites: 'yes' | 'keeps' | 'refuses'
}

/** What becomes of an archived key. */
export interface KeyDecision {
  readonly outcome: 'restored' | 'repaired' | 'overwritten' | 'unchanged' | 'kept'
  readonly disagreement?: Disagreement
  /** Written as the key's record; its material id counts unless a version is made. */
  readonly record?: Omit<KeyRecord, 'etag'>
  /** Archived versions that are written. */
  readonly versions: readonly number[]
  /** A version that is made, of new material, and current: above everything ever seen of the key. */
  readonly made?: number
}

export interface DecideOptions {
  readonly policy: ConflictPolicy
  readonly memory: KeyMemory | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** A key is not destroyed because it was scheduled for that before it was lost. */
const LEAST_WAIT_MS = 7 * 86_400_000

/**
 * Decides about an archived key. Whatever the policy: no version that can be read is given up, none is replaced by other
 * material, and no key goes back to an earlier version; what is missing or damaged is filled where that contradicts nothing.
 */
export function decideKey(archived: ArchivedState, held: HeldEntry, options: DecideOptions): KeyDecision {
  const { memory } = options
  switch (held.kind) {
    case 'absent':
      if (memory?.destroyed !== true) return writeWhole(archived, 'restored', 0, options)
      return decideOverTombstone(archived, memory.highestVersion, options)
    case 'tombstone':
      return decideOverTombstone(archived, held.lastVersion, options)
    case 'alias':
      return kept({ reason: `its id is an alias of key "${held.keyId}" here`, overwrites: 'refuses' })
    case 'foreign':
      return kept({ reason: held.reason, overwrites: 'refuses' })
    case 'damaged':
      return decideOverDamage(archived, held.versions, options)
    case 'key':
      return decideOverKey(archived, held, options)
  }
}

function decideOverTombstone(archived: ArchivedState, lastVersion: number, options: DecideOptions): KeyDecision {
  const newer = archived.record.oldestVersion > lastVersion
  const reason = newer ? 'it was destroyed here, and the archive has it made again since' : 'it was destroyed here'
  const disagreement = { reason, overwrites: 'yes' } as const
  if (options.policy !== 'overwrite') return kept(disagreement)
  return { ...writeWhole(archived, 'overwritten', newer ? 0 : lastVersion, options), disagreement }
}

function decideOverDamage(
  archived: ArchivedState,
  held: ReadonlyMap<number, string>,
  options: DecideOptions,
): KeyDecision {
  const { record } = archived
  const other = otherMaterial(knownIds(record, archived.versions), held)
  if (other !== undefined) return kept(other)
  const here = [...held.keys()].sort((a, b) => a - b)
  const [first = 0, last = 0] = [here[0], here.at(-1)]
  // Versions later than the archived ones were named by the record that is damaged: they stay.
  const currentVersion = Math.max(record.currentVersion, last)
  const materialId = currentVersion === record.currentVersion ? record.materialId : (held.get(last) as string)
  const versions = [...archived.versions.keys()].filter((version) => !held.has(version))
  const united = { ...withoutEtag(record), currentVersion, materialId }
  if (first <= record.currentVersion) return finish(united, 'repaired', versions, 0, options)
  const reason = `its record here is damaged, and it has version ${first} where the archive ends with ${record.currentVersion}: it may have been destroyed and made again since`
  const disagreement = { reason, overwrites: 'yes' } as const
  if (options.policy !== 'overwrite') return kept(disagreement)
  return { ...finish(united, 'overwritten', versions, 0, options), disagreement }
}

function decideOverKey(
  archived: ArchivedState,
  held: HeldEntry & { readonly kind: 'key' },
  options: DecideOptions,
): KeyDecision {
  const { record } = archived
  const here = held.record
  const other = otherMaterial(knownIds(record, archived.versions), knownIds(here, held.versions))
  if (other !== undefined) return kept(other)
  const isHere = (version: number): boolean => version >= here.oldestVersion && version <= here.currentVersion
  const missing = [...archived.versions.keys()].filter((version) => !held.versions.has(version))
  const fills = missing.filter(isHere)
  const seen = options.memory?.highestVersion ?? 0
  const reason =
    record.currentVersion > here.currentVersion
      ? `the archive has version ${record.currentVersion}, and here is version ${here.currentVersion}`
      : record.oldestVersion < here.oldestVersion
        ? 'it was destroyed here and made again since'
        : !isDeepStrictEqual(describing(record), describing(here))
          ? 'its aliases, description, tags, state or rotation period differ'
          : seen > here.currentVersion
            ? `its record here was rolled back to version ${here.currentVersion}; version ${seen} was seen`
            : undefined
  if (reason === undefined) return { outcome: fills.length > 0 ? 'repaired' : 'unchanged', versions: fills }
  const disagreement = { reason, overwrites: 'yes' } as const
  if (options.policy !== 'overwrite') {
    return { outcome: fills.length > 0 ? 'repaired' : 'kept', versions: fills, disagreement }
  }
  const later = record.currentVersion > here.currentVersion ? record : here
  const { rotatedAt: _, ...rest } = withoutEtag(record)
  const united = {
    ...rest,
    ...(later.rotatedAt === undefined ? {} : { rotatedAt: later.rotatedAt }),
    createdAt: here.createdAt,
    oldestVersion: Math.min(record.oldestVersion, here.oldestVersion),
    currentVersion: later.currentVersion,
    materialId: later.materialId,
  }
  return { ...finish(united, 'overwritten', missing, 0, options), disagreement }
}

/** What would replace material by other material is never done. `held` and `archived`: material ids by version. */
function otherMaterial(
  archived: ReadonlyMap<number, string>,
  held: ReadonlyMap<number, string>,
): Disagreement | undefined {
  for (const [version, materialId] of archived) {
    const here = held.get(version)
    if (here !== undefined && here !== materialId) {
      return { reason: `its version ${version} holds other material here`, overwrites: 'refuses' }
    }
  }
  return undefined
}

/** The material ids of all versions of which they are known: the record knows that of the current one, missing or not. */
function knownIds(
  { currentVersion, materialId }: KeyRecord,
  versions: ReadonlyMap<number, string>,
): ReadonlyMap<number, string> {
  return new Map(versions).set(currentVersion, materialId)
}

function writeWhole(
  { record, versions }: ArchivedState,
  outcome: 'restored' | 'overwritten',
  above: number,
  options: DecideOptions,
): KeyDecision {
  return finish(withoutEtag(record), outcome, [...versions.keys()], above, options)
}

/** A current version at least as high as any that was ever seen: a number never stands for two materials. */
function finish(
  record: Omit<KeyRecord, 'etag'>,
  outcome: KeyDecision['outcome'],
  versions: readonly number[],
  above: number,
  { memory, now }: DecideOptions,
): KeyDecision {
  const patient = postponed(record, now)
  const highest = Math.max(above, memory?.highestVersion ?? 0)
  const outdated = above > 0 ? highest >= record.currentVersion : highest > record.currentVersion
  if (!outdated) return { outcome, versions, record: patient }
  const made = highest + 1
  return { outcome, versions, made, record: { ...patient, currentVersion: made, rotatedAt: now } }
}

function postponed(record: Omit<KeyRecord, 'etag'>, now: number): Omit<KeyRecord, 'etag'> {
  const { deletionAt } = record
  return deletionAt === undefined ? record : { ...record, deletionAt: Math.max(deletionAt, now + LEAST_WAIT_MS) }
}

function withoutEtag({ etag: _, ...record }: KeyRecord): Omit<KeyRecord, 'etag'> {
  return record
}

/** What somebody decided about a key, in a form that can be compared; without the day of a deletion, which a restore puts off. */
function describing({ aliases, description, tags, ...record }: KeyRecord): unknown {
  const { state, stateBeforeDeletion, rotationPeriodDays } = record
  const sortedTags = [...tags].sort(([a], [b]) => (a < b ? -1 : 1))
  return [[...aliases].sort(), description, sortedTags, state, stateBeforeDeletion, rotationPeriodDays]
}

function kept(disagreement: Disagreement): KeyDecision {
  return { outcome: 'kept', versions: [], disagreement }
}

/** What becomes of an archived tombstone: `lastVersion` is written, or nothing is. */
export interface TombstoneDecision {
  readonly lastVersion?: number
  readonly disagreement?: Disagreement
}

/** Decides about an archived tombstone. A restore destroys no key. */
export function decideTombstone(
  lastVersion: number,
  held: HeldEntry,
  memory: KeyMemory | undefined,
): TombstoneDecision {
  const last = Math.max(lastVersion, memory?.highestVersion ?? 0)
  if (held.kind === 'absent') return { lastVersion: last }
  if (held.kind === 'tombstone') return held.lastVersion < last ? { lastVersion: last } : {}
  // A tombstone itself, damaged; unless the key is known to have lived again since.
  if (held.kind === 'damaged' && held.bare && (memory === undefined || memory.destroyed || last === lastVersion)) {
    return { lastVersion: last }
  }
  if (held.kind !== 'key' || held.record.oldestVersion > lastVersion) return {}
  return { disagreement: { reason: 'the archive says that it was destroyed', overwrites: 'keeps' } }
}
