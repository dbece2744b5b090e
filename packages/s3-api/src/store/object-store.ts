import type { Buffer } from 'node:buffer'

/** A key version that something stored cannot be read without. */
export interface KeyUse {
  /** Identity of the key store, as text without blanks of at most 64 characters. */
  readonly realm: string
  /** At most 128 characters. */
  readonly keyId: string
  /** ≥ 1 */
  readonly version: number
}

/** What would become unreadable. */
export interface KeyUseCount {
  readonly objects: number
  /** Multipart uploads that are open, and writes under way. */
  readonly uploads: number
}

export interface Bucket {
  readonly name: string
  /** Epoch milliseconds. */
  readonly created: number
  /** Policy, default encryption and the like, each opaque, by the name it was put under. */
  readonly settings: ReadonlyMap<string, Buffer>
}

export interface BucketPage {
  /** Ascending by the bytes of the name. */
  readonly buckets: readonly Bucket[]
  /** `after` of the next page; absent on the last one. */
  readonly next?: string
}

/** What a write stores beside the body; all of it opaque to the store. */
export interface ObjectBlobs {
  /** What listings show and readers need; at most 64 KiB. */
  readonly metadata: Uint8Array
  /** What opens the object: outside `metadata`, so that it can be replaced without touching it. At most 64 KiB. */
  readonly keys?: Uint8Array
  /** One row for each part of a multipart object; at most 1 MiB. Not in listings. */
  readonly parts?: Uint8Array
}

/** What an object must be for a write to replace it: `absent`, or the generation that was seen. */
export type Expected = 'absent' | { readonly generation: string }

/** The end of a write: what is stored with the body. */
export interface NewObject extends ObjectBlobs {
  readonly tags?: Uint8Array
  /** Checked in the instant in which the object appears. */
  readonly expected?: Expected
}

export interface StoredObject {
  readonly key: string
  /** Differs between any two writes. */
  readonly generation: string
  /** When it appeared, epoch milliseconds. */
  readonly modified: number
  /** Bytes of the stored body. */
  readonly size: number
  readonly metadata: Buffer
  readonly keys?: Buffer
  readonly uses: readonly KeyUse[]
  /** The multipart upload it came from: tells a repeated completion from a mistaken one. */
  readonly uploadId?: string
}

/** An object and its body, which stay readable until `close`, whatever happens to the key meanwhile. */
export interface OpenedObject extends StoredObject {
  readonly parts?: Buffer
  /**
   * Stored bytes from `start` to `end`, the latter not included; 0 ≤ start ≤ end ≤ size. May be called several times, also
   * at the same time. Ending the iteration early frees what it holds. Throws `Damaged` when bytes are missing.
   */
  read(range: { readonly start: number; readonly end: number }): AsyncIterable<Buffer>
  /** Must be called; idempotent. */
  close(): Promise<void>
}

/** A place in a listing. `prefix`: `key` is a common prefix, and everything below it is past as well. */
export interface ListMarker {
  readonly key: string
  readonly prefix?: boolean
}

export interface ListRequest {
  readonly bucket: string
  readonly prefix?: string
  /** Keys that have it after the prefix are rolled up to the part up to and including its first occurrence. */
  readonly delimiter?: string
  /** Lists what comes after it; it need not exist. */
  readonly after?: ListMarker
  /** ≥ 1; objects and common prefixes together. */
  readonly limit: number
}

export type ListEntry =
  | { readonly kind: 'object'; readonly object: StoredObject }
  | { readonly kind: 'prefix'; readonly prefix: string }

export interface ObjectPage {
  /** Ascending by the UTF-8 bytes of key or prefix; the work for a page does not grow with the bucket. */
  readonly entries: readonly ListEntry[]
  /** `after` of the next page; absent when nothing follows. */
  readonly next?: ListMarker
}

export interface StoredUpload {
  readonly uploadId: string
  readonly key: string
  readonly created: number
  readonly metadata: Buffer
  readonly keys?: Buffer
  readonly tags?: Buffer
  readonly uses: readonly KeyUse[]
}

export interface UploadPage {
  /** Ascending by key, those of one key by their creation. */
  readonly entries: readonly (
    | { readonly kind: 'upload'; readonly upload: StoredUpload }
    | { readonly kind: 'prefix'; readonly prefix: string }
  )[]
  readonly next?: UploadMarker
}

/** A place in a listing of uploads; without `uploadId` all uploads of the key are past. */
export interface UploadMarker extends ListMarker {
  readonly uploadId?: string
}

export interface StoredPart {
  /** 1 to 10 000. */
  readonly number: number
  readonly generation: string
  readonly modified: number
  /** Bytes stored. */
  readonly size: number
  readonly metadata: Buffer
}

export interface PartPage {
  /** Ascending by number. */
  readonly parts: readonly StoredPart[]
  /** `after` of the next page. */
  readonly next?: number
}

/** Names an object. */
export interface ObjectName {
  readonly bucket: string
  /** Well-formed Unicode of 1 to 1024 bytes in UTF-8; any characters, never normalised. */
  readonly key: string
}

export interface UploadName extends ObjectName {
  readonly uploadId: string
}

/** A body on its way in. */
export interface BodySource {
  /** Read once, at the pace of the storage. What it throws, the write throws, and nothing of it is kept. */
  readonly body: AsyncIterable<Uint8Array>
}

export interface PutObjectRequest extends ObjectName, BodySource {
  /** Counted before the first byte of the body is asked for. */
  readonly uses?: readonly KeyUse[]
  /** Called once, when all bytes are stored and before the object appears. What it throws, the write throws. */
  finish(stored: { readonly size: number }): NewObject | Promise<NewObject>
}

export interface PutPartRequest extends UploadName, BodySource {
  readonly number: number
  finish(stored: {
    readonly size: number
  }): { readonly metadata: Uint8Array } | Promise<{ readonly metadata: Uint8Array }>
}

export interface NewUpload extends ObjectName {
  readonly uses?: readonly KeyUse[]
  readonly metadata: Uint8Array
  readonly keys?: Uint8Array
  readonly tags?: Uint8Array
}

export interface CompleteUploadRequest extends UploadName {
  /** What the object is made of, in this order; parts that are not named are dropped. */
  readonly parts: readonly { readonly number: number; readonly generation: string }[]
  readonly object: NewObject
}

/** An object that has appeared. */
export interface WrittenObject {
  readonly generation: string
  readonly modified: number
}

/**
 * Where buckets and objects live. It stores bytes and gives them back; encryption, names that S3 refuses, rights and the
 * meaning of every blob are its caller's. Every implementation passes `describeObjectStore` of `@kms/s3-api/testing`.
 *
 * A write appears whole or not at all, and is durable when it is acknowledged. Of concurrent writes of one key the last
 * to finish wins, whole. Any verb may throw `StorageFailed`; a write that failed so may or may not have happened. Errors are
 * {@link ObjectStoreError}s.
 */
export interface ObjectStore {
  /** Throws `BucketAlreadyExists`. */
  createBucket(name: string): Promise<Bucket>
  bucket(name: string): Promise<Bucket | undefined>
  /** At most `limit` (≥ 1) buckets whose names come after `after` and begin with `prefix`. */
  listBuckets(page: { readonly limit: number; readonly after?: string; readonly prefix?: string }): Promise<BucketPage>
  /** Sets or, with `undefined`, removes a setting. Throws `NoSuchBucket`. */
  putBucketSetting(name: string, setting: string, value: Uint8Array | undefined): Promise<void>
  /**
   * Removes a bucket with its settings; multipart uploads that are open in it end as if aborted. Throws `NoSuchBucket`, and
   * `BucketNotEmpty` while it has objects. A write that finishes later throws `NoSuchBucket`.
   */
  deleteBucket(name: string): Promise<void>

  /** Throws `NoSuchBucket`, before the body is asked for where possible; `Conflict` when `expected` does not hold. */
  putObject(request: PutObjectRequest): Promise<WrittenObject>
  /** The object without its body; `undefined` when there is none. Throws `NoSuchBucket`, `Damaged`. */
  object(name: ObjectName): Promise<StoredObject | undefined>
  /** Throws `NoSuchBucket`, `Damaged`. */
  openObject(name: ObjectName): Promise<OpenedObject | undefined>
  /** Whether there was one. Throws `NoSuchBucket`, and `Conflict` when `expected` does not hold. */
  deleteObject(name: ObjectName & { readonly expected?: Expected }): Promise<boolean>
  /** Throws `NoSuchBucket`. */
  listObjects(request: ListRequest): Promise<ObjectPage>

  /** `undefined` when there are none, or no object. Throws `NoSuchBucket`. */
  objectTags(name: ObjectName): Promise<Buffer | undefined>
  /** Sets or removes the tags of an object, leaving all else of it as it is. Throws `NoSuchBucket`, `NoSuchKey`. */
  putObjectTags(name: ObjectName, tags: Uint8Array | undefined): Promise<void>

  /** Throws `NoSuchBucket`. */
  createUpload(upload: NewUpload): Promise<StoredUpload>
  /** Throws `NoSuchBucket`, `NoSuchUpload`. */
  upload(name: UploadName): Promise<StoredUpload>
  /** Replaces a part of the same number, when complete. Throws `NoSuchBucket`, `NoSuchUpload`. */
  putPart(request: PutPartRequest): Promise<StoredPart>
  /** At most `limit` (≥ 1) parts with numbers above `after`. Throws `NoSuchBucket`, `NoSuchUpload`. */
  listParts(name: UploadName & { readonly after?: number; readonly limit: number }): Promise<PartPage>
  /** Throws `NoSuchBucket`. Markers and delimiter work as in {@link listObjects}. */
  listUploads(request: Omit<ListRequest, 'after'> & { readonly after?: UploadMarker }): Promise<UploadPage>
  /**
   * Makes the object from parts, without copying bodies where it can, and ends the upload. Throws `NoSuchBucket`,
   * `NoSuchUpload`, `Conflict` when `expected` does not hold, `PartChanged` when a part is not, or no longer, what is named.
   */
  completeUpload(request: CompleteUploadRequest): Promise<WrittenObject>
  /** Ends an upload and drops its parts. Throws `NoSuchBucket`, `NoSuchUpload`. */
  abortUpload(name: UploadName): Promise<void>

  /**
   * What is wrapped by a key: by all keys of a realm, all versions of a key, or one version. The counts change in the
   * transactions of what they count.
   */
  countKeyUse(use: { readonly realm: string; readonly keyId?: string; readonly version?: number }): Promise<KeyUseCount>

  /** Removes what no object and no upload refers to any more. A store does so by itself; a caller may not want to wait. */
  sweep(): Promise<void>
  /** Ends writes under way, which then throw, and releases everything; idempotent. */
  close(): Promise<void>
}
