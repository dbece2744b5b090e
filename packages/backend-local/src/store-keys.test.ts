import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kmsError, systemClock } from '@kms/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  encodeStoreFile,
  newKek,
  parseStoreFile,
  type RootKeyOrigin,
  STORE_FILE,
  type StoreFile,
  type UnlockedStore,
  unlockStore,
} from './store-file.ts'
import { createStoreKeys, type StoreKeys } from './store-keys.ts'

const realm = 'ab'.repeat(16)
const GENERATED: RootKeyOrigin = { kind: 'generated' }

let directory: string
let path: string
/** The root key that is in its place. */
let rootKey: Buffer
/** What somebody else does just before a store is opened, in order. */
let meanwhile: (() => Promise<void>)[]
let opened: number
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kms-store-keys-'))
  path = join(directory, STORE_FILE)
  meanwhile = []
  opened = 0
})
afterEach(() => rm(directory, { recursive: true }))

/** Writes a store.json under a new KEK and a new root key, which comes to its place when the caller puts it there. */
async function write(root_key: RootKeyOrigin = GENERATED): Promise<{ readonly root: Buffer; readonly bytes: Buffer }> {
  const root = randomBytes(32)
  const kek = newKek(realm, randomBytes)
  const facts = { realm, created_at: 0, root_key, current_kek: kek.id, keks: [{ kek }] }
  const bytes = encodeStoreFile(facts, root, randomBytes)
  await writeFile(path, bytes)
  return { root, bytes }
}

async function change(): Promise<void> {
  rootKey = (await write()).root
}

async function open(file: StoreFile): Promise<UnlockedStore> {
  opened++
  await meanwhile.shift()?.()
  return unlockStore(file, rootKey)
}

async function openStore(root_key: RootKeyOrigin = GENERATED): Promise<StoreKeys> {
  const { root, bytes } = await write(root_key)
  rootKey = root
  const store = unlockStore(parseStoreFile(bytes, path), root)
  return createStoreKeys({ directory, bytes, store, open, clock: systemClock })
}

async function expectPresent(keys: StoreKeys): Promise<void> {
  const { current_kek } = parseStoreFile(await readFile(path), path).content
  expect([keys.content.current_kek, keys.ring.current.id]).toEqual([current_kek, current_kek])
}

describe('the keys of a store whose generated root key another server is changing', () => {
  it('are those it has in the end, when both were changed between reading the one and the other', async () => {
    const keys = await openStore()
    await change()
    meanwhile = [change]
    await keys.refresh()
    await expectPresent(keys)
    expect(opened).toBe(2)
  })

  it('are those it has in the end, when only the store was changed yet', async () => {
    const keys = await openStore()
    const { root } = await write()
    meanwhile = [
      async () => {},
      async () => {
        rootKey = root
      },
    ]
    await Promise.all([keys.refresh(), keys.refresh()])
    await expectPresent(keys)
    expect(opened).toBe(2)
  })

  it('are refused when it is not another server, but the wrong root key', async () => {
    const keys = await openStore()
    await write()
    await expect(keys.refresh()).rejects.toMatchObject({ code: 'RootKeyMismatch' })
    expect(opened).toBe(5)
  })
})

it('a passphrase that is wrong is tried once in five seconds', async () => {
  const salt = randomBytes(16).toString('base64')
  const cost = { version: 0x13, memory_kib: 19_456, iterations: 2, parallelism: 1 } as const
  const passphrase: RootKeyOrigin = { kind: 'passphrase', kdf: 'argon2id', ...cost, salt }
  const keys = await openStore(passphrase)
  await write(passphrase)
  for (let i = 0; i < 3; i++) await expect(keys.refresh()).rejects.toMatchObject({ code: 'RootKeyMismatch' })
  expect(opened).toBe(1)
  meanwhile = [() => Promise.reject(kmsError('InternalError'))]
  await expect(keys.learn()).resolves.toBeUndefined()
})
