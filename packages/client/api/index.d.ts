// What @kms/client declares (index). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// index.d.ts
export { type ClientErrorFacts, isKmsClientError, KmsClientError } from './client-error.ts';
export { type Answered, type AnyRequest, type ArchiveUpload, createKmsClient, type KmsClient, type KmsClientOptions, type RestoreOptions, } from './kms-client.ts';
export { createObjectsClient, type ListedObject, type ObjectHead, type ObjectName, type ObjectProtection, type ObjectsClient, type ObjectsClientOptions, } from './objects/objects-client.ts';
export { type OperationName, type OperationSpec, operations } from './operations.ts';
export type { Transport, WireReply, WireRequest } from './transport.ts';
export type { ConfigChange, Done, EncryptionContext, JsonDocument, KeyMetadata, KmsStatus, OperationTypes, PolicyInfo, RestoreReply, RetiredStore, ServiceStatus, UserInfo, } from './types.ts';

// client-error.d.ts
export interface ClientErrorFacts {
    readonly code: string;
    readonly status: number;
    readonly requestId: string | undefined;
    readonly retryAfterSeconds: number | undefined;
    readonly notSent: boolean;
}
export declare class KmsClientError extends Error implements ClientErrorFacts {
    readonly name = "KmsClientError";
    readonly code: string;
    readonly status: number;
    readonly requestId: string | undefined;
    readonly retryAfterSeconds: number | undefined;
    readonly notSent: boolean;
    constructor(message: string, facts: ClientErrorFacts, options?: ErrorOptions);
}
export declare function isKmsClientError(error: unknown, ...codes: readonly string[]): error is KmsClientError;

// kms-client.d.ts
import { type SigningCredentials } from '@kms/sigv4';
import { type OperationName } from './operations.ts';
import { type Transport, type WireReply } from './transport.ts';
import type { KeyMetadata, OperationTypes, RestoreReply } from './types.ts';
export interface KmsClientOptions {
    readonly endpoint: string;
    readonly credentials?: SigningCredentials;
    readonly region?: string;
    readonly ca?: string;
    readonly timeoutMs?: number;
    readonly retries?: number;
    readonly wait?: (milliseconds: number) => Promise<void>;
    readonly transport?: Transport;
}
type RequestOf<N extends OperationName> = OperationTypes[N]['request'];
type ReplyOf<N extends OperationName> = OperationTypes[N]['reply'];
type Arguments<N extends OperationName> = object extends RequestOf<N> ? [request?: RequestOf<N>] : unknown extends RequestOf<N> ? [] : [request: RequestOf<N>];
export interface Answered<R> {
    readonly reply: R;
    readonly requestId: string | undefined;
    readonly etag: string | undefined;
    readonly date: number | undefined;
}
export interface AnyRequest {
    readonly path?: Readonly<Record<string, string>>;
    readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
    readonly body?: unknown;
    readonly ifMatch?: string;
}
export interface KmsClient {
    call<N extends OperationName>(name: N, ...request: Arguments<N>): Promise<ReplyOf<N>>;
    ask(name: OperationName, request?: AnyRequest): Promise<Answered<unknown>>;
    allKeys(query?: {
        readonly status?: string;
    }): AsyncIterable<KeyMetadata>;
    backup(options?: {
        readonly passphrase?: string;
    }): Promise<AsyncIterable<Uint8Array>>;
    restore(archive: ArchiveUpload, options?: RestoreOptions): Promise<RestoreReply>;
    get(path: string): Promise<WireReply>;
    close(): void;
}
export interface ArchiveUpload {
    readonly sha256: string;
    readonly size: number;
    readonly bytes: AsyncIterable<Uint8Array>;
}
export interface RestoreOptions {
    readonly passphrase?: string;
    readonly dryRun?: boolean;
    readonly conflict?: 'fail' | 'skip' | 'overwrite';
}
export declare function createKmsClient(options: KmsClientOptions): KmsClient;
export {};

// objects/objects-client.d.ts
import type { Readable } from 'node:stream';
import type { KmsClientOptions } from '../kms-client.ts';
export type ObjectsClientOptions = Omit<KmsClientOptions, 'credentials' | 'transport'> & Required<Pick<KmsClientOptions, 'credentials'>>;
export interface ObjectName {
    readonly bucket: string;
    readonly key: string;
}
export interface ObjectProtection {
    readonly sse?: 'aws:kms' | 'AES256';
    readonly kmsKeyId?: string;
    readonly bucketKey?: boolean;
    readonly context?: Readonly<Record<string, string>>;
}
export interface ObjectHead {
    readonly size: number | undefined;
    readonly etag: string | undefined;
    readonly lastModified: string | undefined;
    readonly contentType: string | undefined;
    readonly sse: string | undefined;
    readonly kmsKeyId: string | undefined;
    readonly bucketKey: boolean;
}
export interface ListedObject {
    readonly key: string;
    readonly size: number;
    readonly lastModified: string;
}
export interface ObjectsClient {
    makeBucket(bucket: string): Promise<void>;
    buckets(): Promise<readonly string[]>;
    put(name: ObjectName, body: {
        readonly size: number;
        readonly open: () => AsyncIterable<Uint8Array>;
    }, options?: ObjectProtection & {
        readonly contentType?: string;
    }): Promise<ObjectHead>;
    get(name: ObjectName): Promise<ObjectHead & {
        readonly body: Readable;
    }>;
    head(name: ObjectName): Promise<ObjectHead>;
    list(bucket: string, prefix?: string): AsyncIterable<ListedObject>;
    remove(name: ObjectName): Promise<void>;
    close(): void;
}
export declare function createObjectsClient(options: ObjectsClientOptions): ObjectsClient;

// operations.d.ts
export interface OperationSpec {
    readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
    readonly path: string;
    readonly query: readonly string[];
    readonly body?: readonly string[] | 'any';
    readonly repeatable: boolean;
}
export type OperationName = 'getStatus' | 'configure' | 'reconfigure' | 'confirm' | 'rollback' | 'start' | 'stop' | 'getConfig' | 'getConfigHistory' | 'clearCache' | 'listRetired' | 'mendRetired' | 'removeRetired' | 'rotateRoot' | 'backup' | 'restore' | 'createKey' | 'listKeys' | 'describeKey' | 'rotateKey' | 'setRotationPeriod' | 'enableKey' | 'disableKey' | 'updateKeyDescription' | 'tagKey' | 'untagKey' | 'addAlias' | 'removeAlias' | 'getImportParameters' | 'importKey' | 'deleteKey' | 'cancelKeyDeletion' | 'generateDataKey' | 'encrypt' | 'decrypt' | 'batch' | 'addUser' | 'removeUser' | 'listUsers' | 'getUser' | 'setUserStatus' | 'addPolicy' | 'listPolicies' | 'getPolicy' | 'removePolicy' | 'setPolicy' | 'getOpenApiDocument';
export declare const operations: Readonly<Record<OperationName, OperationSpec>>;

// transport.d.ts
import { type IncomingMessage } from 'node:http';
export interface WireRequest {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string | undefined;
}
export interface WireReply {
    readonly status: number;
    readonly headers: IncomingMessage['headers'];
    readonly text: string;
}
export interface Transport {
    send(request: WireRequest): Promise<WireReply>;
    close(): void;
}
export declare function createTransport(options: {
    readonly ca?: string;
    readonly timeoutMs: number;
}): Transport;

// types.d.ts
import type { OperationName } from './operations.ts';
export type JsonDocument = Readonly<Record<string, unknown>>;
export type ServiceStatus = 'NotConfigured' | 'Configured' | 'Running' | {
    readonly Error: string;
};
export interface Done {
    readonly success: true;
    readonly message: string;
}
export interface KmsStatus {
    readonly status: ServiceStatus;
    readonly backend_type: string | null;
    readonly healthy: boolean | null;
    readonly default_key_id: string | null;
    readonly revision: number;
    readonly config_summary: (JsonDocument & {
        readonly backend_summary: JsonDocument;
    }) | null;
    readonly cache: {
        readonly hits: number;
        readonly misses: number;
        readonly entries: number;
        readonly evictions: number;
    } | null;
    readonly capabilities: Readonly<Record<string, boolean>> | null;
    readonly retired_backends: readonly string[];
    readonly last_error: string | null;
}
export interface ConfigChange {
    readonly path: string;
    readonly from?: unknown;
    readonly to?: unknown;
}
export interface KeyMetadata {
    readonly key_id: string;
    readonly aliases: readonly string[];
    readonly description: string;
    readonly enabled: boolean;
    readonly key_state: 'Enabled' | 'Disabled' | 'PendingDeletion' | 'Unavailable';
    readonly creation_date: string;
    readonly deletion_date: string | null;
    readonly rotation_enabled: boolean;
    readonly rotation_period_days: number | null;
    readonly next_rotation_date: string | null;
    readonly current_version: number;
    readonly versions: number;
    readonly rotated_at: string | null;
    readonly origin: 'KMS' | 'EXTERNAL';
    readonly tags: Readonly<Record<string, string>>;
}
export interface RetiredStore {
    readonly realm: string;
    readonly backend_type: string;
    readonly summary: JsonDocument;
    readonly healthy: boolean | null;
    readonly last_active: string;
    readonly last_error: string | null;
}
export interface UserInfo {
    readonly status: 'enabled' | 'disabled';
    readonly policyName: string;
    readonly source?: string;
}
export interface PolicyInfo {
    readonly policy_name: string;
    readonly policy: JsonDocument;
    readonly source: string;
}
export interface RestoreReply extends Done {
    readonly status: ServiceStatus;
    readonly revision: number;
    readonly dry_run: boolean;
    readonly realm: string;
    readonly restored: number;
    readonly repaired: number;
    readonly overwritten: number;
    readonly unchanged: number;
    readonly kept: number;
    readonly tombstones: number;
    readonly versions: number;
    readonly conflicts: readonly {
        readonly key_id: string;
        readonly reason: string;
    }[];
    readonly conflict_count: number;
    readonly lost: readonly string[];
    readonly lost_count: number;
    readonly unreadable: readonly string[];
    readonly unreadable_count: number;
    readonly dropped_aliases: readonly string[];
    readonly postponed: readonly string[];
}
export type EncryptionContext = Readonly<Record<string, string>>;
type Lifecycle = Done & {
    readonly status: ServiceStatus;
};
type Stored = Lifecycle & {
    readonly revision: number;
};
type KeyReply = Done & {
    readonly key_id: string;
    readonly key_metadata: KeyMetadata;
};
type AliasReply = Done & {
    readonly key_id: string;
    readonly aliases: readonly string[];
};
type OnKey = {
    readonly body: {
        readonly key_id: string;
    };
};
type OnUser = {
    readonly query: {
        readonly accessKey: string;
    };
};
type Reply<R, Q = unknown> = {
    readonly request: Q;
    readonly reply: R;
};
export interface OperationTypes extends Record<OperationName, Reply<unknown>> {
    readonly getStatus: Reply<KmsStatus>;
    readonly configure: Reply<Stored, {
        readonly body: JsonDocument;
        readonly ifMatch?: string;
    }>;
    readonly reconfigure: Reply<Stored & {
        readonly changed?: readonly ConfigChange[];
        readonly diff?: readonly ConfigChange[];
        readonly proof?: readonly JsonDocument[];
    }, {
        readonly body: JsonDocument;
        readonly query?: {
            readonly dry_run?: boolean;
            readonly confirm_within?: number;
        };
        readonly ifMatch?: string;
    }>;
    readonly confirm: Reply<Stored>;
    readonly rollback: Reply<Stored, {
        readonly body: {
            readonly revision: number;
        };
        readonly ifMatch?: string;
    }>;
    readonly start: Reply<Lifecycle, {
        readonly body?: {
            readonly force?: boolean;
        };
    }>;
    readonly stop: Reply<Lifecycle>;
    readonly getConfig: Reply<JsonDocument>;
    readonly getConfigHistory: Reply<{
        readonly revisions: readonly JsonDocument[];
    }>;
    readonly clearCache: Reply<Done>;
    readonly listRetired: Reply<{
        readonly stores: readonly RetiredStore[];
    }>;
    readonly mendRetired: Reply<Stored, {
        readonly path: {
            readonly realm: string;
        };
        readonly body: JsonDocument;
    }>;
    readonly removeRetired: Reply<Stored, {
        readonly path: {
            readonly realm: string;
        };
        readonly body: {
            readonly confirm_realm: string;
            readonly force?: boolean;
        };
    }>;
    readonly rotateRoot: Reply<Stored, {
        readonly body?: JsonDocument;
        readonly query?: {
            readonly dry_run?: boolean;
        };
    }>;
    readonly backup: Reply<never, never>;
    readonly restore: Reply<RestoreReply, never>;
    readonly createKey: Reply<KeyReply & {
        readonly aliases: readonly string[];
    }, {
        readonly body?: {
            readonly key_name?: string;
            readonly key_usage?: string;
            readonly description?: string;
            readonly tags?: Readonly<Record<string, string>>;
        };
    }>;
    readonly listKeys: Reply<Done & {
        readonly keys: readonly KeyMetadata[];
        readonly truncated: boolean;
        readonly next_marker: string | null;
        readonly unreadable_key_ids?: readonly string[];
    }, {
        readonly query?: {
            readonly limit?: number;
            readonly marker?: string;
            readonly status?: string;
            readonly usage?: string;
        };
    }>;
    readonly describeKey: Reply<Done & {
        readonly key_metadata: KeyMetadata;
    }, {
        readonly path: {
            readonly key_id: string;
        };
    }>;
    readonly rotateKey: Reply<KeyReply, OnKey>;
    readonly setRotationPeriod: Reply<KeyReply, {
        readonly body: {
            readonly key_id: string;
            readonly days: number | null;
        };
    }>;
    readonly enableKey: Reply<KeyReply, OnKey>;
    readonly disableKey: Reply<KeyReply, OnKey>;
    readonly updateKeyDescription: Reply<KeyReply, {
        readonly body: {
            readonly key_id: string;
            readonly description: string;
        };
    }>;
    readonly tagKey: Reply<KeyReply, {
        readonly body: {
            readonly key_id: string;
            readonly tags: Readonly<Record<string, string>>;
        };
    }>;
    readonly untagKey: Reply<KeyReply, {
        readonly body: {
            readonly key_id: string;
            readonly tag_keys: readonly string[];
        };
    }>;
    readonly addAlias: Reply<AliasReply, {
        readonly body: {
            readonly key_id: string;
            readonly alias: string;
        };
    }>;
    readonly removeAlias: Reply<AliasReply, {
        readonly body: {
            readonly key_id?: string;
            readonly alias: string;
        };
    }>;
    readonly getImportParameters: Reply<Done & {
        readonly token: string;
        readonly public_key: string;
        readonly valid_until: string;
    }, {
        readonly query?: {
            readonly key_name?: string;
        };
    }>;
    readonly importKey: Reply<KeyReply, {
        readonly body: {
            readonly key_name?: string;
            readonly description?: string;
            readonly tags?: Readonly<Record<string, string>>;
            readonly token: string;
            readonly encrypted_key_material: string;
        };
    }>;
    readonly deleteKey: Reply<Done & {
        readonly key_id: string;
        readonly deletion_date: string | null;
    }, {
        readonly body: {
            readonly key_id: string;
            readonly pending_window_in_days?: number;
            readonly force_immediate?: boolean;
            readonly confirm_key_id?: string;
        };
    }>;
    readonly cancelKeyDeletion: Reply<KeyReply, OnKey>;
    readonly generateDataKey: Reply<Done & {
        readonly key_id: string;
        readonly key_version: number;
        readonly plaintext_key: string;
        readonly ciphertext_blob: string;
    }, {
        readonly body?: {
            readonly key_id?: string;
            readonly key_spec?: 'AES_256' | 'AES_128';
            readonly encryption_context?: EncryptionContext;
        };
    }>;
    readonly encrypt: Reply<Done & {
        readonly key_id: string;
        readonly key_version: number;
        readonly ciphertext_blob: string;
    }, {
        readonly body: {
            readonly plaintext: string;
            readonly key_id?: string;
            readonly encryption_context?: EncryptionContext;
        };
    }>;
    readonly decrypt: Reply<Done & {
        readonly key_id: string;
        readonly key_version: number;
        readonly plaintext: string;
    }, {
        readonly body: {
            readonly ciphertext_blob: string;
            readonly key_id?: string;
            readonly encryption_context?: EncryptionContext;
        };
    }>;
    readonly batch: Reply<Done & {
        readonly results: readonly JsonDocument[];
    }, {
        readonly body: {
            readonly items: readonly JsonDocument[];
        };
    }>;
    readonly addUser: Reply<Done, OnUser & {
        readonly body: {
            readonly secretKey: string;
            readonly status?: 'enabled' | 'disabled';
            readonly policy?: string;
        };
    }>;
    readonly removeUser: Reply<Done, OnUser>;
    readonly listUsers: Reply<Readonly<Record<string, UserInfo>>>;
    readonly getUser: Reply<UserInfo, OnUser>;
    readonly setUserStatus: Reply<Done, {
        readonly query: {
            readonly accessKey: string;
            readonly status: 'enabled' | 'disabled';
        };
    }>;
    readonly addPolicy: Reply<Done, {
        readonly query: {
            readonly name: string;
        };
        readonly body: JsonDocument;
    }>;
    readonly listPolicies: Reply<Readonly<Record<string, JsonDocument>>>;
    readonly getPolicy: Reply<PolicyInfo, {
        readonly query: {
            readonly name: string;
        };
    }>;
    readonly removePolicy: Reply<Done, {
        readonly query: {
            readonly name: string;
        };
    }>;
    readonly setPolicy: Reply<Done, {
        readonly query: {
            readonly policyName: string;
            readonly userOrGroup: string;
            readonly isGroup?: boolean;
        };
    }>;
    readonly getOpenApiDocument: Reply<JsonDocument>;
}
export {};
