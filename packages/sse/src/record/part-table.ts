import { Buffer } from 'node:buffer'
import { kmsError } from '@kms/core'
import { ByteWriter } from '@kms/core/internal'
import { checkFormat } from './blob-format.ts'
import { ByteReader, MalformedBytes } from './byte-reader.ts'

/** One stream of an object: the whole of it (number 0), or one part of a multipart upload (1–10 000). */
export interface PartEntry {
  readonly number: number
  /** Plaintext bytes. */
  readonly size: number
  /** The salt of the part's stream, 32 bytes; empty in a plain object. */
  readonly salt: Buffer
}

/** The streams of an object, in order: one of number 0, or parts by ascending number. */
export type PartTable = readonly PartEntry[]

export const MAX_PARTS = 10_000
/** A part table as it is stored. */
export interface StoredPartTable {
  readonly parts: PartTable
  /** The parts' checksums, if any part has one; sealed unless the object is plain. */
  readonly checksums: Buffer | undefined
}

const MAGIC = Buffer.from('KMSP', 'latin1')
const SALTED = 1
const CHECKSUMS = 2
const SALT_BYTES = 32

/** Plaintext bytes of an object. */
export function objectSize(parts: PartTable): number {
  return parts.reduce((sum, { size }) => sum + size, 0)
}

/** Whether an object was made by a multipart upload. */
export function isMultipart(parts: PartTable): boolean {
  return parts[0]?.number !== 0
}

/**
 * Writes u32 count ‖ per part u32 number ‖ u64 size ‖ salt: what the record MAC covers. Throws `RangeError` for a table no object has:
 * empty, more than 10 000 parts, numbers not ascending, salts of another length than the first's.
 */
export function writePartEntries(to: ByteWriter, parts: PartTable): void {
  checkTable(parts, (reason) => new RangeError(`part table: ${reason}`))
  to.u32(parts.length)
  for (const { number, size, salt } of parts) to.u32(number).u64(size).raw(salt)
}

/** What {@link writePartEntries} writes. */
export function encodePartEntries(parts: PartTable): Buffer {
  const writer = new ByteWriter(64)
  writePartEntries(writer, parts)
  return writer.written
}

/** `KMSP` ‖ format u8 = 1 ‖ flags u8 (1: with salts, 2: with checksums) ‖ entries ‖ lp(checksums), if any. */
export function encodePartTable({ parts, checksums }: StoredPartTable): Buffer {
  const flags = (parts[0]?.salt.length === 0 ? 0 : SALTED) | (checksums === undefined ? 0 : CHECKSUMS)
  const table = new ByteWriter(128).raw(MAGIC).u8(1).u8(flags)
  writePartEntries(table, parts)
  if (checksums !== undefined) table.framed(checksums)
  return Buffer.from(table.written)
}

/** Reads what {@link encodePartTable} wrote. Throws `ObjectDamaged`, and `NewerFormat`. */
export function decodePartTable(bytes: Buffer): StoredPartTable {
  try {
    const reader = new ByteReader(bytes)
    checkFormat(reader, MAGIC, 'the part table of an object')
    const flags = reader.u8()
    if (flags > (SALTED | CHECKSUMS)) throw new MalformedBytes('unknown flags')
    const parts: PartEntry[] = []
    for (let left = reader.u32(); left > 0; left--) {
      const [number, size] = [reader.u32(), reader.u64()]
      parts.push({ number, size, salt: reader.take(flags & SALTED ? SALT_BYTES : 0) })
    }
    const checksums = flags & CHECKSUMS ? reader.framed() : undefined
    reader.end()
    checkTable(parts, (reason) => new MalformedBytes(reason))
    return { parts, checksums }
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    throw kmsError('ObjectDamaged', { what: 'its part table is malformed' }, { cause: error })
  }
}

function checkTable(parts: PartTable, problem: (reason: string) => Error): void {
  if (parts.length < 1 || parts.length > MAX_PARTS) throw problem('there must be 1 to 10000 parts')
  if (!Number.isSafeInteger(objectSize(parts))) throw problem('sizes add up to more than 2^53')
  const salted = parts[0]?.salt.length !== 0
  let before = 0
  for (const { number, salt } of parts) {
    const first = before === 0 && number === 0 && parts.length === 1
    if (!first && (number <= before || number > MAX_PARTS)) throw problem('numbers must ascend, 1 to 10000')
    if (salt.length !== (salted ? SALT_BYTES : 0)) throw problem('a salt has 32 bytes')
    before = number
  }
}
