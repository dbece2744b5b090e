import { Buffer } from 'node:buffer'
import { lp, u32 } from '@kms/core/internal'
import { type ByteReader, MalformedBytes } from './byte-reader.ts'

/** Names and values: content headers and user metadata, checksums, an encryption context. A Map, for the sake of `__proto__`. */
export type TextMap = ReadonlyMap<string, string>

export const NO_TEXT: TextMap = new Map()

/**
 * u32 count ‖ for each pair, ascending by the name's UTF-8 bytes, lp(name) ‖ lp(value): the canonical form of encryption contexts, without
 * their limits. Throws `RangeError` for text that is not well-formed.
 */
export function encodeTextMap(map: TextMap): Buffer {
  const pairs = [...map].map(([name, value]) => {
    if (!name.isWellFormed() || !value.isWellFormed())
      throw new RangeError('names and values must be well-formed Unicode')
    return { order: Buffer.from(name), value }
  })
  pairs.sort((a, b) => Buffer.compare(a.order, b.order))
  return Buffer.concat([u32(pairs.length), ...pairs.flatMap(({ order, value }) => [lp(order), lp(value)])])
}

/** Reads what {@link encodeTextMap} wrote; names out of order or twice are refused. */
export function readTextMap(reader: ByteReader): TextMap {
  const map = new Map<string, string>()
  let previous: Buffer | undefined
  for (let left = reader.u32(); left > 0; left--) {
    const name = reader.text()
    const order = Buffer.from(name)
    if (previous !== undefined && Buffer.compare(previous, order) >= 0) throw new MalformedBytes('names out of order')
    previous = order
    map.set(name, reader.text())
  }
  return map
}
