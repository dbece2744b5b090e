import type { CanaryStore } from '../canary/canary-store.ts'
import type { Clock } from '../clock.ts'
import type { ConfigDocument } from '../config/driver.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { ImportStore } from '../imports/import-store.ts'
import { generateWrappingKey as makeWrappingKey, type WrappingKeyPair } from '../imports/wrapping-key.ts'
import type { KeyBackend } from '../keys/key-backend.ts'
import type { KeyUse } from '../keys/key-use.ts'
import { createDataPlane, type DataPlane } from '../manager/data/data-plane.ts'
import { createEndingKeys } from '../manager/keys/ending-keys.ts'
import { createKeyService, type KeyService } from '../manager/keys/key-service.ts'
import type { ManagerEvent } from '../manager/manager-types.ts'
import type { Snapshot } from '../manager/snapshot.ts'
import { createKeyWorker, type KeyWorker } from '../manager/worker/key-worker.ts'
import type { Random } from '../random.ts'
import { createDataKeyCache } from '../store/data-key-cache.ts'
import { createOpenStore, type OpenStore } from '../store/open-store.ts'

export interface KeyServerOptions {
  readonly backend: KeyBackend
  readonly canaryStore: CanaryStore
  readonly clock: Clock
  readonly random: Random
  readonly defaultKeyId?: string
  readonly keyUse?: KeyUse
  readonly importStore?: ImportStore
  readonly generateWrappingKey?: () => Promise<WrappingKeyPair>
}

/** The half of a server that has to do with keys, over one opened store: no configuration, no lifecycle. */
export interface KeyServer {
  readonly keys: KeyService
  readonly data: DataPlane
  readonly worker: KeyWorker
  readonly store: OpenStore
  readonly events: readonly ManagerEvent[]
  close(): Promise<void>
}

/** Opens it; immediate deletion is allowed. */
export async function openKeyServer(options: KeyServerOptions): Promise<KeyServer> {
  const { backend, canaryStore, clock, random, defaultKeyId, keyUse, generateWrappingKey = makeWrappingKey } = options
  const events: ManagerEvent[] = []
  const onEvent = (event: ManagerEvent): void => void events.push(event)
  const config: ConfigDocument = {
    backend_type: 'tested',
    timeout_seconds: 30,
    retry_attempts: 0,
    enable_cache: true,
    max_cached_keys: 100,
    cache_ttl_seconds: 300,
    allow_offline_decryption: false,
  }
  const active = createOpenStore({
    backend,
    canaries: await canaryStore.open(backend.realm),
    timeoutSeconds: config.timeout_seconds,
    clock,
    random,
    onWarning: (message) => onEvent({ event: 'kms_warning', message }),
  })
  const opened: Snapshot = {
    config,
    active,
    retired: new Map(),
    defaultKeyId,
    cache: createDataKeyCache({ maxEntries: config.max_cached_keys, ttlSeconds: config.cache_ttl_seconds, clock }),
  }
  let snapshot: Snapshot | undefined = opened
  const source = {
    current(): Snapshot {
      if (snapshot === undefined) throw kmsError('NotRunning', { status: 'Configured' })
      return snapshot
    },
  }
  const ending = createEndingKeys()
  const worker = createKeyWorker({ source, keyUse, ending, onEvent, clock })
  worker.onPublished(opened)
  return {
    keys: createKeyService({
      source,
      keyUse,
      clock,
      onEvent,
      allowImmediateDeletion: true,
      imports: { random, importStore: options.importStore, generateWrappingKey },
      onWritten: worker.plan,
      onGone: worker.drop,
      ending,
    }),
    data: createDataPlane(source, random, ending),
    worker,
    store: active,
    events,
    async close() {
      snapshot = undefined
      worker.onUnpublished()
      await active.retire(30)
      await worker.idle()
    },
  }
}
