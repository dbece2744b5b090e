const POLYNOMIAL = 0x82f63b78
const LANES = 8

/** `tables[lane * 256 + byte]`: the remainder of that byte followed by `lane` zero bytes. */
const tables: Uint32Array = new Uint32Array(LANES * 256)
for (let byte = 0; byte < 256; byte++) {
  let remainder = byte
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? POLYNOMIAL : 0)
  tables[byte] = remainder
}
for (let index = 256; index < tables.length; index++) {
  const before = at(index - 256)
  tables[index] = (before >>> 8) ^ at(before & 0xff)
}

/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes a step. `previous` is the result for the bytes before these, 0
 * for none; the result is an unsigned 32-bit number.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  let crc = ~previous
  let index = 0
  for (const end = bytes.length - LANES; index <= end; index += LANES) {
    const low =
      crc ^
      (byteAt(bytes, index) |
        (byteAt(bytes, index + 1) << 8) |
        (byteAt(bytes, index + 2) << 16) |
        (byteAt(bytes, index + 3) << 24))
    crc =
      at(0x700 | (low & 0xff)) ^
      at(0x600 | ((low >>> 8) & 0xff)) ^
      at(0x500 | ((low >>> 16) & 0xff)) ^
      at(0x400 | (low >>> 24)) ^
      at(0x300 | byteAt(bytes, index + 4)) ^
      at(0x200 | byteAt(bytes, index + 5)) ^
      at(0x100 | byteAt(bytes, index + 6)) ^
      at(byteAt(bytes, index + 7))
  }
  for (; index < bytes.length; index++) crc = (crc >>> 8) ^ at((crc ^ byteAt(bytes, index)) & 0xff)
  return ~crc >>> 0
}

function at(index: number): number {
  return tables[index] as number
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number
}
