import type { Clock } from '../clock.ts'
import type { ConfigDocument } from '../config/driver.ts'
import type { Realm } from '../envelope/envelope.ts'
import type { Snapshot } from '../manager/snapshot.ts'
import type { Random } from '../random.ts'
import { createDataKeyCache } from '../store/data-key-cache.ts'
import type { OpenStore } from '../store/open-store.ts'
import { publicReason } from './public-reason.ts'
import type { RetiredHealth } from './retired-store.ts'
import { createRetiredStores } from './retired-stores.ts'
import type { Candidate, StoreOpener } from './store-opener.ts'
import type { StoredDocument } from './stored-document.ts'

/** Told, in order, when what serves changes; must neither throw nor wait. */
export interface ServingListener {
  /** `snapshot` serves from now on. */
  onPublished(snapshot: Snapshot): void
  /** Nothing serves any more. */
  onUnpublished(): void
}

/** Puts snapshots in front of the data path and takes them away; drains and closes what they replace. */
export interface Publisher {
  /** What serves now. */
  readonly snapshot: Snapshot | undefined
  /** Makes a candidate what serves; the store it replaces drains beside it, or retires when its realm is another one. */
  publish(config: ConfigDocument, candidate: Candidate): void
  /** What serves goes on as it is, and is opened with `config` from now on: its root key is named in another way. */
  renameRootKey(config: ConfigDocument): void
  /**
   * Follows the retired stores of the document, if something serves: those removed from it are closed. `mended` is
   * another way to one of them, opened already.
   */
  followRetired(mended?: OpenStore): void
  /** What is known of a retired store; `undefined` when nothing serves. */
  retiredHealth(realm: Realm): RetiredHealth | undefined
  /** Serves nothing from now on; resolves when everything is drained (bounded by `timeout_seconds`) and closed. */
  unpublish(): Promise<void>
}

export interface PublisherOptions {
  readonly document: StoredDocument
  readonly opener: StoreOpener
  readonly clock: Clock
  readonly random: Random
  readonly listeners: readonly ServingListener[]
  readonly onWarning: (message: string) => void
}

export function createPublisher(options: PublisherOptions): Publisher {
  const { document, opener, clock, random, listeners, onWarning } = options
  const retired = createRetiredStores({ opener, clock, random, onWarning, settle })
  let snapshot: Snapshot | undefined

  /** Lets something end in its own time; how it fails is only worth a warning. */
  function settle(work: Promise<void>): void {
    work.catch((error: unknown) => onWarning(`A key store did not close cleanly: ${publicReason(error)}`))
  }

  return {
    get snapshot() {
      return snapshot
    },

    publish(config, { store, proof }) {
      const before = snapshot
      const { timeout_seconds: seconds } = before?.config ?? config
      retired.follow(document.current?.stores ?? new Map(), store.realm, before?.active, seconds)
      snapshot = {
        config,
        active: store,
        retired: retired.current,
        defaultKeyId: proof.defaultKeyId,
        cache: config.enable_cache
          ? createDataKeyCache({ maxEntries: config.max_cached_keys, ttlSeconds: config.cache_ttl_seconds, clock })
          : undefined,
      }
      before?.cache?.clear()
      if (before !== undefined && !retired.current.has(before.active.realm)) settle(before.active.retire(seconds))
      for (const listener of listeners) listener.onPublished(snapshot)
    },

    renameRootKey(config) {
      if (snapshot !== undefined) snapshot = { ...snapshot, config }
    },

    followRetired(mended) {
      if (snapshot === undefined) return
      const { active, config } = snapshot
      const stores = document.current?.stores ?? new Map()
      const entry = mended && stores.get(mended.realm)
      if (mended !== undefined && entry !== undefined) retired.replace(mended.realm, entry, mended)
      retired.follow(stores, active.realm, undefined, config.timeout_seconds)
      snapshot = { ...snapshot, retired: retired.current }
    },

    retiredHealth: (realm) => retired.current.get(realm)?.health,

    async unpublish() {
      const before = snapshot
      snapshot = undefined
      if (before === undefined) return
      for (const listener of listeners) listener.onUnpublished()
      const { timeout_seconds: seconds } = before.config
      before.cache?.clear()
      await Promise.all([before.active.retire(seconds), retired.close(seconds)])
    },
  }
}
