import type { Clock } from '../clock.ts'
import type { ManagerEvent } from '../manager/manager-types.ts'
import { SYSTEM } from '../manager/system-caller.ts'
import type { LifecycleQueue } from './lifecycle-queue.ts'
import type { ServingListener } from './publisher.ts'
import { RETRY_MS } from './retry-waits.ts'
import type { ServiceStatus } from './service-status.ts'
import type { ServingChange } from './serving-change.ts'
import type { StoredDocument } from './stored-document.ts'

/** Starts a service that is meant to run and does not, with capped backoff, until it runs or is stopped on purpose. */
export interface Healing extends ServingListener {
  begin(): void
  end(): void
}

export interface HealingOptions {
  readonly queue: LifecycleQueue
  readonly document: StoredDocument
  readonly status: ServiceStatus
  readonly serving: () => Pick<ServingChange, 'start'>
  readonly clock: Clock
  readonly onEvent: (event: ManagerEvent) => void
}

export function createHealing({ queue, document, status, serving, clock, onEvent }: HealingOptions): Healing {
  let cancel: (() => void) | undefined
  let ended = false

  function end(): void {
    ended = true
    cancel?.()
  }

  function schedule(attempt: number): void {
    ended = false
    cancel?.()
    cancel = clock.after(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] as number, () => {
      void queue.run(async () => {
        if (ended || status.state.kind !== 'Error' || document.current?.desired !== 'running') return
        const revisionBefore = document.current.revision
        try {
          await serving().start(SYSTEM, false)
          onEvent({
            event: 'kms_started',
            message: 'The service recovered by itself.',
            outcome: 'success',
            caller: SYSTEM,
            revisionBefore,
            revision: document.current.revision,
          })
        } catch {
          schedule(attempt + 1)
        }
      })
    })
  }

  return {
    begin: () => schedule(0),
    end,
    onPublished: end,
    onUnpublished: end,
  }
}
