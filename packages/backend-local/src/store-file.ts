import { Buffer } from 'node:buffer'
import { hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'
import { kmsError, type Random, type Realm } from '@kms/core'
import { decodeBase64 } from '@kms/core/internal'
import { z } from 'zod'
import {
  deriveMacKey,
  encodeFile,
  FILE_FORMAT,
  isAuthentic,
  newerFormat,
  type RawFile,
  splitFile,
} from './authenticated-file.ts'
import { hex16, time } from './file-schema.ts'
import { createKek, type Kek, openKek, sealKek } from './key-ring.ts'

/** Name of the file that makes a directory a key store. */
export const STORE_FILE = 'store.json'

/** What every `store.json` begins with, in this and any later format. */
export const STORE_FILE_HEAD = '{"format":'

/**
 * How the root key of a store comes about; decided when the store is made. A passphrase goes through Argon2id
 * (RFC 9106), version 0x13, with the cost and the 16-byte salt stored here.
 */
export type RootKeyOrigin =
  | {
      readonly kind: 'passphrase'
      readonly kdf: 'argon2id'
      readonly version: 0x13
      readonly memory_kib: number
      readonly iterations: number
      readonly parallelism: number
      readonly salt: string
    }
  | { readonly kind: 'raw' }
  | { readonly kind: 'generated' }

/** A KEK as `store.json` holds it. */
export interface StoredKek {
  readonly id: string
  readonly sealed: string
  /** When a re-seal added it; absent for the one the store was made with. */
  readonly created_at?: number | undefined
}

/** Line 1 of `store.json`. */
export interface StoreContent {
  readonly format: typeof FILE_FORMAT
  readonly kind: 'store'
  readonly realm: Realm
  readonly created_at: number
  readonly root_key: RootKeyOrigin
  /** When the root key was last changed; absent while it is the first one. */
  readonly root_since?: number | undefined
  /** 16 bytes, base64: tells a wrong root key from a damaged file. */
  readonly check: string
  readonly current_kek: string
  readonly keks: readonly StoredKek[]
}

const schema: z.ZodType<StoreContent> = z.strictObject({
  format: z.literal(FILE_FORMAT),
  kind: z.literal('store'),
  realm: hex16,
  created_at: time,
  root_key: z.discriminatedUnion('kind', [
    // The bounds keep a forged file cheap: they are read before anything can be authenticated.
    z.strictObject({
      kind: z.literal('passphrase'),
      kdf: z.literal('argon2id'),
      version: z.literal(0x13),
      memory_kib: z.int().min(8192).max(1_048_576),
      iterations: z.int().min(1).max(16),
      parallelism: z.int().min(1).max(16),
      salt: z.base64(),
    }),
    z.strictObject({ kind: z.literal('raw') }),
    z.strictObject({ kind: z.literal('generated') }),
  ]),
  root_since: time.optional(),
  check: z.base64(),
  current_kek: hex16,
  keks: z.array(z.strictObject({ id: hex16, sealed: z.base64(), created_at: time.optional() })).min(1),
})

/** A `store.json` that was read; nothing of it is proven until {@link unlockStore}. */
export interface StoreFile {
  readonly path: string
  readonly raw: RawFile
  readonly content: StoreContent
}

/** A store whose root key fitted. */
export interface UnlockedStore {
  readonly content: StoreContent
  readonly keks: readonly Kek[]
}

function checkValue(rootKey: Uint8Array, realm: Realm): Buffer {
  return Buffer.from(hkdfSync('sha256', rootKey, Buffer.from(realm, 'hex'), 'kms/root-check/v1', 16))
}

function storeMacKey(rootKey: Uint8Array, realm: Realm): KeyObject {
  return deriveMacKey(rootKey, realm, 'kms/store-mac/v1')
}

/** What a `store.json` says, without what follows from the root key. */
export type StoreFacts = Pick<StoreContent, 'realm' | 'created_at' | 'root_key' | 'root_since' | 'current_kek'> & {
  readonly keks: readonly { readonly kek: Kek; readonly createdAt?: number | undefined }[]
}

/** The bytes of a `store.json`: every KEK sealed under the root key. */
export function encodeStoreFile(facts: StoreFacts, rootKey: Uint8Array, random: Random): Buffer {
  const { realm, created_at, root_key, root_since, current_kek, keks } = facts
  const content: StoreContent = {
    format: FILE_FORMAT,
    kind: 'store',
    realm,
    created_at,
    root_key,
    ...(root_since === undefined ? {} : { root_since }),
    check: checkValue(rootKey, realm).toString('base64'),
    current_kek,
    keks: keks.map(({ kek, createdAt }) => ({
      id: kek.id,
      sealed: sealKek(rootKey, realm, kek, random).toString('base64'),
      ...(createdAt === undefined ? {} : { created_at: createdAt }),
    })),
  }
  return encodeFile(content, storeMacKey(rootKey, realm))
}

/** A KEK nobody has used yet. */
export function newKek(realm: Realm, random: Random): Kek {
  return createKek(random(16).toString('hex'), random(32), realm)
}

/** Reads `store.json`. Throws `NewerFormat` or `StoreDamaged`. */
export function parseStoreFile(bytes: Buffer, path: string): StoreFile {
  const raw = splitFile(bytes)
  if (raw === undefined) throw damaged(path)
  const found = newerFormat(raw)
  if (found !== undefined) throw kmsError('NewerFormat', { path, found, known: FILE_FORMAT })
  const content = schema.safeParse(raw.json).data
  if (content === undefined) throw damaged(path)
  return { path, raw, content }
}

/**
 * Proves a `store.json` with the root key and opens its KEKs. Throws `StoreDamaged` when the root key is right and the
 * file is not as we wrote it, `RootKeyMismatch` when the root key is another one.
 */
export function unlockStore(file: StoreFile, rootKey: Uint8Array): UnlockedStore {
  const { path, raw, content } = file
  if (!isAuthentic(raw, 'store', storeMacKey(rootKey, content.realm))) {
    const check = decodeBase64(content.check)
    const expected = checkValue(rootKey, content.realm)
    const fits = check?.length === expected.length && timingSafeEqual(check, expected)
    throw fits ? damaged(path) : kmsError('RootKeyMismatch', { path })
  }
  const keks = content.keks.map(({ id, sealed }) => {
    const kek = openKek(rootKey, content.realm, id, decodeBase64(sealed) ?? Buffer.alloc(0))
    if (kek === undefined) throw damaged(path)
    return kek
  })
  if (!keks.some(({ id }) => id === content.current_kek)) throw damaged(path)
  return { content, keks }
}

function damaged(path: string): Error {
  return kmsError('StoreDamaged', { path, reason: 'its contents are not what was written' })
}
