// What @kms/s3-api declares (testing). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// testing/index.d.ts
export { type DescribeObjectStoreOptions, describeObjectStore, type ObjectStoreHarness, } from './describe-object-store.ts';
export { createMemoryObjectStore, type MemoryObjectStoreOptions } from './memory-object-store.ts';

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

// testing/describe-object-store.d.ts
import type { ObjectStore } from '../store/object-store.ts';
export interface ObjectStoreHarness {
    open(): Promise<ObjectStore>;
    reopen?(): Promise<ObjectStore>;
    cleanup(): Promise<void>;
}
export interface DescribeObjectStoreOptions {
    readonly skip?: readonly {
        readonly test: string;
        readonly reason: string;
    }[];
}
export declare function describeObjectStore(name: string, factory: () => ObjectStoreHarness | Promise<ObjectStoreHarness>, options?: DescribeObjectStoreOptions): void;

// testing/memory-object-store.d.ts
import type { ObjectStore } from '../store/object-store.ts';
export interface MemoryObjectStoreOptions {
    readonly now?: () => number;
}
export declare function createMemoryObjectStore({ now }?: MemoryObjectStoreOptions): ObjectStore;
