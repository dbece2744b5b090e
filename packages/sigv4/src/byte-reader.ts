/** Reads a body that arrives in pieces of any size. */
export interface ByteReader {
  /** The next bytes, at least one and at most `limit`, as a view of the piece they came in; `undefined` at the end. */
  readonly readSome: (limit: number) => Promise<Uint8Array | undefined>
  /** Exactly `length` bytes; `undefined` when the body ends before. Memory grows with what arrived, not with `length`. */
  readonly readExactly: (length: number) => Promise<Uint8Array | undefined>
  /** The next line without its CR LF, as Latin-1; `undefined` when the body ends before, or the line is longer than `limit`. */
  readonly readLine: (limit: number) => Promise<string | undefined>
}

const NOTHING = new Uint8Array(0)
const FIRST_CAPACITY = 65_536
const LINE_FEED = 0x0a

/** Never closes what it reads; that is for whoever made the iterator. */
export function createByteReader(iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>): ByteReader {
  let piece: Uint8Array = NOTHING
  let ended = false

  /** Makes sure `piece` is not empty; `false` at the end. */
  const fill = async (): Promise<boolean> => {
    while (piece.length === 0 && !ended) {
      const next = await iterator.next()
      if (next.done === true) ended = true
      else piece = next.value
    }
    return piece.length > 0
  }

  const take = (length: number): Uint8Array => {
    const taken = piece.subarray(0, length)
    piece = piece.subarray(length)
    return taken
  }

  return {
    readSome: async (limit) => ((await fill()) ? take(limit) : undefined),

    readExactly: async (length) => {
      if (length === 0) return NOTHING
      if (!(await fill())) return undefined
      if (piece.length >= length) return take(length)
      let buffer = Buffer.allocUnsafeSlow(Math.min(length, FIRST_CAPACITY))
      let filled = 0
      while (filled < length) {
        if (!(await fill())) return undefined
        const some = take(length - filled)
        if (filled + some.length > buffer.length) {
          const larger = Buffer.allocUnsafeSlow(Math.min(length, Math.max(2 * buffer.length, filled + some.length)))
          buffer.copy(larger, 0, 0, filled)
          buffer = larger
        }
        buffer.set(some, filled)
        filled += some.length
      }
      return buffer
    },

    readLine: async (limit) => {
      let line = ''
      while (await fill()) {
        const feed = piece.indexOf(LINE_FEED)
        const some = take(Math.min(feed < 0 ? piece.length : feed + 1, limit + 2 - line.length))
        line += Buffer.from(some.buffer, some.byteOffset, some.length).toString('latin1')
        if (line.endsWith('\r\n')) return line.slice(0, -2)
        if (line.length >= limit + 2) return undefined
      }
      return undefined
    },
  }
}
