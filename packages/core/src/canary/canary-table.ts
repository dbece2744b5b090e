import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** A line of a log that tells of a key, and where it stands. */
export interface LoggedLine {
  /** {@link keyHash}. */
  readonly key: Buffer
  readonly destroyed: boolean
  /** Of the canary, or at which the key was destroyed. */
  readonly version: number
  readonly offset: number
  /** Without its end. */
  readonly length: number
}

/** What a log says of one key. */
export interface LoggedMemory {
  /** 0: there is no canary of it. */
  readonly highestVersion: number
  /** 0: never destroyed. */
  readonly destroyedVersion: number
}

/**
 * The lines of a log in the order of their keys, 32 bytes each, so that what is known of a key is found by halving and
 * nothing has to be read into memory line by line: key hash 16 ‖ 0 or, of a destroyed key, 1 ‖ u32 version ‖ u48 offset ‖
 * u32 length ‖ 0.
 */
export interface CanaryTable {
  readonly bytes: Buffer
  readonly lines: number
  at(index: number): LoggedLine
  /** `undefined` when no line tells of the key. */
  memory(key: Buffer): LoggedMemory | undefined
  /** The canaries of a key, ascending by version. */
  canariesOf(key: Buffer): readonly LoggedLine[]
}

export const RECORD_BYTES = 32
const HASH_BYTES = 16
/** What lines are ordered by, and looked for by: key, kind, version. */
const ORDER_BYTES = HASH_BYTES + 5

/** What stands for a key in a table: the first 16 bytes of the SHA-256 of its id. */
export function keyHash(keyId: string): Buffer {
  return hash('sha256', keyId, 'buffer').subarray(0, HASH_BYTES)
}

/** `bytes` holds whole records, in order. */
export function createCanaryTable(bytes: Buffer): CanaryTable {
  const lines = bytes.length / RECORD_BYTES

  function at(index: number): LoggedLine {
    const start = index * RECORD_BYTES
    return {
      key: bytes.subarray(start, start + HASH_BYTES),
      destroyed: bytes[start + HASH_BYTES] === 1,
      version: bytes.readUInt32BE(start + 17),
      offset: bytes.readUIntBE(start + 21, 6),
      length: bytes.readUInt32BE(start + 27),
    }
  }

  /** How many lines come before what is looked for, or are of its very key, kind and version. */
  function upTo(key: Buffer, destroyed: boolean, version: number): number {
    const wanted = Buffer.alloc(ORDER_BYTES)
    wanted.set(key)
    wanted[HASH_BYTES] = destroyed ? 1 : 0
    wanted.writeUInt32BE(version, HASH_BYTES + 1)
    let [low, high] = [0, lines]
    while (low < high) {
      const middle = (low + high) >>> 1
      const start = middle * RECORD_BYTES
      if (bytes.compare(wanted, 0, ORDER_BYTES, start, start + ORDER_BYTES) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The highest version of a kind; 0: there is none. */
  function highest(key: Buffer, destroyed: boolean): number {
    const last = upTo(key, destroyed, 0xffff_ffff) - 1
    if (last < 0) return 0
    const line = at(last)
    return line.destroyed === destroyed && line.key.equals(key) ? line.version : 0
  }

  return {
    bytes,
    lines,
    at,
    memory(key) {
      const memory = { highestVersion: highest(key, false), destroyedVersion: highest(key, true) }
      return memory.highestVersion === 0 && memory.destroyedVersion === 0 ? undefined : memory
    },
    canariesOf(key) {
      const from = upTo(key, false, 0)
      return Array.from({ length: upTo(key, false, 0xffff_ffff) - from }, (_, i) => at(from + i))
    },
  }
}

/** A table that holds more lines; others get their turn while it is made. */
export async function extendTable(table: CanaryTable, added: readonly LoggedLine[]): Promise<CanaryTable> {
  const byFirst: LoggedLine[][] = Array.from({ length: 256 }, () => [])
  for (const line of added) byFirst[line.key[0] as number]?.push(line)
  const bytes = Buffer.allocUnsafe(table.bytes.length + added.length * RECORD_BYTES)
  let read = 0
  let written = 0
  for (const [first, lines] of byFirst.entries()) {
    const records = lines.map(encode)
    for (; table.bytes[read] === first && read < table.bytes.length; read += RECORD_BYTES) {
      records.push(table.bytes.subarray(read, read + RECORD_BYTES))
    }
    records.sort(Buffer.compare)
    for (const record of records) written += record.copy(bytes, written)
    await nextTurn()
  }
  return createCanaryTable(bytes)
}

function encode({ key, destroyed, version, offset, length }: LoggedLine): Buffer {
  const record = Buffer.alloc(RECORD_BYTES)
  record.set(key)
  record[HASH_BYTES] = destroyed ? 1 : 0
  record.writeUInt32BE(version, 17)
  record.writeUIntBE(offset, 21, 6)
  record.writeUInt32BE(length, 27)
  return record
}
