import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory, writeDurably } from '@kms/core'
import { listAuditFiles } from './audit-directory.ts'
import { lineHash, NOTHING_BEFORE } from './audit-line.ts'

/** The end of what a directory holds. */
export interface AuditTail {
  /** Of the file to write next. */
  readonly nextIndex: number
  /** Of the last whole line. */
  readonly prev: string
  /** Half lines that a crash left, and where they were moved. */
  readonly torn: readonly TornPiece[]
}

export interface TornPiece {
  /** Name of the file it is in now. */
  readonly file: string
  readonly bytes: number
  /** Of those bytes, in hex. */
  readonly sha256: string
}

/**
 * Finds the end of the last line that was written whole. What a crash left behind it is moved aside, never thrown away, into
 * a file that is named after it and its hash.
 */
export async function recoverTail(directory: string): Promise<AuditTail> {
  const files = await listAuditFiles(directory)
  const torn: TornPiece[] = []
  for (let last = files.pop(); last !== undefined; last = files.pop()) {
    const { name, index } = last
    const path = join(directory, name)
    const bytes = await readFile(path)
    const end = bytes.lastIndexOf(0x0a) + 1
    if (end < bytes.length || end === 0) {
      const piece = describe(name, bytes.subarray(end))
      torn.push(piece)
      // Without one line the file was only just begun, and its number is free again.
      if (end === 0) await rename(path, join(directory, piece.file))
      else {
        await writeDurably(join(directory, piece.file), bytes.subarray(end), { mode: 0o600 })
        await cut(path, end)
      }
      await syncDirectory(directory)
    }
    if (end === 0) continue
    const start = bytes.lastIndexOf(0x0a, end - 2) + 1
    return { nextIndex: index + 1, prev: lineHash(bytes.subarray(start, end - 1)), torn }
  }
  return { nextIndex: 1, prev: NOTHING_BEFORE, torn }
}

function describe(name: string, bytes: Uint8Array): TornPiece {
  const sha256 = lineHash(bytes)
  return { file: `${name}.${sha256.slice(0, 16)}.torn`, bytes: bytes.length, sha256 }
}

async function cut(path: string, length: number): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.truncate(length)
    await file.sync()
  } finally {
    await file.close()
  }
}
