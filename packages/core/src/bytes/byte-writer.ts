import { Buffer } from 'node:buffer'

/** Writes a binary format into one piece of memory, which grows: what is put together of many small buffers costs one for each. */
export class ByteWriter {
  #bytes: Buffer
  #end = 0

  /** Room for as many bytes to begin with. */
  constructor(room: number) {
    this.#bytes = Buffer.allocUnsafe(room)
  }

  /** What was written; a view, good until more is written. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#end)
  }

  u8(value: number): this {
    const start = this.#pass(1)
    this.#bytes[start] = value
    return this
  }

  u32(value: number): this {
    const start = this.#pass(4)
    this.#bytes.writeUInt32BE(value, start)
    return this
  }

  /** A safe integer ≥ 0, in eight bytes. Throws `RangeError` for any other. */
  u64(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no size`)
    return this.u32(Math.floor(value / 2 ** 32)).u32(value % 2 ** 32)
  }

  raw(bytes: Uint8Array): this {
    const start = this.#pass(bytes.length)
    this.#bytes.set(bytes, start)
    return this
  }

  /** `lp(x)` of the formats: u32 length, then the bytes; strings as UTF-8. */
  framed(x: string | Uint8Array): this {
    if (typeof x !== 'string') return this.u32(x.length).raw(x)
    const length = Buffer.byteLength(x)
    const start = this.u32(length).#pass(length)
    this.#bytes.write(x, start)
    return this
  }

  #pass(length: number): number {
    const start = this.#end
    this.#end += length
    if (this.#end > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(2 * this.#end)
      larger.set(this.#bytes.subarray(0, start))
      this.#bytes = larger
    }
    return start
  }
}
