import { Buffer } from 'node:buffer'
import type { Database } from './database.ts'
import { decodeRecord, encodeRecord } from './record.ts'
import type { StoreClock } from './store-clock.ts'

/** Tells the process that opened a store from others, while it lives and afterwards. */
export interface StoreOwner {
  /** Anything that names this process; kept in the store. */
  readonly identity: string
  /** Whether the process of an identity is gone for certain. */
  isGone(identity: string): Promise<boolean>
}

interface SessionHead {
  readonly owner: string
  /** Last sign of life, epoch milliseconds. */
  readonly seen: number
  /** No read of this session began before this epoch. */
  readonly epoch: number
}

/** Whose session is taken for dead when nothing was heard of it for so long, unless its owner is known to live. */
const SILENCE_MS = 600_000

/** How often a session gives a sign of life. */
export const SIGN_MS = 60_000

/** One opening of the store by one process, among others that may be open at the same time. */
export interface Sessions {
  /** 16 bytes. */
  readonly own: Buffer
  /** Inside a transaction: says that this session lives, and since when it reads. */
  sign(epoch: number): void
  /** Whether others are open. */
  readonly alone: boolean
  /** The oldest epoch others may still read from; `undefined` without others. */
  othersRead(): number | undefined
  /** Sessions that have ended without closing. */
  dead(): Promise<readonly Buffer[]>
  /** Inside a transaction. */
  remove(session: Buffer): void
}

export interface SessionsOptions {
  readonly db: Pick<Database, 'sessions'>
  readonly own: Buffer
  readonly owner: StoreOwner | undefined
  readonly clock: StoreClock
}

export function createSessions({ db: { sessions: table }, own, owner, clock }: SessionsOptions): Sessions {
  function others(): readonly { readonly id: Buffer; readonly head: SessionHead }[] {
    return [...table.range({ start: Buffer.alloc(0) })]
      .map(({ key, value }) => ({ id: Buffer.from(key), head: decodeRecord<SessionHead>(value).head }))
      .filter(({ id }) => !id.equals(own))
  }

  return {
    own,
    sign: (epoch) => table.put(own, encodeRecord({ owner: owner?.identity ?? '', seen: clock.now(), epoch })),
    get alone() {
      return others().length === 0
    },
    othersRead() {
      const epochs = others().map(({ head }) => head.epoch)
      return epochs.length === 0 ? undefined : Math.min(...epochs)
    },
    async dead() {
      const found: Buffer[] = []
      for (const { id, head } of others()) {
        const known = owner !== undefined && head.owner !== ''
        const gone = known && (await owner.isGone(head.owner))
        if (gone || clock.now() - head.seen > SILENCE_MS) found.push(id)
      }
      return found
    },
    remove: (session) => table.remove(session),
  }
}
