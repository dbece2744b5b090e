import { Buffer } from 'node:buffer'
import { kmsError, type ServerKeys } from '@kms/core'
import { lp, u32 } from '@kms/core/internal'
import { type ObjectName, objectBinding } from '../keys/object-name.ts'
import { WRAPPED_RECORD_KEY_BYTES } from '../keys/record-key.ts'
import { checkFormat } from './blob-format.ts'
import { ByteReader, MalformedBytes, u64 } from './byte-reader.ts'
import {
  type Digests,
  encodeDigests,
  encodeRecordFields,
  type RecordFields,
  readDigests,
  readRecordFields,
} from './record-fields.ts'
import { MAC_BYTES } from './record-mac.ts'
import { openDetails, type Sealing, sealDetails } from './sealed-details.ts'

/** An object's metadata blob, decoded. */
export interface ObjectMetadata extends RecordFields, Digests {
  /** Plaintext bytes. */
  readonly size: number
  /** Entries of the part table. */
  readonly partCount: number
  /** SHA-256 of the part table's blob. */
  readonly partsDigest: Buffer
  /** Absent in a plain object. */
  readonly protection: RecordProtection | undefined
}

export interface RecordProtection {
  /** The record key under the object's key. */
  readonly recordKey: Buffer
  readonly mac: Buffer
}

const MAGIC = Buffer.from('KMSM', 'latin1')
const DIGEST_BYTES = 32

/**
 * clear = `KMSM` ‖ format u8 = 1 ‖ record fields ‖ u64 size ‖ u32 part count ‖ SHA-256 of the part table; then of an encrypted object wrapped record key
 * 48 ‖ MAC 32 (clear too) ‖ lp(sealed ETag and checksums); of a plain one ETag and checksums.
 */
export function encodeObjectMetadata(metadata: ObjectMetadata, name: ObjectName, sealing: Sealing): Buffer {
  const { size, partCount, partsDigest, protection } = metadata
  const clear = Buffer.concat([
    MAGIC,
    Buffer.of(1),
    encodeRecordFields(metadata),
    u64(size),
    u32(partCount),
    partsDigest,
    ...(protection === undefined ? [] : [protection.recordKey, protection.mac]),
  ])
  const digests = encodeDigests(metadata)
  if (protection === undefined) return Buffer.concat([clear, digests])
  const binding = objectBinding(name, metadata.writeId)
  return Buffer.concat([clear, lp(sealDetails(digests, { kind: 'object', binding, clear }, sealing))])
}

/**
 * Reads what {@link encodeObjectMetadata} wrote. All of an encrypted object's is authenticated under the server key, so that a listing
 * or HEAD can trust it without a KMS. Throws `ObjectDamaged`, `NewerFormat`, and `ServerKeyMismatch`.
 */
export function decodeObjectMetadata(bytes: Buffer, name: ObjectName, serverKeys: ServerKeys): ObjectMetadata {
  try {
    const reader = new ByteReader(bytes)
    checkFormat(reader, MAGIC, 'the record of an object')
    const fields = readRecordFields(reader)
    const plain = fields.mode === 'plain'
    const sizes = { size: reader.u64(), partCount: reader.u32(), partsDigest: reader.take(DIGEST_BYTES) }
    const protection = plain
      ? undefined
      : { recordKey: reader.take(WRAPPED_RECORD_KEY_BYTES), mac: reader.take(MAC_BYTES) }
    const clear = reader.consumed
    const digests = plain
      ? readDigests(reader)
      : openDigests(reader.framed(), clear, objectBinding(name, fields.writeId), serverKeys)
    reader.end()
    return { ...fields, ...sizes, protection, ...digests }
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    throw kmsError('ObjectDamaged', { what: 'its record is malformed' }, { cause: error })
  }
}

/** Whether the blob is a plain object's, as far as its beginning tells. */
export function isPlainMetadata(bytes: Buffer): boolean {
  return bytes[MAGIC.length + 1] === 0
}

function openDigests(sealed: Buffer, clear: Buffer, binding: Buffer, serverKeys: ServerKeys): Digests {
  const reader = new ByteReader(openDetails(sealed, { kind: 'object', binding, clear }, serverKeys))
  const digests = readDigests(reader)
  reader.end()
  return digests
}
