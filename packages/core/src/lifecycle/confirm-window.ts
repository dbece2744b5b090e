import type { Clock } from '../clock.ts'
import { diffConfig } from '../config/compare.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { KmsManager, LifecycleReport } from '../manager/manager-types.ts'
import { SYSTEM } from '../manager/system-caller.ts'
import type { StateDocument, Unconfirmed } from '../state/state-document.ts'
import type { RunChange, TellDiff } from './change-events.ts'
import type { Report } from './change-report.ts'
import { broughtUpToDate } from './going-back.ts'
import { publicReason } from './public-reason.ts'
import { RETRY_MS } from './retry-waits.ts'
import type { ServiceStatus } from './service-status.ts'
import type { ServingChange } from './serving-change.ts'
import type { StoredDocument } from './stored-document.ts'

/** Takes changes back that asked to be confirmed and were not: across restarts, as a new revision. */
export interface ConfirmWindow extends Pick<KmsManager, 'confirm'> {
  /** The stored document may be another one: waits for its deadline, or for nothing. */
  follow(): void
  /** Takes the change back now if its time has run out; resolves when that was tried. */
  settle(): Promise<void>
  end(): void
}

export interface ConfirmWindowOptions {
  readonly schema: ConfigSchema
  readonly document: StoredDocument
  readonly status: ServiceStatus
  readonly serving: ServingChange
  readonly runChange: RunChange
  readonly report: Report
  readonly clock: Clock
  /** Told that a service that is meant to run could not be started. */
  readonly onStartFailed: () => void
}

export function createConfirmWindow(options: ConfirmWindowOptions): ConfirmWindow {
  const { schema, document, status, serving, runChange, report, clock, onStartFailed } = options
  let cancel: (() => void) | undefined
  let attempts = 0

  function isLapsed({ deadline }: Unconfirmed): boolean {
    return clock.now() >= Date.parse(deadline)
  }

  function schedule(ms: number): void {
    cancel?.()
    cancel = clock.after(ms, () => void settle())
  }

  /** What ran without being confirmed serves on until the configuration before is proven beside it. */
  async function takeBack(
    stored: StateDocument,
    { config: before }: Unconfirmed,
    tellDiff: TellDiff,
  ): Promise<LifecycleReport> {
    const config = broughtUpToDate(before, stored, schema)
    const changed = diffConfig(stored.config, config)
    tellDiff(changed)
    if (status.state.kind === 'Running') {
      const notes = await serving.swap(config, {
        action: 'revert',
        caller: SYSTEM,
        mayInitialise: false,
        requireUsableDefaultKey: false,
      })
      return report('reverted', changed, notes)
    }
    const { desired, stores, active } = stored
    await document.commit({ desired, config, stores, ...(active === undefined ? {} : { active }) }, 'revert', SYSTEM)
    status.lastError = undefined
    status.apply({ type: 'configured' })
    if (desired === 'running') await serving.start(SYSTEM, false).catch(onStartFailed)
    return report('reverted', changed)
  }

  async function settle(): Promise<void> {
    const { unconfirmed } = document.current ?? {}
    if (unconfirmed === undefined || !isLapsed(unconfirmed)) return
    try {
      await runChange('kms_reverted', SYSTEM, async (tellDiff) => {
        const stored = document.current
        // Confirmed, or changed, while this waited for its turn.
        if (stored?.unconfirmed === undefined || !isLapsed(stored.unconfirmed)) return report('unchanged')
        return takeBack(stored, stored.unconfirmed, tellDiff)
      })
    } catch (error) {
      status.lastError = `A change was not confirmed in time and cannot be taken back yet: ${publicReason(error)}`
      schedule(RETRY_MS[Math.min(attempts++, RETRY_MS.length - 1)] as number)
    }
  }

  return {
    follow() {
      attempts = 0
      cancel?.()
      const { unconfirmed } = document.current ?? {}
      if (unconfirmed !== undefined) schedule(Math.max(0, Date.parse(unconfirmed.deadline) - clock.now()))
    },

    settle,
    end: () => cancel?.(),

    confirm: (caller) =>
      runChange('kms_confirmed', caller, async () => {
        const stored = document.current
        if (stored?.unconfirmed === undefined) {
          throw kmsError('NothingToConfirm', { reason: 'none waits for it' })
        }
        const { unconfirmed, ...confirmed } = stored
        if (isLapsed(unconfirmed)) {
          const reason = `the time ran out at ${unconfirmed.deadline}, and the configuration before is being returned to`
          throw kmsError('NothingToConfirm', { reason })
        }
        await document.commit(confirmed, 'confirm', caller)
        return report('confirmed')
      }),
  }
}
