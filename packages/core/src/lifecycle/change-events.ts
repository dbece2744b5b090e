import type { Clock } from '../clock.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import { isKmsError } from '../errors/kms-error.ts'
import type { Caller, LifecycleReport, ManagerEvent } from '../manager/manager-types.ts'
import type { LifecycleQueue } from './lifecycle-queue.ts'
import { publicReason } from './public-reason.ts'
import type { StoredDocument } from './stored-document.ts'

/** Runs a change in its turn, and tells who changed what and how it ended. */
export type RunChange = (
  name: Exclude<ManagerEvent['event'], 'kms_change_failed' | 'kms_warning'>,
  caller: Caller,
  work: () => Promise<LifecycleReport>,
) => Promise<LifecycleReport>

export interface ChangeEventsOptions {
  readonly queue: LifecycleQueue
  readonly schema: ConfigSchema
  readonly document: StoredDocument
  readonly clock: Clock
  readonly onEvent: (event: ManagerEvent) => void
}

export function createRunChange({ queue, schema, document, clock, onEvent }: ChangeEventsOptions): RunChange {
  function backend(): Pick<ManagerEvent, 'backend'> {
    const { config } = document.current ?? {}
    return config === undefined ? {} : { backend: schema.driver(config.backend_type).summary(config) }
  }

  return (name, caller, work) =>
    queue.run(async () => {
      const startedAt = clock.now()
      const revisionBefore = document.current?.revision ?? 0
      const described = () => ({ caller, revisionBefore, milliseconds: clock.now() - startedAt })
      try {
        const result = await work()
        if (result.outcome !== 'unchanged') {
          const message = `${name.slice('kms_'.length)}: revision ${result.revision}`
          const { revision, changed: diff } = result
          onEvent({ event: name, message, ...described(), revision, diff, ...backend() })
        }
        return result
      } catch (error) {
        const code = isKmsError(error) ? error.code : 'InternalError'
        const message = `${name}: ${publicReason(error)}`
        onEvent({ event: 'kms_change_failed', message, attempted: name, code, ...described() })
        throw error
      }
    })
}
