import { type Clock, timestamp } from '../clock.ts'
import { diffConfig } from '../config/compare.ts'
import type { Caller } from '../manager/manager-types.ts'
import type { Random } from '../random.ts'
import type { ConfigStore, StateDocument } from '../state/state-document.ts'

/** What a change decides about the document; the rest says which revision it became, and how. */
export type NextDocument = Omit<StateDocument, 'revision' | 'etag' | 'change'>

/** The state document in memory. It follows what is on disk, never the other way round. */
export interface StoredDocument {
  /** `undefined` before `load`, and when nothing was ever stored. */
  readonly current: StateDocument | undefined
  load(): Promise<StateDocument | undefined>
  /** Stores the next revision, durably. Throws `StorageFailed`; the one before stays current then. */
  commit(next: NextDocument, action: string, caller: Caller): Promise<StateDocument>
}

export interface StoredDocumentOptions {
  readonly configStore: ConfigStore
  readonly clock: Clock
  readonly random: Random
  /** Told after each load and commit. */
  readonly onStored: () => void
}

export function createStoredDocument({ configStore, clock, random, onStored }: StoredDocumentOptions): StoredDocument {
  let current: StateDocument | undefined
  return {
    get current() {
      return current
    },

    async load() {
      current = await configStore.load()
      onStored()
      return current
    },

    async commit(next, action, caller) {
      const before = current?.revision ?? 0
      const revision = before + 1
      const diff = diffConfig(current?.config ?? {}, next.config)
      const saved: StateDocument = {
        ...next,
        revision,
        etag: `"${revision}-${random(8).toString('hex')}"`,
        change: { time: timestamp(clock), principal: caller.principal, action, diff },
      }
      await configStore.save(saved, before)
      current = saved
      onStored()
      return saved
    },
  }
}
