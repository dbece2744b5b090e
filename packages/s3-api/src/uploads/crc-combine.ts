import { Buffer } from 'node:buffer'
import type { ChecksumAlgorithm } from '@kms/sigv4'

/** Polynomials in the reflected form the algorithms are computed in. */
const POLYNOMIALS: Partial<Record<ChecksumAlgorithm, { readonly bits: bigint; readonly polynomial: bigint }>> = {
  CRC32: { bits: 32n, polynomial: 0xedb88320n },
  CRC32C: { bits: 32n, polynomial: 0x82f63b78n },
  CRC64NVME: { bits: 64n, polynomial: 0x9a6c9329ac4bc9b5n },
}

/** A CRC of one part, in base64, and the bytes it is of. */
export interface PartCrc {
  readonly value: string
  readonly size: number
}

/**
 * The CRC of parts one behind the other, from theirs alone: that of the first ones, shifted by the length of the next, plus that of the next. The
 * inversions at both ends cancel out. `undefined` for algorithms that are no CRC.
 */
export function combineCrcs(algorithm: ChecksumAlgorithm, parts: readonly PartCrc[]): string | undefined {
  const parameters = POLYNOMIALS[algorithm]
  if (parameters === undefined) return undefined
  const { bits, polynomial } = parameters
  const top = 1n << (bits - 1n)

  /** The product of two polynomials, the highest power in the lowest bit. */
  function multiply(a: bigint, b: bigint): bigint {
    let product = 0n
    let shifted = b
    for (let mask = top; mask > 0n; mask >>= 1n) {
      if ((a & mask) !== 0n) product ^= shifted
      shifted = (shifted & 1n) === 1n ? (shifted >> 1n) ^ polynomial : shifted >> 1n
    }
    return product
  }

  /** x to the power of 8 · `bytes`. */
  function shiftOf(bytes: number): bigint {
    let result = top
    let square = top >> 8n
    for (let left = BigInt(bytes); left > 0n; left >>= 1n) {
      if ((left & 1n) === 1n) result = multiply(result, square)
      square = multiply(square, square)
    }
    return result
  }

  const shifts = new Map<number, bigint>()
  let combined = 0n
  for (const { value, size } of parts) {
    const shift = shifts.get(size) ?? shiftOf(size)
    shifts.set(size, shift)
    combined = multiply(combined, shift) ^ BigInt(`0x${Buffer.from(value, 'base64').toString('hex')}`)
  }
  const hex = combined.toString(16).padStart(Number(bits) / 4, '0')
  return Buffer.from(hex, 'hex').toString('base64')
}
