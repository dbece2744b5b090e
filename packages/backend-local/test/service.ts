import type { Buffer } from 'node:buffer'
import { join } from 'node:path'
import {
  type Caller,
  createFileCanaryStore,
  createFileConfigStore,
  createFileOfflineKeyStore,
  createKmsManager,
  createServerKey,
  type KmsManager,
  type KmsManagerOptions,
  type ManagerEvent,
  systemRandom,
  type Unwrapped,
  type Wrapped,
} from '@kms/core'
import { localDriver } from '../src/local-driver.ts'

export const caller: Caller = { principal: 'root' }
const keys = { current: createServerKey(new Uint8Array(32).fill(7)) }
const authorize = (): void => {}
const context = new Map<string, string>()

/** Not vitest's: children in processes of their own use this too. */
function refuse(message: string): never {
  throw new Error(message)
}

export interface Server {
  readonly manager: KmsManager
  readonly events: readonly ManagerEvent[]
  /** Closes the file it holds open, whatever state it is in. */
  abandon(): Promise<void>
}

/** What a server is given that is not the usual. */
export type BootOptions = Pick<KmsManagerOptions, 'clock' | 'importStore' | 'generateWrappingKey'> & {
  /** Shared by servers of one store whose root key was generated. */
  readonly rootKeyDir?: string
}

/** A server on the data directory `<home>/data`, started with what is stored. */
export async function boot(home: string, { rootKeyDir, ...given }: BootOptions = {}): Promise<Server> {
  const data = join(home, 'data')
  const events: ManagerEvent[] = []
  const drivers = [
    localDriver({
      rootKeyDir: rootKeyDir ?? join(data, 'root-keys'),
      environment: () => undefined,
      policy: { forbiddenDirs: [data] },
    }),
  ]
  const canaryStore = createFileCanaryStore({
    directory: join(data, 'canaries'),
    random: systemRandom,
    onDamaged: refuse,
  })
  const manager = createKmsManager({
    ...given,
    drivers,
    canaryStore,
    allowImmediateDeletion: true,
    configStore: await createFileConfigStore({
      directory: data,
      drivers,
      keys,
      random: systemRandom,
      onRecovered: refuse,
    }),
    offlineKeys: await createFileOfflineKeyStore({
      directory: join(data, 'offline'),
      keys,
      random: systemRandom,
      onWarning: refuse,
    }),
    onEvent: (event) => events.push(event),
  })
  await manager.boot()
  return { manager, events, abandon: () => canaryStore.close() }
}

/** A data key of 32 bytes under `key`, or under the default key. */
export function generate(manager: KmsManager, key?: string): Promise<Wrapped & Unwrapped> {
  return manager.data.generateDataKey({ spec: 'AES_256', context, authorize, ...(key === undefined ? {} : { key }) })
}

export async function decrypt(manager: KmsManager, ciphertext: Buffer): Promise<Buffer> {
  return (await manager.data.decrypt({ ciphertext, context, authorize })).plaintext
}
