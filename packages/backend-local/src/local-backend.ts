import { Buffer } from 'node:buffer'
import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import {
  EVERY_CAPABILITY,
  isKeyName,
  type KeyBackend,
  type KeyRecord,
  kmsError,
  type Notice,
  XCHACHA20_POLY1305,
} from '@kms/core'
import { openXChaCha, patchKey, sealXChaCha, syncDirectory } from '@kms/core/internal'
import { archiveStore } from './archive-store.ts'
import type { Entry } from './key-file.ts'
import { keyOf, type LocalStore } from './local-store.ts'
import { makeDirectory } from './make-directory.ts'
import { createReseal } from './reseal.ts'
import { restoreIntoStore } from './restore-store.ts'
import type { RootSource } from './root-source.ts'
import { rotateRoot } from './rotate-root.ts'
import { writeFailure } from './storage-error.ts'
import { createMaterial, encodeVersionFile } from './version-file.ts'

export interface LocalBackendOptions {
  readonly store: LocalStore
  readonly root: RootSource
  /** Told of what happens in the background. */
  readonly notify: (notice: Notice) => void
}

/** A page ends after so many entries, full or not: aliases and tombstones stand among the keys. */
const MAX_SEEN_FOR_PAGE = 4096

/**
 * The verbs on an unlocked store. What a crash may leave behind, and why it does no harm:
 * - a version file no record names (create, rotate): removed before the next version is written, never adopted;
 * - an alias file whose key does not list it (create, update, destroy): resolves to nothing, may be claimed;
 * - version files of a tombstone (destroy): removed when the tombstone is next met.
 */
export function createLocalBackend({ store, root, notify }: LocalBackendOptions): KeyBackend {
  const { directory, storeKeys, ring, entries, versions, clock, random, alone, save, read, refuseClosed, pathOf } =
    store
  const keys = join(directory, 'keys')
  const reseal = createReseal({ store, root, notify })
  reseal.resume()

  async function readKey(keyId: string): Promise<KeyRecord> {
    return keyOf(keyId, await read(keyId))
  }

  /** The key an alias leads to: only one whose record, which is the truth, lists the alias. */
  async function follow(alias: string, keyId: string): Promise<KeyRecord | undefined> {
    const entry = await read(keyId)
    if (entry.kind === 'unreadable') return keyOf(keyId, entry)
    return entry.kind === 'key' && entry.record.aliases.includes(alias) ? entry.record : undefined
  }

  /**
   * A crash between the tombstone of a key and the removal of its versions left them behind. They go as soon as nobody
   * writes; whoever met them does not wait for it, nor fail when it does, and the next one tries again.
   */
  async function sweepDestroyed(keyId: string): Promise<void> {
    const left = await readdir(versions.directoryOf(keyId)).catch(() => [])
    if (left.length === 0 || store.closing) return
    const remove = async (): Promise<void> => {
      if ((await read(keyId)).kind === 'tombstone') await versions.removeAll(keyId)
    }
    alone(remove).catch(() => {})
  }

  async function saveRecord(record: Omit<KeyRecord, 'etag'>, exclusive = false): Promise<KeyRecord> {
    const saved: KeyRecord = { ...record, etag: random(8).toString('hex') }
    await save({ kind: 'key', name: saved.keyId, record: saved }, exclusive)
    return saved
  }

  /** Writes a new version, durable before any record names it; what stood in its way was never named by one. */
  async function addVersion(keyId: string, version: number, imported?: Uint8Array): Promise<string> {
    const made = createMaterial(
      ring.realm,
      { keyId, version },
      imported === undefined ? random(32) : Buffer.from(imported),
    )
    const path = versions.pathOf({ keyId, version })
    try {
      await versions.removeOrphan({ keyId, version })
      await makeDirectory(versions.directoryOf(keyId))
    } catch (error) {
      throw writeFailure(path, error)
    }
    const sealed = encodeVersionFile({ keyId, version }, made, { ring, createdAt: clock.now(), random })
    made.material.fill(0)
    await store.commit(path, sealed, true)
    return made.materialId
  }

  /** What is left of a key that was destroyed or never came to be. */
  async function removeVersions(keyId: string): Promise<void> {
    await versions.removeFiles(keyId).catch((error: unknown) => {
      throw writeFailure(versions.directoryOf(keyId), error)
    })
  }

  /** Whether `name` is free: nobody's, or an alias no record lists. Throws `KeyAlreadyExists`. */
  async function vacancy(name: string): Promise<Exclude<Entry, { kind: 'key' | 'unreadable' }>> {
    const entry = await read(name)
    if (
      entry.kind === 'key' ||
      entry.kind === 'unreadable' ||
      (entry.kind === 'alias' && (await isListed(entry.name, entry.keyId)))
    ) {
      throw kmsError('KeyAlreadyExists', { key: name })
    }
    return entry
  }

  /** Whether an alias holds; one that leads to an unreadable record may. */
  async function isListed(alias: string, keyId: string): Promise<boolean> {
    const entry = await read(keyId)
    return entry.kind === 'unreadable' || (entry.kind === 'key' && entry.record.aliases.includes(alias))
  }

  /** Checks every alias before the first is written, so that a refused call leaves none behind. */
  async function claimAliases(keyId: string, aliases: readonly string[]): Promise<() => Promise<void>> {
    const vacant = new Map<string, Entry>()
    for (const alias of aliases) {
      if (alias === keyId || vacant.has(alias)) throw kmsError('KeyAlreadyExists', { key: alias })
      if (!isKeyName(alias)) throw invalidName('aliases')
      const entry = await vacancy(alias)
      if (entry.kind === 'tombstone') throw kmsError('KeyIdRetired', { key: alias })
      vacant.set(alias, entry)
    }
    return async () => {
      for (const [alias, entry] of vacant) {
        await save({ kind: 'alias', name: alias, keyId }, entry.kind === 'absent')
      }
    }
  }

  /** The record is the truth and no longer lists them: a failure here leaves aliases that resolve to nothing. */
  async function dropAliases(aliases: readonly string[]): Promise<void> {
    for (const alias of aliases) {
      entries.forget(alias)
      await unlink(pathOf(alias)).catch(() => {})
    }
    if (aliases.length > 0) await syncDirectory(keys).catch(() => {})
  }

  async function unchangedKey(keyId: string, etag: string): Promise<KeyRecord> {
    const record = await readKey(keyId)
    if (record.etag !== etag) throw kmsError('PreconditionFailed', { actual: record.etag, expected: etag })
    return record
  }

  /**
   * The record as it was last seen: core describes a key at least every few seconds, so this is as fresh as core's own
   * knowledge. What doesn't fit the request is read again before it is believed.
   */
  function recordFor(keyId: string, fits: (record: KeyRecord) => boolean): KeyRecord | Promise<KeyRecord> {
    const seen = entries.remembered(keyId)
    return seen?.kind === 'key' && fits(seen.record) ? seen.record : readKey(keyId)
  }

  return {
    realm: ring.realm,
    algorithm: XCHACHA20_POLY1305,
    capabilities: EVERY_CAPABILITY,

    create: (key) =>
      alone(async () => {
        const { keyId, aliases, description, tags, material } = key
        if (!isKeyName(keyId)) throw invalidName('key_id')
        const before = await vacancy(keyId)
        const writeAliases = await claimAliases(keyId, aliases)
        const version = before.kind === 'tombstone' ? before.lastVersion + 1 : 1
        await removeVersions(keyId)
        const materialId = await addVersion(keyId, version, material)
        await writeAliases()
        return saveRecord(
          {
            keyId,
            aliases: [...aliases],
            description,
            tags: new Map(tags),
            state: 'Enabled',
            createdAt: clock.now(),
            currentVersion: version,
            oldestVersion: version,
            materialId,
            origin: material === undefined ? 'KMS' : 'EXTERNAL',
          },
          before.kind === 'absent',
        )
      }),

    async describe(name) {
      refuseClosed()
      const entry = await read(name)
      if (entry.kind === 'tombstone') await sweepDestroyed(entry.name)
      if (entry.kind !== 'alias') return keyOf(name, entry)
      const record = await follow(name, entry.keyId)
      if (record === undefined) throw kmsError('KeyNotFound', { key: name })
      return record
    },

    async list({ limit, after = '' }) {
      refuseClosed()
      const found: KeyRecord[] = []
      const unreadable: string[] = []
      let last = after
      let seen = 0
      for await (const [name, entry] of entries.all(after)) {
        store.refuseReleased()
        const listed = entry.kind === 'key' || entry.kind === 'unreadable'
        if ((listed && found.length + unreadable.length === limit) || seen === MAX_SEEN_FOR_PAGE) {
          return { keys: found, unreadable, next: last }
        }
        seen++
        last = name
        if (entry.kind === 'key') found.push(entry.record)
        else if (entry.kind === 'unreadable') unreadable.push(name)
        else if (entry.kind === 'tombstone') await sweepDestroyed(entry.name)
      }
      return { keys: found, unreadable }
    },

    update: (keyId, patch, etag) =>
      alone(async () => {
        const record = await unchangedKey(keyId, etag)
        const aliases = patch.aliases ?? record.aliases
        const added = aliases.filter((alias) => !record.aliases.includes(alias))
        const writeAliases = await claimAliases(keyId, added)
        await writeAliases()
        const saved = await saveRecord(patchKey(record, patch))
        await dropAliases(record.aliases.filter((alias) => !aliases.includes(alias)))
        return saved
      }),

    rotate: (keyId, etag) =>
      alone(async () => {
        const record = await unchangedKey(keyId, etag)
        const version = record.currentVersion + 1
        const materialId = await addVersion(keyId, version)
        return saveRecord({ ...record, currentVersion: version, materialId, rotatedAt: clock.now() })
      }),

    destroy: (keyId, etag, least = 0) =>
      alone(async () => {
        const { currentVersion, aliases } = await unchangedKey(keyId, etag)
        const lastVersion = Math.max(currentVersion, least)
        await save({ kind: 'tombstone', name: keyId, lastVersion, destroyedAt: clock.now() })
        // The key is destroyed from here on; what can't be removed now is removed when the tombstone is next met.
        await versions.removeAll(keyId).catch(() => {})
        await dropAliases(aliases)
      }),

    async wrap({ keyId, version, plaintext, aad }) {
      refuseClosed()
      const record = await recordFor(keyId, ({ currentVersion }) => currentVersion === version)
      if (record.currentVersion !== version) throw kmsError('KeyVersionNotCurrent', { key: keyId })
      return await versions.withMaterial(record, version, ({ material }) =>
        sealXChaCha(material, plaintext, aad, random),
      )
    },

    async unwrap({ keyId, version, algorithm, materialId, wrapped, aad }) {
      refuseClosed()
      const holds = (record: KeyRecord): boolean => version >= record.oldestVersion && version <= record.currentVersion
      const record = await recordFor(keyId, holds)
      if (!holds(record)) throw kmsError('KeyMaterialReplaced', { key: keyId, version })
      return await versions.withMaterial(record, version, (held) => {
        const plaintext = algorithm === XCHACHA20_POLY1305 ? openXChaCha(held.material, wrapped, aad) : undefined
        if (plaintext !== undefined) return plaintext
        if (held.materialId !== materialId) throw kmsError('KeyMaterialReplaced', { key: keyId, version })
        throw kmsError('InvalidCiphertext')
      })
    },

    async rotateRoot(config, { reseal: all }) {
      refuseClosed()
      const rotated = await rotateRoot(store, root, config, { reseal: all })
      if (all) reseal.begin()
      const { progress } = reseal
      return { ...rotated, ...(progress === undefined ? {} : { reseal: progress }) }
    },

    get resealProgress() {
      return reseal.progress
    },

    async backup() {
      refuseClosed()
      return archiveStore(store)
    },

    restore: (archive, options) => restoreIntoStore(store, archive, options),

    async health() {
      refuseClosed()
      await storeKeys.refresh()
    },

    async close() {
      await reseal.stop()
      await store.close()
    },
  }
}

function invalidName(path: string): Error {
  return kmsError('ValidationError', { path, reason: 'names have 1 to 128 of A-Z a-z 0-9 . _ -' })
}
