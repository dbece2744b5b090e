import type { CanaryStore } from '../canary/canary-store.ts'
import { lookOnly } from '../canary/look-only.ts'
import type { Clock } from '../clock.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import type { ConfigDocument, Notice } from '../config/driver.ts'
import { namesSameRootKey, rootKeyOf, withRootKey } from '../config/root-key.ts'
import type { Realm } from '../envelope/envelope.ts'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import { guardOffline } from '../offline/guard-offline.ts'
import type { OfflineKeyStore } from '../offline/offline-keys.ts'
import type { Random } from '../random.ts'
import type { StateDocument, StoreEntry } from '../state/state-document.ts'
import { withDeadline } from '../store/deadline.ts'
import { createOpenStore, type OpenStore } from '../store/open-store.ts'
import { type Proof, type ProofStep, type ProveOptions, proveOpens, proveStore } from '../store/prove.ts'
import { knownStoreAt, placeOf } from './known-place.ts'
import { publicReason } from './public-reason.ts'

/** A store that was opened for a configuration and proven. */
export interface Candidate {
  readonly store: OpenStore
  /** What it was opened with: the configuration asked for, or that with the root key the store has been changed to. */
  readonly config: ConfigDocument
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

/** What a change would find and do. */
export interface Rehearsal {
  readonly steps: readonly ProofStep[]
  /** Remarks for the operator. */
  readonly notes: readonly string[]
}

/** Opens what configurations point at. */
export interface StoreOpener {
  /**
   * Opens a known store without proving it: one that is retired. Throws `BackendTimeout` after `seconds`, and
   * `BackendUnavailable` when `signal` says that nobody waits any more; what opens late is closed.
   */
  open(realm: Realm, entry: StoreEntry, seconds: number, signal: AbortSignal): Promise<OpenStore>
  /** Opens and proves; leaves nothing open when it throws. */
  prepare(config: ConfigDocument, options: PrepareOptions): Promise<Candidate>
  /** Opens another way to a retired store and proves that what it wrapped opens; leaves nothing open when it throws. */
  reconnect(config: ConfigDocument, realm: Realm, entry: StoreEntry): Promise<Candidate>
  /** Closes what did not become anything; that it fails to is only worth a warning. */
  discard(store: OpenStore): Promise<void>
  /** {@link prepare} without a trace: makes and remembers nothing, and leaves nothing open. */
  rehearse(config: ConfigDocument, document: StateDocument | undefined): Promise<Rehearsal>
}

export interface StoreOpenerOptions {
  readonly schema: ConfigSchema
  readonly canaryStore: CanaryStore
  readonly clock: Clock
  readonly random: Random
  readonly onWarning: (message: string) => void
  readonly onNotice: (notice: Notice) => void
  /** Absent: no offline copies are kept. */
  readonly offlineKeys: OfflineKeyStore | undefined
}

/** A proof as a whole takes at most this many operations' time, or a minute. */
const PROOF_OPERATIONS = 4
const PROOF_SECONDS = 60

interface Opened {
  readonly store: OpenStore
  readonly config: ConfigDocument
  readonly initialised: boolean
  readonly notes: readonly string[]
  readonly step: ProofStep
}

interface OpenRequest {
  /** The store that is expected at the place. */
  readonly known: readonly [Realm, StoreEntry] | undefined
  readonly mayInitialise: boolean
  /** Whether what is seen in the store is remembered. */
  readonly remembers: boolean
  readonly seconds: number
  readonly signal?: AbortSignal
}

export function createStoreOpener(openerOptions: StoreOpenerOptions): StoreOpener {
  const { schema, canaryStore, clock, random, onWarning, onNotice, offlineKeys } = openerOptions

  /** The configuration with the root key that the store may have been changed to, while that is not known. */
  function changedRootOf(config: ConfigDocument, entry: StoreEntry | undefined): ConfigDocument | undefined {
    const driver = schema.driver(config.backend_type)
    // A configuration that names yet another root key is wrong, whatever change was under way.
    if (entry?.changedRoot === undefined || !namesSameRootKey(config, entry.config, driver)) return undefined
    return withRootKey(config, driver, rootKeyOf(entry.changedRoot, driver))
  }

  async function open(config: ConfigDocument, request: OpenRequest): Promise<Opened> {
    const { known, mayInitialise, remembers, seconds, signal } = request
    const changedRoot = changedRootOf(config, known?.[1])
    const startedAt = clock.now()
    const controller = new AbortController()
    const opening = schema.driver(config.backend_type).open(config, {
      clock,
      random,
      mayInitialise,
      signal: controller.signal,
      onNotice,
      ...(known === undefined ? {} : { expectedRealm: known[0] }),
      ...(changedRoot === undefined ? {} : { changedRoot }),
    })
    let late = false
    opening.then(
      ({ backend }) => (late ? backend.close() : undefined),
      () => {},
    )
    const giveUp = (): void => {
      late = true
      controller.abort()
    }
    const bounded = withDeadline(opening, seconds, clock, giveUp)
    const {
      backend: bare,
      initialised,
      notes,
      rootChanged,
    } = await (signal === undefined ? bounded : unlessAborted(bounded, signal, giveUp))
    try {
      const backend = remembers && offlineKeys !== undefined ? guardOffline(bare, offlineKeys, onWarning) : bare
      const seen = await canaryStore.open(backend.realm)
      const { timeout_seconds: timeoutSeconds } = config
      const canaries = remembers ? seen : lookOnly(seen)
      const store = createOpenStore({ backend, canaries, timeoutSeconds, clock, random, onWarning })
      const detail = `key store ${backend.realm} was ${initialised ? 'initialised' : 'opened'}`
      const step = { step: 'open', detail, milliseconds: clock.now() - startedAt } as const
      return { store, config: (rootChanged && changedRoot) || config, initialised, notes, step }
    } catch (error) {
      await bare.close()
      throw error
    }
  }

  async function discard(store: OpenStore): Promise<void> {
    await store
      .retire(0)
      .catch((error: unknown) => onWarning(`A key store did not close cleanly: ${publicReason(error)}`))
  }

  /** Runs a proof on an opened store, in bounded time; the store is closed when it fails. */
  async function proven({ store, step }: Opened, config: ConfigDocument, proving: Promise<Proof>): Promise<Proof> {
    try {
      const seconds = Math.max(PROOF_SECONDS, PROOF_OPERATIONS * config.timeout_seconds)
      const proof = await withDeadline(proving, seconds, clock)
      return { ...proof, steps: [step, ...proof.steps] }
    } catch (error) {
      await discard(store)
      throw error
    }
  }

  function prove(
    config: ConfigDocument,
    { store }: Opened,
    wanted: Pick<PrepareOptions, 'document' | 'requireUsableDefaultKey'> & Pick<ProveOptions, 'newDefaultKey'>,
  ): Promise<Proof> {
    const { document, requireUsableDefaultKey, newDefaultKey } = wanted
    const resolved = document?.defaultKey
    const sameDefault = document?.active === store.realm && resolved?.name === config.default_key_id
    return proveStore({
      store,
      place: placeOf(config, schema),
      defaultKey: config.default_key_id,
      resolvedDefaultKeyId: sameDefault ? resolved?.keyId : undefined,
      newDefaultKey,
      requireUsableDefaultKey,
      known: document?.stores.has(store.realm) ?? false,
      clock,
      random,
    })
  }

  return {
    async open(realm, entry, seconds, signal) {
      const known = [realm, entry] as const
      const opened = await open(entry.config, { known, mayInitialise: false, remembers: true, seconds, signal })
      return opened.store
    },

    async prepare(config, { document, mayInitialise, requireUsableDefaultKey }) {
      const place = placeOf(config, schema)
      const opened = await open(config, {
        known: knownStoreAt(place, config.backend_type, document),
        mayInitialise,
        remembers: true,
        seconds: config.timeout_seconds,
      })
      const newDefaultKey = mayInitialise ? 'create' : 'refuse'
      const proving = prove(config, opened, { document, requireUsableDefaultKey, newDefaultKey })
      const proof = await proven(opened, config, proving)
      const created = opened.initialised ? [`A new key store was initialised at ${place}.`] : []
      const notes = [...created, ...opened.notes, ...proof.warnings]
      return { store: opened.store, config: opened.config, proof, notes }
    },

    async reconnect(config, realm, entry) {
      const { timeout_seconds: seconds } = config
      const known = [realm, entry] as const
      const opened = await open(config, { known, mayInitialise: false, remembers: true, seconds })
      const proof = await proven(opened, config, proveOpens(opened.store, placeOf(config, schema), clock))
      return { store: opened.store, config: opened.config, proof, notes: [...opened.notes, ...proof.warnings] }
    },

    discard,

    async rehearse(config, document) {
      const place = placeOf(config, schema)
      const startedAt = clock.now()
      let opened: Opened
      try {
        opened = await open(config, {
          known: knownStoreAt(place, config.backend_type, document),
          mayInitialise: false,
          remembers: false,
          seconds: config.timeout_seconds,
        })
      } catch (error) {
        if (!isKmsError(error, 'StoreNotInitialised')) throw error
        return wouldInitialise(config, place, clock.now() - startedAt)
      }
      const proving = prove(config, opened, { document, requireUsableDefaultKey: true, newDefaultKey: 'tell' })
      const proof = await proven(opened, config, proving)
      await discard(opened.store)
      return { steps: proof.steps, notes: [...opened.notes, ...proof.warnings] }
    },
  }
}

/** Settles as `work` does, or rejects as soon as `signal` is aborted; `onAbort` is called then. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal, onAbort: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      onAbort()
      reject(kmsError('BackendUnavailable', { store: 'being opened', reason: 'it is not needed any more' }))
    }
    signal.addEventListener('abort', abort, { once: true })
    work.finally(() => signal.removeEventListener('abort', abort)).then(resolve, reject)
  })
}

/** What a change would do at an empty place. */
function wouldInitialise({ default_key_id: key }: ConfigDocument, place: string, milliseconds: number): Rehearsal {
  const detail = `${place} is empty: a new key store would be initialised there`
  const steps: ProofStep[] = [{ step: 'open', detail, milliseconds }]
  if (key !== undefined)
    steps.push({
      step: 'default key',
      detail: `"${key}" would be created, unless it is there already`,
      milliseconds: 0,
    })
  return { steps, notes: [`A new key store would be initialised at ${place}.`] }
}
