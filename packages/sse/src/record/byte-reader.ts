import { Buffer, isUtf8 } from 'node:buffer'

/** Thrown by a {@link ByteReader}: the bytes are not what was written. Never leaves this package. */
export class MalformedBytes extends Error {
  override readonly name = 'MalformedBytes'
}

/** Reads a binary format strictly: nothing missing, nothing left over. Every method throws {@link MalformedBytes}. */
export class ByteReader {
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** What was read so far. */
  get consumed(): Buffer {
    return this.#bytes.subarray(0, this.#offset)
  }

  /** A view, not a copy. */
  take(length: number): Buffer {
    const start = this.#pass(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** Where the next `length` bytes begin, which are read then. */
  #pass(length: number): number {
    const start = this.#offset
    if (start + length > this.#bytes.length) throw new MalformedBytes('too short')
    this.#offset = start + length
    return start
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#pass(1))
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#pass(4))
  }

  /** A u64 up to 2^53 − 1. */
  u64(): number {
    const start = this.#pass(8)
    // Two halves instead of a BigInt.
    const value = this.#bytes.readUInt32BE(start) * 2 ** 32 + this.#bytes.readUInt32BE(start + 4)
    if (!Number.isSafeInteger(value)) throw new MalformedBytes('a number beyond 2^53')
    return value
  }

  /** `lp(x)`. */
  framed(): Buffer {
    return this.take(this.u32())
  }

  /** `lp(text)`, UTF-8. */
  text(): string {
    const bytes = this.framed()
    if (!isUtf8(bytes)) throw new MalformedBytes('not UTF-8')
    return bytes.toString('utf8')
  }

  end(): void {
    if (this.#offset !== this.#bytes.length) throw new MalformedBytes('something follows')
  }
}

/** `n` as eight big-endian bytes; a safe integer ≥ 0. */
export function u64(n: number): Buffer {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`${n} is no size`)
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeUInt32BE(Math.floor(n / 2 ** 32))
  bytes.writeUInt32BE(n % 2 ** 32, 4)
  return bytes
}
