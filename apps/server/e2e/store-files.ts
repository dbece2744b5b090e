import { Buffer } from 'node:buffer'
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open } from 'lmdb'

/** A row of the index: where the pieces of a record lie, as `packages/store-fs/README.md` has it. */
export interface Row {
  readonly bytes: Buffer
  readonly head: Record<string, unknown>
  /** Of the head and of each blob that is there: its first byte, and the one behind its last. */
  readonly pieces: readonly (readonly [start: number, end: number])[]
}

/** What a store keeps, for whoever would change it behind the server's back. */
export interface StoreFiles {
  get(table: string, key: Buffer): Buffer
  keysOf(table: string, prefix: Buffer): readonly Buffer[]
  put(table: string, key: Buffer, value: Buffer): Promise<void>
  bodyPath(id: string): string
  close(): Promise<void>
}

/** Opens the index of a store beside a server that has it open, the way the server does. */
export function openStoreFiles(directory: string): StoreFiles {
  const binary = { encoding: 'binary', keyEncoding: 'binary', cache: false } as const
  const root = open<Buffer, Buffer>(join(directory, 'index'), {
    ...binary,
    mapSize: 2 ** 40,
    maxDbs: 20,
    maxReaders: 1024,
    overlappingSync: false,
    eventTurnBatching: false,
  })
  const tables = new Map<string, Database<Buffer, Buffer>>()
  const tableOf = (name: string): Database<Buffer, Buffer> => {
    const table = tables.get(name) ?? root.openDB<Buffer, Buffer>({ name, ...binary })
    tables.set(name, table)
    return table
  }
  return {
    get(table, key) {
      // What another process wrote shows in the next turn of the event loop otherwise.
      root.resetReadTxn()
      const value = tableOf(table).get(key)
      if (value === undefined) throw new Error(`there is no such row in ${table}`)
      return Buffer.from(value)
    },
    keysOf: (table, prefix) =>
      [...tableOf(table).getKeys({ start: prefix })]
        .map((key) => Buffer.from(key))
        .filter((key) => key.indexOf(prefix) === 0),
    async put(table, key, value) {
      await tableOf(table).put(key, value)
    },
    bodyPath: (id) => join(directory, 'bodies', id.slice(0, 2), id),
    close: () => root.close(),
  }
}

/** `u8 1 ‖ lp(JSON) ‖ lp(blob)…`, lengths as u32, 0xFFFFFFFF for a blob that is absent. */
export function parseRow(bytes: Buffer): Row {
  const pieces: [number, number][] = []
  for (let offset = 1; offset < bytes.length; ) {
    const length = bytes.readUInt32BE(offset)
    offset += 4
    if (length === 0xffffffff) continue
    pieces.push([offset, offset + length])
    offset += length
  }
  const [start, end] = pieces[0] as [number, number]
  return { bytes, head: JSON.parse(bytes.toString('utf8', start, end)) as Record<string, unknown>, pieces }
}

/** A row with its blobs in the places of another's; heads stay. */
export function withBlobsOf(row: Row, other: Row, blobs: readonly ('metadata' | 'keys')[]): Buffer {
  const parts = (['head', 'metadata', 'keys'] as const).map((name, index) => {
    const { bytes, pieces } = name !== 'head' && blobs.includes(name) ? other : row
    const [start, end] = pieces[index] as [number, number]
    return bytes.subarray(start - 4, end)
  })
  return Buffer.concat([row.bytes.subarray(0, 1), ...parts])
}

export function flipped(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes)
  changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return changed
}

/** Runs `work` while a file holds other bytes. */
export async function whileChanged(path: string, bytes: Buffer, work: () => Promise<void>): Promise<void> {
  const before = readFileSync(path)
  overwrite(path, bytes)
  try {
    await work()
  } finally {
    overwrite(path, before)
  }
}

/** Runs `work` while one bit of a file is another. */
export async function whileFlipped(path: string, bit: number, work: () => Promise<void>): Promise<void> {
  const flip = (): void => {
    const file = openSync(path, 'r+')
    const byte = Buffer.alloc(1)
    readSync(file, byte, 0, 1, bit >> 3)
    writeSync(file, flipped(byte, bit & 7), 0, 1, bit >> 3)
    closeSync(file)
  }
  flip()
  try {
    await work()
  } finally {
    flip()
  }
}

/** In place: whoever has the file open sees it. */
function overwrite(path: string, bytes: Buffer): void {
  const file = openSync(path, 'r+')
  if (fstatSync(file).size > bytes.length) ftruncateSync(file, bytes.length)
  writeSync(file, bytes, 0, bytes.length, 0)
  closeSync(file)
}
