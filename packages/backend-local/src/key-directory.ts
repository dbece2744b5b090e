import type { Buffer } from 'node:buffer'
import { constants, type Stats } from 'node:fs'
import { lstat, open, readdir, readFile, realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { kmsError } from '@kms/core'
import { errnoOf, isWithin, storageReason, TEMPORARY_PREFIX } from '@kms/core/internal'
import { MAX_FILE_BYTES } from './authenticated-file.ts'
import type { LocalPolicy } from './policy.ts'
import { isStagedRestore, looksStaged } from './staged-restore.ts'
import { writeFailure } from './storage-error.ts'
import { STORE_FILE, STORE_FILE_HEAD } from './store-file.ts'

const SYSTEM_DIRS = ['/proc', '/sys', '/dev', '/etc', '/boot', '/usr'] as const

/** What is at a key directory's path. */
export type Place =
  | { readonly kind: 'absent' }
  | { readonly kind: 'empty' }
  | { readonly kind: 'store'; readonly bytes: Buffer }
  /** Neither empty nor ours; `reason` is public. */
  | { readonly kind: 'foreign'; readonly reason: string }

/**
 * Throws `PolicyViolation` when the server's policy forbids a key directory at `path` (absolute, normalised), by its
 * name or by where its parents lead.
 */
export async function checkKeyDirectoryPolicy(path: string, policy: LocalPolicy): Promise<void> {
  for (const each of new Set([path, await realLocation(path)])) {
    const forbidden = await withRealPaths(policy.forbiddenDirs)
    if (forbidden.some((dir) => isWithin(each, dir) || isWithin(dir, each))) {
      throw violation('It holds the files of the server itself; choose a directory of its own.')
    }
    if (policy.allowKeyDirs === undefined) {
      const system = SYSTEM_DIRS.find((dir) => isWithin(each, dir))
      if (system !== undefined) throw violation(`Key directories may not be under ${system}.`)
    } else if (!(await withRealPaths(policy.allowKeyDirs)).some((dir) => isWithin(each, dir))) {
      throw violation('KMS_ALLOW_KEY_DIRS lists where key directories may be.')
    }
  }
}

function violation(hint: string): Error {
  return kmsError('PolicyViolation', { path: 'key_dir', hint })
}

async function withRealPaths(dirs: readonly string[]): Promise<readonly string[]> {
  const real = await Promise.all(dirs.map((dir) => realLocation(resolve(dir))))
  return [...dirs.map((dir) => resolve(dir)), ...real]
}

/** Where `path` really is: the real path of the part that exists, and the rest. */
async function realLocation(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(await realLocation(parent), basename(path))
  }
}

/**
 * Looks at a key directory without changing it. Throws `ValidationError` at `key_dir` when it is no directory,
 * `StoreUnwritable` when it can't be looked at.
 */
export async function inspectKeyDirectory(path: string): Promise<Place> {
  let names: string[]
  try {
    const stats = await lstatIfPresent(path)
    if (stats === undefined) return { kind: 'absent' }
    if (stats.isSymbolicLink()) throw invalid(`${path} is a symbolic link; name the directory it leads to`)
    if (!stats.isDirectory()) throw invalid(`${path} is a file, not a directory`)
    const bytes = await readStoreFile(path)
    if (bytes !== undefined) return { kind: 'store', bytes }
    names = await readdir(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') throw invalid(`${path} cannot be a directory: ${storageReason(error)}`)
    throw writeFailure(path, error)
  }
  // Another server has just made its store of it.
  if (names.includes(STORE_FILE)) return inspectKeyDirectory(path)
  for (const name of names) {
    let abandoned: boolean
    try {
      const at = join(path, name)
      abandoned = isStagedRestore(name) ? await looksStaged(at) : await isAbandonedStoreFile(at)
    } catch (error) {
      // Likewise.
      if (errnoOf(error) === 'ENOENT') return inspectKeyDirectory(path)
      throw writeFailure(join(path, name), error)
    }
    if (!abandoned) {
      return { kind: 'foreign', reason: `it holds ${JSON.stringify(name.slice(0, 64))} and no ${STORE_FILE}` }
    }
  }
  return { kind: 'empty' }
}

/** The bytes of `store.json`, or `undefined` when there is none. Throws `StoreDamaged` when it is no file of ours. */
export async function readStoreFile(directory: string): Promise<Buffer | undefined> {
  const path = join(directory, STORE_FILE)
  const stats = await lstatIfPresent(path)
  if (stats === undefined) return undefined
  if (!stats.isFile() || stats.size > MAX_FILE_BYTES) {
    throw kmsError('StoreDamaged', { path, reason: 'it is no file of a key store' })
  }
  return readFile(path)
}

async function lstatIfPresent(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const ABANDONED = new RegExp(
  `^${TEMPORARY_PREFIX.replaceAll('.', '\\.')}${STORE_FILE.replaceAll('.', '\\.')}-[0-9a-f]{12}$`,
)

/**
 * A crash while a store was being made leaves nothing but the temporary file of its `store.json`, whole or cut short,
 * which seals nothing yet. Such a directory still counts as empty: both the name and the beginning must be ours.
 */
async function isAbandonedStoreFile(path: string): Promise<boolean> {
  if (!ABANDONED.test(basename(path))) return false
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    if (!(await file.stat()).isFile()) return false
    const { bytesRead, buffer } = await file.read({ length: STORE_FILE_HEAD.length, position: 0 })
    return STORE_FILE_HEAD.startsWith(buffer.toString('latin1', 0, bytesRead))
  } finally {
    await file.close()
  }
}

function invalid(reason: string): Error {
  return kmsError('ValidationError', { path: 'key_dir', reason })
}
