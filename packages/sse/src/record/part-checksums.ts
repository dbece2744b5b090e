import { Buffer } from 'node:buffer'
import { kmsError, type ServerKeys } from '@kms/core'
import { lp, u32 } from '@kms/core/internal'
import { ByteReader, MalformedBytes } from './byte-reader.ts'
import { encodePartEntries, type PartTable, type StoredPartTable } from './part-table.ts'
import { openDetails, type Sealing, sealDetails } from './sealed-details.ts'
import { NO_TEXT, type TextMap } from './text-map.ts'

/**
 * The checksums of an object's parts, for its part table; sealed unless the object is plain. `undefined` when no part has any. By name, because parts have
 * them under the same: u32 names ‖ per name, ascending by its UTF-8 bytes, lp(name) ‖ per part, 0 when it has none, else 1 ‖ lp(value).
 */
export function encodePartChecksums(
  checksums: readonly TextMap[],
  parts: PartTable,
  binding: Uint8Array,
  sealing: Sealing,
): Buffer | undefined {
  const names = [...new Set(checksums.flatMap((map) => [...map.keys()]))].map((name) => Buffer.from(name))
  if (names.length === 0) return undefined
  const columns = names.sort(Buffer.compare).flatMap((name) => {
    const values = checksums.map((map) => map.get(name.toString()))
    return [lp(name), ...values.flatMap((value) => (value === undefined ? [ABSENT] : [PRESENT, lp(value)]))]
  })
  const bytes = Buffer.concat([u32(names.length), ...columns])
  if (parts[0]?.salt.length === 0) return bytes
  return sealDetails(bytes, { kind: 'object-parts', binding, clear: encodePartEntries(parts) }, sealing)
}

const ABSENT = Buffer.of(0)
const PRESENT = Buffer.of(1)

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
    const maps = readColumns(reader, parts.length)
    reader.end()
    return maps
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    throw kmsError('ObjectDamaged', { what: 'the checksums of its parts are malformed' }, { cause: error })
  }
}

function readColumns(reader: ByteReader, partCount: number): readonly TextMap[] {
  const maps = Array.from({ length: partCount }, () => new Map<string, string>())
  let previous: Buffer | undefined
  for (let left = reader.u32(); left > 0; left--) {
    const name = reader.text()
    const order = Buffer.from(name)
    if (previous !== undefined && Buffer.compare(previous, order) >= 0) throw new MalformedBytes('names out of order')
    previous = order
    for (const map of maps) {
      const present = reader.u8()
      if (present > 1) throw new MalformedBytes('neither there nor not')
      if (present === 1) map.set(name, reader.text())
    }
  }
  return maps
}
