import type { Buffer } from 'node:buffer'
import type { ArchiveSecret } from '../archive/archive-key.ts'
import type { ConflictPolicy, RestoreReport } from '../archive/restore-types.ts'
import type { CanaryStore } from '../canary/canary-store.ts'
import type { Clock } from '../clock.ts'
import type { ConfigChange } from '../config/compare.ts'
import type { BackendDriver, ConfigDocument } from '../config/driver.ts'
import type { Realm } from '../envelope/envelope.ts'
import type { ErrorCode } from '../errors/catalogue.ts'
import type { ImportStore } from '../imports/import-store.ts'
import type { WrappingKeyPair } from '../imports/wrapping-key.ts'
import type { Capabilities, ResealProgress } from '../keys/key-backend.ts'
import type { KeyUse } from '../keys/key-use.ts'
import type { OfflineKeyStore, OfflineKeys } from '../offline/offline-keys.ts'
import type { Random } from '../random.ts'
import type { ConfigStore } from '../state/state-document.ts'
import type { CacheStatistics } from '../store/data-key-cache.ts'
import type { ProofStep } from '../store/prove.ts'
import type { DataPlane } from './data/data-plane.ts'
import type { KeyService } from './keys/key-service.ts'

/** The service's state as it stands on the wire. */
export type WireStatus = 'NotConfigured' | 'Configured' | 'Running' | { readonly Error: string }

/** Who asks for a change: for history and events. */
export interface Caller {
  readonly principal: string
  readonly address?: string
  readonly requestId?: string
}

/** How a lifecycle call ended well. */
export interface LifecycleReport {
  readonly status: WireStatus
  /** Revision of the stored document; 0 when there is none. */
  readonly revision: number
  readonly outcome:
    | 'configured'
    | 'reconfigured'
    | 'confirmed'
    | 'rolled back'
    | 'reverted'
    | 'returned'
    | 'mended'
    | 'removed'
    | 'started'
    | 'restarted'
    | 'stopped'
    | 'root rotated'
    | 'restored'
    | 'unchanged'
  /** What changed in the configuration; secrets as `***`. */
  readonly changed: readonly ConfigChange[]
  /** Remarks for the operator. */
  readonly notes: readonly string[]
}

/** What a reconfigure would do. */
export interface RehearsalReport {
  readonly status: WireStatus
  /** Revision of the document it was compared with; 0 when there is none. */
  readonly revision: number
  /** What would change in the configuration; secrets as `***`. */
  readonly diff: readonly ConfigChange[]
  /** How the candidate was proven. */
  readonly proof: readonly ProofStep[]
  /** Remarks for the operator. */
  readonly notes: readonly string[]
}

/** A revision that changed the configuration. */
export interface HistoryEntry {
  readonly revision: number
  /** RFC 3339. */
  readonly time: string
  readonly principal: string
  /** How it came about: `configured`, `reconfigured`, `rolled back`, `reverted`, `returned`, … */
  readonly outcome: string
  /** How it differs from the revision before; secrets as `***`. */
  readonly diff: readonly ConfigChange[]
}

/** A store kept only to unwrap. */
export interface RetiredStoreStatus {
  readonly realm: Realm
  readonly backendType: string
  /** The driver's summary of its configuration. */
  readonly summary: Readonly<Record<string, string | number | boolean | null>>
  /** RFC 3339: until when it wrapped. */
  readonly lastActive: string
  /** `undefined` while the service does not run, and until it was tried. */
  readonly healthy: boolean | undefined
  readonly lastError: string | undefined
  /** When its credentials end, if they do and it is open; milliseconds since the epoch. */
  readonly credentialsExpireAt: number | undefined
}

/** How a change of the root key ended. */
export interface RootRotationReport extends LifecycleReport {
  /** How far the store is re-sealed; absent while there was nothing to re-seal since it was opened. */
  readonly reseal?: ResealProgress
}

/** An archive of a key store, on its way. */
export interface KeyStoreArchive {
  readonly realm: Realm
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** The sealed bytes. An error in the middle ends them without what makes them whole. */
  readonly bytes: AsyncIterable<Buffer>
}

export interface RestoreCallOptions {
  readonly secret: ArchiveSecret
  readonly conflict: ConflictPolicy
  /** Only to tell what would be done. */
  readonly dryRun: boolean
}

/** How a restore ended. */
export interface RestoreOutcome extends LifecycleReport {
  readonly realm: Realm
  readonly restored: RestoreReport
}

/** Everything `/kms/status` shows; never waits for a backend. */
export interface ManagerStatus {
  readonly status: WireStatus
  readonly revision: number
  readonly config: ConfigDocument | undefined
  /** The driver's summary of the configuration. */
  readonly backendSummary: Readonly<Record<string, string | number | boolean | null>> | undefined
  /** What the newest probe of the active store found; only while running. */
  readonly healthy: boolean | undefined
  /** When the credentials of the active store end, if they do; milliseconds since the epoch. */
  readonly credentialsExpireAt: number | undefined
  /** Whether requests to the peer of the active store are kept back; `undefined` where it has none. */
  readonly breakerOpen: boolean | undefined
  readonly cache: CacheStatistics | undefined
  readonly capabilities: Capabilities | undefined
  readonly retiredBackends: readonly Realm[]
  readonly lastError: string | undefined
}

/** A structured event: one per change of the service or of a key, and for what an operator should know. No secrets. */
export interface ManagerEvent {
  readonly event:
    | 'kms_configured'
    | 'kms_reconfigured'
    | 'kms_started'
    | 'kms_stopped'
    | 'kms_confirmed'
    | 'kms_rolled_back'
    | 'kms_reverted'
    | 'kms_returned'
    | 'kms_retired_mended'
    | 'kms_retired_removed'
    | 'kms_root_rotated'
    | 'kms_backed_up'
    | 'kms_restored'
    | 'kms_change_failed'
    | 'kms_unhealthy'
    | 'kms_healthy'
    | 'kms_warning'
    | 'kms_notice'
    | 'kms_key_created'
    | 'kms_key_imported'
    | 'kms_key_rotated'
    | 'kms_key_enabled'
    | 'kms_key_disabled'
    | 'kms_key_updated'
    | 'kms_key_deletion_scheduled'
    | 'kms_key_deletion_cancelled'
    | 'kms_key_destroyed'
  readonly message: string
  /** Of a change. */
  readonly outcome?: 'success' | 'refused'
  /** Of a change that failed: the event it would have been. */
  readonly attempted?: ManagerEvent['event']
  /** Of a change that failed: the code of the error, `InternalError` for one that is not ours. */
  readonly code?: ErrorCode
  readonly caller?: Caller
  /** Of a key's event. */
  readonly keyId?: string
  readonly realm?: Realm
  readonly revisionBefore?: number
  readonly revision?: number
  readonly diff?: readonly ConfigChange[]
  readonly milliseconds?: number
  readonly backend?: Readonly<Record<string, string | number | boolean | null>>
}

export interface Precondition {
  /** ETag the caller read; a newer configuration is then a lost race (`PreconditionFailed`). */
  readonly ifMatch?: string
}

export interface ReconfigureOptions extends Precondition {
  /** 1–86 400: the change is taken back after that time unless it is confirmed. */
  readonly confirmWithinSeconds?: number
}

export interface KmsManagerOptions {
  readonly drivers: readonly BackendDriver[]
  readonly configStore: ConfigStore
  readonly canaryStore: CanaryStore
  readonly clock?: Clock
  readonly random?: Random
  readonly onEvent?: (event: ManagerEvent) => void
  /** Asked before a key is scheduled for deletion or destroyed, and before a retired store is given up. */
  readonly keyUse?: KeyUse
  /** Keeps the keys of offline copies; absent: there are none. */
  readonly offlineKeys?: OfflineKeyStore
  /** Where import tokens are kept; without it nothing can be imported (`UnsupportedOperation`). */
  readonly importStore?: ImportStore
  /** Makes the key pairs that imported material is wrapped under; RSA-4096 unless given. */
  readonly generateWrappingKey?: () => Promise<WrappingKeyPair>
  /** A directory for archives that are being received; made when first needed. Without it none can be restored. */
  readonly spoolDirectory?: string
  /** Whether keys may be destroyed without a waiting period; false unless given. */
  readonly allowImmediateDeletion?: boolean
}

/**
 * The service. Lifecycle calls run one at a time; the data path works on snapshots and never waits for them.
 * A call that throws has changed nothing but what its error and `status()` say.
 */
export interface KmsManager {
  /**
   * Reads the stored state and, when the service is meant to run, tries to start it once; a failed attempt leaves
   * `Error` and is retried. Throws only when the stored state cannot be read.
   */
  boot(): Promise<void>
  /** Stores a document without starting. Throws `ValidationError`, `SecretRequired`, `AlreadyRunning`, `StorageFailed`, `PreconditionFailed`. */
  configure(document: unknown, caller: Caller, options?: Precondition): Promise<LifecycleReport>
  /**
   * Merges a patch, proves the result and swaps to it. Throws as `configure`, and why the candidate was refused. When the
   * first probe after it fails, the service returns to the configuration before by itself, once. A change that is not
   * confirmed in time is taken back by itself too; any other change of the configuration meanwhile counts as an answer,
   * and ends that.
   */
  reconfigure(patch: unknown, caller: Caller, options?: ReconfigureOptions): Promise<LifecycleReport>
  /** What `reconfigure` would do, without a trace: throws as it does. */
  rehearse(patch: unknown, options?: ReconfigureOptions): Promise<RehearsalReport>
  /** Keeps a change that waits for it. Throws `NothingToConfirm`, `StorageFailed`. */
  confirm(caller: Caller): Promise<LifecycleReport>
  /** The revisions kept, newest first. */
  history(): Promise<readonly HistoryEntry[]>
  /**
   * Reconfigures to the configuration of an older revision, secrets included; whether the service is meant to run stays as it
   * is. Throws `NoSuchRevision`, `ServerKeyMismatch`, and as `reconfigure`.
   */
  rollback(to: { readonly revision: number }, caller: Caller, options?: Precondition): Promise<LifecycleReport>
  /** The stores kept only to unwrap; never waits for one. */
  retired(): readonly RetiredStoreStatus[]
  /**
   * Merges a patch into the connection of a retired store, proves that it leads to the same store, and serves through it.
   * Throws `NoSuchKeyStore`, `RealmConflict`, and as `reconfigure`.
   */
  mendRetired(realm: string, patch: unknown, caller: Caller, options?: Precondition): Promise<LifecycleReport>
  /**
   * Forgets a retired store; the store itself is not touched. Throws `NoSuchKeyStore`, and `KeyStoreInUse` without `force`
   * unless it is known that nothing needs it.
   */
  removeRetired(
    what: { readonly realm: string; readonly confirmRealm: string; readonly force: boolean },
    caller: Caller,
  ): Promise<LifecycleReport>
  /** Throws `NoConfiguration`, or why the backend could not be opened. `force` builds anew beside what runs, then swaps. */
  start(options: { readonly force: boolean }, caller: Caller): Promise<LifecycleReport>
  /** Requests under way finish, bounded by `timeout_seconds`. Throws `StorageFailed`. */
  stop(caller: Caller): Promise<LifecycleReport>
  /**
   * Changes the root key of the active store to the one `request` names with the driver's own fields, or to one the backend
   * makes where it names none; `reseal` in it seals everything anew. `dryRun` changes nothing and tells how far a re-seal is.
   * Throws `NotRunning`, `UnsupportedCapability`, `ValidationError`, `PolicyViolation`, `StorageFailed`, `StoreUnwritable`.
   */
  rotateRoot(request: unknown, caller: Caller, options?: { readonly dryRun?: boolean }): Promise<RootRotationReport>
  /**
   * Seals what the active store holds as an archive: everything that makes its keys again, and not its root key. Throws
   * `NotRunning`, `UnsupportedCapability`, and why the store could not be read.
   */
  backup(secret: ArchiveSecret, caller: Caller): Promise<KeyStoreArchive>
  /**
   * Restores an archive, all of it or nothing: into the active store, when the service runs, else into the place that is
   * configured, which may be empty. `body` is read to its end before anything of it is believed. Throws `ArchiveDamaged`,
   * `ArchiveKeyMismatch`, `UnsupportedArchive`, `ForeignArchive`, `RestoreConflict`, `StoreChanged`, `NoConfiguration`,
   * `UnsupportedCapability`, `UnsupportedOperation` where the server has no `spoolDirectory`, and what keeps the store from
   * being opened or written to.
   */
  restore(body: AsyncIterable<Uint8Array>, options: RestoreCallOptions, caller: Caller): Promise<RestoreOutcome>
  status(): ManagerStatus
  /** The stored configuration; `undefined` when there is none. */
  config(): { readonly document: ConfigDocument; readonly etag: string; readonly revision: number } | undefined
  /** Empties the caches. Throws `NotRunning`. */
  clearCache(): void
  readonly keys: KeyService
  readonly data: DataPlane
  /** The keys by which objects stay readable while the service is stopped on purpose. */
  readonly offline: OfflineKeys
  /** Drains and closes everything, without changing what is stored. Idempotent. */
  close(): Promise<void>
}
