// What @kms/sse declares (index). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// index.d.ts
export { type CopyBody, copyBody } from './copy-body.ts';
export type { EncryptedMode, EncryptionMode } from './encryption-mode.ts';
export type { BucketKeyLimits, BucketKeyStatistics } from './keys/bucket-keys.ts';
export { type KeyUse, keyUseOf } from './keys/key-blob.ts';
export { type AdmitUnwrapRequest, type AdmitWrapRequest, dataPlaneKeyWrapping, type KeyWrapping, type WrappedKey, } from './keys/key-wrapping.ts';
export type { ObjectName } from './keys/object-name.ts';
export type { OfflineKey, OfflineKeys } from './keys/offline-keys.ts';
export { createObjectCipher, type ObjectCipher, type ObjectCipherOptions } from './object-cipher.ts';
export type { ObjectPartInfo, OpenForRead, ReadableObject } from './object-read.ts';
export type { NewObject, ObjectInfo, ObjectRecord } from './object-record.ts';
export type { BeginUpload, CompleteUpload, NewPart, NewUpload, PartInfo, PartWrite, SealPart, UploadInfo, } from './object-upload.ts';
export type { BeginWrite, FinishWrite, ObjectWrite, SealedBody } from './object-write.ts';
export type { TextMap } from './record/text-map.ts';
export { type BucketEncryption, type BucketEncryptionRule, parseBucketEncryption, } from './request/bucket-encryption.ts';
export { CustomerKey } from './request/customer-key.ts';
export type { SseTransport } from './request/customer-key-headers.ts';
export type { HeaderLookup } from './request/header-names.ts';
export { copySourceCustomerKey, presentedCustomerKey, requireFittingKey } from './request/presented-key.ts';
export { type AppliedEncryption, type SseReply, type SseReplyOperation, sseReplyHeaders, } from './request/reply-headers.ts';
export { decideWriteEncryption, type WriteEncryption, type WriteRequest } from './request/write-encryption.ts';
export type { Rewrap, Rewrapped } from './rewrap.ts';
export { type ByteRange, plainSize, type StoredSegment, storedSize, } from './stream/object-layout.ts';
export type { FetchSegment } from './stream/open-parts.ts';
export type { ByteSource } from './stream/sealing-stream.ts';

// copy-body.d.ts
import type { Buffer } from 'node:buffer';
import type { ReadableObject } from './object-read.ts';
import type { SealedBody } from './object-write.ts';
import type { FetchSegment } from './stream/open-parts.ts';
export interface CopyBody {
    readonly source: ReadableObject;
    readonly fetch: FetchSegment;
    readonly target: SealedBody;
    readonly observe?: (chunk: Uint8Array) => void;
}
export declare function copyBody({ source, fetch, target, observe }: CopyBody): AsyncGenerator<Buffer, void, undefined>;

// encryption-mode.d.ts
export type EncryptionMode = 'plain' | EncryptedMode;
export type EncryptedMode = 'SSE-S3' | 'SSE-KMS' | 'SSE-C';

// keys/bucket-keys.d.ts
import { Buffer } from 'node:buffer';
import { type Authorize, type Clock, type EncryptionContext, type Random } from '@kms/core';
import type { KeyWrapping, WrappedKey } from './key-wrapping.ts';
import { type KmsMode } from './kms-context.ts';
import { type SealingKey } from './seal.ts';
export interface BucketKeyLimits {
    readonly ttlSeconds?: number;
    readonly maxUses?: number;
    readonly maxKeys?: number;
}
export type BucketKey = SealingKey & {
    readonly kind: 'bucket key';
    readonly key: Buffer;
};
export interface BucketKeyScope {
    readonly bucket: string;
    readonly mode: KmsMode;
    readonly context: EncryptionContext;
}
export interface BucketKeys {
    forWriting(scope: BucketKeyScope, request: {
        readonly key?: string;
        readonly authorize: Authorize;
    }): Promise<{
        readonly bucketKey: BucketKey;
        readonly wrapped: WrappedKey;
    }>;
    forReading(scope: BucketKeyScope, request: {
        readonly envelope: Buffer;
        readonly id: Uint8Array;
        readonly authorize: Authorize;
    }): Promise<BucketKey>;
    clear(): void;
    statistics(): BucketKeyStatistics;
}
export interface BucketKeyStatistics {
    readonly hits: number;
    readonly misses: number;
    readonly entries: number;
}
export interface BucketKeysOptions extends BucketKeyLimits {
    readonly keys: KeyWrapping;
    readonly clock: Clock;
    readonly random: Random;
}
export declare function createBucketKeys(options: BucketKeysOptions): BucketKeys;

// keys/key-blob.d.ts
import { Buffer } from 'node:buffer';
import { type Realm } from '@kms/core';
export type ObjectKeys = KmsObjectKeys | {
    readonly kind: 'customer key';
    readonly seal: Buffer;
};
export type KmsObjectKeys = {
    readonly kind: 'envelope';
    readonly envelope: Buffer;
    readonly offline: Buffer | undefined;
} | {
    readonly kind: 'bucket key';
    readonly envelope: Buffer;
    readonly seal: Buffer;
    readonly offline: Buffer | undefined;
};
export interface KeyUse {
    readonly realm: Realm;
    readonly keyId: string;
    readonly keyVersion: number;
}
export declare function encodeObjectKeys(keys: ObjectKeys): Buffer;
export declare function decodeObjectKeys(bytes: Buffer): ObjectKeys;
export declare function keyUseOf(keys: Buffer): KeyUse | undefined;
export declare function envelopeUse(bytes: Buffer): KeyUse;

// keys/key-wrapping.d.ts
import type { Buffer } from 'node:buffer';
import type { AdmittedKey, Authorize, DataPlane, EncryptionContext, Realm } from '@kms/core';
export interface KeyWrapping {
    admitWrap(request: AdmitWrapRequest): Promise<AdmittedKey>;
    admitUnwrap(request: AdmitUnwrapRequest): Promise<AdmittedKey>;
    wrap(request: AdmitWrapRequest & {
        readonly context: EncryptionContext;
        readonly plaintext: Buffer;
    }): Promise<WrappedKey>;
    unwrap(request: AdmitUnwrapRequest & {
        readonly context: EncryptionContext;
    }): Promise<Buffer>;
}
export interface AdmitWrapRequest {
    readonly key?: string;
    readonly authorize: Authorize;
}
export interface AdmitUnwrapRequest {
    readonly envelope: Buffer;
    readonly authorize: Authorize;
}
export interface WrappedKey {
    readonly realm: Realm;
    readonly keyId: string;
    readonly keyVersion: number;
    readonly envelope: Buffer;
}
export declare function dataPlaneKeyWrapping(data: DataPlane): KeyWrapping;

// keys/kms-context.d.ts
import type { EncryptionContext } from '@kms/core';
import type { EncryptedMode } from '../encryption-mode.ts';
import type { ObjectName } from './object-name.ts';
export type KmsMode = Exclude<EncryptedMode, 'SSE-C'>;
export declare function objectContext(mode: KmsMode, { bucket, key }: ObjectName, client: EncryptionContext): EncryptionContext;
export declare function bucketContext(mode: KmsMode, bucket: string, client: EncryptionContext): EncryptionContext;

// keys/object-keys.d.ts
import type { Buffer } from 'node:buffer';
import { type Authorize, type EncryptionContext, type Random } from '@kms/core';
import type { EncryptedMode } from '../encryption-mode.ts';
import type { CustomerKey } from '../request/customer-key.ts';
import type { WriteEncryption } from '../request/write-encryption.ts';
import type { BucketKeys } from './bucket-keys.ts';
import { type KeyUse, type ObjectKeys } from './key-blob.ts';
import type { KeyWrapping } from './key-wrapping.ts';
import type { ObjectName } from './object-name.ts';
import type { OfflineKeys } from './offline-keys.ts';
export interface ObjectKeyringOptions {
    readonly keys: KeyWrapping;
    readonly bucketKeys: BucketKeys;
    readonly offline: OfflineKeys | undefined;
    readonly random: Random;
}
export interface ObjectKeyring {
    make(request: MakeObjectKey): Promise<MadeObjectKey>;
    protect(request: MakeObjectKey & {
        readonly objectKey: Buffer;
    }): Promise<Omit<MadeObjectKey, 'objectKey'>>;
    confirm(keys: ObjectKeys): Promise<void>;
    recover(request: RecoverObjectKey): Promise<Buffer>;
}
export interface MakeObjectKey {
    readonly name: ObjectName;
    readonly binding: Buffer;
    readonly encryption: Exclude<WriteEncryption, {
        readonly mode: 'plain';
    }>;
    readonly authorize: Authorize;
    readonly ownUse?: Authorize | undefined;
}
export interface MadeObjectKey {
    readonly objectKey: Buffer;
    readonly keys: ObjectKeys;
    readonly use: KeyUse | undefined;
}
export interface RecoverObjectKey {
    readonly name: ObjectName;
    readonly binding: Buffer;
    readonly mode: EncryptedMode;
    readonly context: EncryptionContext;
    readonly bucketKey: boolean;
    readonly keys: ObjectKeys;
    readonly customerKey: CustomerKey | undefined;
    readonly authorize: Authorize;
    readonly ownUse?: Authorize | undefined;
    readonly offline: boolean;
    readonly wrongKey: () => Error;
}
export declare function createObjectKeyring({ keys, bucketKeys, offline, random }: ObjectKeyringOptions): ObjectKeyring;

// keys/object-name.d.ts
import type { Buffer } from 'node:buffer';
export interface ObjectName {
    readonly bucket: string;
    readonly key: string;
}
export declare const WRITE_ID_BYTES = 16;
export declare function objectBinding({ bucket, key }: ObjectName, writeId: Uint8Array): Buffer;

// keys/offline-keys.d.ts
import type { Realm } from '@kms/core';
export interface OfflineKey {
    readonly id: Uint8Array;
    readonly key: Uint8Array;
}
export interface OfflineKeys {
    forWriting(realm: Realm, keyId: string): Promise<OfflineKey | undefined>;
    forReading(realm: Realm, keyId: string, id: Uint8Array): Promise<OfflineKey | undefined>;
}

// keys/seal.d.ts
import { Buffer } from 'node:buffer';
import type { Random } from '@kms/core';
export type SealKind = 'bucket key' | 'customer key' | 'offline';
export interface SealingKey {
    readonly kind: SealKind;
    readonly id: Uint8Array;
    readonly key: Uint8Array;
}
export declare const SEAL_BYTES = 130;
export declare const SEALING_KEY_ID_BYTES = 16;
export declare const NO_KEY_ID: Buffer;
export declare function sealObjectKey(objectKey: Uint8Array, under: SealingKey, binding: Uint8Array, random: Random): Buffer;
export declare function sealingKeyId(seal: Buffer): Buffer;
export type OpenSealResult = {
    readonly ok: true;
    readonly objectKey: Buffer;
}
 | {
    readonly ok: false;
    readonly problem: 'wrong-key' | 'damaged';
};
export declare function openSeal(seal: Buffer, under: SealingKey, binding: Uint8Array): OpenSealResult;

// object-cipher.d.ts
import type { Buffer } from 'node:buffer';
import { type Clock, type Random, type ServerKeys } from '@kms/core';
import { type BucketKeyLimits, type BucketKeyStatistics } from './keys/bucket-keys.ts';
import type { KeyWrapping } from './keys/key-wrapping.ts';
import type { ObjectName } from './keys/object-name.ts';
import type { OfflineKeys } from './keys/offline-keys.ts';
import { type ObjectPartInfo, type OpenForRead, type ReadableObject } from './object-read.ts';
import type { NewObject, ObjectInfo, ObjectRecord } from './object-record.ts';
import { type BeginUpload, type CompleteUpload, type NewUpload, type PartInfo, type PartWrite, type SealPart, type UploadInfo } from './object-upload.ts';
import { type BeginWrite, type ObjectWrite } from './object-write.ts';
import { type Rewrap, type Rewrapped } from './rewrap.ts';
export interface ObjectCipherOptions {
    readonly keys: KeyWrapping;
    readonly serverKeys: ServerKeys;
    readonly bucketKeys?: BucketKeyLimits;
    readonly offline?: OfflineKeys;
    readonly random?: Random;
    readonly clock?: Clock;
}
export interface ObjectCipher {
    beginWrite(request: BeginWrite): Promise<ObjectWrite>;
    beginUpload(request: BeginUpload): Promise<NewUpload>;
    sealPart(request: SealPart): Promise<PartWrite>;
    completeUpload(request: CompleteUpload): Promise<NewObject>;
    inspectUpload(name: ObjectName, upload: Buffer): UploadInfo;
    inspectParts(name: ObjectName, upload: Buffer, parts: readonly Buffer[]): readonly PartInfo[];
    inspect(name: ObjectName, metadata: Buffer): ObjectInfo;
    inspectObjectParts(name: ObjectName, record: Pick<ObjectRecord, 'metadata' | 'parts'>): readonly ObjectPartInfo[];
    openForRead(request: OpenForRead): Promise<ReadableObject>;
    rewrap(request: Rewrap): Promise<Rewrapped>;
    reseal(name: ObjectName, record: ObjectRecord): ObjectRecord;
    clear(): void;
    statistics(): BucketKeyStatistics;
}
export declare function createObjectCipher(options: ObjectCipherOptions): ObjectCipher;

// object-read.d.ts
import type { Buffer } from 'node:buffer';
import { type Authorize, type ServerKeys } from '@kms/core';
import type { ObjectKeyring } from './keys/object-keys.ts';
import { type ObjectName } from './keys/object-name.ts';
import { type ObjectInfo, type ObjectRecord } from './object-record.ts';
import type { KnownRecord, KnownRecords } from './record/known-records.ts';
import { type ObjectMetadata } from './record/object-metadata.ts';
import { type PartTable, type StoredPartTable } from './record/part-table.ts';
import type { TextMap } from './record/text-map.ts';
import type { CustomerKey } from './request/customer-key.ts';
import { type ByteRange, type StoredSegment } from './stream/object-layout.ts';
import { type FetchSegment } from './stream/open-parts.ts';
export interface OpenForRead {
    readonly name: ObjectName;
    readonly record: ObjectRecord;
    readonly info?: ObjectInfo | undefined;
    readonly customerKey?: CustomerKey | undefined;
    readonly authorize: Authorize;
    readonly ownUse?: Authorize | undefined;
    readonly range?: ByteRange | undefined;
    readonly part?: number | undefined;
}
export interface ReadableObject {
    readonly info: ObjectInfo;
    readonly length: number;
    readonly segments: readonly StoredSegment[];
    read(fetch: FetchSegment): AsyncGenerator<Buffer, void, undefined>;
    readPieces(fetch: FetchSegment): AsyncGenerator<readonly Buffer[], void, undefined>;
    open(stored: Buffer): Buffer;
    discard(): void;
}
export interface ObjectPartInfo {
    readonly number: number;
    readonly size: number;
    readonly checksums: TextMap;
    readonly offset: number;
}
export declare function inspectObject(name: ObjectName, metadata: Buffer, records: KnownRecords): ObjectInfo;
export declare function inspectObjectParts(name: ObjectName, record: Pick<ObjectRecord, 'metadata' | 'parts'>, serverKeys: ServerKeys): readonly ObjectPartInfo[];
export declare function openForRead(request: OpenForRead, keyring: ObjectKeyring, records: KnownRecords): Promise<ReadableObject>;
export declare function verifiedKey({ name, record, customerKey, authorize, ownUse }: Omit<OpenForRead, 'range' | 'part'>, known: KnownRecord, parts: PartTable, keyring: ObjectKeyring): Promise<Buffer | undefined>;
export declare function partTableOf(metadata: ObjectMetadata, bytes: Buffer): StoredPartTable;

// object-record.d.ts
import { Buffer } from 'node:buffer';
import type { EncryptionMode } from './encryption-mode.ts';
import { type ObjectName } from './keys/object-name.ts';
import type { KnownRecord } from './record/known-records.ts';
import { type ObjectMetadata } from './record/object-metadata.ts';
import { type PartTable } from './record/part-table.ts';
import type { Digests, RecordFields } from './record/record-fields.ts';
import type { Sealing } from './record/sealed-details.ts';
import type { TextMap } from './record/text-map.ts';
import type { UploadSecrets } from './record/upload-record.ts';
export interface ObjectRecord {
    readonly metadata: Buffer;
    readonly parts: Buffer;
    readonly keys: Buffer;
}
export interface ObjectInfo {
    readonly mode: EncryptionMode;
    readonly keyName: string | undefined;
    readonly bucketKey: boolean;
    readonly size: number;
    readonly etag: string;
    readonly checksums: TextMap;
    readonly headers: TextMap;
    readonly partCount: number;
}
export interface NewObject {
    readonly record: ObjectRecord;
    readonly info: ObjectInfo;
}
export interface ObjectParts {
    readonly name: ObjectName;
    readonly fields: RecordFields;
    readonly secrets: UploadSecrets | undefined;
    readonly parts: PartTable;
    readonly partChecksums: readonly TextMap[];
    readonly digests: Digests;
}
export declare function assembleObject({ name, fields, secrets, parts, partChecksums, digests }: ObjectParts, sealing: Sealing): NewObject;
export declare class InspectedObject implements ObjectInfo {
    #private;
    readonly mode: EncryptionMode;
    readonly keyName: string | undefined;
    readonly bucketKey: boolean;
    readonly size: number;
    readonly etag: string;
    readonly checksums: TextMap;
    readonly headers: TextMap;
    readonly partCount: number;
    constructor(known: KnownRecord, blob: Buffer, name: ObjectName);
    static recordOf(info: ObjectInfo | undefined, blob: Buffer, name: ObjectName): KnownRecord | undefined;
}
export declare function infoOf(metadata: ObjectMetadata): ObjectInfo;

// object-upload.d.ts
import { Buffer } from 'node:buffer';
import { type Authorize } from '@kms/core';
import type { EncryptionMode } from './encryption-mode.ts';
import { type KeyUse } from './keys/key-blob.ts';
import type { ObjectKeyring } from './keys/object-keys.ts';
import { type ObjectName } from './keys/object-name.ts';
import { type NewObject } from './object-record.ts';
import { type BeginWrite, type FinishWrite, type SealedBody } from './object-write.ts';
import type { Sealing } from './record/sealed-details.ts';
import { type TextMap } from './record/text-map.ts';
import type { CustomerKey } from './request/customer-key.ts';
export interface BeginUpload extends Pick<BeginWrite, 'name' | 'encryption' | 'authorize' | 'ownUse'> {
    readonly headers?: TextMap;
}
export interface NewUpload {
    readonly upload: Buffer;
    readonly keyUse: KeyUse | undefined;
    readonly info: UploadInfo;
}
export interface UploadInfo {
    readonly mode: EncryptionMode;
    readonly keyName: string | undefined;
    readonly bucketKey: boolean;
    readonly headers: TextMap;
}
export interface SealPart {
    readonly name: ObjectName;
    readonly upload: Buffer;
    readonly number: number;
    readonly customerKey?: CustomerKey | undefined;
    readonly authorize: Authorize;
    readonly ownUse?: Authorize | undefined;
    readonly size?: number;
    readonly md5?: boolean;
}
export interface PartWrite extends SealedBody {
    readonly info: UploadInfo;
    finish(digests?: Pick<FinishWrite, 'checksums'>): NewPart;
}
export interface NewPart {
    readonly part: Buffer;
    readonly info: PartInfo;
}
export interface PartInfo {
    readonly number: number;
    readonly size: number;
    readonly etag: string;
    readonly checksums: TextMap;
}
export interface CompleteUpload {
    readonly name: ObjectName;
    readonly upload: Buffer;
    readonly parts: readonly Buffer[];
    readonly customerKey?: CustomerKey | undefined;
    readonly checksums?: TextMap;
}
export declare function beginUpload(request: BeginUpload, keyring: ObjectKeyring, sealing: Sealing): Promise<NewUpload>;
export declare function sealPart(request: SealPart, keyring: ObjectKeyring, sealing: Sealing): Promise<PartWrite>;
export declare function completeUpload({ name, upload: blob, parts: blobs, customerKey, checksums }: CompleteUpload, keyring: ObjectKeyring, sealing: Sealing): Promise<NewObject>;
export declare function inspectUpload(name: ObjectName, blob: Buffer, { serverKeys }: Sealing): UploadInfo;
export declare function inspectParts(name: ObjectName, blob: Buffer, parts: readonly Buffer[], { serverKeys }: Sealing): readonly PartInfo[];

// object-write.d.ts
import { Buffer } from 'node:buffer';
import type { Authorize, Random } from '@kms/core';
import { type KeyUse } from './keys/key-blob.ts';
import type { ObjectKeyring } from './keys/object-keys.ts';
import { type ObjectName } from './keys/object-name.ts';
import { type NewObject } from './object-record.ts';
import type { RecordFields } from './record/record-fields.ts';
import type { Sealing } from './record/sealed-details.ts';
import { type TextMap } from './record/text-map.ts';
import type { UploadSecrets } from './record/upload-record.ts';
import type { WriteEncryption } from './request/write-encryption.ts';
import { type ByteSource } from './stream/sealing-stream.ts';
import { type StreamSecrets } from './stream/stream-header.ts';
export interface BeginWrite {
    readonly name: ObjectName;
    readonly encryption: WriteEncryption;
    readonly authorize: Authorize;
    readonly ownUse?: Authorize | undefined;
    readonly size?: number;
    readonly md5?: boolean;
}
export interface SealedBody {
    seal(source: ByteSource): AsyncGenerator<Buffer, void, undefined>;
    result(): {
        readonly size: number;
        readonly md5: Buffer | undefined;
    };
    abandon(): void;
}
export interface ObjectWrite extends SealedBody {
    readonly keyUse: KeyUse | undefined;
    finish(digests?: FinishWrite): NewObject;
}
export interface FinishWrite {
    readonly headers?: TextMap;
    readonly checksums?: TextMap;
}
export interface BegunObject {
    readonly fields: Omit<RecordFields, 'headers'>;
    readonly secrets: UploadSecrets | undefined;
    readonly use: KeyUse | undefined;
    readonly stream: StreamSecrets | undefined;
    readonly salt: Buffer;
    readonly confirm: () => Promise<void>;
}
export declare function beginObject({ name, encryption, authorize, ownUse }: Pick<BeginWrite, 'name' | 'encryption' | 'authorize' | 'ownUse'>, keyring: ObjectKeyring, random: Random, stream: boolean): Promise<BegunObject>;
export declare function beginWrite(request: BeginWrite, keyring: ObjectKeyring, sealing: Sealing): Promise<ObjectWrite>;

// record/byte-reader.d.ts
import { Buffer } from 'node:buffer';
export declare class MalformedBytes extends Error {
    readonly name = "MalformedBytes";
}
export declare class ByteReader {
    #private;
    constructor(bytes: Buffer);
    get consumed(): Buffer;
    take(length: number): Buffer;
    u8(): number;
    u32(): number;
    u64(): number;
    framed(): Buffer;
    text(): string;
    end(): void;
}
export declare function u64(n: number): Buffer;

// record/known-records.d.ts
import { Buffer } from 'node:buffer';
import type { ServerKeys } from '@kms/core';
import { type ObjectName } from '../keys/object-name.ts';
import { type ObjectMetadata } from './object-metadata.ts';
export interface KnownRecord {
    readonly metadata: ObjectMetadata;
    readonly binding: Buffer;
    isVerified(objectKey: Uint8Array): boolean;
    verified(objectKey: Uint8Array): void;
}
export interface KnownRecords {
    get(name: ObjectName, blob: Buffer): KnownRecord;
}
export declare function createKnownRecords(serverKeys: ServerKeys): KnownRecords;

// record/object-metadata.d.ts
import { Buffer } from 'node:buffer';
import { type ServerKeys } from '@kms/core';
import { type ObjectName } from '../keys/object-name.ts';
import { type Digests, type RecordFields } from './record-fields.ts';
import { type Sealing } from './sealed-details.ts';
export interface ObjectMetadata extends RecordFields, Digests {
    readonly size: number;
    readonly partCount: number;
    readonly partsDigest: Buffer;
    readonly protection: RecordProtection | undefined;
}
export interface RecordProtection {
    readonly recordKey: Buffer;
    readonly mac: Buffer;
}
export declare function encodeObjectMetadata(metadata: ObjectMetadata, name: ObjectName, sealing: Sealing): Buffer;
export declare function decodeObjectMetadata(bytes: Buffer, name: ObjectName, serverKeys: ServerKeys): ObjectMetadata;
export declare function isPlainMetadata(bytes: Buffer): boolean;

// record/part-table.d.ts
import { Buffer } from 'node:buffer';
import { ByteWriter } from '@kms/core/internal';
export interface PartEntry {
    readonly number: number;
    readonly size: number;
    readonly salt: Buffer;
}
export type PartTable = readonly PartEntry[];
export declare const MAX_PARTS = 10000;
export interface StoredPartTable {
    readonly parts: PartTable;
    readonly checksums: Buffer | undefined;
}
export declare function objectSize(parts: PartTable): number;
export declare function isMultipart(parts: PartTable): boolean;
export declare function writePartEntries(to: ByteWriter, parts: PartTable): void;
export declare function encodePartEntries(parts: PartTable): Buffer;
export declare function encodePartTable({ parts, checksums }: StoredPartTable): Buffer;
export declare function decodePartTable(bytes: Buffer): StoredPartTable;

// record/record-fields.d.ts
import { Buffer } from 'node:buffer';
import { type EncryptionContext } from '@kms/core';
import type { EncryptionMode } from '../encryption-mode.ts';
import { type ByteReader } from './byte-reader.ts';
import { type TextMap } from './text-map.ts';
export interface RecordFields {
    readonly mode: EncryptionMode;
    readonly bucketKey: boolean;
    readonly writeId: Buffer;
    readonly keyName: string;
    readonly context: EncryptionContext;
    readonly headers: TextMap;
}
export declare function encodeRecordFields(fields: RecordFields): Buffer;
export declare function readRecordFields(reader: ByteReader): RecordFields;
export interface Digests {
    readonly etag: string;
    readonly checksums: TextMap;
}
export declare function encodeDigests({ etag, checksums }: Digests): Buffer;
export declare function readDigests(reader: ByteReader): Digests;

// record/sealed-details.d.ts
import type { Buffer } from 'node:buffer';
import { type Random, type ServerKeys } from '@kms/core';
export type DetailsKind =
'object'
 | 'object-parts'
 | 'upload-part'
 | 'upload';
export interface Sealing {
    readonly serverKeys: ServerKeys;
    readonly random: Random;
}
export interface DetailsPlace {
    readonly kind: DetailsKind;
    readonly binding: Uint8Array;
    readonly clear: Uint8Array;
}
export declare function sealDetails(details: Uint8Array, place: DetailsPlace, { serverKeys, random }: Sealing): Buffer;
export declare function openDetails(sealed: Buffer, place: DetailsPlace, serverKeys: ServerKeys): Buffer;

// record/text-map.d.ts
import { Buffer } from 'node:buffer';
import { type ByteReader } from './byte-reader.ts';
export type TextMap = ReadonlyMap<string, string>;
export declare const NO_TEXT: TextMap;
export declare function encodeTextMap(map: TextMap): Buffer;
export declare function readTextMap(reader: ByteReader): TextMap;

// record/upload-record.d.ts
import { Buffer } from 'node:buffer';
import { type ServerKeys } from '@kms/core';
import { type ObjectName } from '../keys/object-name.ts';
import { type RecordFields } from './record-fields.ts';
import { type Sealing } from './sealed-details.ts';
export interface UploadRecord extends RecordFields {
    readonly secrets: UploadSecrets | undefined;
}
export interface UploadSecrets {
    readonly keys: Buffer;
    readonly wrappedRecordKey: Buffer;
    readonly recordKey: Buffer;
}
export declare function encodeUploadRecord(upload: UploadRecord, name: ObjectName, sealing: Sealing): Buffer;
export declare function decodeUploadRecord(bytes: Buffer, name: ObjectName, serverKeys: ServerKeys): UploadRecord;

// request/bucket-encryption.d.ts
export interface BucketEncryption {
    readonly algorithm: 'AES256' | 'aws:kms';
    readonly kmsKeyId?: string;
    readonly bucketKeyEnabled: boolean;
    readonly blocksSseC: boolean;
}
export interface BucketEncryptionRule {
    readonly SSEAlgorithm?: string | undefined;
    readonly KMSMasterKeyID?: string | undefined;
    readonly BucketKeyEnabled?: string | undefined;
    readonly BlockedEncryptionTypes?: readonly string[] | undefined;
}
export declare function parseBucketEncryption(rule: BucketEncryptionRule, before?: BucketEncryption): BucketEncryption;
export declare function parseFlag(value: string, path: string): boolean;
export declare function checkKeyName(name: string, path: string): void;
export declare function dualLayerRefused(): Error;

// request/customer-key-headers.d.ts
import { CustomerKey } from './customer-key.ts';
import type { CustomerKeyHeaders, HeaderLookup } from './header-names.ts';
export interface SseTransport {
    readonly tls: boolean;
    readonly loopback: boolean;
    readonly allowInsecureSseC: boolean;
}
export declare function namesCustomerKey(header: HeaderLookup, names: CustomerKeyHeaders): boolean;
export declare function readCustomerKey(header: HeaderLookup, names: CustomerKeyHeaders, transport: SseTransport): CustomerKey | undefined;

// request/customer-key.d.ts
import { Buffer } from 'node:buffer';
export declare class CustomerKey {
    #private;
    readonly md5: string;
    constructor(bytes: Uint8Array);
    reveal(): Buffer;
    destroy(): void;
    toJSON(): string;
    toString(): string;
}

// request/header-names.d.ts
export declare const SSE = "x-amz-server-side-encryption";
export declare const SSE_KMS_KEY_ID = "x-amz-server-side-encryption-aws-kms-key-id";
export declare const SSE_CONTEXT = "x-amz-server-side-encryption-context";
export declare const SSE_BUCKET_KEY = "x-amz-server-side-encryption-bucket-key-enabled";
export interface CustomerKeyHeaders {
    readonly algorithm: string;
    readonly key: string;
    readonly md5: string;
}
export declare const SSE_C: CustomerKeyHeaders;
export declare const COPY_SOURCE_SSE_C: CustomerKeyHeaders;
export type HeaderLookup = (name: string) => string | undefined;

// request/presented-key.d.ts
import type { EncryptionMode } from '../encryption-mode.ts';
import type { CustomerKey } from './customer-key.ts';
import { type SseTransport } from './customer-key-headers.ts';
import { type HeaderLookup } from './header-names.ts';
export declare function presentedCustomerKey(header: HeaderLookup, transport: SseTransport): CustomerKey | undefined;
export declare function copySourceCustomerKey(header: HeaderLookup, transport: SseTransport): CustomerKey | undefined;
export declare function requireFittingKey(mode: EncryptionMode, customerKey: CustomerKey | undefined): void;

// request/reply-headers.d.ts
import type { EncryptionMode } from '../encryption-mode.ts';
export type SseReplyOperation = 'PutObject' | 'PostObject' | 'CopyObject' | 'CreateMultipartUpload' | 'UploadPart' | 'UploadPartCopy' | 'CompleteMultipartUpload' | 'GetObject' | 'HeadObject';
export interface AppliedEncryption {
    readonly mode: EncryptionMode;
    readonly keyName?: string | undefined;
    readonly bucketKey: boolean;
}
export interface SseReply {
    readonly operation: SseReplyOperation;
    readonly applied: AppliedEncryption;
    readonly customerKeyMd5?: string | undefined;
    readonly contextHeader?: string | undefined;
}
export declare function sseReplyHeaders({ operation, applied, customerKeyMd5, contextHeader, }: SseReply): readonly (readonly [name: string, value: string])[];

// request/write-encryption.d.ts
import { type EncryptionContext } from '@kms/core';
import { type BucketEncryption } from './bucket-encryption.ts';
import type { CustomerKey } from './customer-key.ts';
import { type SseTransport } from './customer-key-headers.ts';
import { type HeaderLookup } from './header-names.ts';
export type WriteEncryption = {
    readonly mode: 'plain';
} | {
    readonly mode: 'SSE-S3';
    readonly bucketKey: boolean;
} | {
    readonly mode: 'SSE-KMS';
    readonly keyName?: string;
    readonly context: EncryptionContext;
    readonly contextHeader?: string;
    readonly bucketKey: boolean;
} | {
    readonly mode: 'SSE-C';
    readonly customerKey: CustomerKey;
};
export interface WriteRequest {
    readonly header: HeaderLookup;
    readonly bucket?: BucketEncryption | undefined;
    readonly transport: SseTransport;
}
export declare function decideWriteEncryption({ header, bucket, transport }: WriteRequest): WriteEncryption;

// rewrap.d.ts
import type { Buffer } from 'node:buffer';
import { type Authorize } from '@kms/core';
import { type KeyUse } from './keys/key-blob.ts';
import type { ObjectKeyring } from './keys/object-keys.ts';
import { type ObjectName } from './keys/object-name.ts';
import type { ObjectRecord } from './object-record.ts';
import type { KnownRecords } from './record/known-records.ts';
import type { Sealing } from './record/sealed-details.ts';
export interface Rewrap {
    readonly name: ObjectName;
    readonly record: ObjectRecord;
    readonly authorize: Authorize;
}
export interface Rewrapped {
    readonly keys: Buffer;
    readonly keyUse: KeyUse;
}
export declare function rewrap(request: Rewrap, keyring: ObjectKeyring, records: KnownRecords): Promise<Rewrapped>;
export declare function resealRecord(name: ObjectName, record: ObjectRecord, sealing: Sealing): ObjectRecord;

// stream/object-layout.d.ts
import type { PartTable } from '../record/part-table.ts';
export interface ByteRange {
    readonly start: number;
    readonly end: number;
}
export interface StoredSegment {
    readonly partIndex: number;
    readonly partNumber: number;
    readonly partOffset: number;
    readonly start: number;
    readonly end: number;
}
export interface PartRead {
    readonly segments: readonly StoredSegment[];
    readonly partIndex: number;
    readonly firstFrame: number;
    readonly endsStream: boolean;
    readonly frameBytes: number;
    readonly skip: number;
    readonly take: number;
}
export declare function storedSize(size: number): number;
export declare function plainSize(stored: number): number | undefined;
export declare function planPart(parts: PartTable, number: number): readonly PartRead[];
export declare function planRead(parts: PartTable, range?: ByteRange): readonly PartRead[];

// stream/open-parts.d.ts
import { Buffer } from 'node:buffer';
import type { PartRead, StoredSegment } from './object-layout.ts';
import { type StreamSecrets } from './stream-header.ts';
export type FetchSegment = (segment: StoredSegment) => AsyncIterable<Uint8Array>;
export declare function openParts(reads: readonly PartRead[], fetch: FetchSegment, secretsOf: (read: PartRead) => StreamSecrets | undefined, onEnd: () => void): AsyncGenerator<readonly Buffer[], void, undefined>;

// stream/sealing-stream.d.ts
import { Buffer } from 'node:buffer';
import type { StreamSecrets } from './stream-header.ts';
export type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
export interface SealingStreamOptions {
    readonly secrets: StreamSecrets | undefined;
    readonly size: number | undefined;
    readonly md5: boolean;
    readonly onBegin?: () => Promise<void>;
    readonly onFailure: () => void;
}
export interface SealedStream {
    readonly size: number;
    readonly md5: Buffer | undefined;
}
export interface SealingStream {
    seal(source: ByteSource): AsyncGenerator<Buffer, void, undefined>;
    result(): SealedStream;
}
export declare function createSealingStream({ secrets, size, md5, onBegin, onFailure }: SealingStreamOptions): SealingStream;

// stream/stream-header.d.ts
import { Buffer } from 'node:buffer';
import { type KeyObject } from 'node:crypto';
export declare const STREAM_HEADER_BYTES = 76;
export interface StreamSecrets {
    readonly cipherKey: KeyObject;
    readonly header: Buffer;
}
export declare function streamSecrets(objectKey: Uint8Array, binding: Uint8Array, partNumber: number, salt: Uint8Array): StreamSecrets;
export declare function isHeader(stored: Uint8Array, { header }: StreamSecrets): boolean;
