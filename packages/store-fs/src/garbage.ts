import { Buffer } from 'node:buffer'
import type { BodyFiles } from './body-files.ts'
import type { Database } from './database.ts'
import type { KeyUses } from './key-uses.ts'
import { above } from './object-key.ts'
import type { PendingHead } from './pending-writes.ts'
import { decodeRecord } from './record.ts'
import type { Reserve } from './reserve.ts'
import { readSegments } from './segments.ts'
import { type Sessions, SIGN_MS } from './sessions.ts'
import type { StoreClock } from './store-clock.ts'
import type { PartHead } from './uploads.ts'

/** What was let go: one body, the bodies of a multipart object, or all parts of an upload. */
export type Dropped =
  | { readonly kind: 'body'; readonly id: string }
  | { readonly kind: 'segments'; readonly id: string }
  | { readonly kind: 'upload'; readonly id: string }

/**
 * Bodies outlive the transaction that lets go of them, for those who are reading them. Every transaction that lets something
 * go raises the epoch; a reader notes the epoch it began in, and what was let go in an epoch is removed once nobody reads from
 * an earlier one. Other processes say from time to time from which epoch on they read.
 */
export interface Garbage {
  /** Inside a transaction. */
  drop(dropped: Dropped): void
  /** To be called in the same turn as the database is read; the result ends the read. */
  enter(): () => void
  /** Removes what can be removed now, that of dead sessions included. */
  collect(): Promise<void>
  /** Collects soon, without being waited for. */
  kick(): void
  /** Waits for a collection under way, and begins no other. */
  close(): Promise<void>
}

export interface GarbageOptions {
  readonly db: Database
  readonly reserve: Reserve
  readonly files: BodyFiles
  readonly uses: KeyUses
  readonly sessions: Sessions
  readonly clock: StoreClock
  /** A collection without a caller failed; it is tried again later. */
  readonly onProblem: (error: unknown) => void
}

const KINDS: readonly Dropped['kind'][] = ['body', 'segments', 'upload']
const EPOCH = Buffer.from('epoch')
const BATCH = 500

/** How often other sessions are looked at. */
const ROUND_MS = 10_000

export function createGarbage({ db, reserve, files, uses, sessions, clock, onProblem }: GarbageOptions): Garbage {
  const readers = new Map<symbol, number>()
  let published = 0
  let signedAt = clock.now()
  let running: Promise<void> | undefined
  let again = false
  /** Something waits for readers to end. */
  let held = false
  /** The dead are looked for now and then: for each it takes system calls. */
  let dead = true
  let closed = false
  let cancelRound = clock.after(ROUND_MS, round)

  function epoch(): number {
    const bytes = db.meta.get(EPOCH)
    return bytes === undefined ? 0 : Number(bytes.readBigUInt64BE(0))
  }

  function oldestHere(): number {
    let oldest = epoch()
    for (const began of readers.values()) if (began < oldest) oldest = began
    return oldest
  }

  function round(): void {
    cancelRound = clock.after(ROUND_MS, round)
    dead = true
    kick()
  }

  function kick(): void {
    if (closed) return
    if (running !== undefined) again = true
    else collect().catch(onProblem)
  }

  /** One after the other, whoever asks. */
  function collect(): Promise<void> {
    const work = (running ?? Promise.resolve()).catch(() => {}).then(collectOnce)
    const settled = (): void => {
      if (running !== work) return
      running = undefined
      if (!again) return
      again = false
      kick()
    }
    running = work
    work.then(settled, settled)
    return work
  }

  async function collectOnce(): Promise<void> {
    await sign()
    if (dead) {
      for (const session of await sessions.dead()) await bury(session)
      dead = false
    }
    await removeBatches()
    // As long as there is no room for it, whoever writes is told.
    await reserve.require().catch(() => {})
  }

  /** Tells other sessions that we live, and from which epoch on we read. */
  async function sign(): Promise<void> {
    const oldest = oldestHere()
    const due = clock.now() - signedAt >= SIGN_MS
    if (!due && (oldest === published || sessions.alone)) return
    await reserve.letGo(() => sessions.sign(oldest))
    published = oldest
    signedAt = clock.now()
  }

  /** Lets go of what a session that died was writing. */
  async function bury(session: Buffer): Promise<void> {
    for (let left = true; left; ) {
      left = await reserve.letGo(() => {
        let count = 0
        for (const { key, value } of db.pending.range({ start: session, end: above(session) })) {
          if (count === BATCH) return true
          count += 1
          const row = Buffer.from(key)
          uses.remove(decodeRecord<PendingHead>(Buffer.from(value)).head.uses, 'uploads')
          db.pending.remove(row)
          drop({ kind: 'body', id: row.subarray(session.length).toString('hex') })
        }
        sessions.remove(session)
        return false
      })
    }
  }

  async function removeBatches(): Promise<void> {
    while (await removeBatch()) if (closed) return
  }

  /** Whether there may be more. */
  async function removeBatch(): Promise<boolean> {
    const limit = Math.min(oldestHere(), sessions.othersRead() ?? Number.POSITIVE_INFINITY)
    const rows: Buffer[] = []
    const end = epochKey(limit + 1)
    held = false
    for (const { key } of db.garbage.range({ start: Buffer.alloc(0) })) {
      held = Buffer.compare(key, end) >= 0
      if (held || rows.length === BATCH) break
      rows.push(Buffer.from(key))
    }
    if (rows.length === 0) return false
    for (const row of rows) await removeFiles(decodeRow(row))
    await reserve.letGo(() => {
      for (const row of rows) {
        removeRows(decodeRow(row))
        db.garbage.remove(row)
      }
    })
    return rows.length === BATCH
  }

  async function removeFiles({ kind, id }: Dropped): Promise<void> {
    if (kind === 'body') await files.remove(id)
    else if (kind === 'segments') {
      for (const segment of readSegments(db.segments.get(Buffer.from(id, 'hex')))) await files.remove(segment.id)
    } else for (const { head } of partsOf(id)) if (head.body !== '') await files.remove(head.body)
  }

  function removeRows({ kind, id }: Dropped): void {
    if (kind === 'segments') db.segments.remove(Buffer.from(id, 'hex'))
    else if (kind === 'upload') for (const { key } of partsOf(id)) db.uploadParts.remove(key)
  }

  function partsOf(uploadId: string): readonly { readonly key: Buffer; readonly head: PartHead }[] {
    const prefix = Buffer.from(uploadId, 'hex')
    return [...db.uploadParts.range({ start: prefix, end: above(prefix) })].map(({ key, value }) => ({
      key: Buffer.from(key),
      head: decodeRecord<PartHead>(Buffer.from(value)).head,
    }))
  }

  function drop({ kind, id }: Dropped): void {
    const next = epoch() + 1
    db.meta.put(EPOCH, epochKey(next))
    db.garbage.put(Buffer.concat([epochKey(next), Buffer.of(KINDS.indexOf(kind)), Buffer.from(id, 'hex')]), EMPTY)
  }

  return {
    drop,
    enter() {
      const reader = Symbol('reader')
      readers.set(reader, epoch())
      return () => {
        if (!readers.delete(reader)) return
        if (held) kick()
      }
    },
    async collect() {
      dead = true
      await collect()
    },
    kick,
    async close() {
      closed = true
      cancelRound()
      await running?.catch(() => {})
    },
  }
}

const EMPTY = Buffer.of(0)

function epochKey(epoch: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(epoch))
  return bytes
}

function decodeRow(row: Buffer): Dropped {
  return { kind: KINDS[row[8] as number] as Dropped['kind'], id: row.subarray(9).toString('hex') }
}
