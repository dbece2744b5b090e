import { Buffer } from 'node:buffer'
import { u32 } from '@kms/core/internal'
import { type ByteReader, MalformedBytes } from './byte-reader.ts'

/** Names and values: content headers and user metadata, checksums, an encryption context. A Map, for the sake of `__proto__`. */
export type TextMap = ReadonlyMap<string, string>

export const NO_TEXT: TextMap = new Map()

const EMPTY = u32(0)

/**
 * u32 count ‖ for each pair, ascending by the name's UTF-8 bytes, lp(name) ‖ lp(value): the canonical form of encryption contexts, without
 * their limits. Throws `RangeError` for text that is not well-formed.
 */
export function encodeTextMap(map: TextMap): Buffer {
  if (map.size === 0) return EMPTY
  let size = 4
  for (const [name, value] of map) {
    if (!name.isWellFormed() || !value.isWellFormed())
      throw new RangeError('names and values must be well-formed Unicode')
    size += 8 + Buffer.byteLength(name) + Buffer.byteLength(value)
  }
  const bytes = Buffer.allocUnsafe(size)
  let end = bytes.writeUInt32BE(map.size)
  for (const [name, value] of map.size === 1 ? map : sorted(map)) {
    end = writeFramed(bytes, name, end)
    end = writeFramed(bytes, value, end)
  }
  return bytes
}

function sorted(map: TextMap): readonly (readonly [string, string])[] {
  return [...map]
    .map((pair) => ({ order: Buffer.from(pair[0]), pair }))
    .sort((a, b) => Buffer.compare(a.order, b.order))
    .map(({ pair }) => pair)
}

/** Writes `lp(text)` at `start`; returns where it ends. */
function writeFramed(bytes: Buffer, text: string, start: number): number {
  const length = bytes.write(text, start + 4)
  bytes.writeUInt32BE(length, start)
  return start + 4 + length
}

/** Reads what {@link encodeTextMap} wrote; names out of order or twice are refused. */
export function readTextMap(reader: ByteReader): TextMap {
  const map = new Map<string, string>()
  let previous: string | undefined
  for (let left = reader.u32(); left > 0; left--) {
    const name = reader.text()
    if (previous !== undefined && Buffer.compare(Buffer.from(previous), Buffer.from(name)) >= 0) {
      throw new MalformedBytes('names out of order')
    }
    previous = name
    map.set(name, reader.text())
  }
  return map
}
