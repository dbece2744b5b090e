// What @kms/core declares (index). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// index.d.ts
export type { ArchivedGap, ArchivedKey, ArchivedRuin, ArchivedTombstone, ArchivedVersion, ArchiveEntry, } from './archive/archive-entry.ts';
export type { ArchiveHeader, ArchiveKdf, ArchiveKeyOrigin } from './archive/archive-header.ts';
export type { ArchiveSecret } from './archive/archive-key.ts';
export type { ArchiveSource } from './archive/archive-source.ts';
export type { ConflictPolicy, RestoreConflict, RestoreOptions, RestoreReport, SeenKeys, } from './archive/restore-types.ts';
export type { AuditRecord, AuditSink } from './audit/audit-sink.ts';
export type { Canary, CanarySet, CanaryStore, KeyMemory } from './canary/canary-store.ts';
export { createFileCanaryStore, type FileCanaryStoreOptions } from './canary/file-canary-store.ts';
export { type Clock, systemClock, timestamp } from './clock.ts';
export type { ConfigChange } from './config/compare.ts';
export type { BackendDriver, CommonConfig, ConfigDocument, ConfigValue, Notice, OpenedBackend, OpenOptions, } from './config/driver.ts';
export { nearest } from './config/nearest.ts';
export { REDACTED, Secret } from './config/secret.ts';
export { secretField } from './config/secret-field.ts';
export { canonicalContext, type EncryptionContext, parseEncryptionContext } from './context/encryption-context.ts';
export { decodeEnvelope, type Envelope, type EnvelopeHeader, encodeEnvelope, encodeEnvelopeHeader, envelopeAad, MAX_PLAINTEXT_BYTES, type Realm, VAULT_TRANSIT, type WrapAlgorithm, XCHACHA20_POLY1305, } from './envelope/envelope.ts';
export { type CatalogueEntry, type ErrorCode, errorCatalogue } from './errors/catalogue.ts';
export { type ErrorParams, isKmsError, KmsError, type KmsErrorOptions, kmsError } from './errors/kms-error.ts';
export { createFileImportStore, type FileImportStoreOptions } from './imports/file-import-store.ts';
export type { ImportStore, ImportTicket } from './imports/import-store.ts';
export type { WrappingKeyPair } from './imports/wrapping-key.ts';
export { EVERY_CAPABILITY } from './keys/every-capability.ts';
export type { Capabilities, KeyBackend, KeyPage, KeyPatch, KeyRecord, KeyState, NewKey, ResealProgress, RootRotation, UnwrapRequest, WrapRequest, } from './keys/key-backend.ts';
export { isKeyName, type KeyReference, parseKeyReference } from './keys/key-name.ts';
export type { KeyUse } from './keys/key-use.ts';
export { nextRotationAt } from './keys/rotation-schedule.ts';
export type { BatchItem, BatchResult } from './manager/data/batch.ts';
export type { AdmittedKey, DataKeySpec, DataPlane, Unwrapped, WrapInput, Wrapped } from './manager/data/data-plane.ts';
export type { ChangedKey, KeyRequest } from './manager/keys/change-key.ts';
export type { CreatedKey, CreateKeyInput } from './manager/keys/create-key.ts';
export type { ImportKeyInput, ImportParameters } from './manager/keys/import-key.ts';
export type { DestroyedKey, KeyService } from './manager/keys/key-service.ts';
export type { KeyListing, ListKeysInput } from './manager/keys/list-keys.ts';
export { createKmsManager } from './manager/kms-manager.ts';
export type { Caller, HistoryEntry, KeyStoreArchive, KmsManager, KmsManagerOptions, LifecycleReport, ManagerEvent, ManagerStatus, Precondition, ReconfigureOptions, RehearsalReport, RestoreCallOptions, RestoreOutcome, RetiredStoreStatus, RootRotationReport, WireStatus, } from './manager/manager-types.ts';
export type { Authorize } from './manager/resolve-key.ts';
export { type BackendCall, type BackendObserver, type BackendOperation, backendOperations, observeDriver, } from './observe/observe-driver.ts';
export type { PeerTelemetry } from './observe/peer-telemetry.ts';
export { createFileOfflineKeyStore, type FileOfflineKeyStoreOptions } from './offline/file-offline-key-store.ts';
export type { OfflineKey, OfflineKeyStore, OfflineKeys } from './offline/offline-keys.ts';
export { type Random, systemRandom } from './random.ts';
export { createServerKey, type ServerKey, type ServerKeyPurpose, type ServerKeys } from './seal/server-key.ts';
export { type DurableWriteOptions, syncDirectory, writeDurably } from './state/durable-file.ts';
export { createFileConfigStore, type FileConfigStoreOptions } from './state/file-config-store.ts';
export { lookForProcess, ownIdentity, type ProcessIdentity } from './state/process-identity.ts';
export { createSealedFileStore, type SealedDocument, type SealedFileStore, type SealedFileStoreOptions, } from './state/sealed-file-store.ts';
export type { ConfigStore, RevisionEntry, StateChange, StateCodecOptions, StateDocument, StoreEntry, Unconfirmed, } from './state/state-document.ts';
export type { CacheStatistics } from './store/data-key-cache.ts';
export type { ProofStep } from './store/prove.ts';

// archive/archive-entry.d.ts
import type { Buffer } from 'node:buffer';
import type { KeyRecord } from '../keys/key-backend.ts';
export interface ArchivedKey {
    readonly kind: 'key';
    readonly record: KeyRecord;
}
export interface ArchivedVersion {
    readonly kind: 'version';
    readonly keyId: string;
    readonly version: number;
    readonly createdAt: number;
    readonly materialId: string;
    readonly material: Buffer;
}
export interface ArchivedGap {
    readonly kind: 'gap';
    readonly keyId: string;
    readonly version: number;
    readonly reason: string;
}
export interface ArchivedTombstone {
    readonly kind: 'tombstone';
    readonly keyId: string;
    readonly lastVersion: number;
    readonly destroyedAt: number;
}
export interface ArchivedRuin {
    readonly kind: 'ruin';
    readonly name: string;
    readonly reason: string;
}
export type ArchiveEntry = ArchivedKey | ArchivedVersion | ArchivedGap | ArchivedTombstone | ArchivedRuin;

// archive/archive-header.d.ts
import { Buffer } from 'node:buffer';
import type { Realm } from '../envelope/envelope.ts';
export interface ArchiveKdf {
    readonly memoryKib: number;
    readonly iterations: number;
    readonly parallelism: number;
}
export type ArchiveKeyOrigin = {
    readonly kind: 'passphrase';
    readonly kdf: ArchiveKdf;
    readonly salt: Buffer;
} | {
    readonly kind: 'key';
    readonly keyId: Buffer;
};
export interface ArchiveHeader {
    readonly realm: Realm;
    readonly createdAt: number;
    readonly origin: ArchiveKeyOrigin;
}
export declare const ARCHIVE_PREFIX_BYTES: number;
export interface ArchivePrefix {
    readonly header: ArchiveHeader;
    readonly head: Buffer;
    readonly salt: Buffer;
    readonly commitment: Buffer;
}
export declare function encodeArchiveHead({ realm, createdAt, origin }: ArchiveHeader): Buffer;
export declare function parseArchivePrefix(bytes: Buffer): ArchivePrefix;

// archive/archive-key.d.ts
import type { Random } from '../random.ts';
import { type StreamKeys } from '../stream/stream-keys.ts';
import type { ArchiveKdf, ArchiveKeyOrigin, ArchivePrefix } from './archive-header.ts';
export type ArchiveSecret = {
    readonly passphrase: string;
} | {
    readonly key: Uint8Array;
};
export declare function originOf(secret: ArchiveSecret, random: Random, kdf?: ArchiveKdf): ArchiveKeyOrigin;
export declare function archiveKeys(secret: ArchiveSecret, origin: ArchiveKeyOrigin, head: Uint8Array, salt: Uint8Array): Promise<StreamKeys>;
export declare function openArchiveKeys(secret: ArchiveSecret, prefix: ArchivePrefix): Promise<StreamKeys>;

// archive/archive-source.d.ts
import type { ArchiveEntry } from './archive-entry.ts';
import type { ArchiveHeader } from './archive-header.ts';
export interface ArchiveSource {
    readonly header: ArchiveHeader;
    entries(): AsyncIterable<ArchiveEntry>;
}

// archive/restore-types.d.ts
import type { KeyMemory } from '../canary/canary-store.ts';
export type ConflictPolicy = 'fail' | 'skip' | 'overwrite';
export interface SeenKeys {
    memory(keyId: string): KeyMemory | undefined;
    known(): Iterable<readonly [keyId: string, memory: KeyMemory]> | AsyncIterable<readonly [keyId: string, memory: KeyMemory]>;
}
export interface RestoreOptions {
    readonly conflict: ConflictPolicy;
    readonly dryRun: boolean;
    readonly seen: SeenKeys;
}
export interface RestoreConflict {
    readonly keyId: string;
    readonly reason: string;
}
export interface RestoreReport {
    readonly restored: number;
    readonly repaired: number;
    readonly overwritten: number;
    readonly unchanged: number;
    readonly kept: number;
    readonly tombstones: number;
    readonly versions: number;
    readonly conflicts: readonly RestoreConflict[];
    readonly conflictCount: number;
    readonly lost: readonly string[];
    readonly lostCount: number;
    readonly unreadable: readonly string[];
    readonly unreadableCount: number;
    readonly droppedAliases: readonly string[];
    readonly postponed: readonly string[];
}

// audit/audit-sink.d.ts
export interface AuditRecord {
    readonly plane: 'admin' | 'data';
    readonly operation: string;
    readonly action: string;
    readonly decision: 'allow' | 'deny';
    readonly outcome: string;
    readonly principal: string;
    readonly accessKeyId?: string;
    readonly address?: string;
    readonly requestId: string;
    readonly keyId?: string;
}
export interface AuditSink {
    admit(): void;
    record(records: readonly AuditRecord[]): Promise<void>;
}

// canary/canary-store.d.ts
import type { Realm } from '../envelope/envelope.ts';
export interface Canary {
    readonly keyId: string;
    readonly version: number;
    readonly envelope: Buffer;
    readonly digest: Buffer;
}
export interface KeyMemory {
    readonly highestVersion: number;
    readonly destroyed: boolean;
}
export interface CanarySet {
    readonly isEmpty: boolean;
    readonly keyVersions: number;
    memory(keyId: string): KeyMemory | undefined;
    known(): AsyncIterable<readonly [keyId: string, memory: KeyMemory]>;
    add(canary: Canary): Promise<void>;
    markDestroyed(keyId: string, version: number): Promise<void>;
    sample(limit: number, keyId?: string): Promise<readonly Canary[]>;
}
export interface CanaryStore {
    open(realm: Realm): Promise<CanarySet>;
    close(): Promise<void>;
}

// canary/file-canary-store.d.ts
import { type Clock } from '../clock.ts';
import type { Random } from '../random.ts';
import type { CanaryStore } from './canary-store.ts';
export interface FileCanaryStoreOptions {
    readonly directory: string;
    readonly random: Random;
    readonly onDamaged: (message: string) => void;
    readonly unindexedBytes?: number;
    readonly clock?: Clock;
}
export declare function createFileCanaryStore(options: FileCanaryStoreOptions): CanaryStore;

// clock.d.ts
export interface Clock {
    now(): number;
    after(ms: number, callback: () => void): () => void;
}
export declare const systemClock: Clock;
export declare function timestamp(clock: Clock): string;

// config/compare.d.ts
import type { ConfigValue } from './driver.ts';
export interface ConfigChange {
    readonly path: string;
    readonly from?: unknown;
    readonly to?: unknown;
}
export declare function diffConfig(from: Readonly<Record<string, ConfigValue | undefined>>, to: Readonly<Record<string, ConfigValue | undefined>>): readonly ConfigChange[];

// config/driver.d.ts
import type { z } from 'zod';
import type { ArchiveSource } from '../archive/archive-source.ts';
import type { RestoreOptions, RestoreReport } from '../archive/restore-types.ts';
import type { Clock } from '../clock.ts';
import type { Realm } from '../envelope/envelope.ts';
import type { KeyBackend } from '../keys/key-backend.ts';
import type { PeerTelemetry } from '../observe/peer-telemetry.ts';
import type { Random } from '../random.ts';
import type { Secret } from './secret.ts';
export type ConfigValue = null | boolean | number | string | Secret | readonly ConfigValue[] | {
    readonly [field: string]: ConfigValue;
};
export interface CommonConfig {
    readonly backend_type: string;
    readonly default_key_id?: string;
    readonly timeout_seconds: number;
    readonly retry_attempts: number;
    readonly enable_cache: boolean;
    readonly max_cached_keys: number;
    readonly cache_ttl_seconds: number;
    readonly allow_offline_decryption: boolean;
}
export type ConfigDocument = CommonConfig & {
    readonly [field: string]: ConfigValue | undefined;
};
export interface Notice {
    readonly level: 'info' | 'warning';
    readonly message: string;
}
export interface OpenOptions {
    readonly clock: Clock;
    readonly random: Random;
    readonly expectedRealm?: Realm;
    readonly mayInitialise: boolean;
    readonly signal: AbortSignal;
    readonly changedRoot?: ConfigDocument;
    readonly onNotice?: (notice: Notice) => void;
    readonly peer?: PeerTelemetry;
}
export interface OpenedBackend {
    readonly backend: KeyBackend;
    readonly initialised: boolean;
    readonly notes: readonly string[];
    readonly rootChanged?: true;
}
export interface BackendDriver {
    readonly type: string;
    readonly aliases: readonly string[];
    readonly fieldAliases: ReadonlyMap<string, string>;
    readonly shape: Readonly<Record<string, z.ZodType>>;
    check?(config: ConfigDocument): {
        readonly path: string;
        readonly reason: string;
    } | undefined;
    canonicalise?(field: string, value: unknown): unknown;
    readonly secrets: readonly (readonly string[])[];
    readonly exclusive: readonly (readonly string[])[];
    readonly rootKeyFields?: readonly string[];
    readonly variants: readonly string[];
    identity(config: Readonly<Record<string, unknown>>): string | undefined;
    secretBinding(config: Readonly<Record<string, unknown>>): string;
    summary(config: ConfigDocument): Readonly<Record<string, string | number | boolean | null>>;
    open(config: ConfigDocument, options: OpenOptions): Promise<OpenedBackend>;
    restore?(config: ConfigDocument, archive: ArchiveSource, options: OpenOptions & RestoreOptions): Promise<RestoreReport>;
}

// config/nearest.d.ts
export declare function nearest(word: string, candidates: Iterable<string>): string | undefined;

// config/secret-field.d.ts
import { z } from 'zod';
import { Secret } from './secret.ts';
export declare function secretField(): z.ZodType<Secret, string | Secret>;

// config/secret.d.ts
export declare const REDACTED = "***";
export declare class Secret {
    #private;
    constructor(text: string);
    reveal(): string;
    equals(other: Secret): boolean;
    toJSON(): string;
    toString(): string;
}

// context/encryption-context.d.ts
import { Buffer } from 'node:buffer';
export type EncryptionContext = ReadonlyMap<string, string>;
export declare function parseEncryptionContext(input: unknown): EncryptionContext;
export declare function canonicalContext(context: EncryptionContext): Buffer;

// envelope/envelope.d.ts
import { Buffer } from 'node:buffer';
export type Realm = string;
export type WrapAlgorithm = number;
export declare const XCHACHA20_POLY1305: WrapAlgorithm;
export declare const VAULT_TRANSIT: WrapAlgorithm;
export interface EnvelopeHeader {
    readonly algorithm: WrapAlgorithm;
    readonly realm: Realm;
    readonly materialId: string;
    readonly version: number;
    readonly keyId: string;
}
export interface Envelope extends EnvelopeHeader {
    readonly headerBytes: Buffer;
    readonly wrapped: Buffer;
}
export declare const MAX_PLAINTEXT_BYTES = 4096;
export declare function encodeEnvelopeHeader(header: EnvelopeHeader): Buffer;
export declare function encodeEnvelope(headerBytes: Uint8Array, wrapped: Uint8Array): Buffer;
export declare function decodeEnvelope(bytes: Buffer): Envelope;
export declare function envelopeAad(headerBytes: Uint8Array, canonicalContext: Uint8Array): Buffer;

// errors/catalogue.d.ts
export interface CatalogueEntry {
    readonly status: number;
    readonly s3: string;
    readonly s3Status?: number;
    readonly template: string;
}
export declare const errorCatalogue: {
    readonly InvalidRequest: {
        readonly status: 400;
        readonly s3: 'InvalidRequest';
        readonly template: '{reason}';
    };
    readonly ValidationError: {
        readonly status: 400;
        readonly s3: 'InvalidArgument';
        readonly template: '{path}: {reason}';
    };
    readonly InvalidCiphertext: {
        readonly status: 400;
        readonly s3: 'InvalidRequest';
        readonly template: 'The ciphertext could not be opened: it is damaged, or the encryption context is not the one it was made with.';
    };
    readonly UnsupportedFormat: {
        readonly status: 400;
        readonly s3: 'InvalidRequest';
        readonly template: 'The ciphertext uses {what}, which this release does not know. Use the release that wrote it, or a newer one.';
    };
    readonly KeyMaterialReplaced: {
        readonly status: 400;
        readonly s3: 'InvalidRequest';
        readonly template: 'Key "{key}" no longer holds the material this ciphertext was wrapped with (version {version}): the key was destroyed and made again, or restored from elsewhere.';
    };
    readonly UnknownKeyStore: {
        readonly status: 400;
        readonly s3: 'InvalidRequest';
        readonly template: 'The ciphertext was made by key store {realm}, which this server does not know. Send it to the server that made it.';
    };
    readonly IncorrectKey: {
        readonly status: 400;
        readonly s3: 'KMS.IncorrectKeyException';
        readonly template: 'The ciphertext was made with key "{actual}", not with "{expected}".';
    };
    readonly InvalidEncryptionAlgorithm: {
        readonly status: 400;
        readonly s3: 'InvalidEncryptionAlgorithmError';
        readonly template: '{header}: this encryption algorithm is not supported. The only one is AES256.';
    };
    readonly InvalidImportToken: {
        readonly status: 400;
        readonly s3: 'KMS.InvalidImportTokenException';
        readonly template: 'The import token cannot be used: {reason}. GET /rustfs/admin/v3/kms/keys/import-parameters gives another one.';
    };
    readonly SecretRequired: {
        readonly status: 400;
        readonly s3: 'InvalidRequest';
        readonly template: '{path}: the stored secret belongs to the connection it was given for, and this change alters it. Supply the secret again.';
    };
    readonly RootKeyMismatch: {
        readonly status: 400;
        readonly s3: 'InvalidRequest';
        readonly template: 'The root key given does not open the key store at {path}. Supply the one it is sealed under; rotate-root changes it.';
    };
    readonly CredentialsRefused: {
        readonly status: 400;
        readonly s3: 'ServiceUnavailable';
        readonly s3Status: 503;
        readonly template: '{path}: the key store {store} does not accept these credentials: {reason}. Supply others.';
    };
    readonly ArchiveKeyMismatch: {
        readonly status: 400;
        readonly s3: 'InvalidRequest';
        readonly template: 'What was given does not open this archive: it needs {needed}, the one it was made with. If that was given, its header is damaged; use another copy.';
    };
    readonly ArchiveDamaged: {
        readonly status: 400;
        readonly s3: 'InvalidRequest';
        readonly template: 'The archive cannot be used: {reason}. Nothing was changed; use another copy of it.';
    };
    readonly UnsupportedArchive: {
        readonly status: 400;
        readonly s3: 'InvalidRequest';
        readonly template: 'The archive uses {what}, which this release does not know. Use the release that wrote it, or a newer one.';
    };
    readonly PolicyViolation: {
        readonly status: 400;
        readonly s3: 'InvalidRequest';
        readonly template: '{path}: refused by server policy. {hint}';
    };
    readonly MissingContentSHA256: {
        readonly status: 400;
        readonly s3: 'MissingContentSHA256';
        readonly template: 'A body over {limit} bytes must announce its hash in x-amz-content-sha256.';
    };
    readonly XAmzContentSHA256Mismatch: {
        readonly status: 400;
        readonly s3: 'XAmzContentSHA256Mismatch';
        readonly template: 'The body received does not match x-amz-content-sha256.';
    };
    readonly AuthorizationHeaderMalformed: {
        readonly status: 400;
        readonly s3: 'AuthorizationHeaderMalformed';
        readonly template: '{reason}';
    };
    readonly AuthorizationQueryParametersError: {
        readonly status: 400;
        readonly s3: 'AuthorizationQueryParametersError';
        readonly template: '{reason}';
    };
    readonly ExpiredToken: {
        readonly status: 400;
        readonly s3: 'ExpiredToken';
        readonly template: 'The session has expired. Ask for a new one.';
    };
    readonly MalformedPolicyDocument: {
        readonly status: 400;
        readonly s3: 'MalformedPolicy';
        readonly template: '{reason}';
    };
    readonly AccessDenied: {
        readonly status: 403;
        readonly s3: 'AccessDenied';
        readonly template: '{reason}';
    };
    readonly SignatureDoesNotMatch: {
        readonly status: 403;
        readonly s3: 'SignatureDoesNotMatch';
        readonly template: 'The signature does not match. Check the secret key, and that nothing between you and the server rewrites the request.';
    };
    readonly InvalidAccessKeyId: {
        readonly status: 403;
        readonly s3: 'InvalidAccessKeyId';
        readonly template: 'The access key is not known here.';
    };
    readonly RequestTimeTooSkewed: {
        readonly status: 403;
        readonly s3: 'RequestTimeTooSkewed';
        readonly template: 'The request was signed more than {minutes} minutes away from the time here ({now}). Set your clock.';
    };
    readonly InvalidTokenId: {
        readonly status: 403;
        readonly s3: 'InvalidTokenId';
        readonly template: 'The session token is not valid for this access key. Ask for a new session.';
    };
    readonly KeyNotFound: {
        readonly status: 404;
        readonly s3: 'KMS.NotFoundException';
        readonly s3Status: 400;
        readonly template: 'Key "{key}" does not exist. GET /rustfs/admin/v3/kms/keys lists the keys.';
    };
    readonly KeyDestroyed: {
        readonly status: 404;
        readonly s3: 'KMS.NotFoundException';
        readonly s3Status: 400;
        readonly template: 'Key "{key}" was destroyed on purpose. What it wrapped cannot be opened any more; name another key.';
    };
    readonly NoSuchRoute: {
        readonly status: 404;
        readonly s3: 'NoSuchKey';
        readonly template: 'There is nothing at {path}. GET /rustfs/admin/v3/openapi.json lists the routes.';
    };
    readonly NoSuchUser: {
        readonly status: 404;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: 'There is no user of this access key. GET /rustfs/admin/v3/list-users lists the users.';
    };
    readonly NoSuchPolicy: {
        readonly status: 404;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: 'There is no such policy. GET /rustfs/admin/v3/list-canned-policies lists the policies.';
    };
    readonly NoSuchRevision: {
        readonly status: 404;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: 'Revision {revision} is not kept here. GET /rustfs/admin/v3/kms/config/history lists those that can be returned to.';
    };
    readonly NoSuchKeyStore: {
        readonly status: 404;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: 'There is no retired key store {realm}. GET /rustfs/admin/v3/kms/retired lists them.';
    };
    readonly MethodNotAllowed: {
        readonly status: 405;
        readonly s3: 'MethodNotAllowed';
        readonly template: '{method} is not allowed on {path}. Allowed: {allow}.';
    };
    readonly NoConfiguration: {
        readonly status: 409;
        readonly s3: 'ServiceUnavailable';
        readonly s3Status: 503;
        readonly template: 'There is no configuration. POST one to /rustfs/admin/v3/kms/configure first.';
    };
    readonly AlreadyRunning: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly template: 'The service is running. Change it with POST /rustfs/admin/v3/kms/reconfigure, which does not interrupt it.';
    };
    readonly NothingToConfirm: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: 'No change can be confirmed: {reason}.';
    };
    readonly KeyAlreadyExists: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly template: 'The name "{key}" is already taken by a key or an alias. Choose another one.';
    };
    readonly KeyIdRetired: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly template: 'The key id "{key}" belonged to a destroyed key and cannot be used again on this backend. Choose another one.';
    };
    readonly KeyAdopted: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: 'Key "{key}" was made in the key store by somebody else, who alone may destroy it. Disable it here, or delete it there.';
    };
    readonly KeyDisabled: {
        readonly status: 409;
        readonly s3: 'KMS.DisabledException';
        readonly s3Status: 400;
        readonly template: 'Key "{key}" is disabled: it still decrypts, but wraps nothing new. Enable it or name another key.';
    };
    readonly KeyPendingDeletion: {
        readonly status: 409;
        readonly s3: 'KMS.KMSInvalidStateException';
        readonly s3Status: 400;
        readonly template: 'Key "{key}" is scheduled for deletion. Cancel the deletion to use or change it.';
    };
    readonly KeyUnavailable: {
        readonly status: 409;
        readonly s3: 'KMS.KMSInvalidStateException';
        readonly s3Status: 400;
        readonly template: 'Key "{key}" cannot be used: {reason}.';
    };
    readonly KeyIsDefault: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: 'Key "{key}" is the default key. Make another key the default first: POST /rustfs/admin/v3/kms/reconfigure with default_key_id.';
    };
    readonly KeyInUse: {
        readonly status: 409;
        readonly s3: 'KMS.KMSInvalidStateException';
        readonly s3Status: 400;
        readonly template: 'Key "{key}" is needed to read {count} objects stored here. Delete them or move them to another key first.';
    };
    readonly DefaultKeyMissing: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly template: 'The default key "{key}" does not exist in this key store. Name an existing key, or create it before making it the default.';
    };
    readonly StoreNotInitialised: {
        readonly status: 409;
        readonly s3: 'ServiceUnavailable';
        readonly s3Status: 503;
        readonly template: 'There is no key store at {place} yet, and this call makes none. Start or reconfigure does.';
    };
    readonly StoreNotOurs: {
        readonly status: 409;
        readonly s3: 'ServiceUnavailable';
        readonly s3Status: 503;
        readonly template: '{path} is neither empty nor a key store of this product ({reason}). It was left untouched; choose another place.';
    };
    readonly StoreUnwritable: {
        readonly status: 409;
        readonly s3: 'ServiceUnavailable';
        readonly s3Status: 503;
        readonly template: '{path} cannot be used: {reason}.';
    };
    readonly StoreDamaged: {
        readonly status: 409;
        readonly s3: 'ServiceUnavailable';
        readonly s3Status: 503;
        readonly template: '{path} is damaged: {reason}. Restore it from a backup; nothing was changed.';
    };
    readonly RootKeyMissing: {
        readonly status: 409;
        readonly s3: 'ServiceUnavailable';
        readonly s3Status: 503;
        readonly template: 'The key store at {path} is sealed by a root key that is not here ({expected}). Bring it back; a key store never gets a new one.';
    };
    readonly RealmMissing: {
        readonly status: 409;
        readonly s3: 'ServiceUnavailable';
        readonly s3Status: 503;
        readonly template: 'Key store {realm} is expected at {place} but is not there. If a volume is not mounted, mount it; nothing was created in its place.';
    };
    readonly RealmConflict: {
        readonly status: 409;
        readonly s3: 'ServiceUnavailable';
        readonly s3Status: 503;
        readonly template: 'What is at {place} is not key store {realm} as this server knows it: {reason}. Nothing was changed.';
    };
    readonly StoreCopied: {
        readonly status: 409;
        readonly s3: 'ServiceUnavailable';
        readonly s3Status: 503;
        readonly template: '{place} seems to hold a copy of key store {realm}, which serves from another place ({reason}). Stop the service first, so that nothing more is written to the one left behind, and configure the copy then.';
    };
    readonly KeyStoreInUse: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: 'Key store {realm} is still needed: {reason}.';
    };
    readonly RestoreConflict: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: 'The archive and the key store do not agree about {count} keys, the first of them "{key}": {reason}. Nothing was changed. dry_run=true tells of all; conflict=skip goes on without them{more}.';
    };
    readonly ForeignArchive: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: 'The archive is of key store {archived}, and {place} belongs to key store {realm}. Nothing was changed; restore it into the key store it was made of, or into an empty place.';
    };
    readonly StoreChanged: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: 'The key store was changed while the archive was being prepared for it ({what}). Restore it again.';
    };
    readonly PolicyInUse: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: '{reason}';
    };
    readonly ManagedByFile: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: '{reason}';
    };
    readonly ReservedName: {
        readonly status: 409;
        readonly s3: 'InvalidRequest';
        readonly s3Status: 400;
        readonly template: '{reason}';
    };
    readonly ProofFailed: {
        readonly status: 409;
        readonly s3: 'ServiceUnavailable';
        readonly s3Status: 503;
        readonly template: 'The key store did not pass the check "{step}": {reason}. Nothing was changed.';
    };
    readonly PreconditionFailed: {
        readonly status: 412;
        readonly s3: 'PreconditionFailed';
        readonly template: 'Another change came first: this is at {actual}, not at {expected}. Read it again and retry.';
    };
    readonly EntityTooLarge: {
        readonly status: 413;
        readonly s3: 'EntityTooLarge';
        readonly s3Status: 400;
        readonly template: 'The body is larger than {limit} bytes.';
    };
    readonly TooManyRequests: {
        readonly status: 429;
        readonly s3: 'SlowDown';
        readonly s3Status: 503;
        readonly template: 'Too many failed authentications. Correctly signed requests are not affected; retry later.';
    };
    readonly InternalError: {
        readonly status: 500;
        readonly s3: 'InternalError';
        readonly template: 'An internal error occurred. Quote the request id to the operator of this server.';
    };
    readonly ObjectDamaged: {
        readonly status: 500;
        readonly s3: 'InternalError';
        readonly template: 'The stored object is damaged: {what}. Nothing of what is damaged was released. Restore the object from a copy.';
    };
    readonly UnsupportedCapability: {
        readonly status: 501;
        readonly s3: 'NotImplemented';
        readonly template: 'The {backend} backend cannot {capability}.';
    };
    readonly UnsupportedOperation: {
        readonly status: 501;
        readonly s3: 'NotImplemented';
        readonly template: '{reason}';
    };
    readonly NotRunning: {
        readonly status: 503;
        readonly s3: 'ServiceUnavailable';
        readonly template: 'The KMS is not running (status: {status}). POST /rustfs/admin/v3/kms/start starts a configured service.';
    };
    readonly BackendUnavailable: {
        readonly status: 503;
        readonly s3: 'ServiceUnavailable';
        readonly template: 'The key store {store} cannot be reached: {reason}. Retry later.';
    };
    readonly BackendDenied: {
        readonly status: 503;
        readonly s3: 'ServiceUnavailable';
        readonly template: 'The key store {store} refuses to {what}: {reason}. The operator of the key store can permit it.';
    };
    readonly AuditUnavailable: {
        readonly status: 503;
        readonly s3: 'ServiceUnavailable';
        readonly template: 'No audit record can be kept ({reason}), and this server does nothing without one. {consequence} Retry when the operator has mended it.';
    };
    readonly StorageFailed: {
        readonly status: 503;
        readonly s3: 'ServiceUnavailable';
        readonly template: 'Writing {what} failed: {reason}. Nothing was changed; mend the storage and retry.';
    };
    readonly KeyUseUnknown: {
        readonly status: 503;
        readonly s3: 'ServiceUnavailable';
        readonly template: 'Whether anything needs key "{key}" could not be found out: {reason}. Nothing was changed; retry later.';
    };
    readonly KeyVersionNotCurrent: {
        readonly status: 503;
        readonly s3: 'ServiceUnavailable';
        readonly template: 'Key "{key}" was rotated while it was being used. Retry.';
    };
    readonly BackendTimeout: {
        readonly status: 504;
        readonly s3: 'ServiceUnavailable';
        readonly s3Status: 503;
        readonly template: 'The key store did not answer within {seconds} s. Retry, or raise timeout_seconds.';
    };
    readonly ServerKeyMissing: {
        readonly status: 503;
        readonly s3: 'ServiceUnavailable';
        readonly template: 'What is stored is sealed under server key {expected}, and no server key was found. Restore {path}, or set KMS_SERVER_KEY or KMS_SERVER_KEY_FILE.';
    };
    readonly ServerKeyMismatch: {
        readonly status: 503;
        readonly s3: 'ServiceUnavailable';
        readonly template: 'What is stored is sealed under server key {expected}; the one supplied is {actual}. Supply the right one, or the old one as KMS_SERVER_KEY_PREVIOUS.';
    };
    readonly NewerFormat: {
        readonly status: 503;
        readonly s3: 'ServiceUnavailable';
        readonly template: '{path} has format {found}; this release knows formats up to {known}. Use the release that wrote it, or a newer one.';
    };
};
export type ErrorCode = keyof typeof errorCatalogue;

// errors/kms-error.d.ts
import { type ErrorCode, errorCatalogue } from './catalogue.ts';
type Placeholders<T extends string> = T extends `${string}{${infer P}}${infer Rest}` ? P | Placeholders<Rest> : never;
export type ErrorParams<C extends ErrorCode> = {
    readonly [P in Placeholders<(typeof errorCatalogue)[C]['template']>]: string | number;
};
type ParamsArgument<C extends ErrorCode> = [Placeholders<(typeof errorCatalogue)[C]['template']>] extends [never] ? [params?: undefined, options?: KmsErrorOptions] : [params: ErrorParams<C>, options?: KmsErrorOptions];
export interface KmsErrorOptions {
    readonly cause?: unknown;
    readonly retryAfterSeconds?: number;
}
export declare class KmsError extends Error {
    readonly name = "KmsError";
    readonly code: ErrorCode;
    readonly retryAfterSeconds: number | undefined;
    constructor(code: ErrorCode, message: string, options?: KmsErrorOptions);
    get status(): number;
    toJSON(): {
        code: ErrorCode;
        message: string;
    };
}
export declare function kmsError<C extends ErrorCode>(code: C, ...[params, options]: ParamsArgument<C>): KmsError;
export declare function isKmsError(error: unknown, ...codes: readonly ErrorCode[]): error is KmsError;
export {};

// imports/file-import-store.d.ts
import type { Random } from '../random.ts';
import type { ServerKeys } from '../seal/server-key.ts';
import type { ImportStore } from './import-store.ts';
export interface FileImportStoreOptions {
    readonly directory: string;
    readonly keys: ServerKeys;
    readonly random: Random;
}
export declare function createFileImportStore(options: FileImportStoreOptions): Promise<ImportStore>;

// imports/import-store.d.ts
import type { Buffer } from 'node:buffer';
import type { Realm } from '../envelope/envelope.ts';
export interface ImportTicket {
    readonly id: string;
    readonly realm: Realm;
    readonly keyName?: string;
    readonly expiresAt: number;
    readonly privateKey: Buffer;
}
export interface ImportStore {
    save(ticket: ImportTicket, now: number): Promise<void>;
    load(id: string): Promise<ImportTicket | 'used' | undefined>;
    claim(ticket: ImportTicket): Promise<boolean>;
    release(id: string): Promise<void>;
    finish(id: string): Promise<void>;
    sweep(now: number): Promise<void>;
}

// imports/wrapping-key.d.ts
import type { Buffer } from 'node:buffer';
export interface WrappingKeyPair {
    readonly publicKey: Buffer;
    readonly privateKey: Buffer;
}
export declare function generateWrappingKey(): Promise<WrappingKeyPair>;
export declare function openWrapped(wrapped: Uint8Array, privateKey: Buffer): Buffer | undefined;

// keys/every-capability.d.ts
import type { Capabilities } from './key-backend.ts';
export declare const EVERY_CAPABILITY: Capabilities;

// keys/key-backend.d.ts
import type { ArchiveEntry } from '../archive/archive-entry.ts';
import type { ArchiveSource } from '../archive/archive-source.ts';
import type { RestoreOptions, RestoreReport } from '../archive/restore-types.ts';
import type { ConfigDocument } from '../config/driver.ts';
import type { Realm, WrapAlgorithm } from '../envelope/envelope.ts';
import type { KmsError } from '../errors/kms-error.ts';
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'Unavailable';
export interface KeyRecord {
    readonly keyId: string;
    readonly aliases: readonly string[];
    readonly description: string;
    readonly tags: ReadonlyMap<string, string>;
    readonly state: KeyState;
    readonly problem?: string;
    readonly stateItCameBackWith?: Exclude<KeyState, 'Unavailable'>;
    readonly createdAt: number;
    readonly rotatedAt?: number;
    readonly deletionAt?: number;
    readonly stateBeforeDeletion?: 'Enabled' | 'Disabled';
    readonly rotationPeriodDays?: number;
    readonly currentVersion: number;
    readonly oldestVersion: number;
    readonly materialId: string;
    readonly origin: 'KMS' | 'EXTERNAL';
    readonly adopted?: true;
    readonly etag: string;
}
export interface NewKey {
    readonly keyId: string;
    readonly material?: Uint8Array;
    readonly aliases: readonly string[];
    readonly description: string;
    readonly tags: ReadonlyMap<string, string>;
}
export interface KeyPatch {
    readonly aliases?: readonly string[];
    readonly description?: string;
    readonly tags?: ReadonlyMap<string, string>;
    readonly state?: Exclude<KeyState, 'Unavailable'>;
    readonly deletionAt?: number | null;
    readonly stateBeforeDeletion?: 'Enabled' | 'Disabled' | null;
    readonly rotationPeriodDays?: number | null;
}
export interface KeyPage {
    readonly keys: readonly KeyRecord[];
    readonly unreadable: readonly string[];
    readonly next?: string;
}
export interface WrapRequest {
    readonly keyId: string;
    readonly version: number;
    readonly plaintext: Uint8Array;
    readonly aad: Uint8Array;
}
export interface UnwrapRequest {
    readonly keyId: string;
    readonly version: number;
    readonly algorithm: WrapAlgorithm;
    readonly materialId: string;
    readonly wrapped: Uint8Array;
    readonly aad: Uint8Array;
}
export interface Capabilities {
    readonly encrypt: boolean;
    readonly decrypt: boolean;
    readonly generate_data_key: boolean;
    readonly rotate: boolean;
    readonly enable_disable: boolean;
    readonly schedule_deletion: boolean;
    readonly versioning: boolean;
    readonly physical_delete: boolean;
    readonly update_key_metadata: boolean;
    readonly rewrap: boolean;
    readonly import: boolean;
    readonly backup: boolean;
}
export interface ResealProgress {
    readonly done: number;
    readonly total: number;
    readonly left: number;
    readonly running: boolean;
}
export interface RootRotation {
    readonly changed: boolean;
    readonly notes: readonly string[];
    readonly reseal?: ResealProgress;
}
export interface KeyBackend {
    readonly realm: Realm;
    readonly algorithm: WrapAlgorithm;
    readonly capabilities: Capabilities;
    readonly credentialsExpireAt?: number | undefined;
    readonly breakerOpen?: boolean | undefined;
    create(key: NewKey): Promise<KeyRecord>;
    describe(name: string): Promise<KeyRecord>;
    list(page: {
        readonly limit: number;
        readonly after?: string;
    }): Promise<KeyPage>;
    update(keyId: string, patch: KeyPatch, etag: string): Promise<KeyRecord>;
    rotate(keyId: string, etag: string): Promise<KeyRecord>;
    destroy(keyId: string, etag: string, lastVersion?: number): Promise<void>;
    wrap(request: WrapRequest): Promise<Buffer>;
    unwrap(request: UnwrapRequest): Promise<Buffer>;
    wrapMany?(requests: readonly WrapRequest[]): Promise<readonly (Buffer | KmsError)[]>;
    unwrapMany?(requests: readonly UnwrapRequest[]): Promise<readonly (Buffer | KmsError)[]>;
    finishLeftovers?(): Promise<void>;
    rotateRoot?(config: ConfigDocument, options: {
        readonly reseal: boolean;
    }): Promise<RootRotation>;
    readonly resealProgress?: ResealProgress | undefined;
    backup?(): Promise<AsyncIterable<ArchiveEntry>>;
    restore?(archive: ArchiveSource, options: RestoreOptions): Promise<RestoreReport>;
    health(): Promise<void>;
    close(): Promise<void>;
}

// keys/key-name.d.ts
export declare function isKeyName(text: string): boolean;
export interface KeyReference {
    readonly name: string;
    readonly kind?: 'key' | 'alias';
}
export declare function parseKeyReference(text: string, path?: string): KeyReference;

// keys/key-states.d.ts
import type { KeyRecord, KeyState } from './key-backend.ts';
export type KeyAction = 'wrap' | 'unwrap' | 'rotate' | 'enable' | 'disable'
 | 'change' | 'remove-alias' | 'schedule-deletion' | 'cancel-deletion' | 'destroy';
export declare function stateForDeletion({ state, stateItCameBackWith }: KeyRecord): KeyState;
export declare function requireState(action: KeyAction, record: KeyRecord): void;

// keys/key-use.d.ts
import type { Realm } from '../envelope/envelope.ts';
export interface KeyUse {
    count(realm: Realm, keyId?: string): Promise<number>;
    beforeDestroy(realm: Realm, keyId: string): Promise<void>;
}

// keys/rotation-schedule.d.ts
import type { KeyRecord } from './key-backend.ts';
export declare const ROTATION_PERIOD_DAYS: {
    readonly min: 1;
    readonly max: 3650;
};
export declare const DAY_MS = 86400000;
export declare function nextRotationAt(record: KeyRecord): number | undefined;

// lifecycle/retired-store.d.ts
import type { Clock } from '../clock.ts';
import type { ConfigDocument } from '../config/driver.ts';
import type { Realm } from '../envelope/envelope.ts';
import type { Random } from '../random.ts';
import type { OpenStore } from '../store/open-store.ts';
export interface RetiredHealth {
    readonly healthy: boolean | undefined;
    readonly lastError: string | undefined;
    readonly credentialsExpireAt: number | undefined;
}
export interface RetiredStore {
    readonly realm: Realm;
    readonly health: RetiredHealth;
    get(): Promise<OpenStore>;
    close(seconds: number): Promise<void>;
}
export interface RetiredStoreOptions {
    readonly realm: Realm;
    readonly config: ConfigDocument;
    readonly clock: Clock;
    readonly random: Random;
    readonly opened?: OpenStore;
    open(seconds: number, signal: AbortSignal): Promise<OpenStore>;
    readonly onWarning: (message: string) => void;
}
export declare function createRetiredStore(options: RetiredStoreOptions): RetiredStore;

// manager/data/batch.d.ts
import type { Buffer } from 'node:buffer';
import { type KmsError } from '../../errors/kms-error.ts';
import type { DataKeySpec, WrapInput } from './data-plane.ts';
import type { DataOperations } from './operations.ts';
export type BatchItem = WrapInput & ({
    readonly operation: 'generate_data_key';
    readonly spec: DataKeySpec;
} | {
    readonly operation: 'encrypt';
    readonly plaintext: Uint8Array;
} | {
    readonly operation: 'decrypt';
    readonly ciphertext: Buffer;
});
export interface BatchResult {
    readonly keyId: string;
    readonly keyVersion: number;
    readonly ciphertext?: Buffer;
    readonly plaintext?: Buffer;
}
export declare function runBatch(items: readonly BatchItem[], operations: DataOperations): Promise<readonly (BatchResult | KmsError)[]>;

// manager/data/data-plane.d.ts
import type { Buffer } from 'node:buffer';
import type { EncryptionContext } from '../../context/encryption-context.ts';
import { type Realm } from '../../envelope/envelope.ts';
import type { KmsError } from '../../errors/kms-error.ts';
import type { Random } from '../../random.ts';
import { type EndingKeys } from '../keys/ending-keys.ts';
import { type Authorize } from '../resolve-key.ts';
import { type SnapshotSource } from '../snapshot.ts';
import { type BatchItem, type BatchResult } from './batch.ts';
export type DataKeySpec = 'AES_128' | 'AES_256';
export interface WrapInput {
    readonly key?: string;
    readonly context: EncryptionContext;
    readonly authorize: Authorize;
}
export interface Wrapped {
    readonly keyId: string;
    readonly keyVersion: number;
    readonly ciphertext: Buffer;
}
export interface Unwrapped {
    readonly keyId: string;
    readonly keyVersion: number;
    readonly plaintext: Buffer;
}
export interface AdmittedKey {
    readonly realm: Realm;
    readonly keyId: string;
    readonly keyVersion: number;
}
export interface DataPlane {
    generateDataKey(input: WrapInput & {
        readonly spec: DataKeySpec;
    }): Promise<Wrapped & Unwrapped>;
    encrypt(input: WrapInput & {
        readonly plaintext: Uint8Array;
    }): Promise<Wrapped>;
    decrypt(input: WrapInput & {
        readonly ciphertext: Buffer;
    }): Promise<Unwrapped>;
    batch(items: readonly BatchItem[]): Promise<readonly (BatchResult | KmsError)[]>;
    admitWrap(input: Pick<WrapInput, 'key' | 'authorize'>): Promise<AdmittedKey>;
    admitUnwrap(input: Pick<WrapInput, 'authorize'> & {
        readonly ciphertext: Buffer;
    }): Promise<AdmittedKey>;
}
export declare function createDataPlane(source: SnapshotSource, random: Random, ending: EndingKeys): DataPlane;

// manager/data/key-access.d.ts
import type { Buffer } from 'node:buffer';
import type { KeyRecord, UnwrapRequest, WrapRequest } from '../../keys/key-backend.ts';
import type { OpenStore } from '../../store/open-store.ts';
export interface KeyAccess {
    describe(store: OpenStore, name: string, cached: boolean): Promise<KeyRecord>;
    outdated(store: OpenStore, record: KeyRecord): void;
    wrap(store: OpenStore, request: WrapRequest): Promise<Buffer>;
    unwrap(store: OpenStore, request: UnwrapRequest): Promise<Buffer>;
}
export declare const directAccess: KeyAccess;

// manager/data/operations.d.ts
import { type Envelope } from '../../envelope/envelope.ts';
import type { KeyRecord } from '../../keys/key-backend.ts';
import type { Random } from '../../random.ts';
import type { OpenStore } from '../../store/open-store.ts';
import { type EndingKeys } from '../keys/ending-keys.ts';
import { type ReadRecord } from '../resolve-key.ts';
import { type Snapshot, type SnapshotSource } from '../snapshot.ts';
import type { DataPlane } from './data-plane.ts';
import type { KeyAccess } from './key-access.ts';
export type DataOperations = Pick<DataPlane, 'generateDataKey' | 'encrypt' | 'decrypt'>;
export declare function createDataOperations(source: SnapshotSource, random: Random, access: KeyAccess, ending: EndingKeys): DataOperations;
export declare function storeOf(snapshot: Snapshot, { realm }: Envelope): OpenStore | Promise<OpenStore>;
export declare function exactly(keyId: string, read: ReadRecord): Promise<KeyRecord>;

// manager/keys/change-key.d.ts
import type { Realm } from '../../envelope/envelope.ts';
import type { Capabilities, KeyBackend, KeyRecord } from '../../keys/key-backend.ts';
import { type KeyAction } from '../../keys/key-states.ts';
import type { Caller, ManagerEvent } from '../manager-types.ts';
import { type Authorize } from '../resolve-key.ts';
import type { Snapshot, SnapshotSource } from '../snapshot.ts';
import type { EndingKeys } from './ending-keys.ts';
export interface KeyRequest {
    readonly key: string;
    readonly authorize: Authorize;
    readonly caller: Caller;
}
export interface ChangedKey {
    readonly record: KeyRecord;
    readonly changed: boolean;
}
export interface KeyChangeContext {
    readonly source: SnapshotSource;
    readonly onEvent: (event: ManagerEvent) => void;
    readonly onWritten: (record: KeyRecord, realm: Realm) => void;
    readonly onGone: (keyId: string, realm: Realm) => void;
    readonly ending: EndingKeys;
}
export type KeyWrite = (backend: KeyBackend) => Promise<KeyRecord>;
export interface ChangeRule {
    readonly capability: keyof Capabilities;
    readonly action: KeyAction;
    readonly ends?: true;
    edit(record: KeyRecord, snapshot: Snapshot): KeyWrite | undefined | Promise<KeyWrite | undefined>;
    event(record: KeyRecord): Pick<ManagerEvent, 'event' | 'message'>;
}
export declare const MAX_ATTEMPTS = 100;
export declare function changeKey(context: KeyChangeContext, { key, authorize, caller }: KeyRequest, rule: ChangeRule): Promise<ChangedKey>;

// manager/keys/create-key.d.ts
import type { KeyRecord, NewKey } from '../../keys/key-backend.ts';
import type { Caller } from '../manager-types.ts';
import type { Authorize } from '../resolve-key.ts';
import type { Snapshot } from '../snapshot.ts';
import type { KeyChangeContext } from './change-key.ts';
export interface CreateKeyInput {
    readonly name?: string;
    readonly description?: string;
    readonly tags?: ReadonlyMap<string, string>;
    readonly authorize: Authorize;
    readonly caller: Caller;
}
export interface CreatedKey {
    readonly record: KeyRecord;
    readonly takenAlias?: string;
}
export declare function planKey({ name, description, tags, authorize }: CreateKeyInput): NewKey;
export declare function createKey({ source, onEvent, onWritten }: KeyChangeContext, snapshot: Snapshot, key: NewKey, caller: Caller): Promise<CreatedKey>;

// manager/keys/destroy-key.d.ts
import type { KeyRecord } from '../../keys/key-backend.ts';
import type { KeyUse } from '../../keys/key-use.ts';
import { type KeyChangeContext, type KeyRequest } from './change-key.ts';
export interface KeyDestructionContext extends KeyChangeContext {
    readonly keyUse: KeyUse | undefined;
}
export interface KeyDestruction {
    readonly record: KeyRecord;
    readonly destroyed: boolean;
}
export declare function destroyKey(context: KeyDestructionContext, { key, authorize, caller }: KeyRequest, isDue: (record: KeyRecord) => boolean): Promise<KeyDestruction>;

// manager/keys/ending-keys.d.ts
import type { Realm } from '../../envelope/envelope.ts';
import type { KeyRecord } from '../../keys/key-backend.ts';
export interface EndingKeys {
    begin(realm: Realm, keyId: string): () => void;
    decision(realm: Realm, keyId: string): Promise<void> | undefined;
}
export declare function decided(ending: EndingKeys, { realm }: {
    readonly realm: Realm;
}, read: () => Promise<KeyRecord>): Promise<KeyRecord>;
export declare function createEndingKeys(): EndingKeys;

// manager/keys/import-key.d.ts
import type { Buffer } from 'node:buffer';
import type { Clock } from '../../clock.ts';
import type { ImportStore } from '../../imports/import-store.ts';
import { type WrappingKeyPair } from '../../imports/wrapping-key.ts';
import type { Random } from '../../random.ts';
import type { Authorize } from '../resolve-key.ts';
import type { KeyChangeContext } from './change-key.ts';
import { type CreatedKey, type CreateKeyInput } from './create-key.ts';
export interface ImportParameters {
    readonly token: string;
    readonly publicKey: Buffer;
    readonly validUntil: number;
}
export interface ImportKeyInput extends CreateKeyInput {
    readonly token: string;
    readonly wrapped: Uint8Array;
}
export interface KeyImports {
    parameters(input: {
        readonly name?: string;
        readonly authorize: Authorize;
    }): Promise<ImportParameters>;
    importKey(input: ImportKeyInput): Promise<CreatedKey>;
}
export interface KeyImportsOptions {
    readonly context: KeyChangeContext;
    readonly clock: Clock;
    readonly random: Random;
    readonly importStore: ImportStore | undefined;
    readonly generateWrappingKey: () => Promise<WrappingKeyPair>;
}
export declare function createKeyImports(options: KeyImportsOptions): KeyImports;

// manager/keys/key-service.d.ts
import type { Clock } from '../../clock.ts';
import type { KeyRecord } from '../../keys/key-backend.ts';
import { type Authorize } from '../resolve-key.ts';
import { type ChangedKey, type KeyRequest } from './change-key.ts';
import { type CreatedKey, type CreateKeyInput } from './create-key.ts';
import { type KeyDestructionContext } from './destroy-key.ts';
import { type ImportKeyInput, type ImportParameters, type KeyImportsOptions } from './import-key.ts';
import { type KeyListing, type ListKeysInput } from './list-keys.ts';
export interface KeyService {
    create(input: CreateKeyInput): Promise<CreatedKey>;
    describe(input: {
        readonly key: string;
        readonly authorize: Authorize;
    }): Promise<KeyRecord>;
    list(input: ListKeysInput): Promise<KeyListing>;
    importParameters(input: {
        readonly name?: string;
        readonly authorize: Authorize;
    }): Promise<ImportParameters>;
    importKey(input: ImportKeyInput): Promise<CreatedKey>;
    rotate(input: KeyRequest): Promise<ChangedKey>;
    enable(input: KeyRequest): Promise<ChangedKey>;
    disable(input: KeyRequest): Promise<ChangedKey>;
    updateDescription(input: KeyRequest & {
        readonly description: string;
    }): Promise<ChangedKey>;
    tag(input: KeyRequest & {
        readonly tags: ReadonlyMap<string, string>;
    }): Promise<ChangedKey>;
    untag(input: KeyRequest & {
        readonly tagKeys: readonly string[];
    }): Promise<ChangedKey>;
    addAlias(input: KeyRequest & {
        readonly alias: string;
    }): Promise<ChangedKey>;
    removeAlias(input: KeyRequest & {
        readonly alias: string;
    }): Promise<ChangedKey>;
    setRotationPeriod(input: KeyRequest & {
        readonly days: number | null;
    }): Promise<ChangedKey>;
    scheduleDeletion(input: KeyRequest & {
        readonly windowDays?: number;
    }): Promise<ChangedKey>;
    cancelDeletion(input: KeyRequest): Promise<ChangedKey>;
    destroy(input: KeyRequest & {
        readonly confirmKeyId: string | undefined;
    }): Promise<DestroyedKey>;
}
export interface DestroyedKey {
    readonly keyId: string;
    readonly destroyedAt: number;
}
export interface KeyServiceOptions extends KeyDestructionContext {
    readonly clock: Clock;
    readonly allowImmediateDeletion: boolean;
    readonly imports: Omit<KeyImportsOptions, 'context' | 'clock'>;
}
export declare function createKeyService(context: KeyServiceOptions): KeyService;

// manager/keys/list-keys.d.ts
import type { KeyRecord, KeyState } from '../../keys/key-backend.ts';
import type { OpenStore } from '../../store/open-store.ts';
export interface ListKeysInput {
    readonly limit: number;
    readonly marker?: string;
    readonly state?: KeyState;
}
export interface KeyListing {
    readonly keys: readonly KeyRecord[];
    readonly unreadable: readonly string[];
    readonly next?: string;
}
export declare function listKeys(store: OpenStore, { limit, marker, state }: ListKeysInput): Promise<KeyListing>;

// manager/kms-manager.d.ts
import type { KmsManager, KmsManagerOptions } from './manager-types.ts';
export declare function createKmsManager(options: KmsManagerOptions): KmsManager;

// manager/manager-types.d.ts
import type { Buffer } from 'node:buffer';
import type { ArchiveSecret } from '../archive/archive-key.ts';
import type { ConflictPolicy, RestoreReport } from '../archive/restore-types.ts';
import type { CanaryStore } from '../canary/canary-store.ts';
import type { Clock } from '../clock.ts';
import type { ConfigChange } from '../config/compare.ts';
import type { BackendDriver, ConfigDocument } from '../config/driver.ts';
import type { Realm } from '../envelope/envelope.ts';
import type { ErrorCode } from '../errors/catalogue.ts';
import type { ImportStore } from '../imports/import-store.ts';
import type { WrappingKeyPair } from '../imports/wrapping-key.ts';
import type { Capabilities, ResealProgress } from '../keys/key-backend.ts';
import type { KeyUse } from '../keys/key-use.ts';
import type { OfflineKeyStore, OfflineKeys } from '../offline/offline-keys.ts';
import type { Random } from '../random.ts';
import type { ConfigStore } from '../state/state-document.ts';
import type { CacheStatistics } from '../store/data-key-cache.ts';
import type { ProofStep } from '../store/prove.ts';
import type { DataPlane } from './data/data-plane.ts';
import type { KeyService } from './keys/key-service.ts';
export type WireStatus = 'NotConfigured' | 'Configured' | 'Running' | {
    readonly Error: string;
};
export interface Caller {
    readonly principal: string;
    readonly address?: string;
    readonly requestId?: string;
}
export interface LifecycleReport {
    readonly status: WireStatus;
    readonly revision: number;
    readonly outcome: 'configured' | 'reconfigured' | 'confirmed' | 'rolled back' | 'reverted' | 'returned' | 'mended' | 'removed' | 'started' | 'restarted' | 'stopped' | 'root rotated' | 'restored' | 'unchanged';
    readonly changed: readonly ConfigChange[];
    readonly notes: readonly string[];
}
export interface RehearsalReport {
    readonly status: WireStatus;
    readonly revision: number;
    readonly diff: readonly ConfigChange[];
    readonly proof: readonly ProofStep[];
    readonly notes: readonly string[];
}
export interface HistoryEntry {
    readonly revision: number;
    readonly time: string;
    readonly principal: string;
    readonly outcome: string;
    readonly diff: readonly ConfigChange[];
}
export interface RetiredStoreStatus {
    readonly realm: Realm;
    readonly backendType: string;
    readonly summary: Readonly<Record<string, string | number | boolean | null>>;
    readonly lastActive: string;
    readonly healthy: boolean | undefined;
    readonly lastError: string | undefined;
    readonly credentialsExpireAt: number | undefined;
}
export interface RootRotationReport extends LifecycleReport {
    readonly reseal?: ResealProgress;
}
export interface KeyStoreArchive {
    readonly realm: Realm;
    readonly createdAt: number;
    readonly bytes: AsyncIterable<Buffer>;
}
export interface RestoreCallOptions {
    readonly secret: ArchiveSecret;
    readonly conflict: ConflictPolicy;
    readonly dryRun: boolean;
}
export interface RestoreOutcome extends LifecycleReport {
    readonly realm: Realm;
    readonly restored: RestoreReport;
}
export interface ManagerStatus {
    readonly status: WireStatus;
    readonly revision: number;
    readonly config: ConfigDocument | undefined;
    readonly backendSummary: Readonly<Record<string, string | number | boolean | null>> | undefined;
    readonly healthy: boolean | undefined;
    readonly credentialsExpireAt: number | undefined;
    readonly breakerOpen: boolean | undefined;
    readonly cache: CacheStatistics | undefined;
    readonly capabilities: Capabilities | undefined;
    readonly retiredBackends: readonly Realm[];
    readonly lastError: string | undefined;
}
export interface ManagerEvent {
    readonly event: 'kms_configured' | 'kms_reconfigured' | 'kms_started' | 'kms_stopped' | 'kms_confirmed' | 'kms_rolled_back' | 'kms_reverted' | 'kms_returned' | 'kms_retired_mended' | 'kms_retired_removed' | 'kms_root_rotated' | 'kms_backed_up' | 'kms_restored' | 'kms_change_failed' | 'kms_unhealthy' | 'kms_healthy' | 'kms_warning' | 'kms_notice' | 'kms_key_created' | 'kms_key_imported' | 'kms_key_rotated' | 'kms_key_enabled' | 'kms_key_disabled' | 'kms_key_updated' | 'kms_key_deletion_scheduled' | 'kms_key_deletion_cancelled' | 'kms_key_destroyed';
    readonly message: string;
    readonly outcome?: 'success' | 'refused';
    readonly attempted?: ManagerEvent['event'];
    readonly code?: ErrorCode;
    readonly caller?: Caller;
    readonly keyId?: string;
    readonly realm?: Realm;
    readonly revisionBefore?: number;
    readonly revision?: number;
    readonly diff?: readonly ConfigChange[];
    readonly milliseconds?: number;
    readonly backend?: Readonly<Record<string, string | number | boolean | null>>;
}
export interface Precondition {
    readonly ifMatch?: string;
}
export interface ReconfigureOptions extends Precondition {
    readonly confirmWithinSeconds?: number;
}
export interface KmsManagerOptions {
    readonly drivers: readonly BackendDriver[];
    readonly configStore: ConfigStore;
    readonly canaryStore: CanaryStore;
    readonly clock?: Clock;
    readonly random?: Random;
    readonly onEvent?: (event: ManagerEvent) => void;
    readonly keyUse?: KeyUse;
    readonly offlineKeys?: OfflineKeyStore;
    readonly importStore?: ImportStore;
    readonly generateWrappingKey?: () => Promise<WrappingKeyPair>;
    readonly spoolDirectory?: string;
    readonly allowImmediateDeletion?: boolean;
}
export interface KmsManager {
    boot(): Promise<void>;
    configure(document: unknown, caller: Caller, options?: Precondition): Promise<LifecycleReport>;
    reconfigure(patch: unknown, caller: Caller, options?: ReconfigureOptions): Promise<LifecycleReport>;
    rehearse(patch: unknown, options?: ReconfigureOptions): Promise<RehearsalReport>;
    confirm(caller: Caller): Promise<LifecycleReport>;
    history(): Promise<readonly HistoryEntry[]>;
    rollback(to: {
        readonly revision: number;
    }, caller: Caller, options?: Precondition): Promise<LifecycleReport>;
    retired(): readonly RetiredStoreStatus[];
    mendRetired(realm: string, patch: unknown, caller: Caller, options?: Precondition): Promise<LifecycleReport>;
    removeRetired(what: {
        readonly realm: string;
        readonly confirmRealm: string;
        readonly force: boolean;
    }, caller: Caller): Promise<LifecycleReport>;
    start(options: {
        readonly force: boolean;
    }, caller: Caller): Promise<LifecycleReport>;
    stop(caller: Caller): Promise<LifecycleReport>;
    rotateRoot(request: unknown, caller: Caller, options?: {
        readonly dryRun?: boolean;
    }): Promise<RootRotationReport>;
    backup(secret: ArchiveSecret, caller: Caller): Promise<KeyStoreArchive>;
    restore(body: AsyncIterable<Uint8Array>, options: RestoreCallOptions, caller: Caller): Promise<RestoreOutcome>;
    status(): ManagerStatus;
    config(): {
        readonly document: ConfigDocument;
        readonly etag: string;
        readonly revision: number;
    } | undefined;
    clearCache(): void;
    readonly keys: KeyService;
    readonly data: DataPlane;
    readonly offline: OfflineKeys;
    close(): Promise<void>;
}

// manager/resolve-key.d.ts
import type { Capabilities, KeyRecord } from '../keys/key-backend.ts';
import { type Snapshot } from './snapshot.ts';
export type Authorize = (keyId: string) => void;
export type ReadRecord = (name: string) => Promise<KeyRecord>;
export declare function resolveKey(snapshot: Snapshot, key: string | undefined, authorize: Authorize, read?: ReadRecord): Promise<KeyRecord>;
export declare function resolveAble(snapshot: Snapshot, key: string | undefined, authorize: Authorize, capability: keyof Capabilities, read: ReadRecord): Promise<KeyRecord>;

// manager/snapshot.d.ts
import type { ConfigDocument } from '../config/driver.ts';
import type { Realm } from '../envelope/envelope.ts';
import type { KeyReference } from '../keys/key-name.ts';
import type { RetiredStore } from '../lifecycle/retired-store.ts';
import type { DataKeyCache } from '../store/data-key-cache.ts';
import type { OpenStore } from '../store/open-store.ts';
export interface Snapshot {
    readonly config: ConfigDocument;
    readonly active: OpenStore;
    readonly retired: ReadonlyMap<Realm, RetiredStore>;
    readonly defaultKeyId: string | undefined;
    readonly cache: DataKeyCache | undefined;
}
export declare function defaultKeyOf({ defaultKeyId, config }: Snapshot): KeyReference | undefined;
export interface SnapshotSource {
    current(): Snapshot;
}
export declare function onSnapshot<T>(source: SnapshotSource, work: (snapshot: Snapshot) => Promise<T>): Promise<T>;
export declare function alsoServing(source: SnapshotSource, snapshot: Snapshot): ReadonlySet<Snapshot>;

// observe/observe-driver.d.ts
import type { BackendDriver } from '../config/driver.ts';
import type { Realm } from '../envelope/envelope.ts';
import type { KeyBackend } from '../keys/key-backend.ts';
import type { PeerTelemetry } from './peer-telemetry.ts';
type VerbOf<M extends keyof KeyBackend> = NonNullable<KeyBackend[M]> extends (...args: never[]) => unknown ? M : never;
type BackendVerb = {
    [M in keyof KeyBackend]-?: VerbOf<M>;
}[keyof KeyBackend];
export type BackendOperation = BackendVerb | 'open';
export interface BackendCall {
    readonly backend: string;
    readonly realm?: Realm;
    readonly operation: BackendOperation;
}
export interface BackendObserver {
    around<T>(call: BackendCall, work: () => Promise<T>): Promise<T>;
    peer(backend: string): PeerTelemetry;
}
export declare const backendOperations: readonly BackendOperation[];
export declare function observeDriver(driver: BackendDriver, observer: BackendObserver): BackendDriver;
export {};

// observe/peer-telemetry.d.ts
export interface PeerTelemetry {
    headers(): Readonly<Record<string, string>>;
    attempted(request: string, outcome: string, milliseconds: number): void;
}

// offline/file-offline-key-store.d.ts
import type { Random } from '../random.ts';
import type { ServerKeys } from '../seal/server-key.ts';
import type { OfflineKeyStore } from './offline-keys.ts';
export interface FileOfflineKeyStoreOptions {
    readonly directory: string;
    readonly keys: ServerKeys;
    readonly random: Random;
    readonly onWarning: (message: string) => void;
}
export declare function createFileOfflineKeyStore(options: FileOfflineKeyStoreOptions): Promise<OfflineKeyStore>;

// offline/offline-keys.d.ts
import type { Realm } from '../envelope/envelope.ts';
export interface OfflineKey {
    readonly id: Uint8Array;
    readonly key: Uint8Array;
}
export interface OfflineKeys {
    forWriting(realm: Realm, keyId: string): Promise<OfflineKey | undefined>;
    forReading(realm: Realm, keyId: string, id: Uint8Array): Promise<OfflineKey | undefined>;
}
export interface OfflineKeyStore {
    provide(realm: Realm, keyId: string): Promise<OfflineKey | undefined>;
    find(realm: Realm, keyId: string, id: Uint8Array): Promise<OfflineKey | undefined>;
    suspend(realm: Realm, keyId: string): Promise<void>;
    resume(realm: Realm, keyId: string): Promise<void>;
    remove(realm: Realm, keyId: string): Promise<void>;
    allow(realm: Realm, keyId: string): Promise<void>;
    close(): void;
}

// random.d.ts
import { Buffer } from 'node:buffer';
export type Random = (size: number) => Buffer;
export declare const systemRandom: Random;

// seal/server-key.d.ts
import { Buffer } from 'node:buffer';
export type ServerKeyPurpose = 'config' | 'iam' | 'session' | 'offline' | 'upload' | 'metadata' | 'audit' | 'import';
export interface ServerKey {
    readonly id: string;
    subkey(purpose: ServerKeyPurpose): Buffer;
}
export declare function createServerKey(bytes: Uint8Array): ServerKey;
export interface ServerKeys {
    readonly current: ServerKey;
    readonly previous?: ServerKey;
}

// state/durable-file.d.ts
export declare const TEMPORARY_PREFIX = ".tmp-";
export interface DurableWriteOptions {
    readonly mode: number;
    readonly exclusive?: boolean;
    readonly temporaryDirectory?: string;
}
export declare function writeDurably(path: string, bytes: string | Uint8Array, options: DurableWriteOptions): Promise<void>;
export declare function syncDirectory(path: string): Promise<void>;

// state/file-config-store.d.ts
import { type ConfigStore, type StateCodecOptions } from './state-document.ts';
export interface FileConfigStoreOptions extends StateCodecOptions {
    readonly directory: string;
    readonly onRecovered: (message: string) => void;
}
export declare function createFileConfigStore(options: FileConfigStoreOptions): Promise<ConfigStore>;

// state/process-identity.d.ts
export interface ProcessIdentity {
    readonly pid: number;
    readonly started: string;
    readonly boot: string;
    readonly namespace: string;
}
export declare function ownIdentity(): Promise<ProcessIdentity>;
export declare function lookForProcess(identity: ProcessIdentity): Promise<'alive' | 'gone' | 'other-namespace' | 'other-boot'>;

// state/sealed-file-store.d.ts
import type { Random } from '../random.ts';
import type { ServerKeyPurpose, ServerKeys } from '../seal/server-key.ts';
export interface SealedDocument {
    readonly format: number;
}
export interface SealedFileStoreOptions {
    readonly path: string;
    readonly document: string;
    readonly purpose: ServerKeyPurpose;
    readonly format: number;
    readonly what: string;
    readonly keys: ServerKeys;
    readonly random: Random;
    readonly secretBinding: (pointer: string, document: unknown) => string | undefined;
    readonly onRecovered: (message: string) => void;
}
export interface SealedFileStore {
    load(): Promise<unknown>;
    save(document: SealedDocument): Promise<void>;
}
export declare function createSealedFileStore(options: SealedFileStoreOptions): Promise<SealedFileStore>;

// state/state-document.d.ts
import type { ConfigChange } from '../config/compare.ts';
import type { BackendDriver, ConfigDocument } from '../config/driver.ts';
import type { Realm } from '../envelope/envelope.ts';
import type { Random } from '../random.ts';
import type { ServerKeys } from '../seal/server-key.ts';
export interface StoreEntry {
    readonly driver: string;
    readonly identity: string;
    readonly config: ConfigDocument;
    readonly changedRoot?: ConfigDocument;
    readonly firstActive: string;
    readonly lastActive: string;
}
export interface StateChange {
    readonly time: string;
    readonly principal: string;
    readonly action: string;
    readonly diff: readonly ConfigChange[];
}
export interface Unconfirmed {
    readonly config: ConfigDocument;
    readonly deadline: string;
}
export interface StateDocument {
    readonly revision: number;
    readonly etag: string;
    readonly desired: 'running' | 'stopped';
    readonly config: ConfigDocument;
    readonly defaultKey?: {
        readonly name: string;
        readonly keyId: string;
    };
    readonly active?: Realm;
    readonly stores: ReadonlyMap<Realm, StoreEntry>;
    readonly unconfirmed?: Unconfirmed;
    readonly change: StateChange;
}
export interface RevisionEntry {
    readonly revision: number;
    readonly change: StateChange;
}
export interface ConfigStore {
    load(): Promise<StateDocument | undefined>;
    save(document: StateDocument, expectedRevision: number): Promise<void>;
    history(): Promise<readonly RevisionEntry[]>;
    revision(revision: number): Promise<StateDocument | undefined>;
}
export interface StateCodecOptions {
    readonly drivers: readonly BackendDriver[];
    readonly keys: ServerKeys;
    readonly random: Random;
}
export declare function encodeStateDocument(document: StateDocument, options: StateCodecOptions): string;
export declare function decodeStateDocument(line: string, path: string, options: StateCodecOptions): StateDocument;
export declare function decodeRevisionEntry(line: string, path: string): RevisionEntry;

// store/data-key-cache.d.ts
import { Buffer } from 'node:buffer';
import type { Clock } from '../clock.ts';
import type { Envelope } from '../envelope/envelope.ts';
export interface CacheStatistics {
    readonly hits: number;
    readonly misses: number;
    readonly entries: number;
    readonly evictions: number;
}
export interface DataKeyCache {
    get(envelope: Envelope, aad: Uint8Array, unwrap: () => Promise<Buffer>): Promise<Buffer>;
    clear(keyId?: string): void;
    statistics(): CacheStatistics;
}
export interface DataKeyCacheOptions {
    readonly maxEntries: number;
    readonly ttlSeconds: number;
    readonly clock: Clock;
}
export declare function createDataKeyCache({ maxEntries, ttlSeconds, clock }: DataKeyCacheOptions): DataKeyCache;

// store/open-store.d.ts
import type { CanarySet } from '../canary/canary-store.ts';
import type { Clock } from '../clock.ts';
import type { Realm } from '../envelope/envelope.ts';
import type { KeyBackend, KeyRecord } from '../keys/key-backend.ts';
import type { Random } from '../random.ts';
export interface OpenStore {
    readonly realm: Realm;
    readonly backend: KeyBackend;
    readonly canaries: CanarySet;
    describe(name: string, cached: boolean): Promise<KeyRecord>;
    judge(record: KeyRecord): KeyRecord;
    forget(...names: readonly string[]): void;
    remember(record: KeyRecord): Promise<void>;
    call<T>(work: (backend: KeyBackend) => Promise<T>): Promise<T>;
    enter(): void;
    leave(): void;
    use<T>(work: () => Promise<T>): Promise<T>;
    retire(seconds: number): Promise<void>;
}
export interface OpenStoreOptions {
    readonly backend: KeyBackend;
    readonly canaries: CanarySet;
    readonly timeoutSeconds: number;
    readonly clock: Clock;
    readonly random: Random;
    readonly onWarning: (message: string) => void;
}
export declare function createOpenStore(options: OpenStoreOptions): OpenStore;

// store/prove.d.ts
import type { Clock } from '../clock.ts';
import type { Random } from '../random.ts';
import type { OpenStore } from './open-store.ts';
export interface ProofStep {
    readonly step: 'open' | 'health' | 'default key' | 'fresh canary' | 'negative canary' | 'stored canaries';
    readonly detail: string;
    readonly milliseconds: number;
}
export interface Proof {
    readonly steps: readonly ProofStep[];
    readonly defaultKeyId?: string;
    readonly warnings: readonly string[];
}
export interface ProveOptions {
    readonly store: OpenStore;
    readonly place: string;
    readonly defaultKey: string | undefined;
    readonly resolvedDefaultKeyId: string | undefined;
    readonly newDefaultKey: 'create' | 'tell' | 'refuse';
    readonly requireUsableDefaultKey: boolean;
    readonly known: boolean;
    readonly clock: Clock;
    readonly random: Random;
}
export declare function proveStore(options: ProveOptions): Promise<Proof>;
export declare function proveOpens(store: OpenStore, place: string, clock: Clock): Promise<Proof>;

// stream/stream-keys.d.ts
import { Buffer } from 'node:buffer';
import { type KeyObject } from 'node:crypto';
export interface StreamKeys {
    readonly cipherKey: KeyObject;
    readonly commitment: Buffer;
}
export declare const STREAM_SALT_BYTES = 32;
export declare function deriveStreamKeys(key: Uint8Array, salt: Uint8Array, info: Uint8Array): StreamKeys;
