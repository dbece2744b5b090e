import type { Buffer } from 'node:buffer'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { canonicalContext, type EncryptionContext } from '@kms/core'
import { ByteWriter, label } from '@kms/core/internal'
import type { EncryptedMode } from '../encryption-mode.ts'
import type { ObjectName } from '../keys/object-name.ts'
import { objectSize, type PartTable, writePartEntries } from './part-table.ts'
import { encodeTextMap, type TextMap } from './text-map.ts'

/** What the MAC of an object's record covers (formats §8). Envelope, Seals and tags stay outside: re-wrapping leaves it as it is. */
export interface MacedRecord {
  readonly name: ObjectName
  readonly writeId: Uint8Array
  readonly mode: EncryptedMode
  /** The key as named; empty where no key is named to anyone (SSE-S3, SSE-C). */
  readonly keyName: string
  /** The client's pairs. */
  readonly context: EncryptionContext
  readonly bucketKey: boolean
  /** Content headers and user metadata. */
  readonly headers: TextMap
  readonly etag: string
  readonly checksums: TextMap
  readonly parts: PartTable
}

export const MAC_BYTES = 32
const LABEL = label('kms/object-record/v1')

/**
 * HMAC-SHA-256(record key, label `kms/object-record/v1` ‖ write id ‖ lp(bucket) ‖ lp(key) ‖ lp(mode) ‖ lp(key as named) ‖ lp(canonical context) ‖
 * lp(one byte: bucket key) ‖ lp(headers) ‖ lp(ETag) ‖ lp(checksums) ‖ u64 size ‖ u32 part count ‖ parts). Headers and checksums are
 * in the form of `encodeTextMap`.
 */
export function recordMac(recordKey: Uint8Array, record: MacedRecord): Buffer {
  const { name, writeId, mode, keyName, context, bucketKey, headers, etag, checksums, parts } = record
  const covered = new ByteWriter(512).raw(LABEL).raw(writeId)
  for (const field of [name.bucket, name.key, mode, keyName, canonicalContext(context)]) covered.framed(field)
  covered.u32(1).u8(bucketKey ? 1 : 0)
  for (const field of [encodeTextMap(headers), etag, encodeTextMap(checksums)]) covered.framed(field)
  covered.u64(objectSize(parts))
  writePartEntries(covered, parts)
  return createHmac('sha256', recordKey).update(covered.written).digest()
}

/** Whether `mac` is the record's, in constant time. */
export function verifyRecordMac(mac: Uint8Array, recordKey: Uint8Array, record: MacedRecord): boolean {
  const computed = recordMac(recordKey, record)
  return mac.length === computed.length && timingSafeEqual(mac, computed)
}
