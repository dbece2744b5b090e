import { diffConfig } from '../config/compare.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { HistoryEntry, KmsManager } from '../manager/manager-types.ts'
import type { ConfigStore, StateDocument } from '../state/state-document.ts'
import type { AutomaticReturn } from './automatic-return.ts'
import type { RunChange } from './change-events.ts'
import { checkIfMatch, type Report } from './change-report.ts'
import { broughtUpToDate } from './going-back.ts'
import type { ServiceStatus } from './service-status.ts'
import type { ServingChange } from './serving-change.ts'
import type { StoredDocument } from './stored-document.ts'

/** Looking at configurations of before, and returning to one. */
export type PastConfigurations = Pick<KmsManager, 'history' | 'rollback'>

export interface PastConfigurationsOptions {
  readonly schema: ConfigSchema
  readonly configStore: ConfigStore
  readonly document: StoredDocument
  readonly status: ServiceStatus
  readonly serving: ServingChange
  readonly automaticReturn: AutomaticReturn
  readonly runChange: RunChange
  readonly report: Report
}

/** How the actions that change a configuration are told of. */
const OUTCOMES: ReadonlyMap<string, string> = new Map([
  ['configure', 'configured'],
  ['reconfigure', 'reconfigured'],
  ['rollback', 'rolled back'],
  ['revert', 'reverted'],
  ['return', 'returned'],
  ['rotate-root', 'root rotated'],
])

export function createPastConfigurations(options: PastConfigurationsOptions): PastConfigurations {
  const { schema, configStore, document, status, serving, automaticReturn, runChange, report } = options
  return {
    async history() {
      const entries = await configStore.history()
      return entries
        .map(({ revision, change: { time, principal, action, diff } }): HistoryEntry => {
          return { revision, time, principal, outcome: OUTCOMES.get(action) ?? action, diff }
        })
        .toReversed()
    },

    rollback: ({ revision }, caller, callOptions = {}) =>
      runChange('kms_rolled_back', caller, async (tellDiff) => {
        checkIfMatch(document, callOptions)
        const old = await configStore.revision(revision)
        if (old === undefined) throw kmsError('NoSuchRevision', { revision })
        const stored = document.current as StateDocument
        const config = broughtUpToDate(old.config, stored, schema)
        const changed = diffConfig(stored.config, config)
        tellDiff(changed)
        const effect = status.apply({
          type: 'rollback',
          changed: changed.length > 0,
          wanted: stored.desired === 'running',
        })
        if (effect === 'none') return report('unchanged')
        if (effect === 'save') {
          const { desired, stores, active } = stored
          const next = { desired, config, stores, ...(active === undefined ? {} : { active }) }
          await document.commit(next, 'rollback', caller)
          status.lastError = undefined
          status.apply({ type: 'configured' })
          return report('rolled back', changed)
        }
        const notes = await automaticReturn.watching(() =>
          serving.swap(config, { action: 'rollback', caller, mayInitialise: true, requireUsableDefaultKey: true }),
        )
        return report('rolled back', changed, notes)
      }),
  }
}
