import type { Clock } from '../clock.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import type { ConfigDocument } from '../config/driver.ts'
import type { Caller } from '../manager/manager-types.ts'
import type { StateDocument } from '../state/state-document.ts'
import { type Candidate, documentServing, type StoreOpener } from './candidate.ts'
import { publicReason } from './public-reason.ts'
import type { Publisher } from './publisher.ts'
import type { ServiceStatus } from './service-status.ts'
import type { StoredDocument } from './stored-document.ts'

/** The two ways to begin serving: each opens, proves, commits and publishes, and undoes itself when a step fails. */
export interface ServingChange {
  /**
   * The effect `open`: start what is stored. Returns remarks for the operator; a failure leaves the state `Error`.
   * Throws why the store could not be opened or proven, or `StorageFailed`.
   */
  start(caller: Caller, mayInitialise: boolean): Promise<readonly string[]>
  /**
   * The effect `swap`: prove `config` beside what runs, store it, make it what serves. `isChange` demands a default key
   * that may wrap. Throws as `start`; what ran before still runs then.
   */
  swap(config: ConfigDocument, action: string, caller: Caller, isChange: boolean): Promise<readonly string[]>
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

  function publish(config: ConfigDocument, candidate: Candidate): void {
    publisher.publish(config, candidate)
    status.lastError = candidate.proof.warnings[0]
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
        const next = documentServing(stored.config, candidate, stored, schema, clock)
        const { desired, active, defaultKey } = stored
        const changes =
          desired !== next.desired || active !== next.active || defaultKey?.keyId !== next.defaultKey?.keyId
        if (changes) await document.commit(next, 'start', caller)
        publish(stored.config, candidate)
        status.apply({ type: 'started' })
        return candidate.notes
      } catch (error) {
        if (publisher.snapshot?.active !== candidate?.store) await candidate?.store.retire(0)
        const reason = publicReason(error)
        status.lastError = reason
        status.apply({ type: 'start-failed', reason })
        throw error
      }
    },

    async swap(config, action, caller, isChange) {
      const stored = document.current
      const candidate = await opener.prepare(config, {
        document: stored,
        mayInitialise: true,
        requireUsableDefaultKey: isChange,
      })
      try {
        await document.commit(documentServing(config, candidate, stored, schema, clock), action, caller)
      } catch (error) {
        await candidate.store.retire(0)
        throw error
      }
      publish(config, candidate)
      status.apply({ type: 'reconfigured' })
      return candidate.notes
    },
  }
}
