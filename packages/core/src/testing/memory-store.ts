import type { Buffer } from 'node:buffer'
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
