import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { type ArchiveSource, isKeyName, kmsError, type RestoreOptions, type RestoreReport } from '@kms/core'
import { errnoOf, type HeldEntry, type RestoreStep, type RestoreTarget, surveyRestore } from '@kms/core/internal'
import { inLanes } from './in-lanes.ts'
import type { Entry } from './key-file.ts'
import type { KeyRing } from './key-ring.ts'
import type { LocalStore } from './local-store.ts'
import { readRegularFile } from './read-regular-file.ts'
import { createStagedRestore, newRecord, type StagedRestore } from './staged-restore.ts'
import { readFailure } from './storage-error.ts'
import { createMaterial, materialIdOf } from './version-file.ts'

/** Files looked at, and versions written, at the same time. */
const WIDTH = 16

/**
 * `KeyBackend.restore` on an open store. What takes long, deciding and sealing, is done while others go on reading and
 * writing; then, under the lock, nothing of what was decided about may have changed, and the files are moved into place.
 */
export async function restoreIntoStore(
  store: LocalStore,
  archive: ArchiveSource,
  options: RestoreOptions,
): Promise<RestoreReport> {
  store.refuseClosed()
  // Whose KEK is not known after this is known to nobody.
  await store.storeKeys.refresh()
  const target = targetOf(store)
  // Before anything is written: whether it can be done at all.
  const survey = await surveyRestore(archive, target, options)
  if (options.dryRun) return survey
  const guard = createGuard(store)
  const kek = store.ring.current.id
  const staged = await store.alone(() => createStagedRestore(store))
  let report: RestoreReport
  try {
    report = await surveyRestore(archive, guard.watching(target), options, async (step) => {
      guard.note(step)
      await stageStep(step, staged, store)
    })
    await store.alone(async () => {
      await guard.requireUnchanged()
      if (store.ring.current.id !== kek) throw changed('its key-encryption key')
      await staged.commit()
    })
  } finally {
    await staged.discard()
  }
  // Committed: it takes place whatever happens here, by the next write at the latest.
  await store
    .alone(async () => {})
    .catch((error: unknown) => {
      throw kmsError(
        'BackendUnavailable',
        { store: store.directory, reason: 'the restore was begun, and ends by itself' },
        { cause: error },
      )
    })
  return report
}

/** Prepares what a step writes. */
export async function stageStep(
  step: RestoreStep,
  staged: StagedRestore,
  { ring, random, clock }: Pick<LocalStore, 'ring' | 'random' | 'clock'>,
): Promise<void> {
  if (step.kind === 'ruin') return
  if (step.kind === 'tombstone') {
    const { keyId: name, lastVersion, destroyedAt } = step
    if (lastVersion !== undefined) await staged.addEntry({ kind: 'tombstone', name, lastVersion, destroyedAt })
    return
  }
  const { keyId, versions, aliases } = step
  const { record, made } = step.decision
  await inLanes(versions, WIDTH, async ({ version, createdAt, materialId, material }) => {
    await staged.addVersion({ keyId, version }, { createdAt, materialId, material })
  })
  for (const name of aliases) await staged.addEntry({ kind: 'alias', name, keyId })
  if (record === undefined) return
  let { materialId } = record
  if (made !== undefined) {
    const name = { keyId, version: made }
    const fresh = createMaterial(ring.realm, name, random(32))
    await staged.addVersion(name, { ...fresh, createdAt: clock.now() })
    fresh.material.fill(0)
    materialId = fresh.materialId
  }
  await staged.addEntry({ kind: 'key', name: keyId, record: newRecord({ ...record, materialId }, random) })
}

/** An empty place, as a restore looks at it. */
export function emptyTarget(ring: Pick<KeyRing, 'realm'>, now: () => number): RestoreTarget {
  return {
    now,
    held: async () => ({ kind: 'absent' }),
    materialIdOf: (keyId, version, material) => materialIdOf(material, ring.realm, { keyId, version }),
  }
}

function targetOf(store: LocalStore): RestoreTarget {
  return { ...emptyTarget(store.ring, () => store.clock.now()), held: (name) => heldIn(store, name) }
}

async function heldIn(store: LocalStore, name: string): Promise<HeldEntry> {
  const entry: Entry = isKeyName(name) ? await store.read(name) : { kind: 'absent' }
  switch (entry.kind) {
    case 'absent':
      return entry
    case 'tombstone':
      return { kind: 'tombstone', lastVersion: entry.lastVersion }
    case 'alias': {
      const owner = await store.read(entry.keyId)
      const listed = owner.kind === 'unreadable' || (owner.kind === 'key' && owner.record.aliases.includes(name))
      return listed ? { kind: 'alias', keyId: entry.keyId } : { kind: 'absent' }
    }
    case 'unreadable':
      if (entry.newer) return { kind: 'foreign', reason: entry.reason }
      return damagedIn(store, name)
    case 'key': {
      const { record } = entry
      const count = record.currentVersion - record.oldestVersion + 1
      const named = Array.from({ length: count }, (_, i) => record.oldestVersion + i)
      return { kind: 'key', record, versions: await materialIds(store, name, named) }
    }
  }
}

async function damagedIn(store: LocalStore, keyId: string): Promise<HeldEntry> {
  const named = await versionsOnDisk(store, keyId)
  return { kind: 'damaged', versions: await materialIds(store, keyId, named), bare: named.length === 0 }
}

async function versionsOnDisk({ versions, directory }: LocalStore, keyId: string): Promise<readonly number[]> {
  const files = await readdir(versions.directoryOf(keyId)).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return []
    throw readFailure(directory, error)
  })
  return files.flatMap((file) => {
    const [, version] = /^([1-9]\d{0,9})\.json$/.exec(file) ?? []
    return version === undefined ? [] : [Number(version)]
  })
}

/** Of the versions that can be read. */
async function materialIds(
  store: LocalStore,
  keyId: string,
  versions: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  const found = new Map<number, string>()
  await inLanes(versions, WIDTH, async (version) => {
    const held = await store.versions.read({ keyId, version })
    if (typeof held === 'string') return
    held.material.fill(0)
    found.set(version, held.materialId)
  })
  return found
}

/** Remembers how the entries looked that something was decided about. */
interface Guard {
  watching(target: RestoreTarget): RestoreTarget
  /** What this step writes has to look then as it did when that was decided. */
  note(step: RestoreStep): void
  /** Throws `StoreChanged` when one looks otherwise now. */
  requireUnchanged(): Promise<void>
}

function createGuard(store: LocalStore): Guard {
  const looks = new Map<string, string>()
  /** The keys whose records decide whether an alias is one. */
  const owners = new Map<string, string>()
  const noted = new Set<string>()
  return {
    watching: (target) => ({
      ...target,
      async held(name) {
        if (!isKeyName(name)) return target.held(name)
        // Before it is looked at: what changes from then on is noticed.
        const look = await lookOf(store, name)
        if (!looks.has(name)) looks.set(name, look)
        const entry = await store.read(name)
        if (entry.kind === 'alias') {
          owners.set(name, entry.keyId)
          if (!looks.has(entry.keyId)) looks.set(entry.keyId, await lookOf(store, entry.keyId))
        }
        return target.held(name)
      },
    }),

    note(step) {
      if (step.kind === 'ruin') return
      const writes = step.kind === 'key' ? step.decision.record : step.lastVersion
      const aliases = step.kind === 'key' ? [...step.aliases, ...(step.decision.record?.aliases ?? [])] : []
      const fills = step.kind === 'key' && step.versions.length + step.aliases.length > 0
      if (writes === undefined && !fills) return
      for (const name of [step.keyId, ...aliases]) {
        noted.add(name)
        const owner = owners.get(name)
        if (owner !== undefined) noted.add(owner)
      }
    },

    async requireUnchanged() {
      await inLanes(noted, WIDTH, async (name) => {
        if ((await lookOf(store, name)) !== looks.get(name)) throw changed(`"${name}"`)
      })
    },
  }
}

async function lookOf(store: LocalStore, name: string): Promise<string> {
  try {
    const { bytes } = await readRegularFile(store.pathOf(name))
    return bytes === undefined ? 'no file' : createHash('sha256').update(bytes).digest('base64')
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'ENOENT') return 'absent'
    if (code === 'EACCES' || code === 'EPERM' || code === 'ELOOP') return 'unreadable'
    throw readFailure(store.directory, error)
  }
}

function changed(what: string): Error {
  return kmsError('StoreChanged', { what })
}
