import { Buffer } from 'node:buffer'
import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import type { Realm } from '../envelope/envelope.ts'
import { isKmsError } from '../errors/kms-error.ts'
import type { Random } from '../random.ts'
import type { ServerKeys } from '../seal/server-key.ts'
import { prepareStateDirectories } from '../state/checked-file.ts'
import { syncDirectory, TEMPORARY_PREFIX } from '../state/durable-file.ts'
import { storageFailed } from '../state/storage-error.ts'
import {
  isKept,
  type KeptKey,
  type OfflineEntry,
  offlinePath,
  REMOVED,
  readOfflineFile,
  writeOfflineFile,
} from './offline-file.ts'
import type { OfflineKey, OfflineKeyStore } from './offline-keys.ts'

export interface FileOfflineKeyStoreOptions {
  /** Created 0700 when absent. */
  readonly directory: string
  readonly keys: ServerKeys
  readonly random: Random
  /** Told about files that cannot be used; public text. */
  readonly onWarning: (message: string) => void
}

const MAX_CACHED = 1000

/**
 * One file per KMS key, `<realm>/<first 32 hex digits of SHA-256(key id)>.json`: JSON, and the SHA-256 of the JSON in hex.
 * There is no second copy of one, so that what was removed is removed. Keys sealed under the previous server key are sealed
 * under the current one when the store is opened. Throws `ServerKeyMismatch` when one is sealed under a server key that is
 * not at hand, and `StorageFailed`.
 */
export async function createFileOfflineKeyStore(options: FileOfflineKeyStoreOptions): Promise<OfflineKeyStore> {
  const { directory, keys, random, onWarning } = options
  await prepareStateDirectories([directory])
  await checkServerKeys(options)
  // Absence is not cached: files are few, and asked for seldom where there are none.
  const cache = new LRUCache<string, OfflineEntry>({
    max: MAX_CACHED,
    dispose: (entry) => {
      if ('key' in entry) entry.key.fill(0)
    },
  })
  /** Whatever is done about a key is done in turn: what was read before a change must not be kept after it. */
  const turns = new Map<string, Promise<unknown>>()

  function inTurn<T>(realm: Realm, keyId: string, work: (path: string) => Promise<T>): Promise<T> {
    const path = offlinePath(directory, realm, keyId)
    const turn = (turns.get(path) ?? Promise.resolve()).then(() => work(path))
    const settled = turn
      .catch(() => {})
      .finally(() => {
        if (turns.get(path) === settled) turns.delete(path)
      })
    turns.set(path, settled)
    return turn
  }

  /** A file that cannot be used is left as it is: it may be restored. */
  async function load(path: string): Promise<OfflineEntry | 'unusable' | undefined> {
    const cached = cache.get(path)
    if (cached !== undefined) return cached
    let entry: OfflineEntry | undefined
    try {
      entry = (await readOfflineFile(path, keys))?.entry
    } catch (error) {
      if (!isKmsError(error, 'StoreDamaged', 'NewerFormat', 'ServerKeyMismatch')) throw error
      onWarning(
        `A key of offline copies cannot be used: they do not open offline, and no new ones are made. ${error.message}`,
      )
      return 'unusable'
    }
    if (entry !== undefined) cache.set(path, entry)
    return entry
  }

  async function save(path: string, realm: Realm, keyId: string, entry: OfflineEntry): Promise<void> {
    // What is in memory must not outlive what is on disk.
    cache.delete(path)
    await writeOfflineFile(path, { realm, keyId, entry }, options)
    cache.set(path, entry)
  }

  /** Changes the state of a key that is kept here. */
  function setState(realm: Realm, keyId: string, state: KeptKey['state']): Promise<void> {
    return inTurn(realm, keyId, async (path) => {
      const entry = await load(path)
      if (isKept(entry) && entry.state !== state) await save(path, realm, keyId, copyOf(entry, state))
    })
  }

  return {
    provide: (realm, keyId) =>
      inTurn(realm, keyId, async (path) => {
        let entry = await load(path)
        if (entry === undefined) {
          entry = { state: 'active', id: random(16), key: random(32) }
          await save(path, realm, keyId, entry)
        }
        return usable(entry)
      }),

    find: (realm, keyId, id) =>
      inTurn(realm, keyId, async (path) => {
        const entry = await load(path)
        return isKept(entry) && entry.id.equals(id) ? usable(entry) : undefined
      }),

    suspend: (realm, keyId) => setState(realm, keyId, 'suspended'),
    resume: (realm, keyId) => setState(realm, keyId, 'active'),

    remove: (realm, keyId) => inTurn(realm, keyId, (path) => save(path, realm, keyId, REMOVED)),

    allow: (realm, keyId) =>
      inTurn(realm, keyId, async (path) => {
        if ((await load(path)) !== REMOVED) return
        cache.delete(path)
        try {
          await unlink(path)
          await syncDirectory(join(directory, realm))
        } catch (error) {
          throw storageFailed('the key of offline copies', error)
        }
      }),

    close: () => cache.clear(),
  }
}

/** A copy that survives the zeroing of the one it was made of. */
function copyOf({ id, key }: KeptKey, state: KeptKey['state']): KeptKey {
  return { state, id, key: Buffer.from(key) }
}

/** A copy: what is kept may be zeroed at any time, and a zeroed key must not seal anything. */
function usable(entry: OfflineEntry | 'unusable'): OfflineKey | undefined {
  return isKept(entry) && entry.state === 'active' ? { id: entry.id, key: Buffer.from(entry.key) } : undefined
}

/**
 * Reads every file once: so that a wrong server key is noticed before anything is sealed under it, and the previous one is
 * not needed any more afterwards.
 */
async function checkServerKeys(options: FileOfflineKeyStoreOptions): Promise<void> {
  const { directory, keys, onWarning } = options
  let paths: string[]
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    paths = entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.json') && !entry.name.startsWith(TEMPORARY_PREFIX))
      .map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    throw storageFailed(directory, error)
  }
  for (const path of paths) {
    try {
      const found = await readOfflineFile(path, keys)
      if (found === undefined || !isKept(found.entry) || found.sealedUnder === keys.current.id) continue
      await writeOfflineFile(path, found, options)
      found.entry.key.fill(0)
    } catch (error) {
      if (!isKmsError(error, 'StoreDamaged', 'NewerFormat')) throw error
      onWarning(`A key of offline copies cannot be used: ${error.message}`)
    }
  }
}
