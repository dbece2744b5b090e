import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import type { ServerKeys } from '@kms/core'
import { ByteWriter, label } from '@kms/core/internal'
import { LRUCache } from 'lru-cache'
import { type ObjectName, objectBinding } from '../keys/object-name.ts'
import { decodeObjectMetadata, isPlainMetadata, type ObjectMetadata } from './object-metadata.ts'

/** A record whose metadata were decoded, and authenticated under the server key. */
export interface KnownRecord {
  readonly metadata: ObjectMetadata
  readonly binding: Buffer
  /** Whether {@link verified} was told of this key before. */
  isVerified(objectKey: Uint8Array): boolean
  /** The object's key opened the record key, and that verified name, metadata, and the part table these have the digest of. */
  verified(objectKey: Uint8Array): void
}

/**
 * What is known of records that were read lately, so that objects in demand are not decoded and verified again and again. Of exactly
 * these bytes and this name, decoding and verifying always come to the same; nothing secret is kept, and no key is known by it: it has to be
 * got from the KMS each time, and must be the one the record was verified with.
 */
export interface KnownRecords {
  /** Throws as `decodeObjectMetadata`. */
  get(name: ObjectName, blob: Buffer): KnownRecord
}

const MAX_BYTES = 4 * 1024 * 1024
/** Larger records are decoded each time. */
const MAX_RECORD_BYTES = 16 * 1024
/** What one takes besides its bytes and what was read from them. */
const ENTRY_BYTES = 1024
const LABEL = label('verified with')

export function createKnownRecords(serverKeys: ServerKeys): KnownRecords {
  const records = new LRUCache<string, KnownRecord>({ maxSize: MAX_BYTES })
  return {
    get(name, blob) {
      if (isPlainMetadata(blob) || blob.length > MAX_RECORD_BYTES || !isWellFormed(name))
        return know(decodeObjectMetadata(blob, name, serverKeys), name)
      const id = hash('sha256', new ByteWriter(1024).framed(name.bucket).framed(name.key).raw(blob).written, 'binary')
      const known = records.get(id)
      if (known !== undefined) return known
      // What was decoded has views of the bytes, which are the store's.
      const found = know(decodeObjectMetadata(Buffer.from(blob), name, serverKeys), name)
      records.set(id, found, { size: ENTRY_BYTES + 3 * blob.length })
      return found
    },
  }
}

function know(metadata: ObjectMetadata, name: ObjectName): KnownRecord {
  let binding: Buffer | undefined
  let proof: string | undefined
  return {
    metadata,
    get binding() {
      binding ??= objectBinding(name, metadata.writeId)
      return binding
    },
    isVerified: (objectKey) => proof !== undefined && proof === proofOf(objectKey),
    verified(objectKey) {
      proof = proofOf(objectKey)
    },
  }
}

/** Names that are not have the bytes of others; decoding refuses them. */
function isWellFormed({ bucket, key }: ObjectName): boolean {
  return bucket.isWellFormed() && key.isWellFormed()
}

/** Tells whether it is the same key again, and nothing of the key. */
function proofOf(objectKey: Uint8Array): string {
  const covered = Buffer.concat([LABEL, objectKey])
  const proof = hash('sha256', covered, 'binary')
  covered.fill(0)
  return proof
}
