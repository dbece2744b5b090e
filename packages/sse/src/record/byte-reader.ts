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
    const end = this.#offset + length
    if (end > this.#bytes.length) throw new MalformedBytes('too short')
    const taken = this.#bytes.subarray(this.#offset, end)
    this.#offset = end
    return taken
  }

  u8(): number {
    return this.take(1).readUInt8()
  }

  u32(): number {
    return this.take(4).readUInt32BE()
  }

  /** A u64 up to 2^53 − 1. */
  u64(): number {
    const value = Number(this.take(8).readBigUInt64BE())
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
  bytes.writeBigUInt64BE(BigInt(n))
  return bytes
}
