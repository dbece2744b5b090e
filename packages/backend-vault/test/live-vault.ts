import {
  type ConfigDocument,
  type NewKey,
  type OpenedBackend,
  type OpenOptions,
  type Secret,
  systemClock,
  systemRandom,
} from '@kms/core'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { z } from 'zod'
import { findOpenBao, requireOpenBao } from '../../../tools/openbao/find-openbao.ts'
import { type OpenBao, startOpenBao } from '../../../tools/openbao/openbao-server.ts'
import { prepareMounts } from '../../../tools/openbao/prepare.ts'
import { type VaultDriverOptions, vaultDriver } from '../src/vault-driver.ts'

/** A server for the tests of one file. */
export interface LiveVault {
  readonly server: OpenBao
  /** Run when the file is over, last given first. */
  cleanup(work: () => Promise<void>): void
}

/** Starts what the tests of a file share. Without a server to start, each of them is skipped, and says why. */
export function liveVault(prepare: (server: OpenBao) => Promise<void> = prepareMounts): LiveVault {
  const cleanups: (() => Promise<void>)[] = []
  const cleanup = (work: () => Promise<void>): void => void cleanups.unshift(work)
  let server: OpenBao | undefined
  beforeAll(async () => {
    const found = findOpenBao()
    if ('missing' in found) return
    server = await startOpenBao({ program: found.program, cleanup })
    await prepare(server)
  })
  beforeEach((context) => {
    requireOpenBao((reason) => context.skip(reason))
  })
  afterAll(async () => {
    for (const work of cleanups) await work()
  })
  return {
    get server() {
      if (server === undefined) throw new Error('the server was not started')
      return server
    },
    cleanup,
  }
}

export type Fields = Readonly<Record<string, unknown>>

/** A valid document for the driver, through its own schemas; throws what they throw. */
export function documentOf(driver: ReturnType<typeof vaultDriver>, fields: Fields): ConfigDocument {
  const canonical = Object.entries(fields).map(([field, value]) => [
    field,
    withoutNulls(driver.canonicalise?.(field, value) ?? value),
  ])
  const { timeout_seconds = 30, retry_attempts = 3, ...own } = Object.fromEntries(canonical)
  return {
    backend_type: 'vault',
    timeout_seconds,
    retry_attempts,
    enable_cache: true,
    max_cached_keys: 1000,
    cache_ttl_seconds: 300,
    allow_offline_decryption: false,
    ...(z.strictObject(driver.shape).parse(own) as Record<string, string | Secret>),
  }
}

/** What a merge does: `null` clears. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const kept = Object.entries(value).filter(([, inner]) => inner !== null)
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutNulls(inner)]))
}

export interface OpenLive extends Partial<OpenOptions> {
  /** A driver, or what one is made of. */
  readonly driver?: ReturnType<typeof vaultDriver> | Partial<VaultDriverOptions>
}

/** Opens a store on a server; `fields` go on top of its address and authority. */
export function openLive(server: OpenBao, fields: Fields, options: OpenLive = {}): Promise<OpenedBackend> {
  const { driver: driverOptions = {}, ...open } = options
  const driver = 'type' in driverOptions ? driverOptions : vaultDriver({ policy: {}, ...driverOptions })
  const document = documentOf(driver, { address: server.address, ca_cert: server.ca, ...fields })
  return driver.open(document, {
    clock: systemClock,
    random: systemRandom,
    mayInitialise: true,
    signal: new AbortController().signal,
    ...open,
  })
}

/** A key to create, empty but for what is given. */
export function newKey(keyId: string, rest: Partial<NewKey> = {}): NewKey {
  return { keyId, aliases: [], description: '', tags: new Map<string, string>(), ...rest }
}
