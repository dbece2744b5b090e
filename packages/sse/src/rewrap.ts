import type { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { type Authorize, kmsError } from '@kms/core'
import { decodeObjectKeys, encodeObjectKeys, envelopeUse, type KeyUse } from './keys/key-blob.ts'
import type { ObjectKeyring } from './keys/object-keys.ts'
import { type ObjectName, objectBinding } from './keys/object-name.ts'
import { partTableOf, verifiedKey } from './object-read.ts'
import type { ObjectRecord } from './object-record.ts'
import type { KnownRecords } from './record/known-records.ts'
import { decodeObjectMetadata, encodeObjectMetadata } from './record/object-metadata.ts'
import { decodePartChecksums, encodePartChecksums } from './record/part-checksums.ts'
import { encodePartTable } from './record/part-table.ts'
import type { Sealing } from './record/sealed-details.ts'
import type { WriteEncryption } from './request/write-encryption.ts'

export interface Rewrap {
  readonly name: ObjectName
  readonly record: ObjectRecord
  /** Asked with the id of the KMS key before it unwraps, and before it wraps (SSE-KMS only). */
  readonly authorize: Authorize
}

export interface Rewrapped {
  /** To be stored in place of the record's, unless the object was overwritten meanwhile. */
  readonly keys: Buffer
  /** Instead of the old one's `keyUseOf`. */
  readonly keyUse: KeyUse
}

/**
 * Wraps an object's key anew, under the current version of its KMS key in the active store: body, metadata and part table
 * stay as they are. A wrong or damaged record is refused, never re-wrapped. Throws `InvalidRequest` for objects no KMS key is needed for.
 */
export async function rewrap(request: Rewrap, keyring: ObjectKeyring, records: KnownRecords): Promise<Rewrapped> {
  const { name, record, authorize } = request
  const known = records.get(name, record.metadata)
  const { metadata } = known
  const { mode, bucketKey, context } = metadata
  if (mode !== 'SSE-KMS' && mode !== 'SSE-S3') {
    throw kmsError('InvalidRequest', { reason: 'No KMS key protects this object; there is nothing to wrap anew.' })
  }
  const stored = decodeObjectKeys(record.keys)
  if (stored.kind === 'customer key') throw kmsError('ObjectDamaged', { what: 'its keys are not those of its mode' })
  const { parts } = partTableOf(metadata, record.parts)
  const { binding } = known
  const objectKey = await verifiedKey(request, known, parts, keyring)
  if (objectKey === undefined) throw kmsError('ObjectDamaged', { what: 'it has no key' })
  try {
    const encryption: WriteEncryption =
      mode === 'SSE-S3'
        ? { mode, bucketKey }
        : { mode, bucketKey, context, keyName: envelopeUse(stored.envelope).keyId }
    const { keys, use } = await keyring.protect({ name, binding, encryption, authorize, objectKey })
    if (use === undefined) throw new TypeError('a KMS key wraps under a version')
    return { keys: encodeObjectKeys(keys), keyUse: use }
  } finally {
    objectKey.fill(0)
  }
}

/**
 * Seals what is sealed under the server key anew, under the current one: for a change of the server key. Needs neither KMS nor customer
 * key. Throws `ObjectDamaged`, `ServerKeyMismatch`.
 */
export function resealRecord(name: ObjectName, record: ObjectRecord, sealing: Sealing): ObjectRecord {
  const metadata = decodeObjectMetadata(record.metadata, name, sealing.serverKeys)
  const table = partTableOf(metadata, record.parts)
  const binding = objectBinding(name, metadata.writeId)
  const checksums = decodePartChecksums(table, binding, sealing.serverKeys)
  const parts = encodePartTable({
    parts: table.parts,
    checksums: encodePartChecksums(checksums, table.parts, binding, sealing),
  })
  const partsDigest = hash('sha256', parts, 'buffer')
  return { metadata: encodeObjectMetadata({ ...metadata, partsDigest }, name, sealing), parts, keys: record.keys }
}
