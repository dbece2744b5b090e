import { chmod, cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ArchiveSource,
  type ConfigDocument,
  type KeyBackend,
  type OpenOptions,
  type RestoreOptions,
  type RestoreReport,
  systemClock,
  systemRandom,
} from '@kms/core'
import { nothingSeen } from '@kms/core/testing'
import { expect } from 'vitest'
import { type LocalDriverOptions, localDriver } from '../src/local-driver.ts'
import type { LocalPolicy } from '../src/policy.ts'
import { documentOf, type Fields } from './document-of.ts'

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
  /** Restores into the place of the key directory, as a server does that has seen nothing; the rest is as for `open`. */
  restore(
    archive: ArchiveSource,
    fields?: Fields,
    options?: Partial<OpenOptions & RestoreOptions>,
  ): Promise<RestoreReport>
  cleanup(): Promise<void>
}

export interface ScratchOptions {
  readonly policy?: Partial<LocalPolicy>
  readonly environment?: LocalDriverOptions['environment']
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
  const configOf = (fields: Fields = {}): ConfigDocument => {
    const merged: Record<string, string | number | undefined> = { key_dir: keyDir, master_key: RAW_KEY, ...fields }
    const given = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined))
    return documentOf(driver, given)
  }
  const optionsOf = (options: Partial<OpenOptions> = {}): OpenOptions => ({
    clock: systemClock,
    random: systemRandom,
    mayInitialise: true,
    signal: new AbortController().signal,
    ...options,
  })
  const open: Scratch['open'] = (fields, options) => driver.open(configOf(fields), optionsOf(options))
  return {
    root,
    keyDir,
    rootKeyDir,
    open,
    backend: async (fields) => (await open(fields)).backend,
    async restore(archive, fields, options) {
      const how = { conflict: 'fail', dryRun: false, seen: nothingSeen, ...options } as const
      return (await driver.restore?.(configOf(fields), archive, { ...optionsOf(), ...how })) as RestoreReport
    },
    // An open backend holds no file open, but may still be tidying up in the background.
    async cleanup() {
      await rm(root, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

/** A copy whose permissions are those of a key store, whatever they were. */
export async function copyPrivately(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true })
  await chmod(to, 0o700)
  for (const each of await readdir(to, { recursive: true, withFileTypes: true })) {
    await chmod(join(each.parentPath, each.name), each.isDirectory() ? 0o700 : 0o600)
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
