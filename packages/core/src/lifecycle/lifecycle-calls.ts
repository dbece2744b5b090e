import { type ConfigChange, diffConfig } from '../config/compare.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import { type MergedConfig, mergeConfig } from '../config/merge.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { KmsManager, LifecycleReport, ReconfigureOptions } from '../manager/manager-types.ts'
import type { StateDocument } from '../state/state-document.ts'
import type { RunChange } from './change-events.ts'
import type { Publisher } from './publisher.ts'
import type { ServiceStatus } from './service-status.ts'
import type { ServingChange } from './serving-change.ts'
import type { StoredDocument } from './stored-document.ts'

/** The calls an operator makes. */
export type LifecycleCalls = Pick<KmsManager, 'configure' | 'reconfigure' | 'start' | 'stop'>

export interface LifecycleCallsOptions {
  readonly schema: ConfigSchema
  readonly document: StoredDocument
  readonly status: ServiceStatus
  readonly publisher: Publisher
  readonly serving: ServingChange
  readonly runChange: RunChange
  /** Told that the service is not meant to run any more, once that is stored. */
  readonly onStopped: () => void
}

export function createLifecycleCalls(options: LifecycleCallsOptions): LifecycleCalls {
  const { schema, document, status, publisher, serving, runChange, onStopped } = options

  function report(
    outcome: LifecycleReport['outcome'],
    changed: readonly ConfigChange[] = [],
    notes: readonly string[] = [],
  ): LifecycleReport {
    return { status: status.wire, revision: document.current?.revision ?? 0, outcome, changed, notes }
  }

  function checkIfMatch({ ifMatch }: ReconfigureOptions): void {
    const actual = document.current?.etag
    if (ifMatch === undefined || ifMatch === '*' || ifMatch === actual) return
    throw kmsError('PreconditionFailed', { actual: actual ?? 'none', expected: ifMatch.slice(0, 64) })
  }

  function merge(
    payload: unknown,
    mode: 'merge' | 'replace',
  ): MergedConfig & { readonly changed: readonly ConfigChange[]; readonly equal: boolean } {
    const stored = document.current
    const merged = mergeConfig(payload, {
      schema,
      mode,
      current: stored?.config,
      knownStore(driver, identity) {
        const entries = [...(stored?.stores.values() ?? [])]
        return entries.find((entry) => entry.driver === driver.type && entry.identity === identity)?.config
      },
    })
    const changed = diffConfig(stored?.config ?? {}, merged.config)
    return { ...merged, changed, equal: stored !== undefined && changed.length === 0 && !merged.suppliesSecret }
  }

  return {
    configure: (payload, caller, callOptions = {}) =>
      runChange('kms_configured', caller, async () => {
        checkIfMatch(callOptions)
        const { config, changed, equal } = merge(payload, 'replace')
        if (status.apply({ type: 'configure', equal }) === 'none') return report('unchanged')
        const { active, stores = new Map() } = document.current ?? {}
        const next = { desired: 'stopped' as const, config, stores, ...(active === undefined ? {} : { active }) }
        await document.commit(next, 'configure', caller)
        status.lastError = undefined
        status.apply({ type: 'configured' })
        return report('configured', changed)
      }),

    reconfigure: (payload, caller, callOptions = {}) =>
      runChange('kms_reconfigured', caller, async () => {
        checkIfMatch(callOptions)
        const { config, changed, equal } = merge(payload, 'merge')
        if (status.apply({ type: 'reconfigure', changed: !equal }) === 'none') return report('unchanged')
        return report('reconfigured', changed, await serving.swap(config, 'reconfigure', caller, true))
      }),

    start: ({ force }, caller) =>
      runChange('kms_started', caller, async () => {
        const effect = status.apply({ type: 'start', force })
        if (effect === 'none') return report('unchanged')
        const { config } = document.current as StateDocument
        if (effect === 'swap') return report('restarted', [], await serving.swap(config, 'restart', caller, false))
        return report('started', [], await serving.start(caller, true))
      }),

    stop: (caller) =>
      runChange('kms_stopped', caller, async () => {
        if (status.apply({ type: 'stop' }) === 'none') return report('unchanged')
        const stored = document.current as StateDocument
        if (stored.desired !== 'stopped') await document.commit({ ...stored, desired: 'stopped' }, 'stop', caller)
        onStopped()
        status.lastError = undefined
        status.apply({ type: 'stopped' })
        await publisher.unpublish()
        return report('stopped')
      }),
  }
}
