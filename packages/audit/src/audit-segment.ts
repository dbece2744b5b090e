import type { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, syncDirectory, timestamp } from '@kms/core'
import { auditFileName } from './audit-directory.ts'
import type { AuditKey } from './audit-key.ts'
import { lineHash, lineText } from './audit-line.ts'

/** A checkpoint as it was written: what to keep elsewhere, so that a cut-off end shows. */
export interface AuditCheckpoint {
  readonly chain: string
  readonly seq: number
  /** Hex. */
  readonly head: string
}

/** One file while it is written. A call that throws leaves it unusable: open another one at what is then on disk. */
export interface AuditSegment {
  /** Bytes written. */
  readonly size: number
  /** Lines since the last checkpoint. */
  readonly unsealed: number
  /** Appends lines, each given as its type and members, in one write. */
  append(lines: readonly (readonly [type: string, members: object])[]): Promise<void>
  checkpoint(): Promise<AuditCheckpoint>
  /** Makes what was written durable. */
  sync(): Promise<void>
  /** The next file of the same chain; this one is closed. */
  next(): Promise<AuditSegment>
  close(): Promise<void>
}

export interface AuditSegmentOptions {
  readonly directory: string
  readonly index: number
  readonly chain: string
  /** Of the line before the first one. */
  readonly prev: string
  /** Of the line before the first one; 0 for a new chain. */
  readonly seq: number
  readonly key: AuditKey
  readonly clock: Clock
  readonly openFile: typeof open
}

/** Begins a file, which must not exist, with a line that says which file it is and whose signatures are in it. */
export async function openSegment(options: AuditSegmentOptions): Promise<AuditSegment> {
  const { directory, index, chain, key, clock, openFile } = options
  let { seq, prev } = options
  let size = 0
  let unsealed = 0
  const name = auditFileName(index)
  const file = await openFile(join(directory, name), 'wx', 0o600)

  async function write(texts: readonly string[]): Promise<void> {
    const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''))
    for (let written = 0; written < bytes.length; ) {
      written += (await file.write(bytes, written, bytes.length - written)).bytesWritten
    }
    size += bytes.length
  }

  function nextLine(type: string, members: object): string {
    const text = lineText({ seq: seq + 1, chain, prev }, type, timestamp(clock), members)
    seq += 1
    prev = lineHash(text)
    return text
  }

  const segment: AuditSegment = {
    get size() {
      return size
    },
    get unsealed() {
      return unsealed
    },

    async append(lines) {
      unsealed += lines.length
      await write(lines.map(([type, members]) => nextLine(type, members)))
    },

    async checkpoint() {
      // The head commits to everything up to and in this line, all but itself and its signature.
      const place = { seq: seq + 1, chain, prev }
      const said = { key_id: key.id }
      const time = timestamp(clock)
      const head = lineHash(lineText(place, 'checkpoint', time, said))
      const signature = key.sign({ chain, seq: place.seq, head })
      const text = lineText(place, 'checkpoint', time, { ...said, head, signature })
      await write([text])
      seq = place.seq
      prev = lineHash(text)
      unsealed = 0
      return { chain, seq, head }
    },

    sync: () => file.datasync(),

    async next() {
      await file.sync()
      const following = await openSegment({ ...options, index: index + 1, prev, seq })
      await file.close()
      return following
    },

    close: () => file.close(),
  }
  try {
    await segment.append([['open', { file: name, key_id: key.id, public_key: key.publicKey }]])
    await file.sync()
    await syncDirectory(directory)
    return segment
  } catch (error) {
    await file.close().catch(() => {})
    throw error
  }
}
