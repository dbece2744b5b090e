// 0x9a6c9329ac4bc9b5 in two halves: JavaScript's bitwise operators know 32 bits.
const POLYNOMIAL_HIGH = 0x9a6c9329
const POLYNOMIAL_LOW = 0xac4bc9b5
const LANES = 8

/** `tables[lane * 256 + byte]`, in two halves: the remainder of that byte followed by `lane` zero bytes. */
const highTables: Uint32Array = new Uint32Array(LANES * 256)
const lowTables: Uint32Array = new Uint32Array(LANES * 256)
for (let byte = 0; byte < 256; byte++) {
  let high = 0
  let low = byte
  for (let bit = 0; bit < 8; bit++) {
    const carry = low & 1
    low = ((low >>> 1) | (high << 31)) ^ (carry ? POLYNOMIAL_LOW : 0)
    high = (high >>> 1) ^ (carry ? POLYNOMIAL_HIGH : 0)
  }
  highTables[byte] = high
  lowTables[byte] = low
}
for (let index = 256; index < lowTables.length; index++) {
  const high = at(highTables, index - 256)
  const low = at(lowTables, index - 256)
  highTables[index] = (high >>> 8) ^ at(highTables, low & 0xff)
  lowTables[index] = ((low >>> 8) | (high << 24)) ^ at(lowTables, low & 0xff)
}

/** A CRC-64 as two unsigned 32-bit halves. */
export interface Crc64 {
  readonly high: number
  readonly low: number
}

const NOTHING: Crc64 = { high: 0, low: 0 }

/**
 * CRC-64/NVME (NVM Express NVM Command Set Specification, "64b Guard"), eight bytes a step. `previous` is the result for
 * the bytes before these.
 */
export function crc64nvme(bytes: Uint8Array, previous: Crc64 = NOTHING): Crc64 {
  let high = ~previous.high
  let low = ~previous.low
  let index = 0
  for (const end = bytes.length - LANES; index <= end; index += LANES) {
    low ^= wordAt(bytes, index)
    high ^= wordAt(bytes, index + 4)
    const newHigh = step(highTables, low, high)
    low = step(lowTables, low, high)
    high = newHigh
  }
  for (; index < bytes.length; index++) {
    const entry = (low ^ (bytes[index] as number)) & 0xff
    low = ((low >>> 8) | (high << 24)) ^ at(lowTables, entry)
    high = (high >>> 8) ^ at(highTables, entry)
  }
  return { high: ~high >>> 0, low: ~low >>> 0 }
}

/** The remainder of eight bytes: `low` the first four, `high` the next, both little-endian. */
function step(tables: Uint32Array, low: number, high: number): number {
  return (
    at(tables, 0x700 | (low & 0xff)) ^
    at(tables, 0x600 | ((low >>> 8) & 0xff)) ^
    at(tables, 0x500 | ((low >>> 16) & 0xff)) ^
    at(tables, 0x400 | (low >>> 24)) ^
    at(tables, 0x300 | (high & 0xff)) ^
    at(tables, 0x200 | ((high >>> 8) & 0xff)) ^
    at(tables, 0x100 | ((high >>> 16) & 0xff)) ^
    at(tables, high >>> 24)
  )
}

function wordAt(bytes: Uint8Array, index: number): number {
  return (
    (bytes[index] as number) |
    ((bytes[index + 1] as number) << 8) |
    ((bytes[index + 2] as number) << 16) |
    ((bytes[index + 3] as number) << 24)
  )
}

function at(table: Uint32Array, index: number): number {
  return table[index] as number
}
