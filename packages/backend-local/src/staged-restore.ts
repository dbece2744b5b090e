import type { Buffer } from 'node:buffer'
import { lstat, mkdir, open, readdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type KeyRecord, kmsError, lookForProcess, ownIdentity, type Random } from '@kms/core'
import { errnoOf, syncDirectory } from '@kms/core/internal'
import { z } from 'zod'
import { encodeFile, FILE_FORMAT, isAuthentic, splitFile } from './authenticated-file.ts'
import { commitFile } from './commit-file.ts'
import { fileStem } from './file-name.ts'
import { hex16 } from './file-schema.ts'
import { inLanes } from './in-lanes.ts'
import { encodeEntry, type WritableEntry } from './key-file.ts'
import type { KeyRing } from './key-ring.ts'
import { writeFailure } from './storage-error.ts'
import { parseOwner } from './store-lock.ts'
import { encodeVersionFile, type StoredVersion, type VersionName } from './version-file.ts'

// A restore is prepared in a directory of its own, `<key_dir>/.restore-<id>`, sealed as it will be. Its journal decides: from
// the moment that is there, and the store is, whoever opens the store or writes to it moves the files to where they belong.

const PREFIX = '.restore-'
const JOURNAL = 'journal.json'
const OWNER = 'owner'
/** In the order in which they are moved: a record names versions that are there already. */
const PARTS = ['versions', 'aliases', 'keys'] as const
type Part = (typeof PARTS)[number]
/** Files at the same time: their fsyncs share commits of the journal of the file system. */
const WIDTH = 16

const journalSchema = z.strictObject({
  format: z.literal(FILE_FORMAT),
  kind: z.literal('restore'),
  kek: hex16,
  id: z.string(),
})

/** Whether a name in a key directory is that of a prepared restore. */
export function isStagedRestore(name: string): boolean {
  return /^\.restore-[0-9a-f]{16}$/.test(name)
}

/** Whether a directory of that name is what {@link createStagedRestore} makes, at whatever point it was left. */
export async function looksStaged(path: string): Promise<boolean> {
  const names = (await lstat(path)).isDirectory() ? await readdir(path) : ['']
  return names.every((name) => [...PARTS, JOURNAL, OWNER].includes(name) || name.startsWith('.tmp-'))
}

export interface StagedRestoreOptions {
  /** The key directory. */
  readonly directory: string
  readonly ring: KeyRing
  readonly mode: number
  readonly random: Random
}

/** A restore that is being prepared. */
export interface StagedRestore {
  /** Writes what will be the file of a version; it is durable with `commit`. */
  addVersion(name: VersionName, version: StoredVersion): Promise<void>
  /** Writes what will be the files of an entry, and those of the aliases of a key. */
  addEntry(entry: WritableEntry): Promise<void>
  /**
   * Makes everything durable, then the journal: from then on the restore takes place. Throws `StorageFailed` or
   * `StoreUnwritable`, and nothing takes place.
   */
  commit(): Promise<void>
  /** Removes everything, unless it was committed. */
  discard(): Promise<void>
  /** Removes everything: what it was to be restored into did not come to be. */
  remove(): Promise<void>
}

/** Under the lock of the store, where there is one already. */
export async function createStagedRestore(options: StagedRestoreOptions): Promise<StagedRestore> {
  const { directory, ring, mode, random } = options
  const id = random(8).toString('hex')
  const path = join(directory, PREFIX + id)
  let committed = false

  async function write(part: Part, name: string, bytes: Buffer): Promise<void> {
    try {
      const file = await open(join(path, part, name), 'wx', mode)
      try {
        await file.chmod(mode)
        await file.writeFile(bytes)
        await file.sync()
      } finally {
        await file.close()
      }
    } catch (error) {
      throw writeFailure(path, error)
    }
  }

  try {
    await mkdir(path, { mode: 0o700 })
    // Tells whoever tidies up that this is not abandoned.
    await writeFile(join(path, OWNER), JSON.stringify(await ownIdentity()), { flag: 'wx', mode: 0o600 })
    for (const part of PARTS) await mkdir(join(path, part), { mode: 0o700 })
  } catch (error) {
    await remove(path).catch(() => {})
    throw writeFailure(path, error)
  }

  return {
    addVersion: (name, { createdAt, ...material }) =>
      write(
        'versions',
        `${name.version}.${fileStem(name.keyId)}.json`,
        encodeVersionFile(name, material, { ring, createdAt, random }),
      ),

    async addEntry(entry) {
      if (entry.kind === 'key') {
        for (const alias of entry.record.aliases) {
          const bytes = encodeEntry({ kind: 'alias', name: alias, keyId: entry.name }, ring)
          await write('aliases', `${fileStem(alias)}.json`, bytes)
        }
      }
      await write(entry.kind === 'alias' ? 'aliases' : 'keys', `${fileStem(entry.name)}.json`, encodeEntry(entry, ring))
    },

    async commit() {
      try {
        for (const part of PARTS) await syncDirectory(join(path, part))
        await syncDirectory(path)
        await syncDirectory(directory)
      } catch (error) {
        throw writeFailure(path, error)
      }
      const journal: z.infer<typeof journalSchema> = { format: FILE_FORMAT, kind: 'restore', kek: ring.current.id, id }
      try {
        await commitFile(join(path, JOURNAL), encodeFile(journal, ring.current.macKey), { mode, exclusive: true })
      } catch (error) {
        // It may be there all the same, and nobody else may take it for a decision.
        await removeJournal(path).catch(() => {})
        throw error
      }
      committed = true
    },

    async discard() {
      if (!committed) await remove(path).catch(() => {})
    },

    remove: () => remove(path).catch(() => {}),
  }
}

/** Whether a prepared restore is to take place: its journal is there and was written by whoever holds the store's keys. */
export async function isCommitted(directory: string, name: string, ring: KeyRing): Promise<boolean> {
  const bytes = await readFile(join(directory, name, JOURNAL)).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  })
  const raw = bytes === undefined ? undefined : splitFile(bytes)
  const kek = raw === undefined ? undefined : ring.find(raw.json['kek'])
  if (raw === undefined || kek === undefined || !isAuthentic(raw, 'restore', kek.macKey)) return false
  return journalSchema.safeParse(raw.json).data?.id === name.slice(PREFIX.length)
}

/**
 * Moves the files of a committed restore to where they belong, durably, and removes it; what was moved already is. Under the
 * store's lock. Returns the stems of the entries. Rejects with the error of a system call: it goes on the next time.
 */
export async function applyStagedRestore(directory: string, name: string): Promise<readonly string[]> {
  const path = join(directory, name)
  const keys = join(directory, 'keys')
  const stems: string[] = []
  for (const part of PARTS) {
    const changed = new Set([keys])
    const files = await readdir(join(path, part)).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return []
      throw error
    })
    await inLanes(files, WIDTH, async (file) => {
      const [, version, stem] = part === 'versions' ? (/^(\d+)\.(.+)\.json$/.exec(file) ?? []) : []
      if (version === undefined || stem === undefined) {
        stems.push(file.slice(0, -'.json'.length))
        await move(join(path, part, file), join(keys, file))
        return
      }
      const versions = join(keys, `${stem}.versions`)
      await makePlainDirectory(versions)
      changed.add(versions)
      await move(join(path, part, file), join(versions, `${version}.json`))
    })
    await inLanes(changed, WIDTH, syncDirectory)
  }
  await remove(path)
  return stems
}

/** Should it fail in the middle, the next write of any server goes on: nobody owns what is left. */
async function remove(path: string): Promise<void> {
  await unlink(join(path, OWNER)).catch(() => {})
  await removeJournal(path)
  await rm(path, { recursive: true, force: true })
}

/**
 * Durably, before anything else of it goes or what was moved is written to: a power cut must bring back neither half a restore
 * nor one that is over.
 */
async function removeJournal(path: string): Promise<void> {
  await unlink(join(path, JOURNAL)).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
  await syncDirectory(path)
}

async function move(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
}

async function makePlainDirectory(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch(async (error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error
    if ((await lstat(path)).isDirectory()) return
    throw kmsError('StoreUnwritable', { path, reason: 'it is no directory, and a link is not followed' })
  })
}

/** A restore of another host or container that can't be looked up is over after so long, ended or not. */
const OVER_AFTER_MS = 86_400_000

/** Removes a restore that was not committed, if whoever prepared it is gone. Under the store's lock. */
export async function removeIfAbandoned(directory: string, name: string): Promise<void> {
  const path = join(directory, name)
  const [text, stats] = await Promise.all([
    readFile(join(path, OWNER), 'utf8').catch(() => ''),
    lstat(path).catch(() => undefined),
  ])
  if (stats?.isDirectory() !== true) return
  const owner = parseOwner(text)
  // Without one it was cut short as it was begun, which happens under the lock.
  const found = owner === undefined ? 'gone' : await lookForProcess(owner)
  const over = Date.now() - stats.mtimeMs > OVER_AFTER_MS
  // It may be taken back by its owner this moment; and what cannot be removed is in nobody's way.
  if (found === 'gone' || (found !== 'alive' && over)) await remove(path).catch(() => {})
}

/** The record as it is written: with an etag of its own. */
export function newRecord(record: Omit<KeyRecord, 'etag'>, random: Random): KeyRecord {
  return { ...record, etag: random(8).toString('hex') }
}
