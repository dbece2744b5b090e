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
import { createKek, createKeyRing, type Kek, type KeyRing, openKek, sealKek } from './key-ring.ts'

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

/** Line 1 of `store.json`. */
export interface StoreContent {
  readonly format: typeof FILE_FORMAT
  readonly kind: 'store'
  readonly realm: Realm
  readonly created_at: number
  readonly root_key: RootKeyOrigin
  /** 16 bytes, base64: tells a wrong root key from a damaged file. */
  readonly check: string
  readonly current_kek: string
  readonly keks: readonly { readonly id: string; readonly sealed: string }[]
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
  check: z.base64(),
  current_kek: hex16,
  keks: z.array(z.strictObject({ id: hex16, sealed: z.base64() })).min(1),
})

/** A `store.json` that was read; nothing of it is proven until {@link unlockStore}. */
export interface StoreFile {
  readonly path: string
  readonly raw: RawFile
  readonly content: StoreContent
}

/** A store whose root key fitted. */
export interface UnlockedStore {
  readonly ring: KeyRing
  /** Authenticates `store.json` itself. */
  readonly macKey: KeyObject
}

function checkValue(rootKey: Uint8Array, realm: Realm): Buffer {
  return Buffer.from(hkdfSync('sha256', rootKey, Buffer.from(realm, 'hex'), 'kms/root-check/v1', 16))
}

function storeMacKey(rootKey: Uint8Array, realm: Realm): KeyObject {
  return deriveMacKey(rootKey, realm, 'kms/store-mac/v1')
}

/** The bytes of a new `store.json`, with one new KEK. */
export function encodeNewStore(options: {
  readonly realm: Realm
  readonly origin: RootKeyOrigin
  readonly rootKey: Uint8Array
  readonly createdAt: number
  readonly random: Random
}): Buffer {
  const { realm, origin, rootKey, createdAt, random } = options
  const kek = createKek(random(16).toString('hex'), random(32), realm)
  const content: StoreContent = {
    format: FILE_FORMAT,
    kind: 'store',
    realm,
    created_at: createdAt,
    root_key: origin,
    check: checkValue(rootKey, realm).toString('base64'),
    current_kek: kek.id,
    keks: [{ id: kek.id, sealed: sealKek(rootKey, realm, kek, random).toString('base64') }],
  }
  kek.key.fill(0)
  return encodeFile(content, storeMacKey(rootKey, realm))
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
  const macKey = storeMacKey(rootKey, content.realm)
  if (!isAuthentic(raw, 'store', macKey)) {
    const check = decodeBase64(content.check)
    const expected = checkValue(rootKey, content.realm)
    const fits = check?.length === expected.length && timingSafeEqual(check, expected)
    throw fits ? damaged(path) : kmsError('RootKeyMismatch', { path })
  }
  const keks = new Map<string, Kek>()
  for (const { id, sealed } of content.keks) {
    const kek = openKek(rootKey, content.realm, id, decodeBase64(sealed) ?? Buffer.alloc(0))
    if (kek === undefined) throw damaged(path)
    keks.set(id, kek)
  }
  const current = keks.get(content.current_kek)
  if (current === undefined) throw damaged(path)
  return { ring: createKeyRing(content.realm, current, [...keks.values()]), macKey }
}

function damaged(path: string): Error {
  return kmsError('StoreDamaged', { path, reason: 'its contents are not what was written' })
}
