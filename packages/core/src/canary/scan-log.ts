import { Buffer } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'
import { type CanaryLine, parseLine } from './canary-line.ts'

export interface ScannedLine {
  /** Absent: damaged. */
  readonly line: CanaryLine | undefined
  readonly offset: number
  /** Without its end. */
  readonly length: number
}

const NEWLINE = 0x0a
/** Read and parsed at once: some two milliseconds' work. */
const PIECE_BYTES = 256 * 1024

/** The complete lines of a log between two offsets, in pieces between which others get their turn. */
export async function* scanLog(file: FileHandle, from: number, to: number): AsyncGenerator<readonly ScannedLine[]> {
  let rest: Buffer = Buffer.alloc(0)
  for (let at = from; at < to; ) {
    const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, to - at))
    const { bytesRead } = await file.read(piece, 0, piece.length, at)
    if (bytesRead === 0) return
    const bytes = Buffer.concat([rest, piece.subarray(0, bytesRead)])
    const first = at - rest.length
    const lines: ScannedLine[] = []
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      const line = parseLine(bytes.toString('utf8', start, end))
      lines.push({ line, offset: first + start, length: end - start })
      start = end + 1
    }
    rest = bytes.subarray(start)
    at += bytesRead
    yield lines
  }
}
