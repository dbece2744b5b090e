// What @kms/s3-api declares (index). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// index.d.ts
export type { FailureThrottle, Guard } from './access/authenticate.ts';
export type { S3LogEntry } from './log-entry.ts';
export { bucketOfHost } from './request/address.ts';
export type { Peer, ReceivedRequest } from './request/received-request.ts';
export { createS3Api, type S3Api, type S3ApiOptions, type S3ApiSettings } from './s3-api.ts';
export type { Bucket, BucketPage, CompleteUploadRequest, Expected, KeyUse, KeyUseCount, ListEntry, ListMarker, ListRequest, NewObject, NewUpload, ObjectBlobs, ObjectName, ObjectPage, ObjectStore, OpenedObject, PartPage, PutObjectRequest, PutPartRequest, StoredObject, StoredPart, StoredUpload, UploadMarker, UploadName, UploadPage, WrittenObject, } from './store/object-store.ts';
export { isObjectStoreError, type ObjectStoreError, type ObjectStoreErrorCode } from './store/object-store-error.ts';

// access/authenticate.d.ts
import type { Buffer } from 'node:buffer';
import { type Principal, type StoredCredential } from '@kms/iam';
import { type SignedRequest, type Verifier } from '@kms/sigv4';
import type { HeaderMap } from '../request/header-map.ts';
import type { Peer, ReceivedRequest } from '../request/received-request.ts';
export interface Authenticated {
    readonly principal: Principal;
    readonly peer: Peer;
    readonly claim?: SignedRequest;
    readonly buffered?: Buffer;
}
export interface FailureThrottle {
    fail(address: string | undefined, accessKeyId: string): number | undefined;
}
export type Guard = (request: ReceivedRequest, principal: Principal, peer: Peer) => void;
export interface AuthenticatorOptions {
    readonly verifier: Verifier<StoredCredential>;
    readonly peer: (request: ReceivedRequest) => Peer;
    readonly guard: Guard | undefined;
    readonly throttle: FailureThrottle | undefined;
}
export interface Authenticator {
    authenticate(received: ReceivedRequest, headers: HeaderMap): Promise<Authenticated>;
    throttled(error: unknown, accessKeyId: string, peer: Peer): unknown;
    readonly peer: (request: ReceivedRequest) => Peer;
}
export declare function createAuthenticator(options: AuthenticatorOptions): Authenticator;

// log-entry.d.ts
import type { EncryptionMode } from '@kms/sse';
export type S3LogEntry = {
    readonly event: 'request';
    readonly requestId: string;
    readonly operation: string | undefined;
    readonly method: string;
    readonly bucket: string | undefined;
    readonly principal: string | undefined;
    readonly accessKeyId: string | undefined;
    readonly address: string | undefined;
    readonly mode: EncryptionMode | undefined;
    readonly keyId: string | undefined;
    readonly status: number;
    readonly code: string | undefined;
    readonly receivedBytes: number;
    readonly sentBytes: number;
    readonly milliseconds: number;
    readonly totalMilliseconds: number;
} | {
    readonly event: 'failure';
    readonly requestId: string;
    readonly error: unknown;
};

// request/address.d.ts
export type Address = {
    readonly scope: 'service';
} | {
    readonly scope: 'bucket';
    readonly bucket: string;
} | {
    readonly scope: 'object';
    readonly bucket: string;
    readonly key: string;
};
export declare function bucketOfHost(host: string | undefined, domains: readonly string[]): string | undefined;
export declare function findAddress(rawPath: string, host: string | undefined, domains: readonly string[]): Address;
export declare function requireKeyLength(key: string): void;

// request/header-map.d.ts
export type HeaderMap = ReadonlyMap<string, string>;
export declare function readHeaderMap(rawHeaders: readonly string[]): HeaderMap;

// request/received-request.d.ts
import type { IncomingMessage } from 'node:http';
import type { RawRequest } from '@kms/sigv4';
import type { Context } from 'hono';
export interface Peer {
    readonly address?: string;
    readonly secure: boolean;
}
export interface ReceivedRequest extends RawRequest {
    readonly rawPath: string;
    readonly rawQuery: string;
    readonly peer: Peer;
    readonly body: IncomingMessage | ReadableStream<Uint8Array> | null;
}
export declare function receiveRequest(c: Context): ReceivedRequest;
export declare function receiveIncoming(incoming: IncomingMessage): ReceivedRequest;

// s3-api.d.ts
import type { RequestListener } from 'node:http';
import { type AuditSink } from '@kms/core';
import { type CredentialStore } from '@kms/iam';
import type { ObjectCipher } from '@kms/sse';
import { Hono } from 'hono';
import { type FailureThrottle, type Guard } from './access/authenticate.ts';
import type { S3LogEntry } from './log-entry.ts';
import { type Peer, type ReceivedRequest } from './request/received-request.ts';
import type { ObjectStore } from './store/object-store.ts';
export interface S3ApiSettings {
    readonly region?: string;
    readonly domains?: readonly string[];
    readonly allowInsecureSseC?: boolean;
}
export interface S3ApiOptions {
    readonly store: ObjectStore;
    readonly cipher: ObjectCipher;
    readonly credentials: CredentialStore;
    readonly settings?: S3ApiSettings;
    readonly now?: () => number;
    readonly requestId?: () => string;
    readonly peer?: (request: ReceivedRequest) => Peer;
    readonly guard?: Guard;
    readonly throttle?: FailureThrottle;
    readonly audit?: AuditSink;
    readonly elapsed?: () => number;
    readonly log?: (entry: S3LogEntry) => void;
}
export interface S3Api {
    readonly app: Hono;
    readonly listener: RequestListener;
}
export declare function createS3Api(options: S3ApiOptions): S3Api;

// store/object-store-error.d.ts
export type ObjectStoreErrorCode = 'BucketAlreadyExists' | 'BucketNotEmpty' | 'Conflict' | 'Damaged' | 'NewerFormat' | 'NoSuchBucket' | 'NoSuchKey' | 'NoSuchUpload' | 'PartChanged' | 'StorageFailed';
export interface ObjectStoreError extends Error {
    readonly name: 'ObjectStoreError';
    readonly code: ObjectStoreErrorCode;
}
export declare function objectStoreError(code: ObjectStoreErrorCode, message: string, cause?: unknown): ObjectStoreError;
export declare function isObjectStoreError(error: unknown, ...codes: readonly ObjectStoreErrorCode[]): error is ObjectStoreError;

// store/object-store.d.ts
import type { Buffer } from 'node:buffer';
export interface KeyUse {
    readonly realm: string;
    readonly keyId: string;
    readonly version: number;
}
export interface KeyUseCount {
    readonly objects: number;
    readonly uploads: number;
}
export interface Bucket {
    readonly name: string;
    readonly created: number;
    readonly settings: ReadonlyMap<string, Buffer>;
}
export interface BucketPage {
    readonly buckets: readonly Bucket[];
    readonly next?: string;
}
export interface ObjectBlobs {
    readonly metadata: Uint8Array;
    readonly keys?: Uint8Array;
    readonly parts?: Uint8Array;
}
export type Expected = 'absent' | {
    readonly generation: string;
};
export interface NewObject extends ObjectBlobs {
    readonly tags?: Uint8Array;
    readonly expected?: Expected;
}
export interface StoredObject {
    readonly key: string;
    readonly generation: string;
    readonly modified: number;
    readonly size: number;
    readonly metadata: Buffer;
    readonly keys?: Buffer;
    readonly uses: readonly KeyUse[];
    readonly uploadId?: string;
}
export interface OpenedObject extends StoredObject {
    readonly parts?: Buffer;
    read(range: {
        readonly start: number;
        readonly end: number;
    }): AsyncIterable<Buffer>;
    close(): Promise<void>;
}
export interface ListMarker {
    readonly key: string;
    readonly prefix?: boolean;
}
export interface ListRequest {
    readonly bucket: string;
    readonly prefix?: string;
    readonly delimiter?: string;
    readonly after?: ListMarker;
    readonly limit: number;
}
export type ListEntry = {
    readonly kind: 'object';
    readonly object: StoredObject;
} | {
    readonly kind: 'prefix';
    readonly prefix: string;
};
export interface ObjectPage {
    readonly entries: readonly ListEntry[];
    readonly next?: ListMarker;
}
export interface StoredUpload {
    readonly uploadId: string;
    readonly key: string;
    readonly created: number;
    readonly metadata: Buffer;
    readonly keys?: Buffer;
    readonly tags?: Buffer;
    readonly uses: readonly KeyUse[];
}
export interface UploadPage {
    readonly entries: readonly ({
        readonly kind: 'upload';
        readonly upload: StoredUpload;
    } | {
        readonly kind: 'prefix';
        readonly prefix: string;
    })[];
    readonly next?: UploadMarker;
}
export interface UploadMarker extends ListMarker {
    readonly uploadId?: string;
}
export interface StoredPart {
    readonly number: number;
    readonly generation: string;
    readonly modified: number;
    readonly size: number;
    readonly metadata: Buffer;
}
export interface PartPage {
    readonly parts: readonly StoredPart[];
    readonly next?: number;
}
export interface ObjectName {
    readonly bucket: string;
    readonly key: string;
}
export interface UploadName extends ObjectName {
    readonly uploadId: string;
}
export interface BodySource {
    readonly body: AsyncIterable<Uint8Array>;
}
export interface PutObjectRequest extends ObjectName, BodySource {
    readonly uses?: readonly KeyUse[];
    finish(stored: {
        readonly size: number;
    }): NewObject | Promise<NewObject>;
}
export interface PutPartRequest extends UploadName, BodySource {
    readonly number: number;
    finish(stored: {
        readonly size: number;
    }): {
        readonly metadata: Uint8Array;
    } | Promise<{
        readonly metadata: Uint8Array;
    }>;
}
export interface NewUpload extends ObjectName {
    readonly uses?: readonly KeyUse[];
    readonly metadata: Uint8Array;
    readonly keys?: Uint8Array;
    readonly tags?: Uint8Array;
}
export interface CompleteUploadRequest extends UploadName {
    readonly parts: readonly {
        readonly number: number;
        readonly generation: string;
    }[];
    readonly object: NewObject;
}
export interface WrittenObject {
    readonly generation: string;
    readonly modified: number;
}
export interface ObjectStore {
    createBucket(name: string): Promise<Bucket>;
    bucket(name: string): Promise<Bucket | undefined>;
    listBuckets(page: {
        readonly limit: number;
        readonly after?: string;
        readonly prefix?: string;
    }): Promise<BucketPage>;
    putBucketSetting(name: string, setting: string, value: Uint8Array | undefined): Promise<void>;
    deleteBucket(name: string): Promise<void>;
    putObject(request: PutObjectRequest): Promise<WrittenObject>;
    object(name: ObjectName): Promise<StoredObject | undefined>;
    openObject(name: ObjectName): Promise<OpenedObject | undefined>;
    deleteObject(name: ObjectName & {
        readonly expected?: Expected;
    }): Promise<boolean>;
    listObjects(request: ListRequest): Promise<ObjectPage>;
    objectTags(name: ObjectName): Promise<Buffer | undefined>;
    putObjectTags(name: ObjectName, tags: Uint8Array | undefined): Promise<void>;
    createUpload(upload: NewUpload): Promise<StoredUpload>;
    upload(name: UploadName): Promise<StoredUpload>;
    putPart(request: PutPartRequest): Promise<StoredPart>;
    listParts(name: UploadName & {
        readonly after?: number;
        readonly limit: number;
    }): Promise<PartPage>;
    listUploads(request: Omit<ListRequest, 'after'> & {
        readonly after?: UploadMarker;
    }): Promise<UploadPage>;
    completeUpload(request: CompleteUploadRequest): Promise<WrittenObject>;
    abortUpload(name: UploadName): Promise<void>;
    countKeyUse(use: {
        readonly realm: string;
        readonly keyId?: string;
        readonly version?: number;
    }): Promise<KeyUseCount>;
    sweep(): Promise<void>;
    close(): Promise<void>;
}
