import { Buffer } from 'node:buffer'
import { kmsError, type ServerKeys } from '@kms/core'
import { ByteReader, MalformedBytes } from './byte-reader.ts'
import { encodePartEntries, type PartTable, type StoredPartTable } from './part-table.ts'
import { openDetails, type Sealing, sealDetails } from './sealed-details.ts'
import { encodeTextMap, NO_TEXT, readTextMap, type TextMap } from './text-map.ts'

/**
 * The checksums of an object's parts, for its part table: the text map of each, in order; sealed unless the object is plain. `undefined` when no
 * part has any.
 */
export function encodePartChecksums(
  checksums: readonly TextMap[],
  parts: PartTable,
  binding: Uint8Array,
  sealing: Sealing,
): Buffer | undefined {
  if (checksums.every(({ size }) => size === 0)) return undefined
  const bytes = Buffer.concat(checksums.map(encodeTextMap))
  if (parts[0]?.salt.length === 0) return bytes
  return sealDetails(bytes, { kind: 'object-parts', binding, clear: encodePartEntries(parts) }, sealing)
}

/** Reads what {@link encodePartChecksums} wrote; one map per part. Throws `ObjectDamaged`, `ServerKeyMismatch`. */
export function decodePartChecksums(
  { parts, checksums }: StoredPartTable,
  binding: Uint8Array,
  serverKeys: ServerKeys,
): readonly TextMap[] {
  if (checksums === undefined) return parts.map(() => NO_TEXT)
  try {
    const place = { kind: 'object-parts', binding, clear: encodePartEntries(parts) } as const
    const reader = new ByteReader(parts[0]?.salt.length === 0 ? checksums : openDetails(checksums, place, serverKeys))
    const maps = parts.map(() => readTextMap(reader))
    reader.end()
    return maps
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    throw kmsError('ObjectDamaged', { what: 'the checksums of its parts are malformed' }, { cause: error })
  }
}
