import { Buffer } from 'node:buffer'
import { kmsError, type ServerKeys } from '@kms/core'
import { lp } from '@kms/core/internal'
import { type ObjectName, objectBinding } from '../keys/object-name.ts'
import { WRAPPED_RECORD_KEY_BYTES } from '../keys/record-key.ts'
import { checkFormat } from './blob-format.ts'
import { ByteReader, MalformedBytes } from './byte-reader.ts'
import { encodeRecordFields, type RecordFields, readRecordFields } from './record-fields.ts'
import { openDetails, type Sealing, sealDetails } from './sealed-details.ts'

/** An open multipart upload. */
export interface UploadRecord extends RecordFields {
  /** Absent in a plain upload. */
  readonly secrets: UploadSecrets | undefined
}

export interface UploadSecrets {
  /** The blob of the object's keys, as the object will have it. */
  readonly keys: Buffer
  /** The record key under the object's key, as the object will have it. */
  readonly wrappedRecordKey: Buffer
  /** The record key; stored under the server key, so that completing needs neither KMS nor customer key. To be zeroed after use. */
  readonly recordKey: Buffer
}

const MAGIC = Buffer.from('KMSU', 'latin1')
const NOTHING = Buffer.alloc(0)

/**
 * clear = `KMSU` ‖ format u8 = 1 ‖ record fields, and of an encrypted upload lp(keys) ‖ wrapped record key 48; then lp(sealed record key), nothing sealed
 * in a plain one: it is authenticated too, so that no upload can be made a plain one behind the server's back.
 */
export function encodeUploadRecord(upload: UploadRecord, name: ObjectName, sealing: Sealing): Buffer {
  const { secrets } = upload
  const own = secrets === undefined ? [] : [lp(secrets.keys), secrets.wrappedRecordKey]
  const clear = Buffer.concat([MAGIC, Buffer.of(1), encodeRecordFields(upload), ...own])
  const binding = objectBinding(name, upload.writeId)
  const sealed = sealDetails(secrets?.recordKey ?? NOTHING, { kind: 'upload', binding, clear }, sealing)
  return Buffer.concat([clear, lp(sealed)])
}

/** Reads what {@link encodeUploadRecord} wrote. Throws `ObjectDamaged`, `NewerFormat`, `ServerKeyMismatch`. */
export function decodeUploadRecord(bytes: Buffer, name: ObjectName, serverKeys: ServerKeys): UploadRecord {
  try {
    const reader = new ByteReader(bytes)
    checkFormat(reader, MAGIC, 'the record of a multipart upload')
    const fields = readRecordFields(reader)
    const own =
      fields.mode === 'plain'
        ? undefined
        : { keys: reader.framed(), wrappedRecordKey: reader.take(WRAPPED_RECORD_KEY_BYTES) }
    const clear = reader.consumed
    const sealed = reader.framed()
    reader.end()
    const binding = objectBinding(name, fields.writeId)
    const recordKey = openDetails(sealed, { kind: 'upload', binding, clear }, serverKeys)
    return { ...fields, secrets: own === undefined ? undefined : { ...own, recordKey } }
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    throw kmsError('ObjectDamaged', { what: 'the record of the upload is malformed' }, { cause: error })
  }
}
