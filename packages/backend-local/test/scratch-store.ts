import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ConfigDocument,
  type KeyBackend,
  type OpenOptions,
  type Secret,
  systemClock,
  systemRandom,
} from '@kms/core'
import { expect } from 'vitest'
import { z } from 'zod'
import { type LocalDriverOptions, localDriver } from '../src/local-driver.ts'
import type { LocalPolicy } from '../src/policy.ts'

/** A raw root key: opens without the cost of a passphrase. */
export const RAW_KEY: string = Buffer.alloc(32, 7).toString('base64')

/** A directory for one test, with a driver that keeps to it. */
export interface Scratch {
  readonly root: string
  readonly keyDir: string
  readonly rootKeyDir: string
  /** Opens the key directory with a raw root key unless `fields` say otherwise (`undefined` leaves a field out). */
  open(fields?: Fields, options?: Partial<OpenOptions>): ReturnType<ReturnType<typeof localDriver>['open']>
  /** {@link open}, and nothing but its backend. */
  backend(fields?: Fields): Promise<KeyBackend>
  cleanup(): Promise<void>
}

export type Fields = Readonly<Record<string, string | number | undefined>>

export interface ScratchOptions {
  readonly policy?: Partial<LocalPolicy>
  readonly environment?: LocalDriverOptions['environment']
}

/** A valid document for the driver, through its own schemas; throws what they throw. */
export function documentOf(driver: ReturnType<typeof localDriver>, fields: Fields): ConfigDocument {
  const own = z.strictObject(driver.shape).parse(fields) as Record<string, string | number | Secret>
  return {
    backend_type: 'local',
    timeout_seconds: 30,
    retry_attempts: 3,
    enable_cache: true,
    max_cached_keys: 1000,
    cache_ttl_seconds: 300,
    allow_offline_decryption: false,
    ...own,
  }
}

export async function scratchStore({ policy, environment = () => undefined }: ScratchOptions = {}): Promise<Scratch> {
  const root = await mkdtemp(join(tmpdir(), 'kms-local-'))
  const keyDir = join(root, 'keys-of-test')
  const rootKeyDir = join(root, 'data', 'root-keys')
  const driver = localDriver({
    rootKeyDir,
    environment,
    policy: { forbiddenDirs: [join(root, 'data')], ...policy },
  })
  const open: Scratch['open'] = (fields = {}, options = {}) => {
    const merged: Record<string, string | number | undefined> = { key_dir: keyDir, master_key: RAW_KEY, ...fields }
    const given = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined))
    return driver.open(documentOf(driver, given), {
      clock: systemClock,
      random: systemRandom,
      mayInitialise: true,
      signal: new AbortController().signal,
      ...options,
    })
  }
  return {
    root,
    keyDir,
    rootKeyDir,
    open,
    backend: async (fields) => (await open(fields)).backend,
    // An open backend holds no file open.
    async cleanup() {
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** Expects a rejection with `code`, whose public message contains `text`. */
export async function expectRefusal(work: Promise<unknown>, code: string, text = ''): Promise<void> {
  const error: unknown = await work.then(
    () => expect.fail(`expected ${code}, but the call succeeded`),
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ name: 'KmsError', code })
  expect((error as Error).message).toContain(text)
}
