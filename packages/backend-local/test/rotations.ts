import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ConfigDocument, type KeyBackend, Secret, type UnwrapRequest } from '@kms/core'
import { expect } from 'vitest'
import type { Fields } from './document-of.ts'
import { expectRefusal, RAW_KEY, type Scratch } from './scratch-store.ts'

export const GENERATED: Fields = { master_key: undefined }

/** Root keys of every kind. */
export const roots: Readonly<Record<string, Fields>> = {
  passphrase: { master_key: 'correct horse' },
  'other passphrase': { master_key: 'battery staple' },
  raw: { master_key: RAW_KEY },
  'other raw': { master_key: Buffer.alloc(32, 8).toString('base64') },
  'third raw': { master_key: Buffer.alloc(32, 9).toString('base64') },
  generated: GENERATED,
}

/** What `rotateRoot` is given to change the root key to the one of `fields`. */
export function rootChangeOf({ keyDir }: Scratch, { master_key, ...others }: Fields): ConfigDocument {
  const named = typeof master_key === 'string' ? { master_key: new Secret(master_key) } : {}
  return { key_dir: keyDir, file_permissions: 0o600, ...others, ...named } as unknown as ConfigDocument
}

interface StoreJson {
  readonly realm: string
  readonly current_kek: string
  readonly keks: readonly { readonly id: string }[]
}

export async function storeJson(keyDir: string): Promise<StoreJson> {
  return JSON.parse((await readFile(join(keyDir, 'store.json'), 'utf8')).split('\n')[0] ?? '') as StoreJson
}

export async function wrapUnder(backend: KeyBackend, keyId: string): Promise<UnwrapRequest> {
  const { currentVersion: version, materialId } = await backend.describe(keyId)
  const aad = Buffer.alloc(32, version)
  const wrapped = await backend.wrap({ keyId, version, plaintext: Buffer.from(`${keyId} ${version}`), aad })
  return { keyId, version, algorithm: backend.algorithm, materialId, wrapped, aad }
}

/** Makes one of each kind of file; returns what was wrapped under each version. */
export async function fill(backend: KeyBackend): Promise<readonly UnwrapRequest[]> {
  const none = { aliases: [], description: '', tags: new Map<string, string>() }
  const { etag } = await backend.create({ ...none, keyId: 'Orders', aliases: ['shop', 'Legacy'] })
  const sealed = [await wrapUnder(backend, 'Orders')]
  await backend.rotate('Orders', etag)
  sealed.push(await wrapUnder(backend, 'Orders'))
  await backend.create({ ...none, keyId: 'plain' })
  sealed.push(await wrapUnder(backend, 'plain'))
  await backend.destroy('gone', (await backend.create({ ...none, keyId: 'gone' })).etag)
  return sealed
}

/** Everything that {@link fill} made is there, and everything wrapped opens. */
export async function expectWhole(backend: KeyBackend, sealed: readonly UnwrapRequest[]): Promise<void> {
  for (const each of sealed) expect((await backend.unwrap(each)).toString()).toBe(`${each.keyId} ${each.version}`)
  const { keys, unreadable } = await backend.list({ limit: 10 })
  expect([keys.map(({ keyId }) => keyId), unreadable]).toEqual([['Orders', 'plain'], []])
  for (const alias of ['shop', 'Legacy']) expect((await backend.describe(alias)).keyId).toBe('Orders')
  await expectRefusal(backend.describe('gone'), 'KeyDestroyed')
  await backend.health()
}

/** Waits for the end of a re-seal. */
export async function resealed(backend: KeyBackend): Promise<void> {
  await expect.poll(() => backend.resealProgress?.running, { timeout: 20_000, interval: 5 }).toBe(false)
}

/** The KEKs that the files of a store name. */
export async function keksOnDisk(keyDir: string): Promise<ReadonlySet<string>> {
  const found = await readdir(join(keyDir, 'keys'), { recursive: true, withFileTypes: true })
  const files = found.filter((file) => file.isFile())
  const texts = await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), 'utf8')))
  return new Set(texts.map((text) => /"kek":"([0-9a-f]{32})"/.exec(text)?.[1] ?? text))
}
