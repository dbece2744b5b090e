import { Buffer } from 'node:buffer'
import type { ArchiveEntry } from '../archive/archive-entry.ts'
import type { ArchiveSource } from '../archive/archive-source.ts'
import type { HeldEntry } from '../archive/decide-restore.ts'
import { type RestoreStep, type RestoreTarget, surveyRestore } from '../archive/restore-steps.ts'
import type { RestoreOptions, RestoreReport } from '../archive/restore-types.ts'
import type { Clock } from '../clock.ts'
import type { KeyRecord } from '../keys/key-backend.ts'
import type { Random } from '../random.ts'
import type { MemoryStore, MemoryVersion } from './memory-store.ts'

/** `KeyBackend.backup` of the in-memory backend. */
export async function* archiveMemoryStore(store: MemoryStore): AsyncGenerator<ArchiveEntry, void, undefined> {
  for (const [keyId, key] of [...store.keys].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!('record' in key)) {
      yield { kind: 'tombstone', keyId, lastVersion: key.destroyedVersion, destroyedAt: 0 }
    } else if (store.unreadable.has(keyId)) {
      yield { kind: 'ruin', name: keyId, reason: 'its record is damaged' }
    } else {
      const { record, versions } = key
      yield { kind: 'key', record }
      for (let version = record.oldestVersion; version <= record.currentVersion; version++) {
        const held = versions.get(version)
        if (held === undefined) {
          yield { kind: 'gap', keyId, version, reason: 'it is missing' }
          continue
        }
        const { materialId } = held
        const material = Buffer.from(held.material)
        yield { kind: 'version', keyId, version, createdAt: record.createdAt, materialId, material }
      }
    }
  }
}

export interface MemoryRestoreContext {
  readonly clock: Clock
  readonly random: Random
}

/** `KeyBackend.restore` of the in-memory backend: nothing is written before everything is decided. */
export async function restoreMemoryStore(
  store: MemoryStore,
  archive: ArchiveSource,
  options: RestoreOptions,
  { clock, random }: MemoryRestoreContext,
): Promise<RestoreReport> {
  const target: RestoreTarget = { now: clock.now, held: async (name) => heldIn(store, name) }
  const steps: RestoreStep[] = []
  const report = await surveyRestore(archive, target, options, (step) => {
    steps.push(step.kind === 'key' ? { ...step, versions: step.versions.map(copied) } : step)
  })
  if (!options.dryRun) for (const step of steps) apply(store, step, random)
  return report
}

/** The material of a step is zeroed behind it. */
function copied<T extends { readonly material: Buffer }>(version: T): T {
  return { ...version, material: Buffer.from(version.material) }
}

function heldIn(store: MemoryStore, name: string): HeldEntry {
  const key = store.keys.get(name)
  if (key === undefined) {
    const keyId = store.aliases.get(name)
    return keyId === undefined ? { kind: 'absent' } : { kind: 'alias', keyId }
  }
  if (!('record' in key)) return { kind: 'tombstone', lastVersion: key.destroyedVersion }
  const versions = new Map([...key.versions].map(([version, { materialId }]) => [version, materialId]))
  return store.unreadable.has(name)
    ? { kind: 'damaged', versions, bare: versions.size === 0 }
    : { kind: 'key', record: key.record, versions }
}

function apply(store: MemoryStore, step: RestoreStep, random: Random): void {
  if (step.kind === 'ruin') return
  const { keyId } = step
  if (step.kind === 'tombstone') {
    if (step.lastVersion !== undefined) store.keys.set(keyId, { destroyedVersion: step.lastVersion })
    return
  }
  const { made, record: decided } = step.decision
  for (const alias of step.aliases) store.aliases.set(alias, keyId)
  if (decided === undefined && step.versions.length === 0) return
  const key = store.keys.get(keyId)
  const before = key !== undefined && 'record' in key ? key : undefined
  const versions = new Map<number, MemoryVersion>(before?.versions)
  for (const { version, materialId, material } of step.versions) versions.set(version, { materialId, material })
  const fresh = { material: random(32), materialId: random(16).toString('hex') }
  if (made !== undefined) versions.set(made, fresh)
  const record = decided ?? before?.record
  if (record === undefined) return
  const saved: KeyRecord = {
    ...record,
    ...(made === undefined ? {} : { materialId: fresh.materialId }),
    etag: random(8).toString('hex'),
  }
  for (const alias of before?.record.aliases ?? []) store.aliases.delete(alias)
  for (const alias of saved.aliases) store.aliases.set(alias, keyId)
  store.keys.set(keyId, { record: saved, versions })
  store.unreadable.delete(keyId)
}
