import { type Clock, systemClock, timestamp } from '../clock.ts'
import { type ConfigChange, diffConfig } from '../config/compare.ts'
import { createConfigSchema } from '../config/config-schema.ts'
import type { BackendDriver, ConfigDocument } from '../config/driver.ts'
import { mergeConfig } from '../config/merge.ts'
import type { Realm } from '../envelope/envelope.ts'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import { type Random, systemRandom } from '../random.ts'
import type { StateDocument } from '../state/state-document.ts'
import { createDataKeyCache } from '../store/data-key-cache.ts'
import { withDeadline } from '../store/deadline.ts'
import type { OpenStore } from '../store/open-store.ts'
import { type Candidate, createStoreOpener, documentServing } from './candidate.ts'
import { createDataPlane } from './data-plane.ts'
import { createKeyService } from './key-service.ts'
import { createLifecycleQueue } from './lifecycle-queue.ts'
import type {
  Caller,
  KmsManager,
  KmsManagerOptions,
  LifecycleReport,
  ManagerEvent,
  ReconfigureOptions,
  WireStatus,
} from './manager-types.ts'
import { createRetiredStore, type RetiredStore } from './retired-store.ts'
import type { Snapshot } from './snapshot.ts'
import { type ServiceEvent, type ServiceState, transition } from './transition.ts'

/** Waits between attempts to start a service that is meant to run, in milliseconds; the last one repeats. */
const RETRY_MS = [1000, 2000, 4000, 8000, 16_000, 30_000] as const

const SYSTEM: Caller = { principal: 'system' }

/** Makes the service for a set of drivers. It does nothing before `boot()`. */
export function createKmsManager(options: KmsManagerOptions): KmsManager {
  const { drivers, configStore, canaryStore, onEvent = () => {} } = options
  const clock: Clock = options.clock ?? systemClock
  const random: Random = options.random ?? systemRandom
  const schema = createConfigSchema(drivers)
  const queue = createLifecycleQueue()
  const opener = createStoreOpener({ schema, canaryStore, clock, random, onWarning: warn })

  let state: ServiceState = { kind: 'NotConfigured' }
  let document: StateDocument | undefined
  let snapshot: Snapshot | undefined
  let lastError: string | undefined
  let closed = false
  let cancelRetry: (() => void) | undefined
  const retired = new Map<Realm, RetiredStore>()

  const source = {
    current(): Snapshot {
      if (snapshot === undefined) throw kmsError('NotRunning', { status: state.kind })
      return snapshot
    },
  }

  function apply(event: ServiceEvent) {
    const result = transition(state, event)
    if (!result.ok) throw kmsError(result.code)
    state = result.state
    return result.effect
  }

  function warn(message: string): void {
    onEvent({ event: 'kms_warning', message })
  }

  function driverOf(config: ConfigDocument): BackendDriver {
    return schema.driver(config.backend_type)
  }

  function wireStatus(): WireStatus {
    return state.kind === 'Error' ? { Error: state.reason } : state.kind
  }

  function report(
    outcome: LifecycleReport['outcome'],
    changed: readonly ConfigChange[] = [],
    notes: readonly string[] = [],
  ): LifecycleReport {
    return { status: wireStatus(), revision: document?.revision ?? 0, outcome, changed, notes }
  }

  /** Stores the next revision; what is in memory follows what is on disk, never the other way round. */
  async function commit(
    next: Omit<StateDocument, 'revision' | 'etag' | 'change'>,
    action: string,
    caller: Caller,
  ): Promise<void> {
    const before = document?.revision ?? 0
    const revision = before + 1
    const diff = diffConfig(document?.config ?? {}, next.config)
    const saved: StateDocument = {
      ...next,
      revision,
      etag: `"${revision}-${random(8).toString('hex')}"`,
      change: { time: timestamp(clock), principal: caller.principal, action, diff },
    }
    await configStore.save(saved, before)
    document = saved
  }

  /** Makes a candidate what serves; the store it replaces drains beside it, or retires when its realm is another one. */
  function publish(config: ConfigDocument, { store, proof }: Candidate): void {
    const before = snapshot
    for (const realm of document?.stores.keys() ?? []) {
      if (realm === store.realm || retired.has(realm)) continue
      const opened = before?.active.realm === realm ? before.active : undefined
      retired.set(realm, retire(realm, opened))
    }
    const returning = retired.get(store.realm)
    retired.delete(store.realm)
    snapshot = {
      config,
      active: store,
      retired: new Map(retired),
      defaultKeyId: proof.defaultKeyId,
      cache: config.enable_cache
        ? createDataKeyCache({ maxEntries: config.max_cached_keys, ttlSeconds: config.cache_ttl_seconds, clock })
        : undefined,
    }
    before?.cache?.clear()
    lastError = proof.warnings[0]
    settle(returning?.close(config.timeout_seconds))
    if (before !== undefined && before.active.realm === store.realm) {
      settle(before.active.retire(before.config.timeout_seconds))
    }
  }

  function retire(realm: Realm, opened: OpenStore | undefined): RetiredStore {
    return createRetiredStore({
      realm,
      clock,
      ...(opened === undefined ? {} : { opened }),
      async open() {
        const entry = document?.stores.get(realm)
        if (entry === undefined) throw kmsError('UnknownKeyStore', { realm })
        return opener.open(entry.config, realm)
      },
    })
  }

  /** Lets something end in its own time; how it fails is only worth a warning. */
  function settle(work: Promise<void> | undefined): void {
    work?.catch((error: unknown) => warn(`A key store did not close cleanly: ${publicReason(error)}`))
  }

  async function unpublish(): Promise<void> {
    const before = snapshot
    snapshot = undefined
    if (before === undefined) return
    const { timeout_seconds } = before.config
    before.cache?.clear()
    const stores = [...retired.values()]
    retired.clear()
    await Promise.all([before.active.retire(timeout_seconds), ...stores.map((store) => store.close(timeout_seconds))])
  }

  /** Runs a change, one at a time, and tells how it ended. */
  function change(
    name: Exclude<ManagerEvent['event'], 'kms_change_failed' | 'kms_warning'>,
    caller: Caller,
    work: () => Promise<LifecycleReport>,
  ): Promise<LifecycleReport> {
    return queue.run(async () => {
      const startedAt = clock.now()
      const revisionBefore = document?.revision ?? 0
      const described = () => ({ caller, revisionBefore, milliseconds: clock.now() - startedAt })
      try {
        const result = await work()
        if (result.outcome !== 'unchanged') {
          const backend = document === undefined ? {} : { backend: driverOf(document.config).summary(document.config) }
          const message = `${name.slice('kms_'.length)}: revision ${result.revision}`
          onEvent({ event: name, message, ...described(), revision: result.revision, diff: result.changed, ...backend })
        }
        return result
      } catch (error) {
        onEvent({ event: 'kms_change_failed', message: `${name}: ${publicReason(error)}`, ...described() })
        throw error
      }
    })
  }

  function checkIfMatch({ ifMatch }: ReconfigureOptions): void {
    if (ifMatch === undefined || ifMatch === '*' || ifMatch === document?.etag) return
    throw kmsError('PreconditionFailed', { actual: document?.etag ?? 'none', expected: ifMatch.slice(0, 64) })
  }

  function merge(payload: unknown, mode: 'merge' | 'replace') {
    const merged = mergeConfig(payload, {
      schema,
      mode,
      current: document?.config,
      knownStore(driver, identity) {
        const entries = [...(document?.stores.values() ?? [])]
        return entries.find((entry) => entry.driver === driver.type && entry.identity === identity)?.config
      },
    })
    const changed = diffConfig(document?.config ?? {}, merged.config)
    return { ...merged, changed, equal: document !== undefined && changed.length === 0 && !merged.suppliesSecret }
  }

  /** The effect `open`: start what is stored. */
  async function startStored(caller: Caller, mayInitialise: boolean): Promise<readonly string[]> {
    const stored = document as StateDocument
    let candidate: Candidate | undefined
    try {
      candidate = await opener.prepare(stored.config, { document, mayInitialise, requireUsableDefaultKey: false })
      const next = documentServing(stored.config, candidate, document, schema, clock)
      const { desired, active, defaultKey } = stored
      const changes = desired !== next.desired || active !== next.active || defaultKey?.keyId !== next.defaultKey?.keyId
      if (changes) await commit(next, 'start', caller)
      publish(stored.config, candidate)
      apply({ type: 'started' })
      return candidate.notes
    } catch (error) {
      if (snapshot?.active !== candidate?.store) await candidate?.store.retire(0)
      lastError = publicReason(error)
      apply({ type: 'start-failed', reason: lastError })
      throw error
    }
  }

  /** The effect `swap`: prove `config` beside what runs, store it, make it what serves. */
  async function swap(
    config: ConfigDocument,
    action: string,
    caller: Caller,
    isChange: boolean,
  ): Promise<readonly string[]> {
    const candidate = await opener.prepare(config, {
      document,
      mayInitialise: true,
      requireUsableDefaultKey: isChange,
    })
    try {
      await commit(documentServing(config, candidate, document, schema, clock), action, caller)
    } catch (error) {
      await candidate.store.retire(0)
      throw error
    }
    publish(config, candidate)
    apply({ type: 'reconfigured' })
    return candidate.notes
  }

  /** Tries again, with capped backoff, as long as the service is meant to run and does not. */
  function scheduleRetry(attempt = 0): void {
    cancelRetry?.()
    cancelRetry = clock.after(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] as number, () => {
      void queue.run(async () => {
        if (closed || state.kind !== 'Error' || document?.desired !== 'running') return
        try {
          await startStored(SYSTEM, false)
          onEvent({ event: 'kms_started', message: 'The service recovered by itself.', revision: document.revision })
        } catch {
          scheduleRetry(attempt + 1)
        }
      })
    })
  }

  return {
    keys: createKeyService(source),
    data: createDataPlane(source, random),

    async boot() {
      await queue.run(async () => {
        document = await configStore.load()
        if (document !== undefined) apply({ type: 'configured' })
      })
      if (document?.desired !== 'running') return
      const attempt = queue.run(() =>
        startStored(SYSTEM, false).catch((error: unknown) => {
          warn(`The service is meant to run and could not be started: ${publicReason(error)}`)
          scheduleRetry()
        }),
      )
      // A backend that answers slowly must not keep the listener closed for longer than one operation may take.
      await withDeadline(attempt, document.config.timeout_seconds, clock).catch(() => {})
    },

    configure: (payload, caller, callOptions = {}) =>
      change('kms_configured', caller, async () => {
        checkIfMatch(callOptions)
        const { config, changed, equal } = merge(payload, 'replace')
        if (apply({ type: 'configure', equal }) === 'none') return report('unchanged')
        const { active, stores = new Map() } = document ?? {}
        await commit(
          { desired: 'stopped', config, stores, ...(active === undefined ? {} : { active }) },
          'configure',
          caller,
        )
        lastError = undefined
        apply({ type: 'configured' })
        return report('configured', changed)
      }),

    reconfigure: (payload, caller, callOptions = {}) =>
      change('kms_reconfigured', caller, async () => {
        checkIfMatch(callOptions)
        const { config, changed, equal } = merge(payload, 'merge')
        if (apply({ type: 'reconfigure', changed: !equal }) === 'none') return report('unchanged')
        return report('reconfigured', changed, await swap(config, 'reconfigure', caller, true))
      }),

    start: ({ force }, caller) =>
      change('kms_started', caller, async () => {
        const effect = apply({ type: 'start', force })
        if (effect === 'none') return report('unchanged')
        const { config } = document as StateDocument
        if (effect === 'swap') return report('restarted', [], await swap(config, 'restart', caller, false))
        const notes = await startStored(caller, true)
        return report('started', [], notes)
      }),

    stop: (caller) =>
      change('kms_stopped', caller, async () => {
        if (apply({ type: 'stop' }) === 'none') return report('unchanged')
        const stored = document as StateDocument
        if (stored.desired !== 'stopped') await commit({ ...stored, desired: 'stopped' }, 'stop', caller)
        cancelRetry?.()
        lastError = undefined
        apply({ type: 'stopped' })
        await unpublish()
        return report('stopped')
      }),

    status() {
      const { config } = document ?? {}
      return {
        status: wireStatus(),
        revision: document?.revision ?? 0,
        config,
        backendSummary: config === undefined ? undefined : driverOf(config).summary(config),
        healthy: state.kind === 'Running' ? true : undefined,
        cache: snapshot?.cache?.statistics(),
        capabilities: snapshot?.active.backend.capabilities,
        retiredBackends: [...(document?.stores.keys() ?? [])].filter((realm) => realm !== document?.active),
        lastError,
      }
    },

    config: () => document && { document: document.config, etag: document.etag, revision: document.revision },

    clearCache() {
      const { active, cache } = source.current()
      cache?.clear()
      active.forget()
    },

    close: () =>
      queue.run(async () => {
        closed = true
        cancelRetry?.()
        await unpublish()
        await canaryStore.close()
      }),
  }
}

/** What may be told of an error: our own message, or that there was one. */
function publicReason(error: unknown): string {
  return isKmsError(error) ? error.message : 'an internal error occurred'
}
