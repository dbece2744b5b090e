import type { CanaryStore } from '../canary/canary-store.ts'
import type { Publisher } from '../lifecycle/publisher.ts'
import type { StoredDocument } from '../lifecycle/stored-document.ts'
import type { OfflineKeyStore, OfflineKeys } from '../offline/offline-keys.ts'

export interface OfflineAccessOptions {
  /** Absent: there are no offline copies. */
  readonly offlineKeys: OfflineKeyStore | undefined
  readonly document: Pick<StoredDocument, 'current'>
  readonly publisher: Pick<Publisher, 'snapshot'>
  readonly canaryStore: CanaryStore
}

/** Gives out the keys of offline copies when they may be used, and only then. */
export function createOfflineAccess(options: OfflineAccessOptions): OfflineKeys {
  const { offlineKeys, document, publisher, canaryStore } = options
  return {
    async forWriting(realm, keyId) {
      const { snapshot } = publisher
      if (snapshot?.active.realm !== realm || !snapshot.config.allow_offline_decryption) return undefined
      return offlineKeys?.provide(realm, keyId)
    },

    async forReading(realm, keyId, id) {
      // Stopped on purpose is what is stored, not what happens to be: a service that cannot start is no reason.
      if (publisher.snapshot !== undefined || document.current?.desired !== 'stopped') return undefined
      if ((await canaryStore.open(realm)).memory(keyId)?.destroyed === true) return undefined
      return offlineKeys?.find(realm, keyId, id)
    },
  }
}
