import { Buffer } from 'node:buffer'
import type { KeyUse } from '@kms/s3-api'
import type { BodyFiles } from './body-files.ts'
import type { Database } from './database.ts'
import type { Garbage } from './garbage.ts'
import { newId } from './ids.ts'
import type { KeyUses } from './key-uses.ts'
import { encodeRecord } from './record.ts'
import type { Reserve } from './reserve.ts'
import { storeError } from './store-error.ts'

/** What is kept of a write under way: enough to undo it when its process dies. */
export interface PendingHead {
  readonly uses: readonly KeyUse[]
}

export interface WrittenBody {
  /** Also the generation of what it becomes. */
  readonly id: string
  readonly size: number
}

export interface WriteRequest<T> {
  readonly body: AsyncIterable<Uint8Array>
  readonly uses: readonly KeyUse[]
  /** Called once the body is durable; says what is to happen with it, in one transaction. */
  prepare(written: WrittenBody): Promise<() => T>
}

/** Writes bodies, so that each is either named by something afterwards, or removed. */
export interface PendingWrites {
  /** Stores a body. Whatever fails, and whenever the process ends, it is removed and its key uses are taken back. */
  write<T>(request: WriteRequest<T>): Promise<T>
  /** Ends writes under way. */
  close(): Promise<void>
}

export interface PendingWritesOptions {
  readonly db: Pick<Database, 'pending' | 'transact'>
  readonly reserve: Reserve
  readonly files: BodyFiles
  readonly uses: KeyUses
  readonly garbage: Pick<Garbage, 'drop' | 'kick'>
  /** 16 bytes: what is pending is this session's. */
  readonly session: Buffer
}

export function createPendingWrites({
  db,
  reserve,
  files,
  uses,
  garbage,
  session,
}: PendingWritesOptions): PendingWrites {
  const running = new Set<Promise<unknown>>()
  let closed = false

  const rowOf = (id: string): Buffer => Buffer.concat([session, Buffer.from(id, 'hex')])

  function mustBeOpen(): void {
    if (closed) throw storeError('StorageFailed', 'the object store is closed')
  }

  async function write<T>({ body, uses: used, prepare }: WriteRequest<T>): Promise<T> {
    mustBeOpen()
    await reserve.require()
    const id = newId()
    const row = rowOf(id)
    await db.transact(() => {
      db.pending.put(row, encodeRecord({ uses: used } satisfies PendingHead))
      uses.add(used, 'uploads')
    })
    try {
      const size = await files.write(id, body, mustBeOpen)
      const commit = await prepare({ id, size })
      return await db.transact(() => {
        // Another process took this session for dead, and removed the body.
        if (db.pending.get(row) === undefined)
          throw storeError('StorageFailed', 'the write was given up by another process')
        db.pending.remove(row)
        uses.remove(used, 'uploads')
        return commit()
      })
    } catch (error) {
      await giveUp(id, used)
      throw error
    }
  }

  /** The failed transaction may have happened after all: then the row is gone, and the body is somebody's. */
  async function giveUp(id: string, used: readonly KeyUse[]): Promise<void> {
    const row = rowOf(id)
    try {
      await reserve.letGo(() => {
        if (db.pending.get(row) === undefined) return
        db.pending.remove(row)
        uses.remove(used, 'uploads')
        garbage.drop({ kind: 'body', id })
      })
      garbage.kick()
    } catch {
      // The row stays, and is undone with the session.
    }
  }

  return {
    async write(request) {
      const work = write(request)
      running.add(work)
      try {
        return await work
      } finally {
        running.delete(work)
      }
    },
    async close() {
      closed = true
      await Promise.allSettled(running)
    },
  }
}
