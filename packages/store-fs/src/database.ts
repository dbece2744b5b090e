import type { Buffer } from 'node:buffer'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { type Database as LmdbDatabase, open, type RootDatabaseOptions } from 'lmdb'
import { storeError } from './store-error.ts'

/** One table of the database; keys in the order of their bytes. */
export interface Table {
  get(key: Buffer): Buffer | undefined
  /** From `start` to `end`, the latter not included, as of one instant. To be iterated without waiting in between. */
  range(bounds: {
    readonly start: Buffer
    readonly end?: Buffer
  }): Iterable<{ readonly key: Buffer; readonly value: Buffer }>
  /** Inside a transaction only. */
  put(key: Buffer, value: Buffer): void
  /** Inside a transaction only; of a table of several values for a key, the one given. */
  remove(key: Buffer, value?: Buffer): void
}

const TABLES = [
  'meta',
  'buckets',
  'objects',
  'tags',
  'parts',
  'segments',
  'uploads',
  'uploadIndex',
  'uploadParts',
  'pending',
  'garbage',
  'uses',
  'sessions',
] as const

type TableName = (typeof TABLES)[number]

export type Database = { readonly [T in TableName]: Table } & {
  /**
   * Runs `work`, which must not wait, as one transaction, serialised with those of all processes; durable when it resolves.
   * What `work` throws undoes it and is thrown. Throws `StorageFailed` when nothing could be written.
   */
  transact<T>(work: () => T): Promise<T>
  /**
   * What is read from here on is no older than this. Without it reads may be as of an instant earlier in this turn of the event
   * loop, before what another process has acknowledged since.
   */
  refresh(): void
  close(): Promise<void>
}

/** Address space, not disk space: far above any size the database will have, so that no process ever has to map it anew. */
const MAP_BYTES = 2 ** 40

interface SharedDatabase {
  readonly tables: { readonly [T in TableName]: Table }
  readonly transact: Database['transact']
  readonly refresh: Database['refresh']
  readonly close: () => Promise<void>
  users: number
}

/** LMDB must not be opened twice by one process. */
const openByPath = new Map<string, SharedDatabase>()

/** Opens the database of a directory that exists. Further openings by this process share it. */
export function openDatabase(directory: string): Database {
  const path = realpathSync(directory)
  const shared = openByPath.get(path) ?? openShared(path)
  openByPath.set(path, shared)
  shared.users += 1
  let closed = false
  const check = (): void => {
    if (closed) throw storeError('StorageFailed', 'the object store is closed')
  }
  return {
    ...mapTables((name) => checkedTable(shared.tables[name], check)),
    async transact(work) {
      check()
      return await shared.transact(work)
    },
    refresh() {
      check()
      shared.refresh()
    },
    async close() {
      if (closed) return
      closed = true
      shared.users -= 1
      if (shared.users > 0) return
      openByPath.delete(path)
      await shared.close()
    },
  }
}

function openShared(directory: string): SharedDatabase {
  // `permissionsMode` is missing in the declarations of the library.
  const options: RootDatabaseOptions & { readonly permissionsMode: number } = {
    ...BINARY,
    permissionsMode: 0o600,
    mapSize: MAP_BYTES,
    maxDbs: TABLES.length + 4,
    maxReaders: 1024,
    // A commit is acknowledged when it is on disk, by LMDB's own two-step commit; the library's faster one is younger.
    overlappingSync: false,
    // With it on, a failed commit also rejects a promise nobody was given, which ends the process.
    eventTurnBatching: false,
  }
  const root = open<Buffer, Buffer>(join(directory, 'index'), options)
  const tables = mapTables((name) =>
    tableOf(root.openDB<Buffer, Buffer>({ name, ...BINARY, dupSort: name === 'uploadIndex' })),
  )
  return {
    tables,
    users: 0,
    async transact(work) {
      try {
        return await root.childTransaction(work)
      } catch (error) {
        throw commitError(error)
      }
    },
    refresh: () => root.resetReadTxn(),
    close: () => root.close(),
  }
}

function mapTables(make: (name: TableName) => Table): { readonly [T in TableName]: Table } {
  return Object.fromEntries(TABLES.map((name) => [name, make(name)])) as { readonly [T in TableName]: Table }
}

const BINARY = { encoding: 'binary', keyEncoding: 'binary', cache: false } as const

function tableOf(db: LmdbDatabase<Buffer, Buffer>): Table {
  return {
    get: (key) => db.get(key),
    range: (bounds) => db.getRange(bounds),
    put: (key, value) => void db.put(key, value),
    remove: (key, value) => void (value === undefined ? db.remove(key) : db.remove(key, value)),
  }
}

function checkedTable(table: Table, check: () => void): Table {
  return {
    ...table,
    get(key) {
      check()
      return table.get(key)
    },
    range(bounds) {
      check()
      return table.range(bounds)
    },
  }
}

/** The library reports a failed commit with a promise of the reason, which must not be left unhandled. */
function commitError(failure: unknown): unknown {
  if (!(failure instanceof Error && 'commitError' in failure)) return failure
  const { commitError: reason } = failure
  if (reason instanceof Promise) reason.catch(() => {})
  return storeError('StorageFailed', 'a transaction could not be committed', failure)
}
