// What @kms/core declares (testing). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// testing/index.d.ts
export { type DescribeKeyBackendOptions, describeKeyBackend, type KeyBackendHarness } from './describe-key-backend.ts';
export { createFaults, type FaultGate, type Faults } from './faults.ts';
export { createManualClock, type ManualClock } from './manual-clock.ts';
export { createMemoryBackend, type MemoryBackend, type MemoryBackendOptions } from './memory-backend.ts';
export { type MemoryDriver, type MemoryDriverOptions, memoryDriver } from './memory-driver.ts';
export { createMemoryStore, type MemoryKey, type MemoryStore, type MemoryStores, type MemoryVerb, type MemoryVersion, } from './memory-store.ts';
export { createSeededRandom } from './seeded-random.ts';

// clock.d.ts
export interface Clock {
    now(): number;
    after(ms: number, callback: () => void): () => void;
}
export declare const systemClock: Clock;
export declare function timestamp(clock: Clock): string;

// config/driver.d.ts
import type { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { Realm } from '../envelope/envelope.ts';
import type { KeyBackend } from '../keys/key-backend.ts';
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
export interface OpenOptions {
    readonly clock: Clock;
    readonly random: Random;
    readonly expectedRealm?: Realm;
    readonly mayInitialise: boolean;
    readonly signal: AbortSignal;
}
export interface OpenedBackend {
    readonly backend: KeyBackend;
    readonly initialised: boolean;
    readonly notes: readonly string[];
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
    readonly variants: readonly string[];
    identity(config: Readonly<Record<string, unknown>>): string | undefined;
    secretBinding(config: Readonly<Record<string, unknown>>): string;
    summary(config: ConfigDocument): Readonly<Record<string, string | number | boolean | null>>;
    open(config: ConfigDocument, options: OpenOptions): Promise<OpenedBackend>;
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

// keys/key-backend.d.ts
import type { Realm, WrapAlgorithm } from '../envelope/envelope.ts';
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'Unavailable';
export interface KeyRecord {
    readonly keyId: string;
    readonly aliases: readonly string[];
    readonly description: string;
    readonly tags: ReadonlyMap<string, string>;
    readonly state: KeyState;
    readonly problem?: string;
    readonly createdAt: number;
    readonly rotatedAt?: number;
    readonly deletionAt?: number;
    readonly stateBeforeDeletion?: 'Enabled' | 'Disabled';
    readonly rotationPeriodDays?: number;
    readonly currentVersion: number;
    readonly oldestVersion: number;
    readonly materialId: string;
    readonly origin: 'KMS' | 'EXTERNAL';
    readonly etag: string;
}
export interface NewKey {
    readonly keyId: string;
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
export interface KeyBackend {
    readonly realm: Realm;
    readonly algorithm: WrapAlgorithm;
    readonly capabilities: Capabilities;
    create(key: NewKey): Promise<KeyRecord>;
    describe(name: string): Promise<KeyRecord>;
    list(page: {
        readonly limit: number;
        readonly after?: string;
    }): Promise<KeyPage>;
    update(keyId: string, patch: KeyPatch, etag: string): Promise<KeyRecord>;
    rotate(keyId: string, etag: string): Promise<KeyRecord>;
    destroy(keyId: string, etag: string): Promise<void>;
    wrap(request: WrapRequest): Promise<Buffer>;
    unwrap(request: UnwrapRequest): Promise<Buffer>;
    health(): Promise<void>;
    close(): Promise<void>;
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

// testing/manual-clock.d.ts
import type { Clock } from '../clock.ts';
export interface ManualClock extends Clock {
    advance(ms: number): void;
}
export declare function createManualClock(startMs: number): ManualClock;

// testing/memory-backend.d.ts
import { type Clock } from '../clock.ts';
import type { KeyBackend } from '../keys/key-backend.ts';
import { type Random } from '../random.ts';
import { type Faults } from './faults.ts';
import { type MemoryStore, type MemoryVerb } from './memory-store.ts';
export interface MemoryBackendOptions {
    readonly store?: MemoryStore;
    readonly clock?: Clock;
    readonly random?: Random;
    readonly retiresIds?: boolean;
}
export interface MemoryBackend extends KeyBackend, Faults<MemoryVerb> {
    readonly store: MemoryStore;
    readonly closed: boolean;
}
export declare function createMemoryBackend(options?: MemoryBackendOptions): MemoryBackend;

// testing/memory-driver.d.ts
import type { BackendDriver, ConfigDocument } from '../config/driver.ts';
import { type MemoryBackend } from './memory-backend.ts';
import { type MemoryStores } from './memory-store.ts';
export interface MemoryDriverOptions {
    readonly stores?: MemoryStores;
    readonly retiresIds?: boolean;
}
export interface MemoryDriver extends BackendDriver {
    readonly stores: MemoryStores;
    readonly opened: readonly {
        readonly config: ConfigDocument;
        readonly backend: MemoryBackend;
    }[];
}
export declare function memoryDriver({ stores, retiresIds }?: MemoryDriverOptions): MemoryDriver;

// testing/memory-store.d.ts
import type { Buffer } from 'node:buffer';
import type { Realm } from '../envelope/envelope.ts';
import type { KeyRecord } from '../keys/key-backend.ts';
import { type FaultGate } from './faults.ts';
export type MemoryVerb = 'open' | 'create' | 'describe' | 'list' | 'update' | 'rotate' | 'destroy' | 'wrap' | 'unwrap' | 'health';
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
    requiredToken?: string;
    readonly keys: Map<string, MemoryKey>;
    readonly aliases: Map<string, string>;
    readonly unreadable: Set<string>;
    readonly faults: FaultGate<MemoryVerb>;
}
export type MemoryStores = Map<string, MemoryStore>;
export declare function createMemoryStore(): MemoryStore;

// testing/seeded-random.d.ts
import type { Random } from '../random.ts';
export declare function createSeededRandom(seed: string | number): Random;
