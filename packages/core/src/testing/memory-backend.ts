import { Buffer } from 'node:buffer'
import { openXChaCha, sealXChaCha } from '../bytes/aead.ts'
import { type Clock, systemClock } from '../clock.ts'
import { Secret } from '../config/secret.ts'
import { XCHACHA20_POLY1305 } from '../envelope/envelope.ts'
import { isKmsError, type KmsError, kmsError } from '../errors/kms-error.ts'
import { EVERY_CAPABILITY } from '../keys/every-capability.ts'
import type { Capabilities, KeyBackend, KeyRecord, UnwrapRequest, WrapRequest } from '../keys/key-backend.ts'
import { patchKey } from '../keys/patch-key.ts'
import { type Random, systemRandom } from '../random.ts'
import { createFaults, type Faults } from './faults.ts'
import { archiveMemoryStore, restoreMemoryStore } from './memory-archive.ts'
import { createMemoryStore, type MemoryStore, type MemoryVerb, type MemoryVersion } from './memory-store.ts'

export interface MemoryBackendOptions {
  /** The store to open; a new one, with a new realm, unless given. */
  readonly store?: MemoryStore
  readonly clock?: Clock
  readonly random?: Random
  /** Whether a destroyed id is refused for ever (`KeyIdRetired`), as Vault does; false continues its versions. */
  readonly retiresIds?: boolean
  /** What it says it cannot do, or can; everything unless given. */
  readonly capabilities?: Partial<Capabilities>
}

/**
 * The reference {@link KeyBackend}: everything the port promises, in memory, with real wraps. It is a fake in one
 * respect only: its {@link Faults} let a test make any verb fail or hang.
 */
export interface MemoryBackend extends KeyBackend, Faults<MemoryVerb> {
  readonly store: MemoryStore
  readonly closed: boolean
}

type LiveKey = { readonly record: KeyRecord; readonly versions: ReadonlyMap<number, MemoryVersion> }

/** Opens the in-memory reference backend. */
export function createMemoryBackend(options: MemoryBackendOptions = {}): MemoryBackend {
  const { store = createMemoryStore(), clock = systemClock, random = systemRandom, retiresIds = false } = options
  store.realm ??= random(16).toString('hex')
  const realm = store.realm
  const faults = createFaults<MemoryVerb>()
  let closed = false

  async function enter(verb: MemoryVerb): Promise<void> {
    refuseClosed()
    await faults.pass(verb)
    await store.faults.pass(verb)
    refuseClosed()
  }

  function refuseClosed(): void {
    if (closed) throw kmsError('BackendUnavailable', { store: realm, reason: 'it was closed' })
  }

  function liveKey(keyId: string): LiveKey {
    const key = store.keys.get(keyId)
    if (key === undefined) throw kmsError('KeyNotFound', { key: keyId })
    if (!('record' in key)) throw kmsError('KeyDestroyed', { key: keyId })
    if (store.unreadable.has(keyId)) throw kmsError('KeyUnavailable', { key: keyId, reason: 'its record is damaged' })
    return key
  }

  function unchangedKey(keyId: string, etag: string): LiveKey {
    const key = liveKey(keyId)
    if (key.record.etag !== etag) throw kmsError('PreconditionFailed', { actual: key.record.etag, expected: etag })
    return key
  }

  /** One namespace: a name is taken by a key or by an alias, whichever came first. */
  function claim(name: string, claimed: ReadonlySet<string>): void {
    const key = store.keys.get(name)
    if ((key !== undefined && 'record' in key) || store.aliases.has(name) || claimed.has(name)) {
      throw kmsError('KeyAlreadyExists', { key: name })
    }
  }

  function claimAliases(names: readonly string[], claimed: Set<string>): void {
    for (const name of names) {
      claim(name, claimed)
      if (store.keys.has(name)) throw kmsError('KeyIdRetired', { key: name })
      claimed.add(name)
    }
  }

  function newVersion(imported?: Uint8Array): MemoryVersion {
    const material = imported === undefined ? random(32) : Buffer.from(imported)
    return { material, materialId: random(16).toString('hex') }
  }

  function save(record: Omit<KeyRecord, 'etag'>, versions: ReadonlyMap<number, MemoryVersion>): KeyRecord {
    const saved: KeyRecord = { ...record, etag: random(8).toString('hex') }
    store.keys.set(saved.keyId, { record: saved, versions })
    return saved
  }

  function isMissing(keyId: string, version: number): KmsError {
    return kmsError('KeyUnavailable', { key: keyId, reason: `version ${version} is missing` })
  }

  function wrapNow({ keyId, version, plaintext, aad }: WrapRequest): Buffer {
    const { record, versions } = liveKey(keyId)
    const held = versions.get(version)
    if (version !== record.currentVersion) throw kmsError('KeyVersionNotCurrent', { key: keyId })
    if (held === undefined) throw isMissing(keyId, version)
    return sealXChaCha(held.material, plaintext, aad, random)
  }

  function unwrapNow({ keyId, version, algorithm, materialId, wrapped, aad }: UnwrapRequest): Buffer {
    const { record, versions } = liveKey(keyId)
    const held = versions.get(version)
    if (held === undefined && version >= record.oldestVersion && version <= record.currentVersion) {
      throw isMissing(keyId, version)
    }
    const plaintext =
      held === undefined || algorithm !== XCHACHA20_POLY1305 ? undefined : openXChaCha(held.material, wrapped, aad)
    if (plaintext !== undefined) return plaintext
    if (held?.materialId !== materialId) throw kmsError('KeyMaterialReplaced', { key: keyId, version })
    throw kmsError('InvalidCiphertext')
  }

  return {
    fail: faults.fail,
    hang: faults.hang,
    recover: faults.recover,
    calls: faults.calls,
    store,
    get closed() {
      return closed
    },
    realm,
    algorithm: XCHACHA20_POLY1305,
    capabilities: { ...EVERY_CAPABILITY, ...options.capabilities },

    async create({ keyId, aliases, description, tags, material }) {
      await enter('create')
      const claimed = new Set<string>()
      claim(keyId, claimed)
      const earlier = store.keys.get(keyId)
      if (earlier !== undefined && retiresIds) throw kmsError('KeyIdRetired', { key: keyId })
      claimAliases(aliases, claimed.add(keyId))
      const version = earlier !== undefined && 'destroyedVersion' in earlier ? earlier.destroyedVersion + 1 : 1
      const made = newVersion(material)
      for (const alias of aliases) store.aliases.set(alias, keyId)
      return save(
        {
          keyId,
          aliases: [...aliases],
          description,
          tags: new Map(tags),
          state: 'Enabled',
          createdAt: clock.now(),
          currentVersion: version,
          oldestVersion: version,
          materialId: made.materialId,
          origin: material === undefined ? 'KMS' : 'EXTERNAL',
        },
        new Map([[version, made]]),
      )
    },

    async describe(name) {
      await enter('describe')
      const key = store.keys.get(name)
      const keyId = key === undefined ? store.aliases.get(name) : name
      if (keyId === undefined) throw kmsError('KeyNotFound', { key: name })
      return liveKey(keyId).record
    },

    async list({ limit, after = '' }) {
      await enter('list')
      const ids: string[] = []
      for (const [id, key] of store.keys) if ('record' in key && byBytes(id, after) > 0) ids.push(id)
      ids.sort(byBytes)
      const page = ids.slice(0, limit)
      const last = page.at(-1)
      return {
        keys: page.filter((id) => !store.unreadable.has(id)).map((id) => liveKey(id).record),
        unreadable: page.filter((id) => store.unreadable.has(id)),
        ...(ids.length > limit && last !== undefined ? { next: last } : {}),
      }
    },

    async update(keyId, patch, etag) {
      await enter('update')
      const { record, versions } = unchangedKey(keyId, etag)
      const aliases = patch.aliases ?? record.aliases
      claimAliases(
        aliases.filter((alias) => !record.aliases.includes(alias)),
        new Set(),
      )
      for (const alias of record.aliases) store.aliases.delete(alias)
      for (const alias of aliases) store.aliases.set(alias, keyId)
      return save(patchKey(record, patch), versions)
    },

    async rotate(keyId, etag) {
      await enter('rotate')
      const { record, versions } = unchangedKey(keyId, etag)
      const version = record.currentVersion + 1
      const made = newVersion()
      return save(
        { ...record, currentVersion: version, materialId: made.materialId, rotatedAt: clock.now() },
        new Map(versions).set(version, made),
      )
    },

    async destroy(keyId, etag, lastVersion = 0) {
      await enter('destroy')
      const { record, versions } = unchangedKey(keyId, etag)
      for (const { material } of versions.values()) material.fill(0)
      for (const alias of record.aliases) store.aliases.delete(alias)
      store.keys.set(keyId, { destroyedVersion: Math.max(record.currentVersion, lastVersion) })
    },

    async wrap(request) {
      await enter('wrap')
      return wrapNow(request)
    },

    async unwrap(request) {
      await enter('unwrap')
      return unwrapNow(request)
    },

    async wrapMany(requests) {
      await enter('wrap')
      return requests.map((request) => outcomeOf(() => wrapNow(request)))
    },

    async unwrapMany(requests) {
      await enter('unwrap')
      return requests.map((request) => outcomeOf(() => unwrapNow(request)))
    },

    async rotateRoot({ root_key: next }, { reseal }) {
      await enter('rotateRoot')
      const secret = next instanceof Secret ? next.reveal() : undefined
      const changed = secret === undefined || secret !== store.rootKey
      if (secret === undefined) delete store.rootKey
      else store.rootKey = secret
      const total = store.keys.size
      return { changed, notes: [], ...(reseal ? { reseal: { done: total, total, left: 0, running: false } } : {}) }
    },

    async backup() {
      await enter('backup')
      return archiveMemoryStore(store)
    },

    async restore(archive, restoreOptions) {
      await enter('restore')
      return restoreMemoryStore(store, archive, restoreOptions, { clock, random })
    },

    async health() {
      await enter('health')
      if (store.realm !== realm) {
        throw kmsError('RealmConflict', { place: 'memory', realm, reason: 'another store took its place' })
      }
    },

    async close() {
      closed = true
    },
  }
}

function outcomeOf(work: () => Buffer): Buffer | KmsError {
  try {
    return work()
  } catch (error) {
    if (isKmsError(error)) return error
    throw error
  }
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** A patched member: absent stays, `null` clears. */
