import type { Buffer } from 'node:buffer'
import { kmsError } from '../errors/kms-error.ts'
import type { KeyRecord } from '../keys/key-backend.ts'
import type { ArchivedKey, ArchivedTombstone, ArchivedVersion, ArchiveEntry } from './archive-entry.ts'
import type { ArchiveSource } from './archive-source.ts'
import { type Disagreement, decideKey, decideTombstone, type HeldEntry, type KeyDecision } from './decide-restore.ts'
import type { RestoreConflict, RestoreOptions, RestoreReport, SeenKeys } from './restore-types.ts'

/** The store that an archive is restored into, as a restore looks at it. */
export interface RestoreTarget {
  /** What there is under a name. */
  held(name: string): Promise<HeldEntry>
  /** The material id of a version's material; absent where that does not follow from the material. */
  materialIdOf?(keyId: string, version: number, material: Buffer): string
  /** Milliseconds since the epoch. */
  now(): number
}

/** What a restore does to one key. */
export type RestoreStep =
  | {
      readonly kind: 'key'
      readonly keyId: string
      readonly decision: KeyDecision
      /** The archived versions that are written, in order. */
      readonly versions: readonly ArchivedVersion[]
      /** Aliases of a key that stays as it is, which are gone or damaged and are made again. */
      readonly aliases: readonly string[]
      readonly droppedAliases: readonly string[]
      /** Whether its deletion was put off. */
      readonly postponed: boolean
    }
  | {
      readonly kind: 'tombstone'
      readonly keyId: string
      /** Absent: nothing is written. */
      readonly lastVersion?: number
      readonly destroyedAt: number
      readonly disagreement?: Disagreement
      /** It was seen here and is in neither the archive nor the store. */
      readonly lost: boolean
    }
  | { readonly kind: 'ruin'; readonly name: string }

/** Ids of the keys of an archive, destroyed or not, read to its end: it is whole. Throws `ArchiveDamaged`. */
async function readKeyIds(archive: ArchiveSource): Promise<ReadonlySet<string>> {
  const ids = new Set<string>()
  for await (const entry of archive.entries()) {
    if (entry.kind === 'version') entry.material.fill(0)
    else if (entry.kind === 'key') ids.add(entry.record.keyId)
    else if (entry.kind === 'tombstone') ids.add(entry.keyId)
  }
  return ids
}

/**
 * What restoring an archive means for each key, in order, decided as it goes. Throws `ArchiveDamaged` before the first step
 * when anything of the archive is not as it was sealed.
 */
async function* restoreSteps(
  archive: ArchiveSource,
  target: RestoreTarget,
  options: RestoreOptions,
): AsyncGenerator<RestoreStep, void, undefined> {
  const keyIds = await readKeyIds(archive)
  const aliases = createAliasClaims(keyIds, target, options.seen)
  const mentioned = new Set<string>()
  for await (const [entry, versions] of groups(archive.entries())) {
    if (entry.kind === 'ruin') {
      mentioned.add(entry.name)
      yield { kind: 'ruin', name: entry.name }
    } else if (entry.kind === 'tombstone') {
      mentioned.add(entry.keyId)
      yield await tombstoneStep(entry, target, options)
    } else {
      mentioned.add(entry.record.keyId)
      yield await keyStep(entry, versions, { target, options, aliases })
    }
  }
  yield* lostSteps(mentioned, target, options)
}

async function* groups(
  entries: AsyncIterable<ArchiveEntry>,
): AsyncGenerator<readonly [Exclude<ArchiveEntry, { kind: 'version' | 'gap' }>, readonly ArchivedVersion[]]> {
  let first: Exclude<ArchiveEntry, { kind: 'version' | 'gap' }> | undefined
  let versions: ArchivedVersion[] = []
  for await (const entry of entries) {
    if (entry.kind === 'version') versions.push(entry)
    else if (entry.kind !== 'gap') {
      if (first !== undefined) yield [first, versions]
      first = entry
      versions = []
    }
  }
  if (first !== undefined) yield [first, versions]
}

interface KeyStepContext {
  readonly target: RestoreTarget
  readonly options: RestoreOptions
  readonly aliases: AliasClaims
}

async function keyStep(
  { record }: ArchivedKey,
  found: readonly ArchivedVersion[],
  { target, options, aliases }: KeyStepContext,
): Promise<RestoreStep> {
  const { keyId } = record
  requireGenuine(record, found, target)
  const versions = new Map(found.map(({ version, materialId }) => [version, materialId]))
  const held = await target.held(keyId)
  const memory = options.seen.memory(keyId)
  const now = target.now()
  let decision = decideKey({ record, versions }, held, { policy: options.conflict, memory, now })
  let droppedAliases: readonly string[] = []
  if (decision.record !== undefined) {
    const { free, taken } = await aliases.claim(keyId, decision.record.aliases)
    droppedAliases = taken
    decision = { ...decision, record: { ...decision.record, aliases: free } }
    const [alias] = taken
    if (alias !== undefined && decision.disagreement === undefined) {
      const reason = `its alias "${alias}" is the name of something else here`
      decision = { ...decision, disagreement: { reason, overwrites: 'keeps' } }
    }
  }
  const written = new Set(decision.versions)
  for (const { version, material } of found) if (!written.has(version)) material.fill(0)
  const postponed = decision.record?.deletionAt !== record.deletionAt && decision.record?.deletionAt !== undefined
  const chosen = found.filter(({ version }) => written.has(version))
  const lost = decision.record === undefined && held.kind === 'key' ? await aliases.lost(held.record, record) : []
  if (lost.length > 0 && decision.outcome === 'unchanged') decision = { ...decision, outcome: 'repaired' }
  return { kind: 'key', keyId, decision, versions: chosen, aliases: lost, droppedAliases, postponed }
}

/** An archive is made by whoever has its key: what it says of material is checked all the same. */
function requireGenuine(record: KeyRecord, versions: readonly ArchivedVersion[], target: RestoreTarget): void {
  for (const { keyId, version, material, materialId } of versions) {
    const genuine =
      (target.materialIdOf === undefined || target.materialIdOf(keyId, version, material) === materialId) &&
      (version !== record.currentVersion || materialId === record.materialId)
    if (!genuine) {
      throw kmsError('ArchiveDamaged', { reason: `version ${version} of key "${keyId}" is not what its id says` })
    }
  }
}

async function tombstoneStep(
  { keyId, lastVersion, destroyedAt }: ArchivedTombstone,
  target: RestoreTarget,
  { seen }: RestoreOptions,
): Promise<RestoreStep> {
  const decision = decideTombstone(lastVersion, await target.held(keyId), seen.memory(keyId))
  return { kind: 'tombstone', keyId, ...decision, destroyedAt, lost: false }
}

/** What was seen here and is nowhere any more: left out, it would look like a store that lost something. */
async function* lostSteps(
  mentioned: ReadonlySet<string>,
  target: RestoreTarget,
  { seen }: RestoreOptions,
): AsyncGenerator<RestoreStep> {
  for await (const [keyId, { highestVersion, destroyed }] of seen.known()) {
    if (mentioned.has(keyId) || (await target.held(keyId)).kind !== 'absent') continue
    const lost = !destroyed
    yield {
      kind: 'tombstone',
      keyId,
      lastVersion: highestVersion,
      destroyedAt: target.now(),
      lost,
      ...(lost ? { disagreement: { reason: 'it was seen here and is gone', overwrites: 'yes' } as const } : {}),
    }
  }
}

/** Which aliases of restored keys can be had: not the ids of keys, nor what somebody else has. */
interface AliasClaims {
  claim(
    keyId: string,
    names: readonly string[],
  ): Promise<{ readonly free: readonly string[]; readonly taken: readonly string[] }>
  /** Those that both records of a key name and that lead nowhere here. */
  lost(here: KeyRecord, archived: KeyRecord): Promise<readonly string[]>
}

function createAliasClaims(keyIds: ReadonlySet<string>, target: RestoreTarget, seen: SeenKeys): AliasClaims {
  const claimed = new Map<string, string>()

  /** Nothing is there, or what was an alias and is damaged: no key was ever known by that name. */
  function isNobodys(name: string, held: HeldEntry): boolean {
    return held.kind === 'absent' || (held.kind === 'damaged' && held.bare && seen.memory(name) === undefined)
  }

  return {
    async claim(keyId, names) {
      const free: string[] = []
      const taken: string[] = []
      for (const name of names) {
        const held = await target.held(name)
        const isFree = isNobodys(name, held) || (held.kind === 'alias' && held.keyId === keyId)
        if (isFree && !keyIds.has(name) && (claimed.get(name) ?? keyId) === keyId) {
          claimed.set(name, keyId)
          free.push(name)
        } else taken.push(name)
      }
      return { free, taken }
    },

    async lost(here, archived) {
      const found: string[] = []
      for (const name of here.aliases) {
        const isKnown = archived.aliases.includes(name) && !keyIds.has(name) && !claimed.has(name)
        if (isKnown && isNobodys(name, await target.held(name))) found.push(name)
      }
      for (const name of found) claimed.set(name, here.keyId)
      return found
    },
  }
}

const MAX_LISTED = 100

/**
 * Reads a whole archive and tells what restoring it does. `prepare` is given each step, whose material is zeroed behind it.
 * Throws `ArchiveDamaged`, and, unless it is a dry run, `RestoreConflict` where the policy allows nothing to be done.
 */
export async function surveyRestore(
  archive: ArchiveSource,
  target: RestoreTarget,
  options: RestoreOptions,
  prepare: (step: RestoreStep) => Promise<void> | void = () => {},
): Promise<RestoreReport> {
  const counts = { restored: 0, repaired: 0, overwritten: 0, unchanged: 0, kept: 0, tombstones: 0, versions: 0 }
  const conflicts = createList<RestoreConflict>()
  const lost = createList<string>()
  const unreadable = createList<string>()
  const dropped = createList<string>()
  const postponed = createList<string>()
  let refused: RestoreConflict | undefined
  let refusals = 0
  for await (const step of restoreSteps(archive, target, options)) {
    await prepare(step)
    if (step.kind === 'ruin') {
      unreadable.add(step.name)
      continue
    }
    const disagreement = step.kind === 'key' ? step.decision.disagreement : step.disagreement
    if (disagreement !== undefined) {
      const conflict = { keyId: step.keyId, reason: disagreement.reason }
      conflicts.add(conflict)
      const { conflict: policy } = options
      if (policy === 'fail' || (policy === 'overwrite' && disagreement.overwrites === 'refuses')) {
        refused ??= conflict
        refusals++
      }
    }
    if (step.kind === 'tombstone') {
      if (step.lastVersion !== undefined) counts.tombstones++
      else if (disagreement !== undefined) counts.kept++
      if (step.lost) lost.add(step.keyId)
      continue
    }
    for (const { material } of step.versions) material.fill(0)
    counts[step.decision.outcome]++
    counts.versions += step.versions.length + (step.decision.made === undefined ? 0 : 1)
    for (const alias of step.droppedAliases) dropped.add(alias)
    if (step.postponed) postponed.add(step.keyId)
  }
  if (refused !== undefined && !options.dryRun) {
    const more = options.conflict === 'fail' ? ', conflict=overwrite takes them over where nothing is lost by it' : ''
    throw kmsError('RestoreConflict', { count: refusals, key: refused.keyId, reason: refused.reason, more })
  }
  return {
    ...counts,
    conflicts: conflicts.first,
    conflictCount: conflicts.count,
    lost: lost.first,
    lostCount: lost.count,
    unreadable: unreadable.first,
    unreadableCount: unreadable.count,
    droppedAliases: dropped.first,
    postponed: postponed.first,
  }
}

interface List<T> {
  readonly first: readonly T[]
  readonly count: number
  add(item: T): void
}

function createList<T>(): List<T> {
  const first: T[] = []
  let count = 0
  return {
    first,
    get count() {
      return count
    },
    add(item) {
      if (++count <= MAX_LISTED) first.push(item)
    },
  }
}
