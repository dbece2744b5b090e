import { Buffer } from 'node:buffer'
import type { Realm } from '../envelope/envelope.ts'
import type { KeyRecord } from '../keys/key-backend.ts'
import { createFaults, type FaultGate } from './faults.ts'

/** What can be made to fail: the verbs of a backend, and `open` of the driver. */
export type MemoryVerb =
  | 'open'
  | 'create'
  | 'describe'
  | 'list'
  | 'update'
  | 'rotate'
  | 'destroy'
  | 'wrap'
  | 'unwrap'
  | 'rotateRoot'
  | 'backup'
  | 'restore'
  | 'health'

/** A key, or what is left of a destroyed one. */
export type MemoryKey =
  | { readonly record: KeyRecord; readonly versions: ReadonlyMap<number, MemoryVersion> }
  | { readonly destroyedVersion: number }

/** Material of one version. */
export interface MemoryVersion {
  readonly material: Buffer
  readonly materialId: string
}

/** The "disk" of the in-memory backend: it outlives the backends opened on it. */
export interface MemoryStore {
  /** Unset: the place is empty. */
  realm?: Realm
  /** Something that is not ours is at this place. */
  foreign: boolean
  /** What the store is sealed with: `open` demands it, or that none is given. */
  rootKey?: string
  /** When set, `open` demands this token. */
  requiredToken?: string
  readonly keys: Map<string, MemoryKey>
  /** Alias → key id. */
  readonly aliases: Map<string, string>
  /** Ids whose records cannot be read. */
  readonly unreadable: Set<string>
  /** Faults of the place itself: they meet every backend opened on it, and `open`. */
  readonly faults: FaultGate<MemoryVerb>
}

/** Places by name; what the drivers of one test share. */
export type MemoryStores = Map<string, MemoryStore>

/** A copy of a store as a snapshot or a copied directory is one: what is written to either is not seen in the other. */
export function copyMemoryStore(store: MemoryStore): MemoryStore {
  const copy: MemoryStore = {
    ...createMemoryStore(),
    foreign: store.foreign,
    keys: new Map([...store.keys].map(([id, key]) => [id, copyKey(key)])),
    aliases: new Map(store.aliases),
    unreadable: new Set(store.unreadable),
  }
  if (store.realm !== undefined) copy.realm = store.realm
  if (store.rootKey !== undefined) copy.rootKey = store.rootKey
  if (store.requiredToken !== undefined) copy.requiredToken = store.requiredToken
  return copy
}

function copyKey(key: MemoryKey): MemoryKey {
  if (!('versions' in key)) return key
  const versions = [...key.versions].map(([version, { material, materialId }]) => {
    return [version, { material: Buffer.from(material), materialId }] as const
  })
  return { ...key, versions: new Map(versions) }
}

/** Makes an empty place. */
export function createMemoryStore(): MemoryStore {
  return {
    foreign: false,
    keys: new Map(),
    aliases: new Map(),
    unreadable: new Set(),
    faults: createFaults(),
  }
}
