import type { Clock } from '../clock.ts'
import { diffConfig } from '../config/compare.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import type { ConfigDocument } from '../config/driver.ts'
import type { Caller } from '../manager/manager-types.ts'
import type { StateDocument, Unconfirmed } from '../state/state-document.ts'
import { documentServing } from './document-serving.ts'
import { placeOf } from './known-place.ts'
import { publicReason } from './public-reason.ts'
import type { Publisher } from './publisher.ts'
import { requireSameStore } from './same-store.ts'
import type { ServiceStatus } from './service-status.ts'
import type { Candidate, StoreOpener } from './store-opener.ts'
import type { NextDocument, StoredDocument } from './stored-document.ts'

export interface SwapOptions {
  /** What made the change, for history. */
  readonly action: string
  readonly caller: Caller
  /** Whether an empty place may become a store. */
  readonly mayInitialise: boolean
  /** Whether the default key must be able to wrap: yes for what somebody wants, no for what already served. */
  readonly requireUsableDefaultKey: boolean
  /** What the change is taken back to unless it is confirmed. */
  readonly unconfirmed?: Unconfirmed
}

/** The two ways to begin serving: each opens, proves, commits and publishes, and undoes itself when a step fails. */
export interface ServingChange {
  /**
   * The effect `open`: start what is stored. Returns remarks for the operator; a failure leaves the state `Error`.
   * Throws why the store could not be opened or proven, or `StorageFailed`.
   */
  start(caller: Caller, mayInitialise: boolean): Promise<readonly string[]>
  /**
   * The effect `swap`: prove `config` beside what runs, store it, make it what serves. Throws as `start`, and
   * `StoreCopied`; what ran before still runs then.
   */
  swap(config: ConfigDocument, options: SwapOptions): Promise<readonly string[]>
}

export interface ServingChangeOptions {
  readonly schema: ConfigSchema
  readonly opener: StoreOpener
  readonly document: StoredDocument
  readonly publisher: Publisher
  readonly status: ServiceStatus
  readonly clock: Clock
}

export function createServingChange(options: ServingChangeOptions): ServingChange {
  const { schema, opener, document, publisher, status, clock } = options

  function publish(candidate: Candidate): void {
    publisher.publish(candidate.config, candidate)
    status.lastError = candidate.proof.warnings[0]
  }

  /** Nothing that is written to the store that serves may be lost by serving from what only looks like it. */
  async function refuseCopy(config: ConfigDocument, { store }: Candidate): Promise<void> {
    const { snapshot } = publisher
    if (snapshot === undefined || snapshot.active.realm !== store.realm) return
    const place = placeOf(config, schema)
    if (place !== placeOf(snapshot.config, schema)) await requireSameStore(snapshot.active, store, place)
  }

  return {
    async start(caller, mayInitialise) {
      const stored = document.current as StateDocument
      let candidate: Candidate | undefined
      try {
        candidate = await opener.prepare(stored.config, {
          document: stored,
          mayInitialise,
          requireUsableDefaultKey: false,
        })
        const { unconfirmed } = stored
        const serving = documentServing(candidate, stored, schema, clock)
        const next = unconfirmed === undefined ? serving : { ...serving, unconfirmed }
        if (tellsMore(next, stored)) await document.commit(next, 'start', caller)
        publish(candidate)
        status.apply({ type: 'started' })
        return candidate.notes
      } catch (error) {
        if (candidate !== undefined && publisher.snapshot?.active !== candidate.store) {
          await opener.discard(candidate.store)
        }
        const reason = publicReason(error)
        status.lastError = reason
        status.apply({ type: 'start-failed', reason })
        throw error
      }
    },

    async swap(config, { action, caller, mayInitialise, requireUsableDefaultKey, unconfirmed }) {
      const stored = document.current
      const candidate = await opener.prepare(config, { document: stored, mayInitialise, requireUsableDefaultKey })
      try {
        await refuseCopy(config, candidate)
        const next = documentServing(candidate, stored, schema, clock)
        await document.commit(unconfirmed === undefined ? next : { ...next, unconfirmed }, action, caller)
      } catch (error) {
        await opener.discard(candidate.store)
        throw error
      }
      publish(candidate)
      status.apply({ type: 'reconfigured' })
      return candidate.notes
    },
  }
}

/** Whether serving what is stored has to be stored: not when it served like this before. */
function tellsMore(next: NextDocument, { desired, active, defaultKey, stores }: StateDocument): boolean {
  if (desired !== next.desired || active !== next.active || defaultKey?.keyId !== next.defaultKey?.keyId) return true
  const known = active === undefined ? undefined : stores.get(active)
  // Which root key the store has is known now.
  if (known?.changedRoot !== undefined) return true
  return known === undefined || diffConfig(known.config, next.config).length > 0
}
