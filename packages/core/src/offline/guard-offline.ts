import { LRUCache } from 'lru-cache'
import type { KeyBackend, KeyPatch, KeyRecord } from '../keys/key-backend.ts'
import type { OfflineKeyStore } from './offline-keys.ts'

const MAX_REMEMBERED = 10_000

/**
 * A backend by which nothing happens to a key that its offline copies do not follow: they are suspended durably before a
 * deletion is scheduled, and removed durably before the key is destroyed. Whatever the rest of the service does with
 * keys goes through here. Records that were changed elsewhere are followed when they are seen.
 */
export function guardOffline(
  inner: KeyBackend,
  offline: OfflineKeyStore,
  onWarning: (message: string) => void,
): KeyBackend {
  const { realm } = inner
  /** Whether a key was pending deletion when it was last seen, so that not every look at a record asks the disk. */
  const pending = new LRUCache<string, boolean>({ max: MAX_REMEMBERED })

  function settle(work: Promise<void>, keyId: string): void {
    work.catch((error: Error) => onWarning(`The offline copies of key "${keyId}" do not follow it: ${error.message}`))
  }

  function see(record: KeyRecord): KeyRecord {
    const { keyId, state } = record
    const isPending = state === 'PendingDeletion'
    if (state !== 'Unavailable' && pending.get(keyId) !== isPending) {
      pending.set(keyId, isPending)
      settle(isPending ? offline.suspend(realm, keyId) : offline.resume(realm, keyId), keyId)
    }
    return record
  }

  return Object.create(inner, {
    create: method(async (...[key]: Parameters<KeyBackend['create']>) => {
      const record = await inner.create(key)
      settle(offline.allow(realm, record.keyId), record.keyId)
      return record
    }),

    describe: method(async (name: string) => see(await inner.describe(name))),

    update: method(async (keyId: string, patch: KeyPatch, etag: string) => {
      if (patch.state === 'PendingDeletion') {
        // Whether the write takes place or not, the next look at the record tells.
        pending.set(keyId, true)
        await offline.suspend(realm, keyId)
      }
      const record = await inner.update(keyId, patch, etag)
      // A deletion that was cancelled at the last moment may have found the copies removed already.
      if (patch.state === 'Enabled' || patch.state === 'Disabled') settle(offline.allow(realm, keyId), keyId)
      return see(record)
    }),

    destroy: method(async (...[keyId, etag, lastVersion]: Parameters<KeyBackend['destroy']>) => {
      await offline.remove(realm, keyId)
      await inner.destroy(keyId, etag, lastVersion)
    }),
  }) as KeyBackend
}

function method(value: (...args: never[]) => unknown): PropertyDescriptor {
  return { value, enumerable: true }
}
