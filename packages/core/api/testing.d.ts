// What @kms/core declares (testing). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// testing/index.d.ts
export { type DescribeKeyBackendOptions, describeKeyBackend, type KeyBackendHarness } from './describe-key-backend.ts';
export { type DescribeKeyLifeOptions, describeKeyLife, type KeyLifeHarness } from './describe-key-life.ts';
export { createFaults, type FaultGate, type Faults } from './faults.ts';
export { archiveOf, heldArchive, nothingSeen } from './held-archive.ts';
export { createManualClock, type ManualClock } from './manual-clock.ts';
export { createMemoryBackend, type MemoryBackend, type MemoryBackendOptions } from './memory-backend.ts';
export { createMemoryCanaryStore } from './memory-canary-store.ts';
export { type MemoryDriver, type MemoryDriverOptions, memoryDriver } from './memory-driver.ts';
export { copyMemoryStore, createMemoryStore, type MemoryKey, type MemoryStore, type MemoryStores, type MemoryVerb, type MemoryVersion, } from './memory-store.ts';
export { createSeededRandom } from './seeded-random.ts';

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

// clock.d.ts
export interface Clock {
    now(): number;
    after(ms: number, callback: () => void): () => void;
}
export declare const systemClock: Clock;
export declare function timestamp(clock: Clock): string;

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

// observe/peer-telemetry.d.ts
export interface PeerTelemetry {
    headers(): Readonly<Record<string, string>>;
    attempted(request: string, outcome: string, milliseconds: number): void;
}

// random.d.ts
import { Buffer } from 'node:buffer';
export type Random = (size: number) => Buffer;
export declare const systemRandom: Random;

// testing/describe-key-backend.d.ts
import type { KeyBackend } from '../keys/key-backend.ts';
export interface KeyBackendHarness {
    open(): Promise<KeyBackend>;
    reopen?(): Promise<KeyBackend>;
    damage?(keyId: string): Promise<void>;
    readonly retiresIds?: boolean;
    cleanup(): Promise<void>;
}
export interface DescribeKeyBackendOptions {
    readonly skip?: readonly {
        readonly test: string;
        readonly reason: string;
    }[];
}
export declare function describeKeyBackend(name: string, factory: () => KeyBackendHarness | Promise<KeyBackendHarness>, options?: DescribeKeyBackendOptions): void;

// testing/describe-key-life.d.ts
import type { Clock } from '../clock.ts';
import type { KeyBackend } from '../keys/key-backend.ts';
export interface KeyLifeHarness {
    open(clock: Clock): Promise<KeyBackend>;
    cleanup(): Promise<void>;
}
export interface DescribeKeyLifeOptions {
    readonly runs: number;
    readonly length: number;
    readonly retiresIds?: boolean;
    readonly ownClock?: boolean;
    readonly timeoutMs?: number;
}
export declare function describeKeyLife(name: string, factory: () => KeyLifeHarness | Promise<KeyLifeHarness>, options: DescribeKeyLifeOptions): void;

// testing/faults.d.ts
export interface Faults<Verb extends string> {
    fail(verb: Verb, error: Error): void;
    hang(verb: Verb): void;
    recover(verb?: Verb): void;
    calls(verb: Verb): number;
}
export interface FaultGate<Verb extends string> extends Faults<Verb> {
    pass(verb: Verb): Promise<void>;
}
export declare function createFaults<Verb extends string>(): FaultGate<Verb>;

// testing/held-archive.d.ts
import type { ArchiveEntry } from '../archive/archive-entry.ts';
import type { ArchiveSource } from '../archive/archive-source.ts';
import type { SeenKeys } from '../archive/restore-types.ts';
import type { Realm } from '../envelope/envelope.ts';
import type { KeyBackend } from '../keys/key-backend.ts';
export declare function heldArchive(realm: Realm, entries: readonly ArchiveEntry[]): ArchiveSource;
export declare function archiveOf(backend: KeyBackend): Promise<readonly ArchiveEntry[]>;
export declare const nothingSeen: SeenKeys;

// testing/manual-clock.d.ts
import type { Clock } from '../clock.ts';
export interface ManualClock extends Clock {
    advance(ms: number): void;
    jump(ms: number): void;
    readonly next: number | undefined;
}
export declare function createManualClock(startMs: number): ManualClock;

// testing/memory-backend.d.ts
import { type Clock } from '../clock.ts';
import type { Capabilities, KeyBackend } from '../keys/key-backend.ts';
import { type Random } from '../random.ts';
import { type Faults } from './faults.ts';
import { type MemoryStore, type MemoryVerb } from './memory-store.ts';
export interface MemoryBackendOptions {
    readonly store?: MemoryStore;
    readonly clock?: Clock;
    readonly random?: Random;
    readonly retiresIds?: boolean;
    readonly capabilities?: Partial<Capabilities>;
}
export interface MemoryBackend extends KeyBackend, Faults<MemoryVerb> {
    readonly store: MemoryStore;
    readonly closed: boolean;
}
export declare function createMemoryBackend(options?: MemoryBackendOptions): MemoryBackend;

// testing/memory-canary-store.d.ts
import type { CanaryStore } from '../canary/canary-store.ts';
export declare function createMemoryCanaryStore(): CanaryStore;

// testing/memory-driver.d.ts
import type { BackendDriver, ConfigDocument } from '../config/driver.ts';
import { type MemoryBackend, type MemoryBackendOptions } from './memory-backend.ts';
import { type MemoryStores } from './memory-store.ts';
export interface MemoryDriverOptions extends Pick<MemoryBackendOptions, 'retiresIds' | 'capabilities'> {
    readonly stores?: MemoryStores;
}
export interface MemoryDriver extends BackendDriver {
    readonly stores: MemoryStores;
    readonly opened: readonly {
        readonly config: ConfigDocument;
        readonly backend: MemoryBackend;
    }[];
}
export declare function memoryDriver({ stores, ...behaviour }?: MemoryDriverOptions): MemoryDriver;

// testing/memory-store.d.ts
import { Buffer } from 'node:buffer';
import type { Realm } from '../envelope/envelope.ts';
import type { KeyRecord } from '../keys/key-backend.ts';
import { type FaultGate } from './faults.ts';
export type MemoryVerb = 'open' | 'create' | 'describe' | 'list' | 'update' | 'rotate' | 'destroy' | 'wrap' | 'unwrap' | 'rotateRoot' | 'backup' | 'restore' | 'health';
export type MemoryKey = {
    readonly record: KeyRecord;
    readonly versions: ReadonlyMap<number, MemoryVersion>;
} | {
    readonly destroyedVersion: number;
};
export interface MemoryVersion {
    readonly material: Buffer;
    readonly materialId: string;
}
export interface MemoryStore {
    realm?: Realm;
    foreign: boolean;
    rootKey?: string;
    requiredToken?: string;
    readonly keys: Map<string, MemoryKey>;
    readonly aliases: Map<string, string>;
    readonly unreadable: Set<string>;
    readonly faults: FaultGate<MemoryVerb>;
}
export type MemoryStores = Map<string, MemoryStore>;
export declare function copyMemoryStore(store: MemoryStore): MemoryStore;
export declare function createMemoryStore(): MemoryStore;

// testing/seeded-random.d.ts
import type { Random } from '../random.ts';
export declare function createSeededRandom(seed: string | number): Random;
