import { Buffer } from 'node:buffer'

/** `n` as four big-endian bytes; `0 <= n < 2^32`. */
export function u32(n: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(n)
  return bytes
}

/** `lp(x)` of the formats: u32 length, then the bytes; strings as UTF-8. */
export function lp(x: string | Uint8Array): Buffer {
  const length = typeof x === 'string' ? Buffer.byteLength(x) : x.length
  const framed = Buffer.allocUnsafe(4 + length)
  framed.writeUInt32BE(length)
  if (typeof x === 'string') framed.write(x, 4)
  else framed.set(x, 4)
  return framed
}

/** A domain separation label of the formats: the ASCII text, then one zero byte. */
export function label(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'latin1')
}
