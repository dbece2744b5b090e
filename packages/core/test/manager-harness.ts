import type { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { createFileCanaryStore } from '../src/canary/file-canary-store.ts'
import { createKmsManager } from '../src/manager/kms-manager.ts'
import type { Caller, KmsManager, ManagerEvent } from '../src/manager/manager-types.ts'
import { createServerKey, type ServerKeys } from '../src/seal/server-key.ts'
import { createFileConfigStore } from '../src/state/file-config-store.ts'
import {
  createManualClock,
  type ManualClock,
  type MemoryDriver,
  type MemoryDriverOptions,
  type MemoryStore,
  memoryDriver,
} from '../src/testing/index.ts'

export const caller: Caller = { principal: 'root', address: '127.0.0.1', requestId: 'r1' }
export const anyone = (): void => {}
export const noContext: ReadonlyMap<string, string> = new Map()
/** A configuration of the in-memory backend. */
export const local: Readonly<Record<string, unknown>> = { backend_type: 'memory', name: 'a', default_key_id: 'master' }

const keys: ServerKeys = { current: createServerKey(randomBytes(32)) }

/** One data directory and the stores around it; every `boot` is a restart of the process. */
export interface Harness {
  readonly clock: ManualClock
  readonly driver: MemoryDriver
  readonly events: ManagerEvent[]
  /** When set, saving the state document fails with this. */
  failSave: Error | undefined
  boot(): Promise<KmsManager>
  /** Booted, configured and started. */
  running(config?: object): Promise<KmsManager>
  /** The in-memory store at a place. */
  store(name: string): MemoryStore
  close(): Promise<void>
}

export async function createHarness(options: MemoryDriverOptions = {}): Promise<Harness> {
  const directory = await mkdtemp(join(tmpdir(), 'kms-manager-'))
  const clock = createManualClock(Date.UTC(2026, 0, 1))
  const driver = memoryDriver(options)
  const events: ManagerEvent[] = []
  const managers: KmsManager[] = []

  const harness: Harness = {
    clock,
    driver,
    events,
    failSave: undefined,

    async boot() {
      const files = await createFileConfigStore({
        directory,
        drivers: [driver],
        keys,
        random: randomBytes,
        onRecovered: (message) => events.push({ event: 'kms_warning', message }),
      })
      const manager = createKmsManager({
        drivers: [driver],
        configStore: {
          ...files,
          async save(document, expected) {
            if (harness.failSave !== undefined) throw harness.failSave
            await files.save(document, expected)
          },
        },
        canaryStore: createFileCanaryStore({
          directory: join(directory, 'canaries'),
          random: randomBytes,
          onDamaged: anyone,
        }),
        clock,
        onEvent: (event) => events.push(event),
      })
      managers.push(manager)
      await manager.boot()
      return manager
    },

    async running(config = local) {
      const manager = await harness.boot()
      await manager.configure(config, caller)
      await manager.start({ force: false }, caller)
      return manager
    },

    store: (name) => driver.stores.get(name) ?? expect.fail(`no store ${name}`),

    async close() {
      for (const manager of managers) await manager.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
  return harness
}

/** A data key of 32 bytes under `key`, or under the default key. */
export function dataKey(manager: KmsManager, key?: string): ReturnType<KmsManager['data']['generateDataKey']> {
  const named = key === undefined ? {} : { key }
  return manager.data.generateDataKey({ spec: 'AES_256', context: noContext, authorize: anyone, ...named })
}

export function decrypt(
  manager: KmsManager,
  ciphertext: Buffer,
  context: ReadonlyMap<string, string> = noContext,
): ReturnType<KmsManager['data']['decrypt']> {
  return manager.data.decrypt({ ciphertext, context, authorize: anyone })
}
