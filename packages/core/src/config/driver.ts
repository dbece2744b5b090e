import type { z } from 'zod'
import type { ArchiveSource } from '../archive/archive-source.ts'
import type { RestoreOptions, RestoreReport } from '../archive/restore-types.ts'
import type { Clock } from '../clock.ts'
import type { Realm } from '../envelope/envelope.ts'
import type { KeyBackend } from '../keys/key-backend.ts'
import type { PeerTelemetry } from '../observe/peer-telemetry.ts'
import type { Random } from '../random.ts'
import type { Secret } from './secret.ts'

/** A value of a configuration document once it is validated: JSON, with every secret as a {@link Secret}. */
export type ConfigValue =
  | null
  | boolean
  | number
  | string
  | Secret
  | readonly ConfigValue[]
  | { readonly [field: string]: ConfigValue }

/** The fields every backend shares (contract §2, "Configuration document"), with their defaults filled in. */
export interface CommonConfig {
  /** The driver's `type`. */
  readonly backend_type: string
  /** Id or alias of the key used when a request names none. */
  readonly default_key_id?: string
  /** Deadline of one backend operation, retries included; 1–300. */
  readonly timeout_seconds: number
  /** 0–10; idempotent calls only. */
  readonly retry_attempts: number
  readonly enable_cache: boolean
  /** 1–1 000 000. */
  readonly max_cached_keys: number
  /** 1–86 400. */
  readonly cache_ttl_seconds: number
  readonly allow_offline_decryption: boolean
}

/** A whole, valid configuration: the common fields and those of the driver. */
export type ConfigDocument = CommonConfig & { readonly [field: string]: ConfigValue | undefined }

/** What a backend tells of its work in the background; public text. */
export interface Notice {
  readonly level: 'info' | 'warning'
  readonly message: string
}

/** What `open` is given besides the configuration. */
export interface OpenOptions {
  readonly clock: Clock
  readonly random: Random
  /** Set when this server knows which store belongs at this place: anything else there is an error. */
  readonly expectedRealm?: Realm
  /** Whether an empty place may become a store (formats §7). */
  readonly mayInitialise: boolean
  /** Aborted when the caller stops waiting. */
  readonly signal: AbortSignal
  /**
   * Set when a change of the root key was begun and its end was not stored: the configuration as it is if the change took
   * place. Whichever of the two names the root key that the store has is the one that counts.
   */
  readonly changedRoot?: ConfigDocument
  /** Told of what the backend does in the background, for the operator's log. */
  readonly onNotice?: (notice: Notice) => void
  /** For a backend that talks to a peer: told of its requests, and asked what to send along. */
  readonly peer?: PeerTelemetry
}

/** A backend as its driver opened it. */
export interface OpenedBackend {
  readonly backend: KeyBackend
  /** Whether this call made the store. */
  readonly initialised: boolean
  /** Remarks for the operator, shown in the reply of the call (which reading of `master_key` was used, …); public. */
  readonly notes: readonly string[]
  /** Whether `OpenOptions.changedRoot` is what named the root key. */
  readonly rootChanged?: true
}

/**
 * The code that makes a backend from its configuration. Core knows drivers only through this interface, so that a
 * third party can add one. `C` is the validated configuration: common fields and the driver's own.
 */
export interface BackendDriver {
  /** Canonical `backend_type`. */
  readonly type: string
  /** Other accepted spellings of `backend_type`, exact. */
  readonly aliases: readonly string[]
  /** Accepted spellings of the driver's top-level fields: other name → canonical name. */
  readonly fieldAliases: ReadonlyMap<string, string>
  /**
   * Schemas of the driver's own top-level fields, canonical names. They validate the merged document: a secret arrives
   * as a string when it is new and as a {@link Secret} when it was stored, and must leave as a `Secret` (`secretField`).
   * Nested objects are strict.
   */
  readonly shape: Readonly<Record<string, z.ZodType>>
  /** Checks that need several fields; returns what is wrong and where, or nothing. */
  check?(config: ConfigDocument): { readonly path: string; readonly reason: string } | undefined
  /** Rewrites other accepted spellings inside one of the driver's fields, before merging; unknown input is returned as is. */
  canonicalise?(field: string, value: unknown): unknown
  /** Paths of the secrets, e.g. `['master_key']`, `['auth_method', 'approle', 'secret_id']`. */
  readonly secrets: readonly (readonly string[])[]
  /** Groups of fields (dotted paths) of which at most one is set: supplying one clears the others. */
  readonly exclusive: readonly (readonly string[])[]
  /**
   * Top-level fields that say how the store is sealed (its root key), not how it is reached; one exclusive group. They change
   * with the store (`KeyBackend.rotateRoot`), so going back to an older configuration of a known store keeps the present ones.
   */
  readonly rootKeyFields?: readonly string[]
  /** Top-level fields holding `{variant: {…}}`: naming another variant replaces the whole value. */
  readonly variants: readonly string[]
  /**
   * Names the place a configuration points at (formats §7: local: the directory; Vault: origin, namespace, mount,
   * kv_mount, prefix). Called with documents that may be incomplete; `undefined` when the place is not named in it.
   */
  identity(config: Readonly<Record<string, unknown>>): string | undefined
  /**
   * What stored secrets are bound to: they are never used, or opened, under a configuration with another binding
   * (contract §2, merge rule 4). Must not depend on the secrets themselves.
   */
  secretBinding(config: Readonly<Record<string, unknown>>): string
  /** The `backend_summary` of `/kms/status`; no secrets. */
  summary(config: ConfigDocument): Readonly<Record<string, string | number | boolean | null>>
  /**
   * Opens the store, or makes it when allowed. Throws `RealmMissing` when the expected store is not there,
   * `RealmConflict` when another one is, and the driver's coded reasons otherwise; leaves nothing open then.
   */
  open(config: ConfigDocument, options: OpenOptions): Promise<OpenedBackend>
  /**
   * `KeyBackend.restore` into the place of a configuration that nobody has open: a store of the archive's realm, or an empty
   * place, which becomes one under the root key that the configuration names (`mayInitialise` does not matter). Leaves an
   * empty place empty when it throws, and on a dry run. Throws what `open` and `KeyBackend.restore` throw, and
   * `ForeignArchive` when another store is there. Absent where stores are not made of archives.
   */
  restore?(
    config: ConfigDocument,
    archive: ArchiveSource,
    options: OpenOptions & RestoreOptions,
  ): Promise<RestoreReport>
}
