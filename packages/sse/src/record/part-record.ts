import { Buffer } from 'node:buffer'
import { kmsError, type ServerKeys } from '@kms/core'
import { lp, STREAM_SALT_BYTES, u32 } from '@kms/core/internal'
import { checkFormat } from './blob-format.ts'
import { ByteReader, MalformedBytes, u64 } from './byte-reader.ts'
import type { PartEntry } from './part-table.ts'
import { type Digests, encodeDigests, readDigests } from './record-fields.ts'
import { openDetails, type Sealing, sealDetails } from './sealed-details.ts'

/** A part of an open upload. */
export type PartRecord = PartEntry & Digests

const MAGIC = Buffer.from('KMSQ', 'latin1')

/**
 * clear = `KMSQ` ‖ format u8 = 1 ‖ encrypted u8 ‖ u32 number ‖ u64 size; then of an encrypted part salt 32 (clear too) ‖ lp(sealed ETag and checksums), of
 * a plain one ETag and checksums.
 */
export function encodePartRecord(part: PartRecord, binding: Uint8Array, sealing: Sealing): Buffer {
  const encrypted = part.salt.length > 0
  const clear = Buffer.concat([MAGIC, Buffer.of(1, encrypted ? 1 : 0), u32(part.number), u64(part.size), part.salt])
  const digests = encodeDigests(part)
  if (!encrypted) return Buffer.concat([clear, digests])
  return Buffer.concat([clear, lp(sealDetails(digests, { kind: 'upload-part', binding, clear }, sealing))])
}

/**
 * Reads what {@link encodePartRecord} wrote, for the upload of that binding. Throws `ObjectDamaged` also when a part is encrypted and its
 * upload is not, or the other way round; `NewerFormat`, `ServerKeyMismatch`.
 */
export function decodePartRecord(
  bytes: Buffer,
  encrypted: boolean,
  binding: Uint8Array,
  serverKeys: ServerKeys,
): PartRecord {
  try {
    const reader = new ByteReader(bytes)
    checkFormat(reader, MAGIC, 'the record of a part')
    if (reader.u8() !== (encrypted ? 1 : 0)) throw new MalformedBytes('encrypted otherwise than its upload')
    const entry = {
      number: reader.u32(),
      size: reader.u64(),
      salt: reader.take(encrypted ? STREAM_SALT_BYTES : 0),
    }
    const clear = reader.consumed
    const digests = encrypted ? openPart(reader.framed(), clear, binding, serverKeys) : readDigests(reader)
    reader.end()
    return { ...entry, ...digests }
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    throw kmsError('ObjectDamaged', { what: 'the record of a part is malformed' }, { cause: error })
  }
}

function openPart(sealed: Buffer, clear: Buffer, binding: Uint8Array, serverKeys: ServerKeys): Digests {
  const reader = new ByteReader(openDetails(sealed, { kind: 'upload-part', binding, clear }, serverKeys))
  const digests = readDigests(reader)
  reader.end()
  return digests
}
