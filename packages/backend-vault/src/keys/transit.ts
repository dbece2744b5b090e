import { Buffer } from 'node:buffer'
import { isKmsError, type KmsError, type Random } from '@kms/core'
import type { Operation } from '../transport/operation.ts'
import type { VaultClient } from '../transport/vault-client.ts'
import type { VaultReply } from '../transport/vault-transport.ts'
import { readWrappingKey, wrapForImport } from './import-material.ts'
import { readTransitKey, type TransitKey } from './transit-key.ts'
import { dataOf, isAbsent, unexpected } from './vault-answers.ts'

/** One item for Transit's `encrypt`. */
export interface EncryptItem {
  readonly version: number
  readonly plaintext: Uint8Array
  readonly aad: Uint8Array
}

/** One item for Transit's `decrypt`. */
export interface DecryptItem {
  readonly version: number
  readonly wrapped: Uint8Array
  readonly aad: Uint8Array
}

/** What came of an item: bytes, or that Transit refuses it, or that the token may not ask for it. */
export type ItemOutcome<T> = T | 'refused' | 'denied'

/** What came of an item of a batch: also that it got no answer, when others did. */
export type BatchOutcome<T> = ItemOutcome<T> | KmsError

export interface Encrypted {
  readonly version: number
  readonly wrapped: Buffer
}

/**
 * The verbs of the Transit engine. Throw `BackendUnavailable`, `BackendTimeout`, `BackendDenied`, and `StoreUnwritable` when
 * nothing is mounted.
 */
export interface Transit {
  read(operation: Operation, name: string): Promise<TransitKey | undefined>
  list(operation: Operation): Promise<readonly string[]>
  /** Makes a key, or leaves one of that name as it is. */
  create(operation: Operation, name: string): Promise<TransitKey>
  /** Makes a key of material somebody brings, which may be rotated to material of Transit's own. */
  importKey(operation: Operation, name: string, material: Uint8Array): Promise<TransitKey>
  rotate(operation: Operation, name: string): Promise<void>
  allowDeletion(operation: Operation, name: string, allowed: boolean): Promise<void>
  /** Resolves when there is no key of that name any more. */
  remove(operation: Operation, name: string): Promise<void>
  encrypt(operation: Operation, name: string, item: EncryptItem): Promise<ItemOutcome<Encrypted>>
  decrypt(operation: Operation, name: string, item: DecryptItem): Promise<ItemOutcome<Buffer>>
  encryptMany(
    operation: Operation,
    name: string,
    items: readonly EncryptItem[],
  ): Promise<readonly BatchOutcome<Encrypted>[]>
  decryptMany(
    operation: Operation,
    name: string,
    items: readonly DecryptItem[],
  ): Promise<readonly BatchOutcome<Buffer>[]>
}

const KEY_TYPE = 'aes256-gcm96'
const CIPHERTEXT = /^vault:v([1-9]\d{0,9}):([A-Za-z0-9+/]+={0,2})$/

export function createTransit(client: VaultClient, mount: string, random: Random): Transit {
  const { place } = client
  const keyPath = (name: string, ...rest: readonly string[]): readonly string[] => [mount, 'keys', name, ...rest]

  function must(reply: VaultReply, what: string): VaultReply {
    if (reply.status >= 200 && reply.status < 300) return reply
    throw unexpected(place, `${what} in ${mount}/`, reply)
  }

  function readKey(reply: VaultReply, what: string): TransitKey {
    const key = readTransitKey(dataOf(must(reply, what)))
    if (key === undefined) throw unexpected(place, `${what} in ${mount}/`, reply)
    return key
  }

  async function read(operation: Operation, name: string): Promise<TransitKey | undefined> {
    const reply = await client.request(operation, { request: 'key-read', method: 'GET', path: keyPath(name) })
    if (isAbsent(reply)) return undefined
    return readKey(reply, 'read a key')
  }

  function crypt(operation: Operation, verb: 'encrypt' | 'decrypt', name: string, body: Record<string, unknown>) {
    return client.request(operation, { request: verb, method: 'POST', path: [mount, verb, name], body })
  }

  const encrypt: Transit['encrypt'] = async (operation, name, item) => {
    const reply = await crypt(operation, 'encrypt', name, encryptBody(item))
    if (reply.status === 403) return 'denied'
    if (reply.status === 400) return 'refused'
    const encrypted = readEncrypted(dataOf(must(reply, 'encrypt')))
    if (encrypted === undefined) throw unexpected(place, 'encrypt', reply)
    return encrypted
  }

  const decrypt: Transit['decrypt'] = async (operation, name, item) => {
    const reply = await crypt(operation, 'decrypt', name, decryptBody(item))
    if (reply.status === 403) return 'denied'
    if (reply.status === 400) return 'refused'
    const plaintext = readPlaintext(dataOf(must(reply, 'decrypt')))
    if (plaintext === undefined) throw unexpected(place, 'decrypt', reply)
    return plaintext
  }

  return {
    read,

    async list(operation) {
      const reply = await client.request(operation, { request: 'key-list', method: 'LIST', path: [mount, 'keys'] })
      if (isAbsent(reply)) return []
      return namesOf(must(reply, 'list the keys'))
    },

    async create(operation, name) {
      const body = { type: KEY_TYPE }
      const reply = await client.request(operation, {
        request: 'key-create',
        method: 'POST',
        path: keyPath(name),
        body,
      })
      const made = readTransitKey(dataOf(must(reply, 'make a key')))
      // Older servers answer without the key.
      return (
        made ??
        readKey(
          await client.request(operation, { request: 'key-read', method: 'GET', path: keyPath(name) }),
          'read a key',
        )
      )
    },

    async importKey(operation, name, material) {
      const offered = must(
        await client.request(operation, { request: 'key-import', method: 'GET', path: [mount, 'wrapping_key'] }),
        'import',
      )
      const { public_key: publicKey } = dataOf(offered)
      const wrappingKey = readWrappingKey(publicKey)
      if (wrappingKey === undefined) throw unexpected(place, 'import a key', offered)
      const ciphertext = wrapForImport(wrappingKey, material, random)
      const body = { type: KEY_TYPE, hash_function: 'SHA256', allow_rotation: true, ciphertext }
      const reply = await client.request(operation, {
        request: 'key-import',
        method: 'POST',
        path: keyPath(name, 'import'),
        body,
      })
      const made = await read(operation, name)
      // A second attempt finds what the first one made.
      if (reply.status === 400 && made?.imported === true) return made
      must(reply, 'import a key')
      if (made === undefined) throw unexpected(place, 'import a key', reply)
      return made
    },

    async rotate(operation, name) {
      const path = keyPath(name, 'rotate')
      must(
        await client.request(operation, { request: 'key-rotate', method: 'POST', path, body: {}, once: true }),
        'rotate a key',
      )
    },

    async allowDeletion(operation, name, allowed) {
      const body = { deletion_allowed: allowed }
      const reply = await client.request(operation, {
        request: 'key-config',
        method: 'POST',
        path: keyPath(name, 'config'),
        body,
      })
      must(reply, 'allow the deletion of a key')
    },

    async remove(operation, name) {
      const reply = await client.request(operation, { request: 'key-delete', method: 'DELETE', path: keyPath(name) })
      // A second attempt finds it gone.
      if (reply.status === 400 && (await read(operation, name)) === undefined) return
      must(reply, 'delete a key')
    },

    encrypt,
    decrypt,

    encryptMany: (operation, name, items) =>
      inBatches(items, async (batch) => {
        const reply = await crypt(operation, 'encrypt', name, batchBody(batch.map(encryptBody)))
        const outcomes = readBatch(reply, batch.length, readEncrypted, 'encrypt')
        return outcomes ?? Promise.all(batch.map((item) => encrypt(operation, name, item)))
      }),

    decryptMany: (operation, name, items) =>
      inBatches(items, async (batch) => {
        const reply = await crypt(operation, 'decrypt', name, batchBody(batch.map(decryptBody)))
        const outcomes = readBatch(reply, batch.length, readPlaintext, 'decrypt')
        return outcomes ?? Promise.all(batch.map((item) => decrypt(operation, name, item)))
      }),
  }

  /** The outcomes of a batch; `undefined` when it was refused as a whole, which says nothing about its items. */
  function readBatch<T>(
    reply: VaultReply,
    count: number,
    readItem: (item: Readonly<Record<string, unknown>>) => T | undefined,
    what: string,
  ): readonly ItemOutcome<T>[] | undefined {
    if (reply.status === 403) return Array.from({ length: count }, () => 'denied')
    const { batch_results: results } = dataOf(reply)
    if (!Array.isArray(results) || results.length !== count) {
      if (reply.status === 400) return undefined
      throw unexpected(place, `${what} a batch in ${mount}/`, reply)
    }
    return results.map((item: Readonly<Record<string, unknown>> | null) => {
      if (item === null || (typeof item['error'] === 'string' && item['error'] !== '')) return 'refused'
      return readItem(item) ?? 'refused'
    })
  }
}

/** OpenBao's listeners take a request of 1000 strings (`max_request_json_strings`), names included: five for each item. */
const BATCH_ITEMS = 128

/** Cuts a batch into requests that are sent together. Rejects when none of them gets an answer. */
async function inBatches<Item, T>(
  items: readonly Item[],
  send: (batch: readonly Item[]) => Promise<readonly T[]>,
): Promise<readonly (T | KmsError)[]> {
  const batches: (readonly Item[])[] = []
  for (let at = 0; at < items.length; at += BATCH_ITEMS) batches.push(items.slice(at, at + BATCH_ITEMS))
  const answers = await Promise.allSettled(batches.map(send))
  const anyone = answers.some(({ status }) => status === 'fulfilled')
  return answers.flatMap((answer, i): readonly (T | KmsError)[] => {
    if (answer.status === 'fulfilled') return answer.value
    const { reason } = answer
    if (!anyone || !isKmsError(reason)) throw reason
    return (batches[i] ?? []).map(() => reason)
  })
}

function namesOf(reply: VaultReply): readonly string[] {
  const { keys } = dataOf(reply)
  return Array.isArray(keys) ? keys.filter((each) => typeof each === 'string') : []
}

function encryptBody({ version, plaintext, aad }: EncryptItem): Record<string, unknown> {
  return { plaintext: base64(plaintext), associated_data: base64(aad), key_version: version }
}

function decryptBody({ version, wrapped, aad }: DecryptItem): Record<string, unknown> {
  return { ciphertext: `vault:v${version}:${base64(wrapped)}`, associated_data: base64(aad) }
}

/** Servers that know the status to answer with when some items fail answer 200, others 400; the results are the same. */
function batchBody(items: readonly Record<string, unknown>[]): Record<string, unknown> {
  return { batch_input: items, partial_failure_response_code: 200 }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function readEncrypted({ ciphertext }: Readonly<Record<string, unknown>>): Encrypted | undefined {
  const match = typeof ciphertext === 'string' ? CIPHERTEXT.exec(ciphertext) : null
  if (match === null) return undefined
  return { version: Number(match[1]), wrapped: Buffer.from(match[2] as string, 'base64') }
}

function readPlaintext({ plaintext }: Readonly<Record<string, unknown>>): Buffer | undefined {
  return typeof plaintext === 'string' && plaintext !== '' ? Buffer.from(plaintext, 'base64') : undefined
}
