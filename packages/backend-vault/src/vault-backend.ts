import type { Buffer } from 'node:buffer'
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
  type UnwrapRequest,
  VAULT_TRANSIT,
  type WrapRequest,
} from '@kms/core'
import { LRUCache } from 'lru-cache'
import type { KeyReader } from './keys/key-reader.ts'
import { type KeyView, viewOf } from './keys/key-view.ts'
import type { KvRecords } from './keys/kv-records.ts'
import type { NameClaims } from './keys/name-claims.ts'
import { REALM_RECORD, readRealm } from './keys/realm-record.ts'
import { newStoredKey, patchStoredKey, type StoredKey } from './keys/record-file.ts'
import type { Encrypted, ItemOutcome, Transit } from './keys/transit.ts'
import { type TransitKey, transitMaterialId } from './keys/transit-key.ts'
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
  /** Ends what keeps the token, and the connections. */
  readonly release: () => Promise<void>
}

type Refusal = 'refused' | 'denied'

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

/** Contract §2: key state is at most 5 s old. Core describes a key that often, which is what `wrap` and `unwrap` go by. */
const VIEW_TTL_MS = 5000
const MAX_VIEWS = 10_000
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
  const { realm, client, operations, records, transit, reader, claims, clock, tokenExpiresAt, release } = options
  const views = new LRUCache<string, { readonly view: KeyView; readonly readAt: number }>({ max: MAX_VIEWS })
  let closing: Promise<void> | undefined

  function run<T>(work: (operation: Operation) => Promise<T>): Promise<T> {
    return operations.run((operation) => {
      client.admit()
      return work(operation)
    })
  }

  function keep(view: KeyView, readAt: number): KeyView {
    views.set(view.record.keyId, { view, readAt })
    return view
  }

  /** Reads a key, and forgets what was known of it when that no longer holds. */
  async function read(keyId: string, look: () => Promise<KeyView>): Promise<KeyView> {
    const readAt = clock.now()
    try {
      return keep(await look(), readAt)
    } catch (error) {
      views.delete(keyId)
      throw error
    }
  }

  const get = (operation: Operation, keyId: string): Promise<KeyView> => read(keyId, () => reader.get(operation, keyId))

  /** A key as it was read a moment ago, or now. */
  async function known(operation: Operation, keyId: string): Promise<KeyView> {
    const held = views.get(keyId)
    return held !== undefined && clock.now() - held.readAt < VIEW_TTL_MS ? held.view : get(operation, keyId)
  }

  async function unchanged(operation: Operation, keyId: string, etag: string): Promise<KeyView> {
    const view = await get(operation, keyId)
    if (view.record.etag !== etag) throw changed(view.record.etag, etag)
    return view
  }

  /** Writes the record of a key if nobody else has meanwhile. */
  async function save(operation: Operation, view: KeyView, stored: StoredKey): Promise<KeyView> {
    const { keyId, etag } = view.record
    const version = await reader.put(operation, keyId, { kind: 'key', key: stored }, view.kvVersion)
    if (version === undefined) {
      views.delete(keyId)
      throw changed('a later version', etag)
    }
    return keep(viewOf(realm, stored, version, view.transit), clock.now())
  }

  function requireUsable({ record }: KeyView): void {
    if (record.problem !== undefined) {
      throw kmsError('KeyUnavailable', { key: record.keyId, reason: record.problem })
    }
  }

  async function viewToWrap(operation: Operation, keyId: string, version: number): Promise<KeyView> {
    let view = await known(operation, keyId)
    if (view.record.currentVersion !== version) view = await get(operation, keyId)
    requireUsable(view)
    if (view.record.currentVersion !== version) throw kmsError('KeyVersionNotCurrent', { key: keyId })
    return view
  }

  /** Why Transit did not encrypt under a key that was there a moment ago; `look` reads it again. */
  async function whyNotWrapped({ keyId, version }: WrapRequest, outcome: Refusal, look: () => Promise<KeyView>) {
    const view = await look()
    requireUsable(view)
    if (view.record.currentVersion !== version) return kmsError('KeyVersionNotCurrent', { key: keyId })
    if (outcome === 'denied') return denied(client.place, `encrypt under the key "${keyId}"`)
    return kmsError('KeyUnavailable', { key: keyId, reason: 'Transit refuses to encrypt under it' })
  }

  function wrapped(keyId: string, version: number, { version: under, wrapped: bytes }: Encrypted): Buffer | KmsError {
    // Formats §2: what was not made under the version in the header never leaves.
    return under === version ? bytes : kmsError('KeyVersionNotCurrent', { key: keyId })
  }

  /** Why Transit did not decrypt; `look` reads the key again. */
  async function whyNotUnwrapped(request: UnwrapRequest, outcome: Refusal, look: () => Promise<KeyView>) {
    const { keyId, version } = request
    const view = await look()
    requireUsable(view)
    if (outcome === 'denied') return denied(client.place, `decrypt under the key "${keyId}"`)
    const { oldestVersion, oldestAvailable, latestVersion } = view.transit
    if (version < oldestVersion && version <= latestVersion) {
      const reason =
        version < oldestAvailable
          ? `version ${version} was trimmed in Transit`
          : `Transit's min_decryption_version is ${oldestVersion}, so version ${version} may not decrypt; lower it there`
      return kmsError('KeyUnavailable', { key: keyId, reason })
    }
    return unopened(view, request)
  }

  function unopened(view: KeyView, { keyId, version, materialId }: UnwrapRequest): KmsError {
    if (transitMaterialId(realm, view.transit, version) === materialId) return kmsError('InvalidCiphertext')
    return kmsError('KeyMaterialReplaced', { key: keyId, version })
  }

  async function settle<Request, T>(
    requests: readonly Request[],
    outcomes: readonly ItemOutcome<T>[],
    good: (outcome: T, request: Request) => Buffer | KmsError,
    why: (request: Request, outcome: Refusal) => Promise<KmsError>,
  ): Promise<readonly (Buffer | KmsError)[]> {
    const answers: (Buffer | KmsError)[] = []
    for (const [i, request] of requests.entries()) {
      const outcome = outcomes[i] as ItemOutcome<T>
      answers.push(isRefusal(outcome) ? await asOutcome(why(request, outcome)) : good(outcome, request))
    }
    return answers
  }

  return {
    realm,
    algorithm: VAULT_TRANSIT,
    capabilities: CAPABILITIES,

    get credentialsExpireAt() {
      return tokenExpiresAt()
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
          taken = [claim, ...(await claims.takeAliases(operation, keyId, aliases))]
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
        if (version !== undefined) return keep(viewOf(realm, enabled, version, made), clock.now()).record
        // Somebody completed it, who took this call for dead.
        return (await get(operation, keyId)).record
      }),

    describe: (name) =>
      run(async (operation) => {
        const view = await read(name, () => reader.find(operation, name))
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
        const view = await unchanged(operation, keyId, etag)
        requireUsable(view)
        const { aliases } = view.stored
        const wanted = patch.aliases ?? aliases
        const added = wanted.filter((alias) => !aliases.includes(alias))
        const taken = await claims.takeAliases(operation, keyId, added)
        try {
          const saved = await save(operation, view, patchStoredKey(view.stored, patch))
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
        const view = await unchanged(operation, keyId, etag)
        requireUsable(view)
        // Transit rotates unconditionally: of several who would, the one whose write of the record comes first does.
        const saved = await save(operation, view, view.stored)
        try {
          await transit.rotate(operation, keyId)
        } catch (error) {
          // The answer may have been lost on the way.
          const now = await get(operation, keyId).catch(() => undefined)
          if (now === undefined || now.record.currentVersion === saved.record.currentVersion) throw error
          return now.record
        }
        return (await get(operation, keyId)).record
      }),

    destroy: (keyId, etag) =>
      run(async (operation) => {
        const view = await unchanged(operation, keyId, etag)
        if (view.stored.adopted) throw kmsError('KeyAdopted', { key: keyId })
        const { currentVersion: lastVersion, aliases } = view.record
        const tombstone = { kind: 'tombstone', lastVersion, destroyedAt: clock.now(), pending: true } as const
        views.delete(keyId)
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

    wrap: (request) =>
      run(async (operation) => {
        const { keyId, version } = request
        await viewToWrap(operation, keyId, version)
        const outcome = await transit.encrypt(operation, keyId, request)
        if (isRefusal(outcome)) {
          throw await whyNotWrapped(request, outcome, () => get(operation, keyId))
        }
        return bytesOrThrow(wrapped(keyId, version, outcome))
      }),

    unwrap: (request) =>
      run(async (operation) => {
        const { keyId, algorithm } = request
        const view = await known(operation, keyId)
        if (algorithm !== VAULT_TRANSIT) throw unopened(view, request)
        requireUsable(view)
        const outcome = await transit.decrypt(operation, keyId, request)
        if (isRefusal(outcome)) {
          throw await whyNotUnwrapped(request, outcome, () => get(operation, keyId))
        }
        return outcome
      }),

    wrapMany: (requests) =>
      run(async (operation) => {
        const [first] = requests
        if (first === undefined) return []
        const { keyId, version } = first
        const view = await asOutcome(viewToWrap(operation, keyId, version))
        if (isKmsError(view)) return requests.map(() => view)
        const outcomes = await transit.encryptMany(operation, keyId, requests)
        const look = once(() => get(operation, keyId))
        return settle(
          requests,
          outcomes,
          (outcome: Encrypted, request: WrapRequest) => wrapped(keyId, request.version, outcome),
          (request, outcome) => whyNotWrapped(request, outcome, look),
        )
      }),

    unwrapMany: (requests) =>
      run(async (operation) => {
        const [first] = requests
        if (first === undefined) return []
        const { keyId } = first
        const view = await asOutcome(known(operation, keyId))
        if (isKmsError(view)) return requests.map(() => view)
        const ours = requests.filter(({ algorithm }) => algorithm === VAULT_TRANSIT)
        const outcomes = ours.length === 0 ? [] : await transit.decryptMany(operation, keyId, ours)
        const look = once(() => get(operation, keyId))
        const opened = await settle(
          ours,
          outcomes,
          (plaintext: Buffer) => plaintext,
          (request: UnwrapRequest, outcome) => whyNotUnwrapped(request, outcome, look),
        )
        return requests.map((request) => opened[ours.indexOf(request)] ?? unopened(view, request))
      }),

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

function isRefusal<T>(outcome: ItemOutcome<T>): outcome is Refusal {
  return outcome === 'refused' || outcome === 'denied'
}

function changed(actual: string, expected: string): KmsError {
  return kmsError('PreconditionFailed', { actual, expected })
}

function denied(store: string, what: string): KmsError {
  return kmsError('BackendDenied', { store, what, reason: 'the policy of its token does not allow that' })
}

function bytesOrThrow(outcome: Buffer | KmsError): Buffer {
  if (isKmsError(outcome)) throw outcome
  return outcome
}

/** Turns what is wrong with a key or a ciphertext into an answer; what keeps the store from answering stays an error. */
async function asOutcome<T>(work: Promise<T>): Promise<T | KmsError> {
  try {
    return await work
  } catch (error) {
    if (!isKmsError(error) || isKmsError(error, 'BackendUnavailable', 'BackendTimeout')) throw error
    return error
  }
}

/** Does `work` when it is first asked for, and gives everyone its outcome. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined
  return () => {
    done ??= work()
    return done
  }
}

async function namesIn(names: Promise<readonly string[]>): Promise<ReadonlySet<string>> {
  return new Set(await names)
}

function unreadableOnly(error: unknown): 'unreadable' {
  if (isKmsError(error, 'KeyUnavailable')) return 'unreadable'
  throw error
}
