import type { ArchiveEntry } from '../archive/archive-entry.ts'
import type { ArchiveSource } from '../archive/archive-source.ts'
import type { RestoreOptions, RestoreReport } from '../archive/restore-types.ts'
import type { ConfigDocument } from '../config/driver.ts'
import type { Realm, WrapAlgorithm } from '../envelope/envelope.ts'
import type { KmsError } from '../errors/kms-error.ts'

/** State of a key as a backend stores it; `Unavailable` is a record that exists and must not be used (see `problem`). */
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'Unavailable'

/** What is known of a KMS key, without its material. Times are milliseconds since the epoch. */
export interface KeyRecord {
  readonly keyId: string
  readonly aliases: readonly string[]
  readonly description: string
  readonly tags: ReadonlyMap<string, string>
  readonly state: KeyState
  /** Why the state is `Unavailable`; public. */
  readonly problem?: string
  /**
   * Set by core, never by a backend, on the record of a key that was destroyed on purpose and has come back: the state it came
   * back with, which only another deletion may go by.
   */
  readonly stateItCameBackWith?: Exclude<KeyState, 'Unavailable'>
  readonly createdAt: number
  readonly rotatedAt?: number
  readonly deletionAt?: number
  /** The state a cancelled deletion returns to; set while `PendingDeletion`. */
  readonly stateBeforeDeletion?: 'Enabled' | 'Disabled'
  readonly rotationPeriodDays?: number
  /** The version that wraps, ≥ 1. */
  readonly currentVersion: number
  /** The oldest version that still unwraps, ≥ 1. */
  readonly oldestVersion: number
  /** Material id of `currentVersion`, 32 hex digits (formats §2). */
  readonly materialId: string
  /** Where the first material came from: `KMS`, the backend itself; `EXTERNAL`, somebody who imported or made it there. */
  readonly origin: 'KMS' | 'EXTERNAL'
  /** Somebody else made this key in the backend, uses it perhaps, and alone may destroy it. */
  readonly adopted?: true
  /** Changes with every write of the record; compared by `update`, `rotate` and `destroy`. */
  readonly etag: string
}

/** What a new key starts with. */
export interface NewKey {
  readonly keyId: string
  /** Imported material, 32 bytes, left as it is; only where `capabilities.import` says so. Absent: made by the backend. */
  readonly material?: Uint8Array
  readonly aliases: readonly string[]
  readonly description: string
  readonly tags: ReadonlyMap<string, string>
}

/** A compare-and-set change of a record; absent members stay, `null` clears. */
export interface KeyPatch {
  readonly aliases?: readonly string[]
  readonly description?: string
  readonly tags?: ReadonlyMap<string, string>
  readonly state?: Exclude<KeyState, 'Unavailable'>
  readonly deletionAt?: number | null
  readonly stateBeforeDeletion?: 'Enabled' | 'Disabled' | null
  readonly rotationPeriodDays?: number | null
}

/** One page of a listing, ascending by the id's UTF-8 bytes. */
export interface KeyPage {
  readonly keys: readonly KeyRecord[]
  /** Ids inside the page's range whose records cannot be read; never hidden, never in the way of others. */
  readonly unreadable: readonly string[]
  /** Set when there may be more: the last name looked at; pass it as `after`. A page may be short, or empty, and have one. */
  readonly next?: string
}

/** A wrap as the backend is asked for it. */
export interface WrapRequest {
  readonly keyId: string
  readonly version: number
  /** 1–4096 bytes. */
  readonly plaintext: Uint8Array
  /** 32 bytes. */
  readonly aad: Uint8Array
}

/** An unwrap as the backend is asked for it; `materialId` is what the envelope's header says. */
export interface UnwrapRequest {
  readonly keyId: string
  readonly version: number
  readonly algorithm: WrapAlgorithm
  readonly materialId: string
  readonly wrapped: Uint8Array
  /** 32 bytes. */
  readonly aad: Uint8Array
}

/** What a backend can do, as `/kms/status` reports it. */
export interface Capabilities {
  readonly encrypt: boolean
  readonly decrypt: boolean
  readonly generate_data_key: boolean
  readonly rotate: boolean
  readonly enable_disable: boolean
  readonly schedule_deletion: boolean
  readonly versioning: boolean
  readonly physical_delete: boolean
  readonly update_key_metadata: boolean
  readonly rewrap: boolean
  readonly import: boolean
  readonly backup: boolean
}

/** How far a store is re-sealed. */
export interface ResealProgress {
  /** Entries dealt with. */
  readonly done: number
  /** Entries there are; 0 while that is not known yet. */
  readonly total: number
  /** Files that could not be re-sealed: they keep the key-encryption key of before. */
  readonly left: number
  readonly running: boolean
}

/** What came of a change of the root key. */
export interface RootRotation {
  /** `false`: it was the store's root key already. */
  readonly changed: boolean
  /** Remarks for the operator; public. */
  readonly notes: readonly string[]
  /** Absent while there was nothing to re-seal since the store was opened. */
  readonly reseal?: ResealProgress
}

/**
 * Where KMS keys live: storage and raw wrapping, nothing else. State gating, contexts, envelopes, caching, limits and
 * audit live once, in core. Every implementation passes `describeKeyBackend` of `@kms/core/testing`.
 *
 * All verbs may throw `BackendUnavailable` or `BackendTimeout`; a write that failed so may or may not have happened,
 * and the whole old or the whole new state is found later, never a mixture. Where a verb throws `KeyNotFound`, it throws
 * `KeyDestroyed` instead for an id whose tombstone is there: only that tells a key destroyed on purpose from one lost.
 */
export interface KeyBackend {
  /** Identity of the store, fixed for its life. */
  readonly realm: Realm
  /** The algorithm `wrap` produces. */
  readonly algorithm: WrapAlgorithm
  readonly capabilities: Capabilities
  /**
   * When the credentials it was opened with end, as far as is known now; milliseconds since the epoch. Absent where there are
   * none, and where they do not end.
   */
  readonly credentialsExpireAt?: number | undefined
  /** Whether requests to its peer are kept back because it did not answer the last ones. Absent where there is no peer. */
  readonly breakerOpen?: boolean | undefined

  /**
   * Makes a key with version 1 (or the last version of a destroyed key of that id + 1), durable before it returns.
   * Throws `KeyAlreadyExists` when the id or an alias is taken by a key or an alias, `KeyIdRetired` when a destroyed
   * id cannot be used again, `UnsupportedCapability` for material it cannot take. Of concurrent creates of one name
   * exactly one succeeds.
   */
  create(key: NewKey): Promise<KeyRecord>

  /**
   * The key whose id is `name`, else the key that has it as an alias; O(1) in the number of keys.
   * Throws `KeyNotFound`, or `KeyUnavailable` when the record cannot be read.
   */
  describe(name: string): Promise<KeyRecord>

  /** At most `limit` (≥ 1) entries after the id `after`; an id that no longer exists is still a valid marker. */
  list(page: { readonly limit: number; readonly after?: string }): Promise<KeyPage>

  /**
   * Changes a record if its etag is still `etag`, durably. Throws `PreconditionFailed` when it is not,
   * `KeyNotFound`, and `KeyAlreadyExists` when a new alias is taken.
   */
  update(keyId: string, patch: KeyPatch, etag: string): Promise<KeyRecord>

  /** Adds a version and makes it current, if the etag is still `etag`. Throws `PreconditionFailed`, `KeyNotFound`. */
  rotate(keyId: string, etag: string): Promise<KeyRecord>

  /**
   * Destroys all material of a key and leaves a tombstone, if the etag is still `etag`. A key made again under the id begins
   * above the version it had, and above `lastVersion`, if that is higher. Throws as `rotate`, and `KeyAdopted` for a key that
   * is not ours to destroy.
   */
  destroy(keyId: string, etag: string, lastVersion?: number): Promise<void>

  /**
   * Wraps under exactly `version`. Throws `KeyVersionNotCurrent` when another version is current, `KeyNotFound`,
   * `KeyUnavailable`.
   */
  wrap(request: WrapRequest): Promise<Buffer>

  /**
   * Unwraps with the header's own bytes. Throws `InvalidCiphertext`; `KeyMaterialReplaced` when authentication failed
   * and the material held is not the one named; `KeyNotFound`; `KeyUnavailable`.
   */
  unwrap(request: UnwrapRequest): Promise<Buffer>

  /**
   * {@link wrap} for several requests under one key and version, in one round trip; an outcome for each, in order. Absent
   * where a round trip costs nothing. Rejects only when no request got an answer.
   */
  wrapMany?(requests: readonly WrapRequest[]): Promise<readonly (Buffer | KmsError)[]>

  /** {@link unwrap} for several requests of one key, in one round trip; as {@link wrapMany}. */
  unwrapMany?(requests: readonly UnwrapRequest[]): Promise<readonly (Buffer | KmsError)[]>

  /**
   * Finishes, or takes back, what a crash left half-made where the store cannot do so by the way: a key whose record was
   * written and whose material was not, say. Called now and then, by every server of the store, while others write: it
   * must leave alone what may still be under way, and change nothing else. A bounded amount of work per call.
   */
  finishLeftovers?(): Promise<void>

  /**
   * Seals the store under the root key that `config` names (the one it was opened with, but for the fields of the root key),
   * in one atomic write, durable before it returns; the root key of before opens nothing any more. With `reseal`, everything
   * is sealed anew under a new key-encryption key too, in the background and across restarts; a call while that goes on only
   * tells how far it is, unless it names another root key. Throws `ValidationError` and `PolicyViolation` for a root key that
   * cannot be had, `StorageFailed`, `StoreUnwritable`; nothing was changed then. Absent where stores have no root key.
   */
  rotateRoot?(config: ConfigDocument, options: { readonly reseal: boolean }): Promise<RootRotation>

  /** How far `rotateRoot` with `reseal` is; `undefined` while there was nothing to re-seal since the store was opened. */
  readonly resealProgress?: ResealProgress | undefined

  /**
   * What an archive of the store holds: every key with the material of its versions, and what is left of destroyed ones, in
   * the order of {@link ArchiveEntry}. Each key is as it was at one moment, keys made or destroyed meanwhile are there or
   * not; what cannot be read is told of and left out. Material is zeroed by whoever takes it. Rejects before the first entry
   * or while they are read. Absent where material cannot leave: `capabilities.backup` says the same.
   */
  backup?(): Promise<AsyncIterable<ArchiveEntry>>

  /**
   * Brings the keys of an archive of this realm back, all or, when it throws, none of them; a crash in the middle is made up
   * for by whoever opens the store next. What becomes of each key is decided by `decideKey`. Throws `ArchiveDamaged`,
   * `RestoreConflict`, `StoreChanged` when somebody else wrote to a key meanwhile, `StorageFailed`, `StoreUnwritable`.
   */
  restore?(archive: ArchiveSource, options: RestoreOptions): Promise<RestoreReport>

  /** Resolves when the store answers and is the one that was opened; throws the reason otherwise. */
  health(): Promise<void>

  /** Releases everything and zeroes key material in memory; idempotent. Calls made afterwards throw `BackendUnavailable`. */
  close(): Promise<void>
}
