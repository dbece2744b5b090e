import { rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { KmsManager } from '@kms/core'
import { caller } from './service.ts'

/** Opens without the cost of a passphrase. */
const RAW_KEY = Buffer.alloc(32, 7).toString('base64')

/** A change of the service, and what there was before it. */
export interface Act {
  readonly name: string
  /** Brings a service that was never configured to where the act begins. */
  prepare(manager: KmsManager, home: string): Promise<void>
  run(manager: KmsManager, home: string): Promise<unknown>
  /** What the state of the service is called before and after the act, and in between if there is something. */
  readonly states: readonly string[]
}

const local = (home: string, name: string): object => ({
  backend_type: 'local',
  key_dir: join(home, name),
  master_key: RAW_KEY,
  default_key_id: 'master',
})

async function begin(manager: KmsManager, home: string): Promise<void> {
  await manager.configure(local(home, 'keys-a'), caller)
  await manager.start({ force: false }, caller)
}

async function beginTwice(manager: KmsManager, home: string): Promise<void> {
  await begin(manager, home)
  await manager.reconfigure(local(home, 'keys-b'), caller)
}

const retiredRealm = (manager: KmsManager): string => manager.retired()[0]?.realm ?? 'none'

/** What can be told of the state in a line: where it serves, how it is set, what is retired where, what is waited for. */
export async function stateOf(manager: KmsManager): Promise<string> {
  const { status } = manager.status()
  const { document } = manager.config() ?? {}
  const place = basename((document?.['key_dir'] ?? '-') as string)
  const retired = manager.retired().map(({ summary }) => basename(summary['key_dir'] as string))
  return [
    typeof status === 'string' ? status : 'Error',
    place,
    document?.cache_ttl_seconds ?? '-',
    `retired ${retired.join(' ') || '-'}`,
  ].join(', ')
}

export const acts: readonly Act[] = [
  {
    name: 'configure',
    prepare: async () => {},
    run: (manager, home) => manager.configure(local(home, 'keys-a'), caller),
    states: ['NotConfigured, -, -, retired -', 'Configured, keys-a, 300, retired -'],
  },
  {
    name: 'start, in a directory that is not there yet',
    prepare: async (manager, home) => void (await manager.configure(local(home, 'keys-a'), caller)),
    run: (manager) => manager.start({ force: false }, caller),
    states: ['Configured, keys-a, 300, retired -', 'Running, keys-a, 300, retired -'],
  },
  {
    name: 'reconfigure a setting',
    prepare: begin,
    run: (manager) => manager.reconfigure({ cache_ttl_seconds: 5 }, caller),
    states: ['Running, keys-a, 300, retired -', 'Running, keys-a, 5, retired -'],
  },
  {
    name: 'reconfigure to another directory',
    prepare: begin,
    run: (manager, home) => manager.reconfigure(local(home, 'keys-b'), caller),
    states: ['Running, keys-a, 300, retired -', 'Running, keys-b, 300, retired keys-a'],
  },
  {
    name: 'rollback',
    prepare: beginTwice,
    run: (manager) => manager.rollback({ revision: 1 }, caller),
    states: ['Running, keys-b, 300, retired keys-a', 'Running, keys-a, 300, retired keys-b'],
  },
  {
    name: 'reconfigure and confirm',
    prepare: begin,
    async run(manager) {
      await manager.reconfigure({ cache_ttl_seconds: 5 }, caller, { confirmWithinSeconds: 86_400 })
      await manager.confirm(caller)
    },
    states: ['Running, keys-a, 300, retired -', 'Running, keys-a, 5, retired -'],
  },
  {
    name: 'mend',
    async prepare(manager, home) {
      await beginTwice(manager, home)
      await rename(join(home, 'keys-a'), join(home, 'moved-a'))
    },
    run: (manager, home) =>
      manager.mendRetired(retiredRealm(manager), { key_dir: join(home, 'moved-a'), master_key: RAW_KEY }, caller),
    states: ['Running, keys-b, 300, retired keys-a', 'Running, keys-b, 300, retired moved-a'],
  },
  {
    name: 'remove',
    prepare: beginTwice,
    run(manager) {
      const realm = retiredRealm(manager)
      return manager.removeRetired({ realm, confirmRealm: realm, force: true }, caller)
    },
    states: ['Running, keys-b, 300, retired keys-a', 'Running, keys-b, 300, retired -'],
  },
  {
    name: 'stop',
    prepare: begin,
    run: (manager) => manager.stop(caller),
    states: ['Running, keys-a, 300, retired -', 'Configured, keys-a, 300, retired -'],
  },
]
