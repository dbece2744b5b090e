import type { Clock } from '../clock.ts'
import { diffConfig } from '../config/compare.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import type { ConfigDocument } from '../config/driver.ts'
import { SYSTEM } from '../manager/system-caller.ts'
import type { StateDocument } from '../state/state-document.ts'
import type { OpenStore } from '../store/open-store.ts'
import type { RunChange } from './change-events.ts'
import type { Report } from './change-report.ts'
import { broughtUpToDate } from './going-back.ts'
import type { Publisher } from './publisher.ts'
import type { ServingChange } from './serving-change.ts'
import type { StoredDocument } from './stored-document.ts'

/**
 * Returns to the configuration before when a new one turns bad right after it began to serve: once, as a new revision, and
 * never from what was returned to.
 */
export interface AutomaticReturn {
  /** Runs a swap to a new configuration and watches its first probe. */
  watching<T>(swap: () => Promise<T>): Promise<T>
  /** A probe of the active store has ended. */
  onProbed(active: OpenStore, failed: boolean): void
}

export interface AutomaticReturnOptions {
  readonly schema: ConfigSchema
  readonly document: StoredDocument
  readonly publisher: Publisher
  readonly serving: ServingChange
  readonly runChange: RunChange
  readonly report: Report
  readonly clock: Clock
}

/** A probe that fails later than this says nothing about the change. */
const WATCHED_MS = 30_000

export function createAutomaticReturn(options: AutomaticReturnOptions): AutomaticReturn {
  const { schema, document, publisher, serving, runChange, report, clock } = options
  let watched: { readonly active: OpenStore; readonly before: ConfigDocument; readonly until: number } | undefined

  function goBack(active: OpenStore, before: ConfigDocument): void {
    runChange('kms_returned', SYSTEM, async (tellDiff) => {
      // Somebody was quicker.
      if (publisher.snapshot?.active !== active) return report('unchanged')
      const stored = document.current as StateDocument
      const config = broughtUpToDate(before, stored, schema)
      const changed = diffConfig(stored.config, config)
      tellDiff(changed)
      const notes = await serving.swap(config, {
        action: 'return',
        caller: SYSTEM,
        mayInitialise: false,
        requireUsableDefaultKey: false,
      })
      return report('returned', changed, notes)
    }).catch(() => {
      // Told as an event. What serves goes on, and is not returned from again.
    })
  }

  return {
    async watching(swap) {
      const before = publisher.snapshot
      const result = await swap()
      const after = publisher.snapshot
      if (before !== undefined && after !== undefined) {
        watched = { active: after.active, before: before.config, until: clock.now() + WATCHED_MS }
      }
      return result
    },

    onProbed(active, failed) {
      if (watched?.active !== active) return
      const { before, until } = watched
      watched = undefined
      if (failed && clock.now() <= until) goBack(active, before)
    },
  }
}
