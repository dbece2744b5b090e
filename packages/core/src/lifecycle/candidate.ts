import type { CanaryStore } from '../canary/canary-store.ts'
import { type Clock, timestamp } from '../clock.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import type { ConfigDocument } from '../config/driver.ts'
import type { Realm } from '../envelope/envelope.ts'
import type { Random } from '../random.ts'
import type { StateDocument, StoreEntry } from '../state/state-document.ts'
import { withDeadline } from '../store/deadline.ts'
import { createOpenStore, type OpenStore } from '../store/open-store.ts'
import { type Proof, proveStore } from '../store/prove.ts'

/** A store that was opened for a configuration and proven. */
export interface Candidate {
  readonly store: OpenStore
  readonly proof: Proof
  /** Remarks for the operator. */
  readonly notes: readonly string[]
}

export interface PrepareOptions {
  /** What is stored now: which realms are known, and how the default key was resolved. */
  readonly document: StateDocument | undefined
  /** Whether an empty place may become a store, and an absent default key of such a store be made. */
  readonly mayInitialise: boolean
  readonly requireUsableDefaultKey: boolean
}

/** Opens what configurations point at. */
export interface StoreOpener {
  /** Opens a store without proving it: one that is retired. */
  open(config: ConfigDocument, expectedRealm: Realm | undefined): Promise<OpenStore>
  /** Opens and proves; leaves nothing open when it throws. */
  prepare(config: ConfigDocument, options: PrepareOptions): Promise<Candidate>
}

export interface StoreOpenerOptions {
  readonly schema: ConfigSchema
  readonly canaryStore: CanaryStore
  readonly clock: Clock
  readonly random: Random
  readonly onWarning: (message: string) => void
}

export function createStoreOpener({ schema, canaryStore, clock, random, onWarning }: StoreOpenerOptions): StoreOpener {
  async function open(config: ConfigDocument, expectedRealm: Realm | undefined, mayInitialise: boolean) {
    const controller = new AbortController()
    const opening = schema.driver(config.backend_type).open(config, {
      clock,
      random,
      mayInitialise,
      signal: controller.signal,
      ...(expectedRealm === undefined ? {} : { expectedRealm }),
    })
    let late = false
    opening.then(
      ({ backend }) => (late ? backend.close() : undefined),
      () => {},
    )
    const { backend, initialised, notes } = await withDeadline(opening, config.timeout_seconds, clock, () => {
      late = true
      controller.abort()
    })
    try {
      const canaries = await canaryStore.open(backend.realm)
      const { timeout_seconds: timeoutSeconds } = config
      const store = createOpenStore({ backend, canaries, timeoutSeconds, clock, random, onWarning })
      return { store, initialised, notes }
    } catch (error) {
      await backend.close()
      throw error
    }
  }

  return {
    open: async (config, expectedRealm) => (await open(config, expectedRealm, false)).store,

    async prepare(config, { document, mayInitialise, requireUsableDefaultKey }) {
      const place = placeOf(config, schema)
      const { store, initialised, notes } = await open(config, realmAt(place, config, document), mayInitialise)
      try {
        const resolved = document?.defaultKey
        const sameDefault = document?.active === store.realm && resolved?.name === config.default_key_id
        const proof = await proveStore({
          store,
          place,
          defaultKey: config.default_key_id,
          resolvedDefaultKeyId: sameDefault ? resolved?.keyId : undefined,
          mayCreateDefaultKey: mayInitialise,
          requireUsableDefaultKey,
          known: document?.stores.has(store.realm) ?? false,
          clock,
          random,
        })
        const created = initialised ? [`A new key store was initialised at ${place}.`] : []
        return { store, proof, notes: [...created, ...notes, ...proof.warnings] }
      } catch (error) {
        await store.retire(0)
        throw error
      }
    },
  }
}

/** What changes in the state document when `candidate` serves `config`; the store it replaces stays known. */
export function documentServing(
  config: ConfigDocument,
  { store, proof }: Candidate,
  document: StateDocument | undefined,
  schema: ConfigSchema,
  clock: Clock,
): Omit<StateDocument, 'revision' | 'etag' | 'change'> {
  const now = timestamp(clock)
  const stores = new Map<Realm, StoreEntry>(document?.stores)
  const previous = document?.active === undefined ? undefined : stores.get(document.active)
  if (document?.active !== undefined && previous !== undefined) {
    stores.set(document.active, { ...previous, lastActive: now })
  }
  stores.set(store.realm, {
    driver: config.backend_type,
    identity: placeOf(config, schema),
    config,
    firstActive: stores.get(store.realm)?.firstActive ?? now,
    lastActive: now,
  })
  const { default_key_id: name } = config
  const { defaultKeyId: keyId } = proof
  return {
    desired: 'running',
    config,
    active: store.realm,
    stores,
    ...(name === undefined || keyId === undefined ? {} : { defaultKey: { name, keyId } }),
  }
}

/** The driver's name of the place a valid configuration points at. */
function placeOf(config: ConfigDocument, schema: ConfigSchema): string {
  return schema.driver(config.backend_type).identity(config) ?? config.backend_type
}

/** The realm this server knows at a place. */
function realmAt(place: string, config: ConfigDocument, document: StateDocument | undefined): Realm | undefined {
  for (const [realm, entry] of document?.stores ?? []) {
    if (entry.driver === config.backend_type && entry.identity === place) return realm
  }
  return undefined
}
