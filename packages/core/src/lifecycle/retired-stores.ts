import type { Clock } from '../clock.ts'
import type { Realm } from '../envelope/envelope.ts'
import type { Random } from '../random.ts'
import type { StoreEntry } from '../state/state-document.ts'
import type { OpenStore } from '../store/open-store.ts'
import { createRetiredStore, type RetiredStore } from './retired-store.ts'
import type { StoreOpener } from './store-opener.ts'

/** The retired stores of what serves, by realm. */
export interface RetiredStores {
  readonly current: ReadonlyMap<Realm, RetiredStore>
  /**
   * Follows the known stores: all but `active` are retired. `released` is the open store that was the active one, if
   * another one is now. Stores that are no longer retired are closed in their own time.
   */
  follow(stores: ReadonlyMap<Realm, StoreEntry>, active: Realm, released: OpenStore | undefined, seconds: number): void
  /** Serves a realm through a store opened otherwise; the one before is closed when the work on it is done. */
  replace(realm: Realm, entry: StoreEntry, opened: OpenStore): void
  /** Resolves when all are closed, bounded by `seconds`. */
  close(seconds: number): Promise<void>
}

export interface RetiredStoresOptions {
  readonly opener: StoreOpener
  readonly clock: Clock
  readonly random: Random
  readonly onWarning: (message: string) => void
  /** Lets a store close in its own time. */
  readonly settle: (work: Promise<void>) => void
}

export function createRetiredStores({ opener, clock, random, onWarning, settle }: RetiredStoresOptions): RetiredStores {
  let current: ReadonlyMap<Realm, RetiredStore> = new Map()

  function retire(realm: Realm, entry: StoreEntry, opened: OpenStore | undefined): RetiredStore {
    return createRetiredStore({
      realm,
      config: entry.config,
      clock,
      random,
      onWarning,
      ...(opened === undefined ? {} : { opened }),
      open: (seconds, signal) => opener.open(realm, entry, seconds, signal),
    })
  }

  return {
    get current() {
      return current
    },

    follow(stores, active, released, seconds) {
      const next = new Map<Realm, RetiredStore>()
      for (const [realm, entry] of stores) {
        if (realm === active) continue
        const kept = current.get(realm)
        next.set(realm, kept ?? retire(realm, entry, released?.realm === realm ? released : undefined))
      }
      for (const [realm, store] of current) if (!next.has(realm)) settle(store.close(seconds))
      current = next
    },

    replace(realm, entry, opened) {
      const before = current.get(realm)
      current = new Map(current).set(realm, retire(realm, entry, opened))
      if (before !== undefined) settle(before.close(entry.config.timeout_seconds))
    },

    async close(seconds) {
      const stores = [...current.values()]
      current = new Map()
      await Promise.all(stores.map((store) => store.close(seconds)))
    },
  }
}
