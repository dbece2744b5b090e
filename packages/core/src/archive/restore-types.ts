import type { KeyMemory } from '../canary/canary-store.ts'

/** What is done where an archive and a store do not agree about a key. */
export type ConflictPolicy = 'fail' | 'skip' | 'overwrite'

/** What a server remembers of the keys of a realm (`CanarySet`). */
export interface SeenKeys {
  memory(keyId: string): KeyMemory | undefined
  /** Every key ever seen. */
  known():
    | Iterable<readonly [keyId: string, memory: KeyMemory]>
    | AsyncIterable<readonly [keyId: string, memory: KeyMemory]>
}

export interface RestoreOptions {
  readonly conflict: ConflictPolicy
  /** Only to tell what would be done. */
  readonly dryRun: boolean
  readonly seen: SeenKeys
}

/** A key that the archive and the store do not agree about. */
export interface RestoreConflict {
  readonly keyId: string
  /** Public. */
  readonly reason: string
}

/** What a restore did, or would do. Lists hold the first 100 of them, counts all. */
export interface RestoreReport {
  /** Keys that were not there. */
  readonly restored: number
  /** Keys of which something was missing or damaged, and is back. */
  readonly repaired: number
  /** Keys that are as the archive has them now, with every version of either. */
  readonly overwritten: number
  /** Keys that are as the archive has them. */
  readonly unchanged: number
  /** Keys that the archive has otherwise and that stay as they are. */
  readonly kept: number
  /** Destroyed keys that were not known as such here. */
  readonly tombstones: number
  /** Key versions written. */
  readonly versions: number
  readonly conflicts: readonly RestoreConflict[]
  readonly conflictCount: number
  /** Keys this server has seen that neither the archive nor the store has. They are given up, as if they were destroyed. */
  readonly lost: readonly string[]
  readonly lostCount: number
  /** What could not be read when the archive was made. */
  readonly unreadable: readonly string[]
  readonly unreadableCount: number
  /** Aliases left out because their names are taken. */
  readonly droppedAliases: readonly string[]
  /** Keys whose deletion was near or due, and is at least 7 days away now. */
  readonly postponed: readonly string[]
}
