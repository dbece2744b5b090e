import { createSpool } from '../archive/spool.ts'
import { systemClock } from '../clock.ts'
import { createConfigSchema } from '../config/config-schema.ts'
import type { Notice } from '../config/driver.ts'
import { kmsError } from '../errors/kms-error.ts'
import { generateWrappingKey as makeWrappingKey } from '../imports/wrapping-key.ts'
import { createActiveProbe } from '../lifecycle/active-probe.ts'
import { createArchives } from '../lifecycle/archives.ts'
import { createAutomaticReturn } from '../lifecycle/automatic-return.ts'
import { createRunChange } from '../lifecycle/change-events.ts'
import { createReport } from '../lifecycle/change-report.ts'
import { createConfirmWindow } from '../lifecycle/confirm-window.ts'
import { createHealing } from '../lifecycle/healing.ts'
import { createLifecycleCalls } from '../lifecycle/lifecycle-calls.ts'
import { createLifecycleQueue } from '../lifecycle/lifecycle-queue.ts'
import { createPastConfigurations } from '../lifecycle/past-configurations.ts'
import { publicReason } from '../lifecycle/public-reason.ts'
import { createPublisher } from '../lifecycle/publisher.ts'
import { createRetiredCalls } from '../lifecycle/retired-calls.ts'
import { createRotateRoot } from '../lifecycle/rotate-root.ts'
import { createServiceStatus } from '../lifecycle/service-status.ts'
import { createServingChange, type ServingChange } from '../lifecycle/serving-change.ts'
import { createStoreOpener } from '../lifecycle/store-opener.ts'
import { createStoredDocument } from '../lifecycle/stored-document.ts'
import { systemRandom } from '../random.ts'
import { withDeadline } from '../store/deadline.ts'
import { createDataPlane } from './data/data-plane.ts'
import { createEndingKeys } from './keys/ending-keys.ts'
import { createKeyService } from './keys/key-service.ts'
import type { KmsManager, KmsManagerOptions } from './manager-types.ts'
import { createOfflineAccess } from './offline-access.ts'
import { SYSTEM } from './system-caller.ts'
import { createKeyWorker } from './worker/key-worker.ts'

/** Makes the service for a set of drivers. It does nothing before `boot()`. */
export function createKmsManager(options: KmsManagerOptions): KmsManager {
  const { configStore, canaryStore, clock = systemClock, random = systemRandom, onEvent = () => {} } = options
  const { keyUse, offlineKeys, allowImmediateDeletion = false, generateWrappingKey = makeWrappingKey } = options
  const { spoolDirectory } = options
  const onWarning = (message: string): void => onEvent({ event: 'kms_warning', message })
  const onNotice = ({ level, message }: Notice): void =>
    onEvent({ event: level === 'info' ? 'kms_notice' : 'kms_warning', message })

  const schema = createConfigSchema(options.drivers)
  const queue = createLifecycleQueue()
  const status = createServiceStatus()
  const document = createStoredDocument({ configStore, clock, random, onStored: () => confirmWindow.follow() })
  const report = createReport(status, document)
  const opener = createStoreOpener({
    schema,
    canaryStore,
    clock,
    random,
    onWarning,
    offlineKeys,
    onNotice,
  })
  const healing = createHealing({ queue, document, status, serving: (): ServingChange => serving, clock, onEvent })
  const probe = createActiveProbe({
    clock,
    random,
    onProbed: (active, failed) => automaticReturn.onProbed(active, failed),
    onEvent,
  })
  const source = {
    current() {
      const { snapshot } = publisher
      if (snapshot === undefined) throw kmsError('NotRunning', { status: status.state.kind })
      return snapshot
    },
  }

  const ending = createEndingKeys()
  const worker = createKeyWorker({ source, keyUse, ending, onEvent, clock })
  const listeners = [healing, probe, worker]
  const publisher = createPublisher({ document, opener, clock, random, onWarning, listeners })
  const serving = createServingChange({ schema, opener, document, publisher, status, clock })
  const runChange = createRunChange({ queue, schema, document, clock, onEvent })

  const shared = { schema, document, status, publisher, serving, opener, runChange, report, clock }
  const automaticReturn = createAutomaticReturn(shared)
  const confirmWindow = createConfirmWindow({ ...shared, onStartFailed: healing.begin })
  const calls = createLifecycleCalls({ ...shared, automaticReturn, onStopped: healing.end })
  const past = createPastConfigurations({ ...shared, configStore, automaticReturn })
  const retired = createRetiredCalls({ ...shared, canaryStore, keyUse })
  const rootRotation = createRotateRoot({ ...shared, onWarning })
  const spool = spoolDirectory === undefined ? undefined : createSpool(spoolDirectory, random)
  const archives = createArchives({ ...shared, source, canaryStore, spool, random, onNotice, onEvent })

  async function reachDesiredState(desired: 'running' | 'stopped'): Promise<void> {
    if (desired === 'running') {
      await queue.run(() =>
        serving.start(SYSTEM, false).then(
          () => {},
          (error: unknown) => {
            onWarning(`The service is meant to run and could not be started: ${publicReason(error)}`)
            healing.begin()
          },
        ),
      )
    }
    await confirmWindow.settle()
  }

  return {
    ...calls,
    ...past,
    ...retired,
    ...rootRotation,
    ...archives,
    confirm: confirmWindow.confirm,
    keys: createKeyService({
      source,
      keyUse,
      clock,
      onEvent,
      allowImmediateDeletion,
      imports: { random, importStore: options.importStore, generateWrappingKey },
      onWritten: worker.plan,
      onGone: worker.drop,
      ending,
    }),
    data: createDataPlane(source, random, ending),
    offline: createOfflineAccess({ offlineKeys, document, publisher, canaryStore }),

    async boot() {
      await spool?.clear()
      const stored = await queue.run(document.load)
      if (stored === undefined) return
      status.apply({ type: 'configured' })
      // A backend that answers slowly must not keep the listener closed for longer than one operation may take.
      await withDeadline(reachDesiredState(stored.desired), stored.config.timeout_seconds, clock).catch(() => {})
    },

    status() {
      const { config, revision = 0, stores = new Map(), active } = document.current ?? {}
      const { snapshot } = publisher
      return {
        status: status.wire,
        revision,
        config,
        backendSummary: config === undefined ? undefined : schema.driver(config.backend_type).summary(config),
        healthy: snapshot === undefined ? undefined : probe.healthy,
        credentialsExpireAt: snapshot?.active.backend.credentialsExpireAt,
        breakerOpen: snapshot?.active.backend.breakerOpen,
        cache: snapshot?.cache?.statistics(),
        capabilities: snapshot?.active.backend.capabilities,
        retiredBackends: [...stores.keys()].filter((realm) => realm !== active),
        lastError: probe.lastError ?? status.lastError,
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
      queue.end(async () => {
        healing.end()
        confirmWindow.end()
        await publisher.unpublish()
        offlineKeys?.close()
        await canaryStore.close()
      }),
  }
}
