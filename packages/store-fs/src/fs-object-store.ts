import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectStore } from '@kms/s3-api'
import { createBodyFiles, syncDirectory } from './body-files.ts'
import { createBuckets } from './buckets.ts'
import { openDatabase } from './database.ts'
import { prepareFormat } from './format-file.ts'
import { createGarbage } from './garbage.ts'
import { createKeyUses } from './key-uses.ts'
import { createObjects } from './objects.ts'
import { createPendingWrites } from './pending-writes.ts'
import { createReserve } from './reserve.ts'
import { createSessions, type StoreOwner } from './sessions.ts'
import { machineClock, type StoreClock } from './store-clock.ts'
import { storageError } from './store-error.ts'
import { createUploads } from './uploads.ts'

export interface FsObjectStoreOptions {
  /** Made if it is absent; must be on a file system of this machine. */
  readonly directory: string
  /**
   * Who opens it. With it what a killed process left is removed at the next opening; without it, when nothing was heard of
   * that process for ten minutes.
   */
  readonly owner?: StoreOwner
  readonly clock?: StoreClock
  /** Removing what is no longer needed failed; it is tried again. */
  readonly onProblem?: (error: unknown) => void
}

/**
 * Opens an `ObjectStore` on a directory. Several processes may open the same one. Throws `NewerFormat`, `Damaged` for a
 * directory that holds something else, and `StorageFailed`.
 */
export async function openFsObjectStore(options: FsObjectStoreOptions): Promise<ObjectStore> {
  const { directory, owner, clock = machineClock, onProblem = () => {} } = options
  const bodies = join(directory, 'bodies')
  try {
    await prepareFormat(directory)
    await mkdir(bodies, { recursive: true, mode: 0o700 })
    await syncDirectory(directory)
  } catch (error) {
    throw storageError(`opening the object store at ${directory}`, error)
  }
  const db = openDatabase(directory)
  const reserve = createReserve(join(directory, 'reserve'), db)
  const own = randomBytes(16)
  const files = createBodyFiles(bodies)
  const uses = createKeyUses(db)
  const sessions = createSessions({ db, own, owner, clock })
  const garbage = createGarbage({ db, reserve, files, uses, sessions, clock, onProblem })
  const writes = createPendingWrites({ db, reserve, files, uses, garbage, session: own })
  const buckets = createBuckets({ db, reserve, clock, endUploads: (bucket) => uploads.endAll(bucket) })
  const requireBucket = buckets.require
  const objects = createObjects({ db, reserve, files, uses, garbage, writes, requireBucket, clock })
  const uploads = createUploads({ db, reserve, uses, garbage, writes, place: objects.place, requireBucket, clock })
  let closing: Promise<void> | undefined

  async function close(): Promise<void> {
    await writes.close()
    await garbage.close()
    await reserve.letGo(() => sessions.remove(own)).catch(onProblem)
    await db.close()
  }

  await reserve.letGo(() => sessions.sign(0))
  garbage.kick()
  const { require: _, ...bucketVerbs } = buckets
  const { place: __, ...objectVerbs } = objects
  const { endAll: ___, ...uploadVerbs } = uploads
  const countKeyUse: ObjectStore['countKeyUse'] = async (wanted) => uses.count(wanted)
  const verbs = { ...bucketVerbs, ...objectVerbs, ...uploadVerbs, countKeyUse }
  return {
    ...eachAfter(() => db.refresh(), verbs),
    sweep: () => garbage.collect(),
    close: () => (closing ??= close()),
  }
}

type Verb = (...args: never[]) => Promise<unknown>

/** The same verbs, each of which begins with something. */
function eachAfter<T extends { readonly [K in keyof T]: Verb }>(first: () => void, verbs: T): T {
  const changed = Object.entries<Verb>(verbs).map(([name, verb]) => {
    const begun: Verb = async (...args) => {
      first()
      return await verb(...args)
    }
    return [name, begun] as const
  })
  return Object.fromEntries(changed) as T
}
