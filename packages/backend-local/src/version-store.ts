import type { Buffer } from 'node:buffer'
import { lstat, readdir, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type KeyRecord, kmsError } from '@kms/core'
import { errnoOf } from '@kms/core/internal'
import { LRUCache } from 'lru-cache'
import { UNKNOWN_KEK } from './authenticated-file.ts'
import { fileStem } from './file-name.ts'
import { readRegularFile } from './read-regular-file.ts'
import { readFailure } from './storage-error.ts'
import type { StoreKeys } from './store-keys.ts'
import { decodeVersionFile, type StoredVersion, type VersionMaterial, type VersionName } from './version-file.ts'

const MAX_CACHED_VERSIONS = 10_000

/** The sealed versions of a store, and the unsealed material of those in use. */
export interface VersionStore {
  directoryOf(keyId: string): string
  pathOf(name: VersionName): string
  /** Unseals a version, past the memory, for the caller to zero; a string says, publicly, what is wrong with its file. */
  read(name: VersionName): Promise<StoredVersion | string>
  /**
   * Runs `use` with the material of a version; before this returns when it is in memory. `use` must not keep it and runs at
   * once: material is zeroed when it leaves the cache. Throws, or rejects with, `KeyUnavailable` when the version can't be
   * opened.
   */
  withMaterial<T>(record: KeyRecord, version: number, use: (held: VersionMaterial) => T): T | Promise<T>
  /** Removes the file of a version that no record names: the orphan of a crash. */
  removeOrphan(name: VersionName): Promise<void>
  /** Removes every file of a key's versions: it has none, or has been destroyed. */
  removeFiles(keyId: string): Promise<void>
  /** {@link removeFiles}, their directory, and what is in memory of them. */
  removeAll(keyId: string): Promise<void>
  /** Zeroes the material of a key that is in memory. */
  forget(keyId: string): void
  close(): void
}

/** `refuseReleased` throws when the keys of the store were zeroed while something was awaited. */
export function createVersionStore(directory: string, storeKeys: StoreKeys, refuseReleased: () => void): VersionStore {
  const keys = join(directory, 'keys')
  const slots = new Map<string, Set<string>>()
  const cache = new LRUCache<string, VersionMaterial & { readonly keyId: string }>({
    max: MAX_CACHED_VERSIONS,
    dispose({ keyId, material }, slot) {
      material.fill(0)
      const held = slots.get(keyId)
      held?.delete(slot)
      if (held?.size === 0) slots.delete(keyId)
    },
  })

  const slotOf = ({ keyId, version }: VersionName): string => `${keyId}/${version}`
  const directoryOf = (keyId: string): string => join(keys, `${fileStem(keyId)}.versions`)
  const pathOf = (name: VersionName): string => join(directoryOf(name.keyId), `${name.version}.json`)

  function fits(held: VersionMaterial, record: KeyRecord, version: number): boolean {
    return version !== record.currentVersion || held.materialId === record.materialId
  }

  async function read(name: VersionName): Promise<StoredVersion | string> {
    const held = await readAndDecode(name)
    if (held !== UNKNOWN_KEK) return held
    // Its KEK may have been added by another server since the KEKs were read, or dropped since the file was.
    await storeKeys.learn()
    return readAndDecode(name)
  }

  async function readAndDecode(name: VersionName): Promise<StoredVersion | string> {
    let bytes: Buffer | undefined
    try {
      // The last part of a path is looked at when it is opened; a link before it has to be looked for.
      if (!(await lstat(directoryOf(name.keyId))).isDirectory()) return 'cannot be read'
      bytes = (await readRegularFile(pathOf(name))).bytes
    } catch (error) {
      const code = errnoOf(error)
      if (code === 'ENOENT') return 'is missing'
      if (code === 'EACCES' || code === 'EPERM' || code === 'ELOOP') return 'cannot be read'
      throw readFailure(directory, error)
    }
    refuseReleased()
    return bytes === undefined ? 'is damaged' : decodeVersionFile(bytes, name, storeKeys.ring)
  }

  function keep(slot: string, keyId: string, { material, materialId }: VersionMaterial): void {
    cache.set(slot, { keyId, material, materialId })
    slots.set(keyId, (slots.get(keyId) ?? new Set()).add(slot))
  }

  async function load<T>(record: KeyRecord, name: VersionName, use: (held: VersionMaterial) => T): Promise<T> {
    const loaded = await read(name)
    if (typeof loaded === 'string') throw unusable(name, loaded)
    // From here to the end of `use` nothing is awaited: material in use can't be zeroed by anybody else.
    try {
      refuseReleased()
      if (!fits(loaded, record, name.version)) throw unusable(name, 'holds other material than its record names')
    } catch (error) {
      loaded.material.fill(0)
      throw error
    }
    keep(slotOf(name), name.keyId, loaded)
    return use(loaded)
  }

  /** Whether the directory of a key's versions is there. Throws `StoreUnwritable` for anything else in its place. */
  async function hasDirectory(keyId: string): Promise<boolean> {
    const path = directoryOf(keyId)
    const stats = await lstat(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    })
    if (stats?.isDirectory() === false) {
      throw kmsError('StoreUnwritable', { path, reason: 'it is no directory, and a link is not followed' })
    }
    return stats !== undefined
  }

  async function removeFiles(keyId: string): Promise<void> {
    if (!(await hasDirectory(keyId))) return
    const path = directoryOf(keyId)
    for (const file of await readdir(path)) await unlink(join(path, file))
  }

  function forget(keyId: string): void {
    for (const slot of slots.get(keyId) ?? []) cache.delete(slot)
  }

  return {
    directoryOf,
    pathOf,
    read,

    withMaterial(record, version, use) {
      const name = { keyId: record.keyId, version }
      const cached = cache.get(slotOf(name))
      return cached !== undefined && fits(cached, record, version) ? use(cached) : load(record, name, use)
    },

    async removeOrphan(name) {
      if (!(await hasDirectory(name.keyId))) return
      await unlink(pathOf(name)).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw error
      })
    },

    removeFiles,

    async removeAll(keyId) {
      forget(keyId)
      await removeFiles(keyId)
      await rmdir(directoryOf(keyId)).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw error
      })
    },

    forget,

    close() {
      cache.clear()
    },
  }
}

function unusable({ keyId, version }: VersionName, what: string): Error {
  return kmsError('KeyUnavailable', { key: keyId, reason: `the file of version ${version} ${what}` })
}
