import { Buffer } from 'node:buffer'
import { digestOf } from '@kms/core/internal'
import type { EncryptionMode } from './encryption-mode.ts'
import { type ObjectName, objectBinding } from './keys/object-name.ts'
import type { KnownRecord } from './record/known-records.ts'
import { encodeObjectMetadata, type ObjectMetadata } from './record/object-metadata.ts'
import { encodePartChecksums } from './record/part-checksums.ts'
import { encodePartTable, isMultipart, objectSize, type PartTable } from './record/part-table.ts'
import type { Digests, RecordFields } from './record/record-fields.ts'
import { recordMac } from './record/record-mac.ts'
import type { Sealing } from './record/sealed-details.ts'
import type { TextMap } from './record/text-map.ts'
import type { UploadSecrets } from './record/upload-record.ts'

/** What a store keeps of an object beside its body: three opaque blobs, to be written together. */
export interface ObjectRecord {
  /** Needed by every request, listings too; small. */
  readonly metadata: Buffer
  /** Needed to read the body, and by GetObjectAttributes; up to some hundred KiB. */
  readonly parts: Buffer
  /** Needed to decrypt; replaced by re-wrapping. Empty for a plain object. `keyUseOf` reads the KMS key it needs. */
  readonly keys: Buffer
}

/** What there is to say about an object; fits `sseReplyHeaders`. */
export interface ObjectInfo {
  readonly mode: EncryptionMode
  /** SSE-KMS: the key as it was named, or the default key's id. */
  readonly keyName: string | undefined
  readonly bucketKey: boolean
  /** Plaintext bytes. */
  readonly size: number
  /** Without quotes. */
  readonly etag: string
  /** As given when it was written. */
  readonly checksums: TextMap
  /** Content headers and user metadata, as given when it was written. */
  readonly headers: TextMap
  /** Parts of a multipart object; 0 for others. */
  readonly partCount: number
}

/** A new object: what to store, and what to reply. */
export interface NewObject {
  readonly record: ObjectRecord
  readonly info: ObjectInfo
}

export interface ObjectParts {
  readonly name: ObjectName
  readonly fields: RecordFields
  /** `undefined` for a plain object. */
  readonly secrets: UploadSecrets | undefined
  readonly parts: PartTable
  /** One per part. */
  readonly partChecksums: readonly TextMap[]
  readonly digests: Digests
}

/** The record of an object whose streams have all been sealed. */
export function assembleObject(
  { name, fields, secrets, parts, partChecksums, digests }: ObjectParts,
  sealing: Sealing,
): NewObject {
  const binding = objectBinding(name, fields.writeId)
  const table = encodePartTable({ parts, checksums: encodePartChecksums(partChecksums, parts, binding, sealing) })
  const metadata: ObjectMetadata = {
    ...fields,
    ...digests,
    size: objectSize(parts),
    partCount: isMultipart(parts) ? parts.length : 0,
    partsDigest: digestOf(table),
    protection:
      secrets === undefined || fields.mode === 'plain'
        ? undefined
        : {
            recordKey: secrets.wrappedRecordKey,
            mac: recordMac(secrets.recordKey, { ...fields, ...digests, mode: fields.mode, name, parts }),
          },
  }
  const keys = secrets?.keys ?? Buffer.alloc(0)
  return {
    record: { metadata: encodeObjectMetadata(metadata, name, sealing), parts: table, keys },
    info: infoOf(metadata),
  }
}

/** What metadata says to the outside, with what is known of the record: one request needs it for its headers and for its body. */
export class InspectedObject implements ObjectInfo {
  readonly mode: EncryptionMode
  readonly keyName: string | undefined
  readonly bucketKey: boolean
  readonly size: number
  readonly etag: string
  readonly checksums: TextMap
  readonly headers: TextMap
  readonly partCount: number
  readonly #known: KnownRecord
  readonly #blob: Buffer
  readonly #name: ObjectName

  constructor(known: KnownRecord, blob: Buffer, name: ObjectName) {
    const { metadata } = known
    this.mode = metadata.mode
    this.keyName = metadata.mode === 'SSE-KMS' ? metadata.keyName : undefined
    this.bucketKey = metadata.bucketKey
    this.size = metadata.size
    this.etag = metadata.etag
    this.checksums = metadata.checksums
    this.headers = metadata.headers
    this.partCount = metadata.partCount
    this.#known = known
    this.#blob = blob
    this.#name = name
  }

  /** The record `info` was read from, if that was this very blob, for an object of this name. */
  static recordOf(info: ObjectInfo | undefined, blob: Buffer, name: ObjectName): KnownRecord | undefined {
    if (!(info instanceof InspectedObject) || info.#blob !== blob) return undefined
    return info.#name.bucket === name.bucket && info.#name.key === name.key ? info.#known : undefined
  }
}

/** What metadata says to the outside. */
export function infoOf(metadata: ObjectMetadata): ObjectInfo {
  const { mode, bucketKey, keyName, size, etag, checksums, headers, partCount } = metadata
  const named = mode === 'SSE-KMS' ? keyName : undefined
  return { mode, keyName: named, bucketKey, size, etag, checksums, headers, partCount }
}
