import { Buffer } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { kmsError, type Random, type Realm } from '@kms/core'
import { decodeBase64, errnoOf, storageReason, writeDurably } from '@kms/core/internal'
import { argon2idAsync } from '@noble/hashes/argon2.js'
import { makeDirectory } from './make-directory.ts'
import type { RootSecret } from './root-secret.ts'
import { writeFailure } from './storage-error.ts'
import type { RootKeyOrigin, StoreFile } from './store-file.ts'

/** A root key, and what to tell the operator about how it was read. */
export interface RootKey {
  /** 32 bytes; the caller zeroes them. */
  readonly key: Buffer
  readonly origin: RootKeyOrigin
  readonly note?: string
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

/**
 * Decides the root key of a new store: what is supplied, raw or as a passphrase, else a generated one, which is durable
 * in `rootKeyDir` when this returns. Throws `StorageFailed` or `StoreUnwritable`.
 */
export async function decideRootKey(
  secret: RootSecret | undefined,
  { realm, rootKeyDir, random }: { readonly realm: Realm; readonly rootKeyDir: string; readonly random: Random },
): Promise<RootKey> {
  if (secret === undefined) {
    const path = rootKeyPath(rootKeyDir, realm)
    const key = random(KEY_BYTES)
    try {
      await makeDirectory(rootKeyDir)
      await writeDurably(path, `${key.toString('base64')}\n`, { mode: 0o600, exclusive: true })
    } catch (error) {
      throw writeFailure(path, error)
    }
    return {
      key,
      origin: { kind: 'generated' },
      note: `A root key was generated at ${path}. Back it up: without it no key of this store opens.`,
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

/**
 * The root key of an existing store, in the way that was decided when it was made. Throws `RootKeyMissing` when it is not
 * supplied or not there, `RootKeyMismatch` when what is supplied can't be it, `ValidationError` when one is supplied for
 * a store that has a generated one.
 */
export async function recoverRootKey(
  { path, content }: StoreFile,
  secret: RootSecret | undefined,
  rootKeyDir: string,
): Promise<RootKey> {
  const origin = content.root_key
  if (origin.kind === 'generated') {
    if (secret !== undefined) {
      throw kmsError('ValidationError', {
        path: secret.field,
        reason: `the key store at ${path} has a generated root key and takes no other; leave this field out`,
      })
    }
    return { key: await readGeneratedKey(path, rootKeyPath(rootKeyDir, content.realm)), origin }
  }
  if (secret === undefined) {
    const what = origin.kind === 'raw' ? 'the raw key' : 'the passphrase'
    throw kmsError('RootKeyMissing', { path, expected: `${what} it was made with, given as master_key` })
  }
  if (origin.kind === 'passphrase') {
    return { key: await passphraseKey(secret.text, origin), origin, note: `${secret.field} ${PASSPHRASE_NOTE}` }
  }
  const key = rawKey(secret.text)
  if (key === undefined) throw kmsError('RootKeyMismatch', { path })
  return { key, origin, note: `${secret.field} ${RAW_NOTE}` }
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
