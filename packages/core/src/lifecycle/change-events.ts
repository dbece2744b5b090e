import type { Clock } from '../clock.ts'
import type { ConfigChange } from '../config/compare.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import { isKmsError } from '../errors/kms-error.ts'
import type { Caller, LifecycleReport, ManagerEvent } from '../manager/manager-types.ts'
import type { LifecycleQueue } from './lifecycle-queue.ts'
import { publicReason } from './public-reason.ts'
import type { StoredDocument } from './stored-document.ts'

/** Tells what a change is about, once that is known, so that a refused one can be told of with it. */
export type TellDiff = (diff: readonly ConfigChange[]) => void

/** Runs a change in its turn, and tells who changed what and how it ended. */
export type RunChange = <R extends LifecycleReport>(
  name: ChangeEventName,
  caller: Caller,
  work: (tellDiff: TellDiff) => Promise<R>,
) => Promise<R>

type ChangeEventName = Exclude<
  ManagerEvent['event'],
  'kms_change_failed' | 'kms_unhealthy' | 'kms_healthy' | 'kms_warning' | 'kms_notice'
>

export interface ChangeEventsOptions {
  readonly queue: LifecycleQueue
  readonly schema: ConfigSchema
  readonly document: StoredDocument
  readonly clock: Clock
  readonly onEvent: (event: ManagerEvent) => void
}

export function createRunChange({ queue, schema, document, clock, onEvent }: ChangeEventsOptions): RunChange {
  /** How things are when a change has ended, well or not. */
  function standing(): Pick<ManagerEvent, 'revision' | 'backend'> {
    const { config, revision = 0 } = document.current ?? {}
    return config === undefined
      ? { revision }
      : { revision, backend: schema.driver(config.backend_type).summary(config) }
  }

  return (name, caller, work) =>
    queue.run(async () => {
      const startedAt = clock.now()
      const revisionBefore = document.current?.revision ?? 0
      let diff: readonly ConfigChange[] = []
      const described = () => ({ caller, revisionBefore, ...standing(), diff, milliseconds: clock.now() - startedAt })
      try {
        const result = await work((told) => {
          diff = told
        })
        if (result.outcome !== 'unchanged') {
          diff = result.changed
          const message = `${name.slice('kms_'.length)}: revision ${result.revision}`
          onEvent({ event: name, message, outcome: 'success', ...described() })
        }
        return result
      } catch (error) {
        const code = isKmsError(error) ? error.code : 'InternalError'
        const message = `${name}: ${publicReason(error)}`
        onEvent({ event: 'kms_change_failed', message, outcome: 'refused', attempted: name, code, ...described() })
        throw error
      }
    })
}
