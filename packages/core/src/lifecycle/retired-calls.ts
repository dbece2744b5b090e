import type { CanaryStore } from '../canary/canary-store.ts'
import { type ConfigChange, diffConfig } from '../config/compare.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import { mergeConfig } from '../config/merge.ts'
import type { Realm } from '../envelope/envelope.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { KeyUse } from '../keys/key-use.ts'
import type { KmsManager } from '../manager/manager-types.ts'
import type { StateDocument, StoreEntry } from '../state/state-document.ts'
import type { RunChange } from './change-events.ts'
import { checkIfMatch, type Report } from './change-report.ts'
import { knownStoreAt, placeOf } from './known-place.ts'
import type { Publisher } from './publisher.ts'
import type { StoreOpener } from './store-opener.ts'
import type { StoredDocument } from './stored-document.ts'

/** Looking at retired stores, mending the way to one, and giving one up. */
export type RetiredCalls = Pick<KmsManager, 'retired' | 'mendRetired' | 'removeRetired'>

export interface RetiredCallsOptions {
  readonly schema: ConfigSchema
  readonly canaryStore: CanaryStore
  readonly document: StoredDocument
  readonly publisher: Publisher
  readonly opener: StoreOpener
  readonly runChange: RunChange
  readonly report: Report
  readonly keyUse: KeyUse | undefined
}

export function createRetiredCalls(options: RetiredCallsOptions): RetiredCalls {
  const { schema, canaryStore, document, publisher, opener, runChange, report, keyUse } = options

  function find(realm: string): { readonly stored: StateDocument; readonly entry: StoreEntry } {
    const stored = document.current
    const entry = stored?.active === realm ? undefined : stored?.stores.get(realm)
    if (stored === undefined || entry === undefined) throw kmsError('NoSuchKeyStore', { realm: realm.slice(0, 64) })
    return { stored, entry }
  }

  /** Where the service itself would go, now or by itself later: no force removes that. */
  function refuseWhileConfigured(realm: Realm, { config, unconfirmed }: StateDocument): void {
    const isAt = (place: typeof config): boolean =>
      knownStoreAt(placeOf(place, schema), place.backend_type, document.current)?.[0] === realm
    if (isAt(config)) throw kmsError('KeyStoreInUse', { realm, reason: 'the stored configuration points at it' })
    if (unconfirmed !== undefined && isAt(unconfirmed.config)) {
      const reason = 'a change that is not confirmed yet may be taken back to it'
      throw kmsError('KeyStoreInUse', { realm, reason })
    }
  }

  /** What cannot be opened any more without the store, in words. */
  async function loss(realm: Realm): Promise<{ readonly nothing: boolean; readonly text: string }> {
    const count = await keyUse?.count(realm).catch(() => undefined)
    const { keyVersions } = await canaryStore.open(realm)
    const versions = `${keyVersions} key version${keyVersions === 1 ? '' : 's'} seen here`
    if (count === undefined) {
      return { nothing: false, text: `what was wrapped under its ${versions} is not counted, so nobody knows` }
    }
    return { nothing: count === 0, text: `${count} known objects were encrypted under its ${versions}` }
  }

  return {
    retired() {
      const { stores = new Map<Realm, StoreEntry>(), active } = document.current ?? {}
      return [...stores]
        .filter(([realm]) => realm !== active)
        .map(([realm, { config, lastActive }]) => ({
          realm,
          backendType: config.backend_type,
          summary: schema.driver(config.backend_type).summary(config),
          lastActive,
          healthy: undefined,
          lastError: undefined,
          credentialsExpireAt: undefined,
          ...publisher.retiredHealth(realm),
        }))
    },

    mendRetired: (realm, patch, caller, callOptions = {}) =>
      runChange('kms_retired_mended', caller, async (tellDiff) => {
        checkIfMatch(document, callOptions)
        const { stored, entry } = find(realm)
        const { config, suppliesSecret } = mergeConfig(patch, {
          schema,
          mode: 'mend',
          current: entry.config,
          knownStore: () => undefined,
        })
        const changed = diffConfig(entry.config, config).map((change): ConfigChange => {
          return { ...change, path: `retired.${realm}.${change.path}` }
        })
        if (changed.length === 0 && !suppliesSecret) return report('unchanged')
        tellDiff(changed)
        const identity = placeOf(config, schema)
        const [other] = knownStoreAt(identity, entry.driver, stored) ?? [realm]
        if (other !== realm) {
          const reason = `that is the place of key store ${other}`
          throw kmsError('RealmConflict', { place: identity, realm, reason })
        }
        const { store, config: opened, notes } = await opener.reconnect(config, realm, entry)
        try {
          // Which root key the store has is known now.
          const { changedRoot: _, ...rest } = entry
          const stores = new Map(stored.stores).set(realm, { ...rest, identity, config: opened })
          await document.commit({ ...stored, stores }, 'mend', caller)
        } catch (error) {
          await opener.discard(store)
          throw error
        }
        if (publisher.snapshot === undefined) await opener.discard(store)
        else publisher.followRetired(store)
        return report('mended', changed, notes)
      }),

    removeRetired: ({ realm, confirmRealm, force }, caller) =>
      runChange('kms_retired_removed', caller, async (tellDiff) => {
        const { stored, entry } = find(realm)
        const changed = [{ path: `retired.${realm}`, from: entry.identity }]
        tellDiff(changed)
        if (confirmRealm !== realm) {
          throw kmsError('ValidationError', { path: 'confirm_realm', reason: 'must repeat the realm of the path' })
        }
        refuseWhileConfigured(realm, stored)
        const { nothing, text } = await loss(realm)
        if (!nothing && !force) {
          throw kmsError('KeyStoreInUse', { realm, reason: `${text}; with "force": true it is given up all the same` })
        }
        const stores = new Map(stored.stores)
        stores.delete(realm)
        await document.commit({ ...stored, stores }, 'remove', caller)
        publisher.followRetired()
        const note = `${text[0]?.toUpperCase()}${text.slice(1)}: none of it opens here any more. The key store itself was not touched.`
        return report('removed', changed, nothing ? [] : [note])
      }),
  }
}
