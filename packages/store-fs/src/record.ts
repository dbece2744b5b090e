import { Buffer } from 'node:buffer'
import { storeError } from './store-error.ts'

const VERSION = 1
const ABSENT = 0xffffffff

/** A value in the database: a small head in JSON, and blobs nobody here looks into. */
export interface StoredRecord<H> {
  readonly head: H
  readonly blobs: readonly (Buffer | undefined)[]
}

/** `u8 version ‖ lp(JSON) ‖ lp(blob)…`, lengths as u32 big-endian, 0xFFFFFFFF for a blob that is absent. */
export function encodeRecord(head: unknown, blobs: readonly (Uint8Array | undefined)[] = []): Buffer {
  const parts: Uint8Array[] = [Buffer.of(VERSION)]
  for (const blob of [Buffer.from(JSON.stringify(head)), ...blobs]) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(blob?.length ?? ABSENT)
    parts.push(length)
    if (blob !== undefined) parts.push(blob)
  }
  return Buffer.concat(parts)
}

/** Throws `Damaged` for bytes {@link encodeRecord} did not make. */
export function decodeRecord<H>(bytes: Buffer): StoredRecord<H> {
  try {
    if (bytes[0] !== VERSION) throw new RangeError('another version')
    const pieces: (Buffer | undefined)[] = []
    let offset = 1
    while (offset < bytes.length) {
      const length = bytes.readUInt32BE(offset)
      offset += 4
      if (length === ABSENT) {
        pieces.push(undefined)
        continue
      }
      if (offset + length > bytes.length) throw new RangeError('a length points beyond the end')
      pieces.push(bytes.subarray(offset, offset + length))
      offset += length
    }
    const [head, ...blobs] = pieces
    if (head === undefined) throw new RangeError('there is no head')
    return { head: JSON.parse(head.toString('utf8')) as H, blobs }
  } catch (error) {
    throw storeError('Damaged', 'a record of the database cannot be read', error)
  }
}
