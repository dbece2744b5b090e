import type { Buffer } from 'node:buffer'
import { type Clock, type Random, type ServerKeys, systemClock, systemRandom } from '@kms/core'
import { type BucketKeyLimits, type BucketKeyStatistics, createBucketKeys } from './keys/bucket-keys.ts'
import type { KeyWrapping } from './keys/key-wrapping.ts'
import { createObjectKeyring } from './keys/object-keys.ts'
import type { ObjectName } from './keys/object-name.ts'
import type { OfflineKeys } from './keys/offline-keys.ts'
import {
  inspectObject,
  inspectObjectParts,
  type ObjectPartInfo,
  type OpenForRead,
  openForRead,
  type ReadableObject,
} from './object-read.ts'
import type { NewObject, ObjectInfo, ObjectRecord } from './object-record.ts'
import {
  type BeginUpload,
  beginUpload,
  type CompleteUpload,
  completeUpload,
  inspectParts,
  inspectUpload,
  type NewUpload,
  type PartInfo,
  type PartWrite,
  type SealPart,
  sealPart,
  type UploadInfo,
} from './object-upload.ts'
import { type BeginWrite, beginWrite, type ObjectWrite } from './object-write.ts'
import { createKnownRecords } from './record/known-records.ts'
import { type Rewrap, type Rewrapped, resealRecord, rewrap } from './rewrap.ts'

export interface ObjectCipherOptions {
  readonly keys: KeyWrapping
  /** Seals what is stored beside objects (purposes `metadata` and `upload`). */
  readonly serverKeys: ServerKeys
  readonly bucketKeys?: BucketKeyLimits
  /** Absent: no offline copies are made or used. */
  readonly offline?: OfflineKeys
  /** For tests. */
  readonly random?: Random
  readonly clock?: Clock
}

/**
 * Encrypts and decrypts the objects of a store: all modes, `plain` included, through the same calls. A body becomes an object only with the record
 * its write ends with; a plaintext is given out only after that record was verified. Besides what each says, calls throw the errors of
 * {@link KeyWrapping}, `ObjectDamaged` for records and bodies that are not as they were written, and `ServerKeyMismatch`.
 */
export interface ObjectCipher {
  /** Begins an object: its key is wrapped now. Store what `seal` gives, then the record `finish` returns; else `abandon`. */
  beginWrite(request: BeginWrite): Promise<ObjectWrite>
  /** Begins a multipart upload: the key of the object to come is wrapped now. */
  beginUpload(request: BeginUpload): Promise<NewUpload>
  /** Begins a part. Throws `InvalidRequest` for a customer's key that is missing, out of place or not the upload's. */
  sealPart(request: SealPart): Promise<PartWrite>
  /** Makes the object of an upload's parts; needs neither KMS nor customer key. Throws `RangeError` for parts out of order. */
  completeUpload(request: CompleteUpload): Promise<NewObject>
  inspectUpload(name: ObjectName, upload: Buffer): UploadInfo
  /** Of parts of an open upload, in the order given. */
  inspectParts(name: ObjectName, upload: Buffer, parts: readonly Buffer[]): readonly PartInfo[]
  /** From the metadata blob alone, without a KMS. */
  inspect(name: ObjectName, metadata: Buffer): ObjectInfo
  /** The parts of a multipart object; none for others. */
  inspectObjectParts(name: ObjectName, record: Pick<ObjectRecord, 'metadata' | 'parts'>): readonly ObjectPartInfo[]
  /**
   * Opens an object for one read, for HEAD of an SSE-C object too (then `discard` it). Throws `InvalidRequest` for a customer's key that is
   * missing or out of place, `AccessDenied` for the wrong one, `RangeError` for a range or part that is not in the object.
   */
  openForRead(request: OpenForRead): Promise<ReadableObject>
  /**
   * Wraps an object's key anew under the current version of its KMS key; touches neither body nor metadata. Throws `InvalidRequest` for an
   * object that needs no KMS key.
   */
  rewrap(request: Rewrap): Promise<Rewrapped>
  /** Seals a record anew under the current server key. */
  reseal(name: ObjectName, record: ObjectRecord): ObjectRecord
  /** Forgets and zeroes the bucket keys held in memory. */
  clear(): void
  /** Of those. */
  statistics(): BucketKeyStatistics
}

export function createObjectCipher(options: ObjectCipherOptions): ObjectCipher {
  const { keys, serverKeys, offline, random = systemRandom, clock = systemClock } = options
  const bucketKeys = createBucketKeys({ ...options.bucketKeys, keys, clock, random })
  const keyring = createObjectKeyring({ keys, bucketKeys, offline, random })
  const sealing = { serverKeys, random }
  const records = createKnownRecords(serverKeys)
  return {
    beginWrite: (request) => beginWrite(request, keyring, sealing),
    beginUpload: (request) => beginUpload(request, keyring, sealing),
    sealPart: (request) => sealPart(request, keyring, sealing),
    completeUpload: (request) => completeUpload(request, keyring, sealing),
    inspectUpload: (name, upload) => inspectUpload(name, upload, sealing),
    inspectParts: (name, upload, parts) => inspectParts(name, upload, parts, sealing),
    inspect: (name, metadata) => inspectObject(name, metadata, records),
    inspectObjectParts: (name, record) => inspectObjectParts(name, record, serverKeys),
    openForRead: (request) => openForRead(request, keyring, records),
    rewrap: (request) => rewrap(request, keyring, records),
    reseal: (name, record) => resealRecord(name, record, sealing),
    clear: () => bucketKeys.clear(),
    statistics: () => bucketKeys.statistics(),
  }
}
