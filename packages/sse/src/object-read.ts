import type { Buffer } from 'node:buffer'
import { type Authorize, kmsError, type ServerKeys } from '@kms/core'
import { digestOf } from '@kms/core/internal'
import { decodeObjectKeys } from './keys/key-blob.ts'
import type { ObjectKeyring } from './keys/object-keys.ts'
import { type ObjectName, objectBinding } from './keys/object-name.ts'
import { unwrapRecordKey } from './keys/record-key.ts'
import { InspectedObject, infoOf, type ObjectInfo, type ObjectRecord } from './object-record.ts'
import type { KnownRecord, KnownRecords } from './record/known-records.ts'
import { decodeObjectMetadata, type ObjectMetadata } from './record/object-metadata.ts'
import { decodePartChecksums } from './record/part-checksums.ts'
import { decodePartTable, isMultipart, objectSize, type PartTable, type StoredPartTable } from './record/part-table.ts'
import { verifyRecordMac } from './record/record-mac.ts'
import type { TextMap } from './record/text-map.ts'
import type { CustomerKey } from './request/customer-key.ts'
import { requireFittingKey } from './request/presented-key.ts'
import { type ByteRange, type PartRead, planPart, planRead, type StoredSegment } from './stream/object-layout.ts'
import { type FetchSegment, openParts } from './stream/open-parts.ts'
import { openWhole } from './stream/open-whole.ts'
import { type StreamSecrets, streamSecrets } from './stream/stream-header.ts'

export interface OpenForRead {
  readonly name: ObjectName
  readonly record: ObjectRecord
  /** What `inspect` said of this record's metadata, if it was asked: they are not decoded again then. */
  readonly info?: ObjectInfo | undefined
  readonly customerKey?: CustomerKey | undefined
  /** Asked with the id of the KMS key before it unwraps (SSE-KMS only). */
  readonly authorize: Authorize
  /** Told the id of the KMS key before the service uses it for itself, nobody's permission asked (SSE-S3); may refuse by throwing. */
  readonly ownUse?: Authorize | undefined
  /** Plaintext bytes wanted; all of them unless given. Throws `RangeError` for a range outside the object (`info.size` tells). */
  readonly range?: ByteRange | undefined
  /** Instead of a range, the number of one part of a multipart object. Throws `RangeError` when there is no such part. */
  readonly part?: number | undefined
}

/** An object whose record was verified: its plaintext may be read, once. */
export interface ReadableObject {
  readonly info: ObjectInfo
  /** Plaintext bytes {@link read} gives. */
  readonly length: number
  /** What {@link read} will fetch, in order. */
  readonly segments: readonly StoredSegment[]
  /**
   * The plaintext of the range, fetched as it is asked for. Throws `ObjectDamaged` for what was changed, before a byte of the frame it is in is
   * given out; `TypeError` when called again. The keys are erased when it ends, however it ends.
   */
  read(fetch: FetchSegment): AsyncGenerator<Buffer, void, undefined>
  /** {@link read}, with all that is ready at a time: for who sends it on, and wants to be asked less often. */
  readPieces(fetch: FetchSegment): AsyncGenerator<readonly Buffer[], void, undefined>
  /**
   * {@link read} for what is small: the plaintext of the range, of all the bytes of all {@link segments}, one behind the other. Nothing is given
   * out before all of it was authenticated. Throws as {@link read}.
   */
  open(stored: Buffer): Buffer
  /** Erases the keys; a read under way fails. To be called when {@link read} is not, or not begun; more than once does no harm. */
  discard(): void
}

/** A part of a multipart object. */
export interface ObjectPartInfo {
  readonly number: number
  readonly size: number
  readonly checksums: TextMap
  /** Where its plaintext begins in the object's. */
  readonly offset: number
}

/** An object's info from its metadata alone: authenticated under the server key when it is encrypted. For listings, and before a read. */
export function inspectObject(name: ObjectName, metadata: Buffer, records: KnownRecords): ObjectInfo {
  return new InspectedObject(records.get(name, metadata), metadata, name)
}

/** The parts of a multipart object (GetObjectAttributes, `partNumber`); none for others. */
export function inspectObjectParts(
  name: ObjectName,
  record: Pick<ObjectRecord, 'metadata' | 'parts'>,
  serverKeys: ServerKeys,
): readonly ObjectPartInfo[] {
  const metadata = decodeObjectMetadata(record.metadata, name, serverKeys)
  const table = partTableOf(metadata, record.parts)
  if (!isMultipart(table.parts)) return []
  const checksums = decodePartChecksums(table, objectBinding(name, metadata.writeId), serverKeys)
  let next = 0
  return table.parts.map(({ number, size }, index) => {
    const offset = next
    next += size
    return { number, size, offset, checksums: checksums[index] as TextMap }
  })
}

/** Verifies a record; nothing of the body is read yet. */
export async function openForRead(
  request: OpenForRead,
  keyring: ObjectKeyring,
  records: KnownRecords,
): Promise<ReadableObject> {
  const { name, record, range, part } = request
  if (range !== undefined && part !== undefined) throw new TypeError('a range or a part, not both')
  const known = InspectedObject.recordOf(request.info, record.metadata, name) ?? records.get(name, record.metadata)
  const { metadata } = known
  requireFittingKey(metadata.mode, request.customerKey)
  const { parts } = partTableOf(metadata, record.parts)
  const reads = part === undefined ? planRead(parts, range) : planPart(parts, part)
  const objectKey = await verifiedKey(request, known, parts, keyring)
  let state: 'new' | 'read' | 'discarded' = 'new'
  const erase = () => objectKey?.fill(0)

  function secretsOf({ partIndex }: PartRead): StreamSecrets | undefined {
    const { number, salt } = parts[partIndex] as PartTable[number]
    return objectKey === undefined ? undefined : streamSecrets(objectKey, known.binding, number, salt)
  }

  function begin(): void {
    if (state !== 'new') throw new TypeError('an object is read once; open it again')
    state = 'read'
  }

  return {
    info: infoOf(metadata),
    length: reads.reduce((sum, { take }) => sum + take, 0),
    segments: reads.flatMap(({ segments }) => segments),
    read(fetch) {
      begin()
      return flat(openParts(reads, fetch, secretsOf, erase))
    },
    readPieces(fetch) {
      begin()
      return openParts(reads, fetch, secretsOf, erase)
    },
    open(stored) {
      begin()
      try {
        return openWhole(reads, stored, secretsOf)
      } finally {
        erase()
      }
    },
    discard() {
      state = 'discarded'
      erase()
    },
  }
}

/**
 * The object's key, once it has opened the record key and that has verified the record; `undefined` for a plain object. Zeroed by the
 * caller.
 */
export async function verifiedKey(
  { name, record, customerKey, authorize, ownUse }: Omit<OpenForRead, 'range' | 'part'>,
  known: KnownRecord,
  parts: PartTable,
  keyring: ObjectKeyring,
): Promise<Buffer | undefined> {
  const { metadata } = known
  const { mode, protection, writeId } = metadata
  if (mode === 'plain' || protection === undefined) {
    if (parts.some(({ salt }) => salt.length > 0)) throw changed()
    return undefined
  }
  const keys = decodeObjectKeys(record.keys)
  const wrongKey = () =>
    kmsError('AccessDenied', { reason: 'This is not the key the object was written with. Send that key.' })
  const object = { ...metadata, mode, name, binding: known.binding, keys, offline: true }
  const objectKey = await keyring.recover({ ...object, customerKey, authorize, ownUse, wrongKey })
  if (known.isVerified(objectKey)) return objectKey
  const recordKey = unwrapRecordKey(protection.recordKey, objectKey, writeId)
  const verified =
    recordKey !== undefined && verifyRecordMac(protection.mac, recordKey, { ...metadata, mode, name, parts })
  recordKey?.fill(0)
  if (verified) {
    known.verified(objectKey)
    return objectKey
  }
  objectKey.fill(0)
  throw changed()
}

/** The part table, if it is the one the metadata was written with. Throws `ObjectDamaged`. */
export function partTableOf(metadata: ObjectMetadata, bytes: Buffer): StoredPartTable {
  if (!digestOf(bytes).equals(metadata.partsDigest)) throw changed()
  const table = decodePartTable(bytes)
  const count = isMultipart(table.parts) ? table.parts.length : 0
  if (objectSize(table.parts) !== metadata.size || count !== metadata.partCount) throw changed()
  return table
}

async function* flat(batches: AsyncGenerator<readonly Buffer[], void>): AsyncGenerator<Buffer, void, undefined> {
  for await (const pieces of batches) yield* pieces
}

function changed(): Error {
  return kmsError('ObjectDamaged', { what: 'its record was changed' })
}
