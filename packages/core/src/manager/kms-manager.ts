import { systemClock } from '../clock.ts'
import { createConfigSchema } from '../config/config-schema.ts'
import { kmsError } from '../errors/kms-error.ts'
import { createStoreOpener } from '../lifecycle/candidate.ts'
import { createRunChange } from '../lifecycle/change-events.ts'
import { createHealing } from '../lifecycle/healing.ts'
import { createLifecycleCalls } from '../lifecycle/lifecycle-calls.ts'
import { createLifecycleQueue } from '../lifecycle/lifecycle-queue.ts'
import { publicReason } from '../lifecycle/public-reason.ts'
import { createPublisher } from '../lifecycle/publisher.ts'
import { createServiceStatus } from '../lifecycle/service-status.ts'
import { createServingChange, type ServingChange } from '../lifecycle/serving-change.ts'
import { createStoredDocument } from '../lifecycle/stored-document.ts'
import { systemRandom } from '../random.ts'
import { withDeadline } from '../store/deadline.ts'
import { createDataPlane } from './data-plane.ts'
import { createKeyService } from './keys/key-service.ts'
import type { KmsManager, KmsManagerOptions } from './manager-types.ts'
import { SYSTEM } from './system-caller.ts'
import { createKeyWorker } from './worker/key-worker.ts'

/** Makes the service for a set of drivers. It does nothing before `boot()`. */
export function createKmsManager(options: KmsManagerOptions): KmsManager {
  const { configStore, canaryStore, clock = systemClock, random = systemRandom, onEvent = () => {} } = options
  const { keyUse, allowImmediateDeletion = false } = options
  const onWarning = (message: string): void => onEvent({ event: 'kms_warning', message })

  const schema = createConfigSchema(options.drivers)
  const queue = createLifecycleQueue()
  const status = createServiceStatus()
  const document = createStoredDocument({ configStore, clock, random })
  const opener = createStoreOpener({ schema, canaryStore, clock, random, onWarning })
  const healing = createHealing({
    queue,
    document,
    status,
    serving: (): ServingChange => serving,
    clock,
    caller: SYSTEM,
    onEvent,
  })
  const source = {
    current() {
      const { snapshot } = publisher
      if (snapshot === undefined) throw kmsError('NotRunning', { status: status.state.kind })
      return snapshot
    },
  }

  const worker = createKeyWorker({ source, keyUse, onEvent, clock })
  const publisher = createPublisher({ document, opener, clock, onWarning, listeners: [healing, worker] })
  const serving = createServingChange({ schema, opener, document, publisher, status, clock })
  const runChange = createRunChange({ queue, schema, document, clock, onEvent })
  const calls = createLifecycleCalls({
    schema,
    document,
    status,
    publisher,
    serving,
    runChange,
    onStopped: healing.end,
  })

  return {
    ...calls,
    keys: createKeyService({
      source,
      keyUse,
      clock,
      onEvent,
      allowImmediateDeletion,
      onWritten: worker.plan,
      onGone: worker.drop,
    }),
    data: createDataPlane(source, random),

    async boot() {
      const stored = await queue.run(document.load)
      if (stored === undefined) return
      status.apply({ type: 'configured' })
      if (stored.desired !== 'running') return
      const attempt = queue.run(() =>
        serving.start(SYSTEM, false).then(
          () => {},
          (error: unknown) => {
            onWarning(`The service is meant to run and could not be started: ${publicReason(error)}`)
            healing.begin()
          },
        ),
      )
      // A backend that answers slowly must not keep the listener closed for longer than one operation may take.
      await withDeadline(attempt, stored.config.timeout_seconds, clock).catch(() => {})
    },

    status() {
      const { config, revision = 0, stores = new Map(), active } = document.current ?? {}
      const { snapshot } = publisher
      return {
        status: status.wire,
        revision,
        config,
        backendSummary: config === undefined ? undefined : schema.driver(config.backend_type).summary(config),
        healthy: status.state.kind === 'Running' ? true : undefined,
        cache: snapshot?.cache?.statistics(),
        capabilities: snapshot?.active.backend.capabilities,
        retiredBackends: [...stores.keys()].filter((realm) => realm !== active),
        lastError: status.lastError,
      }
    },

    config() {
      const stored = document.current
      return stored && { document: stored.config, etag: stored.etag, revision: stored.revision }
    },

    clearCache() {
      const { active, cache } = source.current()
      cache?.clear()
      active.forget()
    },

    close: () =>
      queue.run(async () => {
        healing.end()
        await publisher.unpublish()
        await canaryStore.close()
      }),
  }
}
