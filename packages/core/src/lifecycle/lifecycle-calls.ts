import { type Clock, timestamp } from '../clock.ts'
import { type ConfigChange, diffConfig } from '../config/compare.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import { type MergedConfig, mergeConfig } from '../config/merge.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { KmsManager } from '../manager/manager-types.ts'
import type { StateDocument, Unconfirmed } from '../state/state-document.ts'
import type { AutomaticReturn } from './automatic-return.ts'
import type { RunChange } from './change-events.ts'
import { checkIfMatch, type Report } from './change-report.ts'
import { knownStoreAt } from './known-place.ts'
import type { Publisher } from './publisher.ts'
import type { ServiceStatus } from './service-status.ts'
import type { ServingChange } from './serving-change.ts'
import type { StoreOpener } from './store-opener.ts'
import type { StoredDocument } from './stored-document.ts'

/** The calls by which an operator configures, starts and stops. */
export type LifecycleCalls = Pick<KmsManager, 'configure' | 'reconfigure' | 'rehearse' | 'start' | 'stop'>

export interface LifecycleCallsOptions {
  readonly schema: ConfigSchema
  readonly document: StoredDocument
  readonly status: ServiceStatus
  readonly publisher: Publisher
  readonly serving: ServingChange
  readonly opener: StoreOpener
  readonly automaticReturn: AutomaticReturn
  readonly runChange: RunChange
  readonly report: Report
  readonly clock: Clock
  /** Told that the service is not meant to run any more, once that is stored. */
  readonly onStopped: () => void
}

/** Contract §2: what `confirm_within` may be, in seconds. */
const CONFIRM_WITHIN = { min: 1, max: 86_400 } as const

interface Merged extends MergedConfig {
  readonly changed: readonly ConfigChange[]
  readonly equal: boolean
}

export function createLifecycleCalls(options: LifecycleCallsOptions): LifecycleCalls {
  const { schema, document, status, publisher, serving, opener, automaticReturn, runChange, report, clock } = options

  function merge(payload: unknown, mode: 'merge' | 'replace'): Merged {
    const stored = document.current
    const merged = mergeConfig(payload, {
      schema,
      mode,
      current: stored?.config,
      knownStore: (driver, identity) => knownStoreAt(identity, driver.type, stored)?.[1].config,
    })
    const changed = diffConfig(stored?.config ?? {}, merged.config)
    return { ...merged, changed, equal: stored !== undefined && changed.length === 0 && !merged.suppliesSecret }
  }

  /**
   * What a change that asks to be confirmed is taken back to: the last configuration that did not wait for that. Throws
   * `NoConfiguration` when there is nothing to go back to.
   */
  function unconfirmedFor(seconds: number | undefined): { readonly unconfirmed?: Unconfirmed } {
    if (seconds === undefined) return {}
    const { min, max } = CONFIRM_WITHIN
    if (!Number.isInteger(seconds) || seconds < min || seconds > max) {
      const reason = `must be a whole number of seconds from ${min} to ${max}`
      throw kmsError('ValidationError', { path: 'confirm_within', reason })
    }
    const stored = document.current
    if (stored === undefined) throw kmsError('NoConfiguration')
    const { config } = stored.unconfirmed ?? stored
    const deadline = timestamp({ ...clock, now: () => clock.now() + seconds * 1000 })
    return { unconfirmed: { config, deadline } }
  }

  return {
    configure: (payload, caller, callOptions = {}) =>
      runChange('kms_configured', caller, async (tellDiff) => {
        checkIfMatch(document, callOptions)
        const { config, changed, equal } = merge(payload, 'replace')
        tellDiff(changed)
        if (status.apply({ type: 'configure', equal }) === 'none') return report('unchanged')
        const { active, stores = new Map() } = document.current ?? {}
        const next = { desired: 'stopped' as const, config, stores, ...(active === undefined ? {} : { active }) }
        await document.commit(next, 'configure', caller)
        status.lastError = undefined
        status.apply({ type: 'configured' })
        return report('configured', changed)
      }),

    reconfigure: (payload, caller, callOptions = {}) =>
      runChange('kms_reconfigured', caller, async (tellDiff) => {
        checkIfMatch(document, callOptions)
        const { config, changed, equal } = merge(payload, 'merge')
        tellDiff(changed)
        const unconfirmed = unconfirmedFor(callOptions.confirmWithinSeconds)
        if (status.apply({ type: 'reconfigure', changed: !equal }) === 'none') return report('unchanged')
        const notes = await automaticReturn.watching(() =>
          serving.swap(config, {
            action: 'reconfigure',
            caller,
            mayInitialise: true,
            requireUsableDefaultKey: true,
            ...unconfirmed,
          }),
        )
        return report('reconfigured', changed, notes)
      }),

    async rehearse(payload, callOptions = {}) {
      checkIfMatch(document, callOptions)
      const { config, changed: diff } = merge(payload, 'merge')
      unconfirmedFor(callOptions.confirmWithinSeconds)
      const { steps: proof, notes } = await opener.rehearse(config, document.current)
      return { status: status.wire, revision: document.current?.revision ?? 0, diff, proof, notes }
    },

    start: ({ force }, caller) =>
      runChange('kms_started', caller, async () => {
        const effect = status.apply({ type: 'start', force })
        if (effect === 'none') return report('unchanged')
        if (effect === 'open') return report('started', [], await serving.start(caller, true))
        const { config, unconfirmed } = document.current as StateDocument
        const notes = await serving.swap(config, {
          action: 'restart',
          caller,
          mayInitialise: true,
          requireUsableDefaultKey: false,
          ...(unconfirmed === undefined ? {} : { unconfirmed }),
        })
        return report('restarted', [], notes)
      }),

    stop: (caller) =>
      runChange('kms_stopped', caller, async () => {
        if (status.apply({ type: 'stop' }) === 'none') return report('unchanged')
        const stored = document.current as StateDocument
        if (stored.desired !== 'stopped') await document.commit({ ...stored, desired: 'stopped' }, 'stop', caller)
        options.onStopped()
        status.lastError = undefined
        status.apply({ type: 'stopped' })
        await publisher.unpublish()
        return report('stopped')
      }),
  }
}
