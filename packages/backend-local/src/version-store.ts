import { readdir, readFile, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type KeyRecord, kmsError } from '@kms/core'
import { errnoOf } from '@kms/core/internal'
import { LRUCache } from 'lru-cache'
import { fileStem } from './file-name.ts'
import type { KeyRing } from './key-ring.ts'
import { readFailure } from './storage-error.ts'
import { decodeVersionFile, type VersionMaterial, type VersionName } from './version-file.ts'

const MAX_CACHED_VERSIONS = 10_000

/** The sealed versions of a store, and the unsealed material of those in use. */
export interface VersionStore {
  directoryOf(keyId: string): string
  pathOf(name: VersionName): string
  /**
   * Runs `use` with the material of a version; before this returns when it is in memory. `use` must not keep it and runs at
   * once: material is zeroed when it leaves the cache. Throws, or rejects with, `KeyUnavailable` when the version can't be
   * opened.
   */
  withMaterial<T>(record: KeyRecord, version: number, use: (held: VersionMaterial) => T): T | Promise<T>
  /** Removes every file of a key's versions outside `from`–`to`: orphans of a crash, temporary files. */
  removeOutside(keyId: string, from: number, to: number): Promise<void>
  /** Removes the versions of a destroyed key, from disk and memory. */
  removeAll(keyId: string): Promise<void>
  /** Zeroes the material of a key that is in memory. */
  forget(keyId: string): void
  close(): void
}

/** `refuseReleased` throws when the keys of the store were zeroed while something was awaited. */
export function createVersionStore(directory: string, ring: KeyRing, refuseReleased: () => void): VersionStore {
  const keys = join(directory, 'keys')
  const cache = new LRUCache<string, VersionMaterial>({
    max: MAX_CACHED_VERSIONS,
    dispose: ({ material }) => material.fill(0),
  })
  const slot = ({ keyId, version }: VersionName): string => `${keyId}/${version}`

  const directoryOf = (keyId: string): string => join(keys, `${fileStem(keyId)}.versions`)
  const pathOf = (name: VersionName): string => join(directoryOf(name.keyId), `${name.version}.json`)

  function fits(held: VersionMaterial, record: KeyRecord, version: number): boolean {
    return version !== record.currentVersion || held.materialId === record.materialId
  }

  async function readVersion(name: VersionName): Promise<Buffer> {
    try {
      return await readFile(pathOf(name))
    } catch (error) {
      const code = errnoOf(error)
      if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EPERM' && code !== 'EISDIR') {
        throw readFailure(directory, error)
      }
      throw unusable(name, code === 'ENOENT' ? 'is missing' : 'cannot be read', error)
    }
  }

  function unseal(bytes: Buffer, record: KeyRecord, name: VersionName): VersionMaterial {
    const held = decodeVersionFile(bytes, name, ring)
    if (typeof held === 'string') throw unusable(name, held)
    if (fits(held, record, name.version)) return held
    held.material.fill(0)
    throw unusable(name, 'holds other material than its record names')
  }

  async function loadFor<T>(record: KeyRecord, name: VersionName, use: (held: VersionMaterial) => T): Promise<T> {
    const bytes = await readVersion(name)
    refuseReleased()
    // From here to the end of `use` nothing is awaited: material in use can't be zeroed by anybody else.
    const loaded = unseal(bytes, record, name)
    cache.set(slot(name), loaded)
    return use(loaded)
  }

  async function removeOutside(keyId: string, from: number, to: number): Promise<void> {
    const path = directoryOf(keyId)
    const files = await readdir(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return []
      throw error
    })
    for (const file of files) {
      const version = Number(/^([1-9]\d*)\.json$/.exec(file)?.[1] ?? Number.NaN)
      if (!(version >= from && version <= to)) await unlink(join(path, file))
    }
  }

  function forget(keyId: string): void {
    for (const key of cache.keys()) if (key.startsWith(`${keyId}/`)) cache.delete(key)
  }

  return {
    directoryOf,
    pathOf,

    withMaterial(record, version, use) {
      const name = { keyId: record.keyId, version }
      const cached = cache.get(slot(name))
      return cached !== undefined && fits(cached, record, version) ? use(cached) : loadFor(record, name, use)
    },

    removeOutside,

    async removeAll(keyId) {
      forget(keyId)
      await removeOutside(keyId, 1, 0)
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

function unusable({ keyId, version }: VersionName, what: string, cause?: unknown): Error {
  return kmsError('KeyUnavailable', { key: keyId, reason: `the file of version ${version} ${what}` }, { cause })
}
