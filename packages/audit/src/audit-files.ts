import { mkdir, open } from 'node:fs/promises'
import {
  type AuditRecord,
  type AuditSink,
  type Clock,
  type KmsError,
  kmsError,
  type Random,
  systemClock,
  systemRandom,
  timestamp,
} from '@kms/core'
import { storageReason } from '@kms/core/internal'
import type { AuditKey } from './audit-key.ts'
import { type AuditCheckpoint, type AuditSegment, openSegment } from './audit-segment.ts'
import { recoverTail, type TornPiece } from './recover-tail.ts'

export interface AuditFilesOptions {
  /** Made if it is not there; one writer each. */
  readonly directory: string
  readonly key: AuditKey
  /** When records are made durable: before `record` resolves, every second, or when the system does. */
  readonly sync: 'always' | 'interval' | 'never'
  /** What happens while records cannot be written: nothing is answered, or records are dropped, counted, and told of later. */
  readonly whenFull: 'block' | 'drop'
  /** A file that is larger is followed by a new one. */
  readonly maxFileBytes: number
  /** How many of 100 uses of keys on the data plane are kept; denials, errors and changes always are. */
  readonly dataPercent: number
  readonly clock?: Clock
  readonly random?: Random
  /** Told of every checkpoint: keep it elsewhere. */
  readonly onCheckpoint: (checkpoint: AuditCheckpoint) => void
  /** Told once when records cannot be written any more, and why; public text. */
  readonly onTrouble: (reason: string) => void
  /** Told when they can again, and how many have no line. */
  readonly onRecovered: (missed: number) => void
  /** For tests. */
  readonly openFile?: typeof open
}

export interface AuditStatistics {
  /** Records written. */
  readonly records: number
  /** Records that could not be written. */
  readonly missed: number
  /** Records of the data plane left out on purpose. */
  readonly skipped: number
  /** Whether records can be written. */
  readonly writing: boolean
  readonly checkpoint: { readonly seq: number; readonly at: number } | undefined
}

/** Audit records in files (formats §9). */
export interface AuditFiles extends AuditSink {
  statistics(): AuditStatistics
  /** Writes a checkpoint, unless the last line is one. */
  checkpoint(): Promise<void>
  /** Writes what is waiting and a checkpoint, and closes the file. */
  close(): Promise<void>
}

const SYNC_MS = 1000
const RETRY_MS = 1000
const CHECKPOINT_MS = 60_000
const CHECKPOINT_LINES = 1000

interface Waiting {
  readonly records: readonly AuditRecord[]
  resolve(): void
  reject(error: KmsError): void
}

/**
 * Opens audit files for writing: a new chain, in a new file, behind what is there. Throws the errors of the file system, as
 * nothing has been promised yet.
 */
export async function createAuditFiles(options: AuditFilesOptions): Promise<AuditFiles> {
  const { directory, key, sync, whenFull, clock = systemClock, random = systemRandom, openFile = open } = options
  const counts = { records: 0, missed: 0, skipped: 0 }
  let last: AuditStatistics['checkpoint']
  let segment: AuditSegment | undefined
  let trouble = ''
  let waiting: Waiting[] = []
  let skippedSince = 0
  let missedSince = 0
  let missedFrom = ''
  /** Not told of yet in a line. */
  const movedAside: TornPiece[] = []
  let unsynced = false
  let closed = false
  let turn: Promise<void> = Promise.resolve()
  const timers = new Set<() => void>()

  /** One thing at a time happens to the files. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    turn = turn.then(work)
    return turn
  }

  function later(ms: number, work: () => Promise<void>): void {
    if (closed) return
    const cancel = clock.after(ms, () => {
      timers.delete(cancel)
      void inTurn(work)
    })
    timers.add(cancel)
  }

  async function begin(): Promise<AuditSegment> {
    const { nextIndex, prev, torn } = await recoverTail(directory)
    movedAside.push(...torn)
    const chain = random(16).toString('hex')
    const opened = await openSegment({ directory, index: nextIndex, chain, prev, seq: 0, key, clock, openFile })
    const lines: [string, object][] = movedAside.map(({ file, bytes, sha256 }) => [
      'recovered',
      { file, bytes, sha256 },
    ])
    if (missedSince > 0) lines.push(['missed', { records: missedSince, since: missedFrom }])
    try {
      if (lines.length > 0) await opened.append(lines)
      await opened.sync()
      movedAside.length = 0
      return opened
    } catch (error) {
      await opened.close().catch(() => {})
      throw error
    }
  }

  function unavailable(consequence: string): KmsError {
    return kmsError('AuditUnavailable', { reason: trouble, consequence }, { retryAfterSeconds: RETRY_MS / 1000 })
  }

  function miss(records: readonly AuditRecord[]): void {
    if (missedSince === 0) missedFrom = timestamp(clock)
    missedSince += records.length
    counts.missed += records.length
  }

  async function fail(cause: unknown): Promise<void> {
    const failed = segment
    segment = undefined
    trouble = storageReason(cause)
    options.onTrouble(trouble)
    await failed?.close().catch(() => {})
    later(RETRY_MS, retry)
  }

  async function retry(): Promise<void> {
    try {
      segment = await begin()
    } catch (error) {
      trouble = storageReason(error)
      later(RETRY_MS, retry)
      return
    }
    options.onRecovered(missedSince)
    missedSince = 0
  }

  async function writeCheckpoint(to: AuditSegment): Promise<void> {
    const checkpoint = await to.checkpoint()
    last = { seq: checkpoint.seq, at: clock.now() }
    options.onCheckpoint(checkpoint)
  }

  function membersOf(record: AuditRecord): object {
    const skipped = skippedSince
    skippedSince = 0
    return {
      plane: record.plane,
      operation: record.operation,
      action: record.action,
      decision: record.decision,
      outcome: record.outcome,
      principal: record.principal,
      access_key_id: record.accessKeyId,
      address: record.address,
      request_id: record.requestId,
      key_id: record.keyId,
      ...(skipped === 0 ? {} : { skipped }),
    }
  }

  async function writeWaiting(): Promise<void> {
    const taken = waiting
    waiting = []
    if (taken.length === 0) return
    const refuse = (): void => {
      for (const each of taken) {
        miss(each.records)
        if (whenFull === 'drop') each.resolve()
        else each.reject(unavailable('What was asked for may have been done.'))
      }
    }
    if (segment === undefined) return refuse()
    try {
      if (segment.size >= options.maxFileBytes) {
        await writeCheckpoint(segment)
        segment = await segment.next()
      }
      const records = taken.flatMap((each) => each.records)
      await segment.append(records.map((record) => ['record', membersOf(record)]))
      if (sync === 'always') await segment.sync()
      else unsynced = true
      if (segment.unsealed >= CHECKPOINT_LINES) await writeCheckpoint(segment)
      counts.records += records.length
    } catch (error) {
      await fail(error)
      return refuse()
    }
    for (const each of taken) each.resolve()
  }

  function sampledOut({ plane, decision, outcome, keyId }: AuditRecord): boolean {
    if (options.dataPercent >= 100 || plane === 'admin' || decision === 'deny' || outcome !== 'ok') return false
    // What is about no key is a change.
    if (keyId === undefined) return false
    return random(2).readUInt16BE() >= (options.dataPercent / 100) * 65_536
  }

  async function seal(): Promise<void> {
    if (segment === undefined || segment.unsealed === 0) return
    try {
      await writeCheckpoint(segment)
    } catch (error) {
      await fail(error)
    }
  }

  async function syncNow(): Promise<void> {
    if (!unsynced || segment === undefined) return
    unsynced = false
    try {
      await segment.sync()
    } catch (error) {
      await fail(error)
    }
  }

  function repeat(ms: number, work: () => Promise<void>): void {
    later(ms, async () => {
      await work()
      repeat(ms, work)
    })
  }

  await mkdir(directory, { recursive: true, mode: 0o700 })
  segment = await begin()
  repeat(CHECKPOINT_MS, seal)
  if (sync === 'interval') repeat(SYNC_MS, syncNow)

  return {
    admit() {
      if (segment === undefined && whenFull === 'block') throw unavailable('Nothing was done.')
    },

    record(given) {
      const records = given.filter((record) => !sampledOut(record))
      skippedSince += given.length - records.length
      counts.skipped += given.length - records.length
      if (records.length === 0) return Promise.resolve()
      return new Promise((resolve, reject) => {
        waiting.push({ records, resolve, reject })
        // Whoever comes while a write is under way goes with the next one: one sync for all of them.
        if (waiting.length === 1) void inTurn(writeWaiting)
      })
    },

    statistics: () => ({ ...counts, writing: segment !== undefined, checkpoint: last }),

    checkpoint: () => inTurn(seal),

    close() {
      closed = true
      for (const cancel of timers) cancel()
      return inTurn(async () => {
        await writeWaiting()
        await seal()
        try {
          await segment?.sync()
        } catch (error) {
          await fail(error)
        }
        await segment?.close()
        segment = undefined
        trouble = 'it was closed'
      })
    },
  }
}
