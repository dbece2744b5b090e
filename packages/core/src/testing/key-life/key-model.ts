import type { ErrorCode } from '../../errors/catalogue.ts'
import type { KeyRecord } from '../../keys/key-backend.ts'
import { DAY_MS } from '../../keys/rotation-schedule.ts'
import { DEFAULT_KEY, type KeyStep } from './key-step.ts'

/** A key as the model knows it: what is shown of a record, and when it was made. */
export interface ModelKey {
  readonly id: string
  readonly state: 'Enabled' | 'Disabled' | 'PendingDeletion'
  readonly version: number
  readonly oldest: number
  readonly aliases: readonly string[]
  readonly description: string
  readonly tags: ReadonlyMap<string, string>
  readonly origin: 'KMS' | 'EXTERNAL'
  readonly deletionAt?: number
  readonly before?: 'Enabled' | 'Disabled'
  readonly period?: number
  readonly createdAt: number
  readonly rotatedAt?: number
}

/** All keys, and what is left of those that were destroyed. */
export interface ModelStore {
  readonly keys: ReadonlyMap<string, ModelKey>
  /** The last version of each. */
  readonly destroyed: ReadonlyMap<string, number>
  readonly retiresIds: boolean
}

/** How a step ends. */
export type Outcome = { readonly code: ErrorCode } | { readonly key: object; readonly changed: boolean }

export interface After {
  readonly store: ModelStore
  readonly outcome: Outcome
}

/** What two keys are compared by. */
export function shown(key: ModelKey): object {
  const { createdAt: _, rotatedAt: __, aliases, tags, ...rest } = key
  return { ...rest, aliases: [...aliases].sort(), tags: inOrder(tags) }
}

/** {@link shown}, of a record. */
export function shownRecord(record: KeyRecord): object {
  const { keyId: id, state, currentVersion: version, oldestVersion: oldest, description, origin } = record
  return {
    id,
    state,
    version,
    oldest,
    description,
    origin,
    ...(record.deletionAt === undefined ? {} : { deletionAt: record.deletionAt }),
    ...(record.stateBeforeDeletion === undefined ? {} : { before: record.stateBeforeDeletion }),
    ...(record.rotationPeriodDays === undefined ? {} : { period: record.rotationPeriodDays }),
    aliases: [...record.aliases].sort(),
    tags: inOrder(record.tags),
  }
}

function inOrder(tags: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...tags].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** What a step does, and how it ends. */
export function applyStep(store: ModelStore, step: KeyStep, now: number): After {
  if ('name' in step) return create(store, step, now)
  const key = resolve(store, step.target)
  if (key === undefined) return refuse(store, store.destroyed.has(step.target) ? 'KeyDestroyed' : 'KeyNotFound')
  const isPending = key.state === 'PendingDeletion'
  switch (step.type) {
    case 'rotate':
      if (key.state !== 'Enabled') return refuse(store, isPending ? 'KeyPendingDeletion' : 'KeyDisabled')
      return change(store, key, { version: key.version + 1, rotatedAt: now })
    case 'enable':
    case 'disable': {
      const state = step.type === 'enable' ? 'Enabled' : 'Disabled'
      return isPending ? refuse(store, 'KeyPendingDeletion') : change(store, key, { state })
    }
    case 'describe':
      return isPending ? refuse(store, 'KeyPendingDeletion') : change(store, key, { description: step.description })
    case 'tag':
      if (isPending) return refuse(store, 'KeyPendingDeletion')
      return change(store, key, { tags: new Map([...key.tags, [step.tag, step.value]]) })
    case 'untag':
      if (isPending) return refuse(store, 'KeyPendingDeletion')
      return change(store, key, { tags: new Map([...key.tags].filter(([tag]) => tag !== step.tag)) })
    case 'add alias': {
      if (isPending) return refuse(store, 'KeyPendingDeletion')
      if (key.aliases.includes(step.alias)) return change(store, key, {})
      if (isTaken(store, step.alias)) return refuse(store, 'KeyAlreadyExists')
      if (store.destroyed.has(step.alias)) return refuse(store, 'KeyIdRetired')
      return change(store, key, { aliases: [...key.aliases, step.alias] })
    }
    case 'remove alias':
      if (!key.aliases.includes(step.alias)) return refuse(store, 'KeyNotFound')
      return change(store, key, { aliases: key.aliases.filter((each) => each !== step.alias) })
    case 'schedule':
      if (isPending) return step.days === undefined ? change(store, key, {}) : refuse(store, 'KeyPendingDeletion')
      if (key.id === DEFAULT_KEY) return refuse(store, 'KeyIsDefault')
      return change(store, key, {
        state: 'PendingDeletion',
        deletionAt: now + (step.days ?? 30) * DAY_MS,
        before: key.state,
      })
    case 'cancel': {
      if (!isPending) return change(store, key, {})
      const { deletionAt: _, before = 'Disabled', ...rest } = key
      return put(store, { ...rest, state: before }, true)
    }
    case 'destroy':
      if (step.confirm !== key.id) return refuse(store, 'ValidationError')
      if (key.id === DEFAULT_KEY) return refuse(store, 'KeyIsDefault')
      return { store: withoutKey(store, key), outcome: { key: { destroyed: key.id }, changed: true } }
    case 'period': {
      if (isPending) return refuse(store, 'KeyPendingDeletion')
      const { period, ...rest } = key
      return put(store, step.days === null ? rest : { ...rest, period: step.days }, (period ?? null) !== step.days)
    }
  }
}

/** What falls due by `now`, all of it. */
export function applyDue(store: ModelStore, now: number): ModelStore {
  let after = store
  for (const key of store.keys.values()) {
    if (key.state === 'PendingDeletion' && (key.deletionAt ?? now + 1) <= now) after = withoutKey(after, key)
    const due = key.state === 'Enabled' && key.period !== undefined
    if (due && (key.rotatedAt ?? key.createdAt) + (key.period ?? 0) * DAY_MS <= now) {
      after = change(after, key, { version: key.version + 1, rotatedAt: now }).store
    }
  }
  return after
}

/** How a wrap under a name ends: the version that wraps, or the refusal. */
export function wrapUnder(store: ModelStore, target: string): ErrorCode | ModelKey {
  const key = resolve(store, target)
  if (key === undefined) return store.destroyed.has(target) ? 'KeyDestroyed' : 'KeyNotFound'
  if (key.state === 'Enabled') return key
  return key.state === 'Disabled' ? 'KeyDisabled' : 'KeyPendingDeletion'
}

function create(store: ModelStore, { type, name }: { type: 'create' | 'import'; name: string }, now: number): After {
  if (isTaken(store, name)) return refuse(store, 'KeyAlreadyExists')
  const last = store.destroyed.get(name)
  if (last !== undefined && store.retiresIds) return refuse(store, 'KeyIdRetired')
  const destroyed = new Map(store.destroyed)
  destroyed.delete(name)
  const version = (last ?? 0) + 1
  const key: ModelKey = {
    id: name,
    state: 'Enabled',
    version,
    oldest: version,
    aliases: [],
    description: '',
    tags: new Map(),
    origin: type === 'import' ? 'EXTERNAL' : 'KMS',
    createdAt: now,
  }
  return put({ ...store, destroyed }, key, true)
}

/** The key a name leads to. */
export function resolve({ keys, destroyed }: ModelStore, name: string): ModelKey | undefined {
  const key = keys.get(name)
  if (key !== undefined || destroyed.has(name)) return key
  return [...keys.values()].find(({ aliases }) => aliases.includes(name))
}

function isTaken({ keys }: ModelStore, name: string): boolean {
  return keys.has(name) || [...keys.values()].some(({ aliases }) => aliases.includes(name))
}

function change(store: ModelStore, key: ModelKey, patch: Partial<ModelKey>): After {
  const next = { ...key, ...patch }
  return put(store, next, JSON.stringify(shown(next)) !== JSON.stringify(shown(key)))
}

function put(store: ModelStore, key: ModelKey, changed: boolean): After {
  return { store: { ...store, keys: new Map(store.keys).set(key.id, key) }, outcome: { key: shown(key), changed } }
}

function refuse(store: ModelStore, code: ErrorCode): After {
  return { store, outcome: { code } }
}

function withoutKey(store: ModelStore, { id, version }: ModelKey): ModelStore {
  const keys = new Map(store.keys)
  keys.delete(id)
  return { ...store, keys, destroyed: new Map(store.destroyed).set(id, version) }
}
