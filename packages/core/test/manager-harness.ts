import type { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { createFileCanaryStore } from '../src/canary/file-canary-store.ts'
import { kmsError } from '../src/errors/kms-error.ts'
import type { KeyUse } from '../src/keys/key-use.ts'
import { createKmsManager } from '../src/manager/kms-manager.ts'
import type { Caller, KmsManager, ManagerEvent } from '../src/manager/manager-types.ts'
import { createFileOfflineKeyStore } from '../src/offline/file-offline-key-store.ts'
import type { OfflineKeyStore } from '../src/offline/offline-keys.ts'
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
  /** The data directory. */
  readonly directory: string
  readonly clock: ManualClock
  readonly driver: MemoryDriver
  readonly events: ManagerEvent[]
  /** When set, saving the state document fails with this. */
  failSave: Error | undefined
  /** When set, changing the keys of offline copies fails with this. */
  failOffline: Error | undefined
  /** What the next `boot` is told to count with. */
  keyUse: KeyUse | undefined
  /** As the next `boot` is told. */
  allowImmediateDeletion: boolean
  /** The one before is gone as if its process had been killed. */
  boot(): Promise<KmsManager>
  /** Booted, configured and started. */
  running(config?: object): Promise<KmsManager>
  /** The in-memory store at a place. */
  store(name: string): MemoryStore
  /** Lets time pass, second by second, and what falls due take place. */
  pass(seconds: number): Promise<void>
  close(): Promise<void>
}

export async function createHarness(options: MemoryDriverOptions = {}): Promise<Harness> {
  const directory = await mkdtemp(join(tmpdir(), 'kms-manager-'))
  const clock = createManualClock(Date.UTC(2026, 0, 1))
  const driver = memoryDriver(options)
  const events: ManagerEvent[] = []
  const managers: KmsManager[] = []
  const disk = createDiskWatch()
  let process = 0

  const harness: Harness = {
    directory,
    clock,
    driver,
    events,
    failSave: undefined,
    failOffline: undefined,
    keyUse: undefined,
    allowImmediateDeletion: false,

    async boot() {
      const own = ++process
      const isAlive = (): boolean => own === process
      const files = await createFileConfigStore({
        directory,
        drivers: [driver],
        keys,
        random: randomBytes,
        onRecovered: (message) => events.push({ event: 'kms_warning', message }),
      })
      const canaries = createFileCanaryStore({
        directory: join(directory, 'canaries'),
        random: randomBytes,
        onDamaged: anyone,
      })
      const offlineKeys = await createFileOfflineKeyStore({
        directory: join(directory, 'offline'),
        keys,
        random: randomBytes,
        onWarning: (message) => events.push({ event: 'kms_warning', message }),
      })
      const manager = createKmsManager({
        offlineKeys: failing(disk.watch(offlineKeys), () => harness.failOffline),
        allowImmediateDeletion: harness.allowImmediateDeletion,
        spoolDirectory: join(directory, 'spool'),
        drivers: [driver],
        ...(harness.keyUse === undefined ? {} : { keyUse: harness.keyUse }),
        configStore: {
          ...disk.watch(files),
          async save(document, expected) {
            if (!isAlive()) throw kmsError('StorageFailed', { what: 'anything', reason: 'the process is dead' })
            if (harness.failSave !== undefined) throw harness.failSave
            await disk.watch(files).save(document, expected)
          },
        },
        canaryStore: {
          open: async (realm) => disk.watch(await disk.watch(canaries).open(realm)),
          close: canaries.close,
        },
        clock: {
          now: clock.now,
          after: (ms, callback) =>
            clock.after(ms, () => {
              if (isAlive()) callback()
            }),
        },
        onEvent: (event) => {
          if (isAlive()) events.push(event)
        },
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

    async pass(seconds) {
      const settle = async (): Promise<void> => {
        do await idle()
        while (disk.isBusy())
      }
      await settle()
      for (let second = 0; second < seconds; second++) {
        clock.advance(1000)
        await settle()
      }
    },

    async close() {
      for (const manager of managers) await manager.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
  return harness
}

/** The same store, whose changes fail as long as there is a fault. */
function failing(store: OfflineKeyStore, fault: () => Error | undefined): OfflineKeyStore {
  const unless = async <T>(work: () => Promise<T>): Promise<T> => {
    const error = fault()
    if (error !== undefined) throw error
    return work()
  }
  return {
    ...store,
    provide: (realm, keyId) => unless(() => store.provide(realm, keyId)),
    suspend: (realm, keyId) => unless(() => store.suspend(realm, keyId)),
    remove: (realm, keyId) => unless(() => store.remove(realm, keyId)),
  }
}

/** Knows whether anything waits for the real disk, which takes no notice of a manual clock. */
function createDiskWatch() {
  let busy = 0
  return {
    isBusy: () => busy > 0,
    /** The same object, its asynchronous methods watched. */
    watch: <T extends object>(target: T): T =>
      new Proxy(target, {
        get(_, name) {
          const member: unknown = Reflect.get(target, name)
          if (typeof member !== 'function') return member
          return (...args: unknown[]) => {
            const result: unknown = Reflect.apply(member, target, args)
            if (!(result instanceof Promise)) return result
            busy++
            return result.finally(() => busy--)
          }
        },
      }),
  }
}

/** Resolves when everything that only waits for its turn, and not for time, is done. */
export async function idle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
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
