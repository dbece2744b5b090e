import { Buffer } from 'node:buffer'
import { readdir, readFile, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { kmsError, type Random, type Realm } from '@kms/core'
import { decodeBase64, errnoOf, storageReason, syncDirectory, TEMPORARY_PREFIX, writeDurably } from '@kms/core/internal'
import { argon2idAsync } from '@noble/hashes/argon2.js'
import { makeDirectory } from './make-directory.ts'
import type { RootSecret } from './root-secret.ts'
import { writeFailure } from './storage-error.ts'
import { type RootKeyOrigin, type StoreFile, type UnlockedStore, unlockStore } from './store-file.ts'

/** A root key, and what to tell the operator about how it was read. */
export interface RootKey {
  /** 32 bytes; the caller zeroes them. */
  readonly key: Buffer
  readonly origin: RootKeyOrigin
  readonly note?: string
  /** Whether it was generated just now. */
  readonly fresh?: true
}

const KEY_BYTES = 32
const SALT_BYTES = 16
const PASSPHRASE_NOTE = 'was read as a passphrase (Argon2id).'
const RAW_NOTE = 'was read as a raw 32-byte key in base64.'

/** The bytes of a raw key: exactly 44 characters of canonical base64 for 32 bytes, else `undefined`. */
function rawKey(text: string): Buffer | undefined {
  const bytes = text.length === 44 ? decodeBase64(text) : undefined
  return bytes?.length === KEY_BYTES ? bytes : undefined
}

async function passphraseKey(text: string, origin: RootKeyOrigin & { kind: 'passphrase' }): Promise<Buffer> {
  const passphrase = Buffer.from(text, 'utf8')
  try {
    // The asynchronous variant gives way to other work every 10 ms.
    const key = await argon2idAsync(passphrase, Buffer.from(origin.salt, 'base64'), {
      version: origin.version,
      m: origin.memory_kib,
      t: origin.iterations,
      p: origin.parallelism,
      dkLen: KEY_BYTES,
    })
    return Buffer.from(key.buffer, key.byteOffset, key.length)
  } finally {
    passphrase.fill(0)
  }
}

/** Where the generated root key of a store is kept. */
export function rootKeyPath(rootKeyDir: string, realm: Realm): string {
  return join(rootKeyDir, `${realm}.key`)
}

/** Where the one that is to replace it waits until `store.json` is sealed under it. */
function nextRootKeyPath(rootKeyDir: string, realm: Realm): string {
  return join(rootKeyDir, `${realm}.next.key`)
}

export interface DecideRootKeyOptions {
  readonly realm: Realm
  readonly rootKeyDir: string
  readonly random: Random
  /** Whether it replaces the root key of a store that exists; {@link putRootKeyInPlace} comes after `store.json`. */
  readonly replaces: boolean
  /** Whether one that was generated for the realm before, and is still there, is taken: its store may come back too. */
  readonly mayExist?: boolean
}

/**
 * Decides the root key of a store: what is supplied, raw or as a passphrase, else a generated one, which is durable in
 * `rootKeyDir` when this returns. Throws `StorageFailed` or `StoreUnwritable`.
 */
export async function decideRootKey(
  secret: RootSecret | undefined,
  { realm, rootKeyDir, random, replaces, mayExist = false }: DecideRootKeyOptions,
): Promise<RootKey> {
  if (secret === undefined) {
    const kept = rootKeyPath(rootKeyDir, realm)
    const path = replaces ? nextRootKeyPath(rootKeyDir, realm) : kept
    const key = random(KEY_BYTES)
    try {
      await makeDirectory(rootKeyDir)
      await writeDurably(path, `${key.toString('base64')}\n`, { mode: 0o600, exclusive: !replaces })
    } catch (error) {
      key.fill(0)
      if (!mayExist || errnoOf(error) !== 'EEXIST') throw writeFailure(path, error)
      return { key: await readGeneratedKey(path, path), origin: { kind: 'generated' } }
    }
    return {
      key,
      origin: { kind: 'generated' },
      fresh: true,
      note: `A root key was generated at ${kept}. Back it up: without it no key of this store opens.`,
    }
  }
  const raw = rawKey(secret.text)
  if (raw !== undefined) return { key: raw, origin: { kind: 'raw' }, note: `${secret.field} ${RAW_NOTE}` }
  // RFC 9106 asks for a salt of 16 bytes; the cost is the one OWASP's Password Storage Cheat Sheet lists first for t = 2.
  const origin = {
    kind: 'passphrase',
    kdf: 'argon2id',
    version: 0x13,
    memory_kib: 19_456,
    iterations: 2,
    parallelism: 1,
    salt: random(SALT_BYTES).toString('base64'),
  } as const
  return { key: await passphraseKey(secret.text, origin), origin, note: `${secret.field} ${PASSPHRASE_NOTE}` }
}

/** A store that was opened with its root key, and what to tell the operator about how that was read. */
export interface OpenedWithRootKey extends UnlockedStore {
  readonly note?: string
  /** The generated root key still lies where it waited to become the store's ({@link putRootKeyInPlace}). */
  readonly unadopted?: true
}

/** What is done with a store and its root key; at once, because the key is zeroed afterwards. */
export type UseRootKey<T> = (opened: OpenedWithRootKey, rootKey: Buffer) => T

/**
 * Opens a store with its root key, in the way that `store.json` says. Throws `RootKeyMissing` when the key is not supplied or
 * not there, `RootKeyMismatch` when what is supplied is not it, `ValidationError` when one is supplied for a store that has
 * a generated one, and as `unlockStore`.
 */
export async function openWithRootKey<T>(
  file: StoreFile,
  secret: RootSecret | undefined,
  rootKeyDir: string,
  use: UseRootKey<T>,
): Promise<T> {
  const { path, content } = file
  const origin = content.root_key
  if (origin.kind === 'generated') {
    if (secret === undefined) return openWithGenerated(file, rootKeyDir, use)
    throw kmsError('ValidationError', {
      path: secret.field,
      reason: `the key store at ${path} has a generated root key and takes no other; leave this field out`,
    })
  }
  if (secret === undefined) {
    const what = origin.kind === 'raw' ? 'its raw key' : 'its passphrase'
    throw kmsError('RootKeyMissing', { path, expected: `${what}, given as master_key` })
  }
  if (origin.kind === 'passphrase') {
    const note = `${secret.field} ${PASSPHRASE_NOTE}`
    return unlockAndZero(file, await passphraseKey(secret.text, origin), (store, key) => use({ ...store, note }, key))
  }
  const key = rawKey(secret.text)
  if (key === undefined) throw kmsError('RootKeyMismatch', { path })
  const note = `${secret.field} ${RAW_NOTE}`
  return unlockAndZero(file, key, (store) => use({ ...store, note }, key))
}

/** After a crash in the middle of a change, the store may be sealed under the key that was to replace the present one. */
async function openWithGenerated<T>(file: StoreFile, rootKeyDir: string, use: UseRootKey<T>): Promise<T> {
  const { path, content } = file
  let key: Buffer
  let adopted = true
  try {
    key = await readGeneratedKey(path, rootKeyPath(rootKeyDir, content.realm))
    requireFit(file, key)
  } catch (error) {
    try {
      key = await readGeneratedKey(path, nextRootKeyPath(rootKeyDir, content.realm))
      requireFit(file, key)
      adopted = false
    } catch {
      throw error
    }
  }
  return unlockAndZero(file, key, (store) => use(adopted ? store : { ...store, unadopted: true }, key))
}

function requireFit(file: StoreFile, key: Buffer): void {
  try {
    for (const kek of unlockStore(file, key).keks) kek.key.fill(0)
  } catch (error) {
    key.fill(0)
    throw error
  }
}

/**
 * Puts the root key that waited for a change in the place of the one before, durably, if it is the one the store is sealed
 * under. Only under the store's lock: whoever makes the next one holds that. Throws `StoreUnwritable`, `StorageFailed`.
 */
export async function putRootKeyInPlace(file: StoreFile, rootKeyDir: string): Promise<void> {
  const { realm } = file.content
  const path = rootKeyPath(rootKeyDir, realm)
  const waits = await openWithGenerated(file, rootKeyDir, ({ keks, unadopted = false }) => {
    for (const kek of keks) kek.key.fill(0)
    return unadopted
  })
  if (!waits) return
  try {
    // The key of before goes only when nothing can bring back the store.json it fits.
    await syncDirectory(dirname(file.path))
    await rename(nextRootKeyPath(rootKeyDir, realm), path)
    await syncDirectory(rootKeyDir)
  } catch (error) {
    throw writeFailure(path, error)
  }
}

/**
 * Removes what a store does not need any more of its generated root keys, what a crash left of them included: all of them,
 * or all but the one in its place. Only under the store's lock.
 */
export async function removeRootKeys(rootKeyDir: string, realm: Realm, which: 'all' | 'others'): Promise<void> {
  const kept = which === 'others' ? `${realm}.key` : undefined
  try {
    for (const name of await readdir(rootKeyDir)) {
      const isOfStore = name.replace(TEMPORARY_PREFIX, '').startsWith(`${realm}.`)
      if (isOfStore && name !== kept) await unlink(join(rootKeyDir, name))
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw writeFailure(rootKeyDir, error)
  }
}

function unlockAndZero<T>(file: StoreFile, key: Buffer, use: UseRootKey<T>): T {
  try {
    return use(unlockStore(file, key), key)
  } finally {
    key.fill(0)
  }
}

async function readGeneratedKey(storePath: string, path: string): Promise<Buffer> {
  let text: string
  try {
    text = await readFile(path, 'latin1')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw kmsError('RootKeyMissing', { path: storePath, expected: path })
    throw kmsError('StoreUnwritable', { path, reason: storageReason(error) }, { cause: error })
  }
  const key = text.endsWith('\n') ? rawKey(text.slice(0, -1)) : undefined
  if (key === undefined) throw kmsError('StoreDamaged', { path, reason: 'it does not hold a root key' })
  return key
}
