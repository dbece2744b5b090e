import type { Clock } from '../clock.ts'
import type { ConfigDocument } from '../config/driver.ts'
import type { Realm } from '../envelope/envelope.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { Snapshot } from '../manager/snapshot.ts'
import { createDataKeyCache } from '../store/data-key-cache.ts'
import type { OpenStore } from '../store/open-store.ts'
import type { Candidate, StoreOpener } from './candidate.ts'
import { publicReason } from './public-reason.ts'
import { createRetiredStore, type RetiredStore } from './retired-store.ts'
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
  /** Serves nothing from now on; resolves when everything is drained (bounded by `timeout_seconds`) and closed. */
  unpublish(): Promise<void>
}

export interface PublisherOptions {
  readonly document: StoredDocument
  readonly opener: StoreOpener
  readonly clock: Clock
  readonly listeners: readonly ServingListener[]
  readonly onWarning: (message: string) => void
}

export function createPublisher({ document, opener, clock, listeners, onWarning }: PublisherOptions): Publisher {
  const retired = new Map<Realm, RetiredStore>()
  let snapshot: Snapshot | undefined

  function retire(realm: Realm, opened: OpenStore | undefined): RetiredStore {
    return createRetiredStore({
      realm,
      clock,
      ...(opened === undefined ? {} : { opened }),
      async open() {
        const entry = document.current?.stores.get(realm)
        if (entry === undefined) throw kmsError('UnknownKeyStore', { realm })
        return opener.open(entry.config, realm)
      },
    })
  }

  /** Lets something end in its own time; how it fails is only worth a warning. */
  function settle(work: Promise<void> | undefined): void {
    work?.catch((error: unknown) => onWarning(`A key store did not close cleanly: ${publicReason(error)}`))
  }

  return {
    get snapshot() {
      return snapshot
    },

    publish(config, { store, proof }) {
      const before = snapshot
      for (const realm of document.current?.stores.keys() ?? []) {
        if (realm === store.realm || retired.has(realm)) continue
        const opened = before?.active.realm === realm ? before.active : undefined
        retired.set(realm, retire(realm, opened))
      }
      const returning = retired.get(store.realm)
      retired.delete(store.realm)
      snapshot = {
        config,
        active: store,
        retired: new Map(retired),
        defaultKeyId: proof.defaultKeyId,
        cache: config.enable_cache
          ? createDataKeyCache({ maxEntries: config.max_cached_keys, ttlSeconds: config.cache_ttl_seconds, clock })
          : undefined,
      }
      before?.cache?.clear()
      settle(returning?.close(config.timeout_seconds))
      if (before !== undefined && before.active.realm === store.realm) {
        settle(before.active.retire(before.config.timeout_seconds))
      }
      for (const listener of listeners) listener.onPublished(snapshot)
    },

    async unpublish() {
      const before = snapshot
      snapshot = undefined
      if (before === undefined) return
      for (const listener of listeners) listener.onUnpublished()
      const { timeout_seconds } = before.config
      before.cache?.clear()
      const stores = [...retired.values()]
      retired.clear()
      await Promise.all([before.active.retire(timeout_seconds), ...stores.map((store) => store.close(timeout_seconds))])
    },
  }
}
