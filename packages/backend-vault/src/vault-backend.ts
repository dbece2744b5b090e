import {
  type Capabilities,
  type Clock,
  isKeyName,
  isKmsError,
  type KeyBackend,
  type KeyRecord,
  type KmsError,
  kmsError,
  type Realm,
  VAULT_TRANSIT,
} from '@kms/core'
import { patchKey } from '@kms/core/internal'
import type { KeyReader } from './keys/key-reader.ts'
import { type KeyView, viewOf } from './keys/key-view.ts'
import { createKeyViews } from './keys/key-views.ts'
import type { KvRecords } from './keys/kv-records.ts'
import type { NameClaims } from './keys/name-claims.ts'
import { REALM_RECORD, readRealm } from './keys/realm-record.ts'
import { newStoredKey, type StoredKey } from './keys/record-file.ts'
import type { Transit } from './keys/transit.ts'
import type { TransitKey } from './keys/transit-key.ts'
import { createWrapping } from './keys/wrapping.ts'
import type { Breaker } from './transport/breaker.ts'
import type { Operation, Operations } from './transport/operation.ts'
import type { VaultClient } from './transport/vault-client.ts'

export interface VaultBackendOptions {
  readonly realm: Realm
  readonly client: VaultClient
  readonly operations: Operations
  readonly records: KvRecords
  readonly transit: Transit
  readonly reader: KeyReader
  readonly claims: NameClaims
  readonly clock: Clock
  /** When the token expires, in milliseconds since the epoch, if it does. */
  readonly tokenExpiresAt: () => number | undefined
  readonly breaker: Pick<Breaker, 'open'>
  /** Ends what keeps the token, and the connections. */
  readonly release: () => Promise<void>
}

const CAPABILITIES: Capabilities = {
  encrypt: true,
  decrypt: true,
  generate_data_key: true,
  rotate: true,
  enable_disable: true,
  schedule_deletion: true,
  versioning: true,
  physical_delete: true,
  update_key_metadata: true,
  rewrap: true,
  import: true,
  backup: false,
}

/** Keys of a listing that are read at the same time. */
const LIST_WIDTH = 16

/**
 * The verbs over Transit and KV. What an interrupted call may leave behind, and why it does no harm:
 * - a record in state `Creating` (create): not a key yet; completed or given back once its maker has surely given up;
 * - an alias its key does not list (create, update, destroy): resolves to nothing, may be claimed once it is old;
 * - a Transit key of a tombstone (destroy): removed by whoever meets the tombstone later;
 * - a record written without a rotation (rotate): nothing but another etag.
 */
export function createVaultBackend(options: VaultBackendOptions): KeyBackend {
  const { realm, client, operations, records, transit, reader, claims, clock, tokenExpiresAt, breaker, release } =
    options
  const views = createKeyViews(reader, clock)
  const wrapping = createWrapping({ realm, transit, views, place: client.place })
  let closing: Promise<void> | undefined

  function run<T>(work: (operation: Operation) => Promise<T>): Promise<T> {
    return operations.run((operation) => {
      client.admit()
      return work(operation)
    })
  }

  async function unchanged(operation: Operation, keyId: string, etag: string): Promise<KeyView> {
    const view = await views.get(operation, keyId)
    if (view.record.etag !== etag) throw changed(view.record.etag, etag)
    return view
  }

  /** Writes the record of a key if nobody else has meanwhile. */
  async function save(operation: Operation, view: KeyView, stored: StoredKey): Promise<KeyView> {
    const { keyId, etag } = view.record
    const version = await reader.put(operation, keyId, { kind: 'key', key: stored }, view.kvVersion)
    if (version === undefined) {
      views.forget(keyId)
      throw changed('a later version', etag)
    }
    return views.keep(viewOf(realm, stored, version, view.transit), clock.now())
  }

  /** The record of a key that can be used, if its etag is still `etag`. */
  async function usable(operation: Operation, keyId: string, etag: string): Promise<KeyView> {
    const view = await unchanged(operation, keyId, etag)
    const { problem } = view.record
    if (problem !== undefined) throw kmsError('KeyUnavailable', { key: keyId, reason: problem })
    return view
  }

  return {
    realm,
    algorithm: VAULT_TRANSIT,
    capabilities: CAPABILITIES,

    get credentialsExpireAt() {
      return tokenExpiresAt()
    },

    get breakerOpen() {
      return breaker.open
    },

    create: (key) =>
      run(async (operation) => {
        const { keyId, aliases, material } = key
        if (!isKeyName(keyId)) {
          throw kmsError('ValidationError', { path: 'key_id', reason: 'names have 1 to 128 of A-Z a-z 0-9 . _ -' })
        }
        const stored = newStoredKey(key, 'Creating', clock.now())
        const claim = await claims.take(operation, keyId, { kind: 'key', key: stored })
        let taken = [claim]
        let made: TransitKey
        try {
          taken = [claim, ...(await claims.takeAliases(operation, keyId, aliases, { isNew: true }))]
          made = await (material === undefined
            ? transit.create(operation, keyId)
            : transit.importKey(operation, keyId, material))
        } catch (error) {
          // Without an answer it is not known what was made: the record stays, and is completed or given back later.
          if (!isKmsError(error, 'BackendUnavailable', 'BackendTimeout')) await claims.giveBack(operation, taken)
          throw error
        }
        const enabled: StoredKey = { ...stored, state: 'Enabled' }
        const version = await reader.put(operation, keyId, { kind: 'key', key: enabled }, claim.version)
        if (version !== undefined) return views.keep(viewOf(realm, enabled, version, made), clock.now()).record
        // Somebody completed it, who took this call for dead.
        return (await views.get(operation, keyId)).record
      }),

    describe: (name) =>
      run(async (operation) => {
        const view = await views.find(operation, name)
        return view.record
      }),

    list: ({ limit, after = '' }) =>
      run(async (operation) => {
        const [inTransit, inKv] = await Promise.all([
          namesIn(transit.list(operation)),
          namesIn(records.list(operation)),
        ])
        const names = [...new Set([...inTransit, ...inKv])].filter((name) => isKeyName(name) && name > after).sort()
        const keys: KeyRecord[] = []
        const unreadable: string[] = []
        let last = ''
        for (let at = 0; at < names.length; at += LIST_WIDTH) {
          const chunk = names.slice(at, at + LIST_WIDTH)
          const found = await Promise.all(
            chunk.map((name) =>
              reader
                .listed(operation, name, { inKv: inKv.has(name), inTransit: inTransit.has(name) })
                .then((view) => view?.record, unreadableOnly),
            ),
          )
          for (const [i, outcome] of found.entries()) {
            if (outcome === undefined) continue
            if (keys.length + unreadable.length === limit) return { keys, unreadable, next: last }
            last = chunk[i] as string
            if (outcome === 'unreadable') unreadable.push(last)
            else keys.push(outcome)
          }
        }
        return { keys, unreadable }
      }),

    update: (keyId, patch, etag) =>
      run(async (operation) => {
        const view = await usable(operation, keyId, etag)
        const { aliases } = view.stored
        const wanted = patch.aliases ?? aliases
        const added = wanted.filter((alias) => !aliases.includes(alias))
        const taken = await claims.takeAliases(operation, keyId, added)
        try {
          const saved = await save(operation, view, patchKey(view.stored, patch))
          await claims.freeAliases(
            operation,
            keyId,
            aliases.filter((alias) => !wanted.includes(alias)),
          )
          return saved.record
        } catch (error) {
          if (!isKmsError(error, 'BackendUnavailable', 'BackendTimeout')) await claims.giveBack(operation, taken)
          throw error
        }
      }),

    rotate: (keyId, etag) =>
      run(async (operation) => {
        const view = await usable(operation, keyId, etag)
        // Transit rotates unconditionally: of several who would, the one whose write of the record comes first does.
        const saved = await save(operation, view, view.stored)
        try {
          await transit.rotate(operation, keyId)
        } catch (error) {
          // The answer may have been lost on the way.
          const now = await views.get(operation, keyId).catch(() => undefined)
          if (now === undefined || now.record.currentVersion === saved.record.currentVersion) throw error
          return now.record
        }
        return (await views.get(operation, keyId)).record
      }),

    destroy: (keyId, etag, least = 0) =>
      run(async (operation) => {
        const view = await unchanged(operation, keyId, etag)
        if (view.stored.adopted) throw kmsError('KeyAdopted', { key: keyId })
        const { currentVersion, aliases } = view.record
        const lastVersion = Math.max(currentVersion, least)
        const tombstone = { kind: 'tombstone', lastVersion, destroyedAt: clock.now(), pending: true } as const
        views.forget(keyId)
        const version = await reader.put(operation, keyId, tombstone, view.kvVersion)
        if (version === undefined) throw changed('a later version', etag)
        try {
          await transit.allowDeletion(operation, keyId, true)
          await transit.remove(operation, keyId)
        } catch (error) {
          // Not allowed to: then nothing was destroyed. Otherwise it is, and what is left is removed later.
          if (!isKmsError(error, 'BackendDenied')) throw error
          await transit.allowDeletion(operation, keyId, false).catch(() => {})
          await reader.put(operation, keyId, { kind: 'key', key: view.stored }, version)
          throw error
        }
        await reader.put(operation, keyId, { ...tombstone, pending: false }, version).catch(() => undefined)
        await claims.freeAliases(operation, keyId, aliases)
      }),

    wrap: (request) => run((operation) => wrapping.wrap(operation, request)),
    unwrap: (request) => run((operation) => wrapping.unwrap(operation, request)),
    wrapMany: (requests) => run((operation) => wrapping.wrapMany(operation, requests)),
    unwrapMany: (requests) => run((operation) => wrapping.unwrapMany(operation, requests)),

    health: () =>
      run(async (operation) => {
        const { place } = client
        const [found] = await Promise.all([
          readRealm(operation, records, place),
          // Not there, and no key can have the name: the answer shows that Transit is mounted and may be asked.
          transit.read(operation, REALM_PROBE),
        ])
        if (found === undefined) throw kmsError('RealmMissing', { realm, place })
        if (found !== realm) {
          throw kmsError('RealmConflict', { realm, place, reason: 'another key store took its place' })
        }
      }),

    close() {
      closing ??= (async () => {
        operations.close()
        views.clear()
        await release()
      })()
      return closing
    },
  }
}

const REALM_PROBE = `kms${REALM_RECORD.replace('.', '-')}-probe`

function changed(actual: string, expected: string): KmsError {
  return kmsError('PreconditionFailed', { actual, expected })
}

async function namesIn(names: Promise<readonly string[]>): Promise<ReadonlySet<string>> {
  return new Set(await names)
}

function unreadableOnly(error: unknown): 'unreadable' {
  if (isKmsError(error, 'KeyUnavailable')) return 'unreadable'
  throw error
}
