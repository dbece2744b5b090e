import { randomBytes } from 'node:crypto'
import { open, stat, statfs, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Database } from './database.ts'
import { storageError, storeError } from './store-error.ts'

/** Far more than a transaction that lets go of something takes. */
const BYTES = 1024 * 1024

/**
 * Room that is kept for letting go: on a disk that is full nothing could be deleted otherwise, because a transaction takes room
 * before it gives some back.
 */
export interface Reserve {
  /** {@link Database.transact}, for what lets go of something: when there is no room, in the room that is kept, which is used up then. */
  letGo<T>(work: () => T): Promise<T>
  /** Makes sure that the room is kept. Throws `StorageFailed` when there is none to keep: nothing new should be written then. */
  require(): Promise<void>
}

/** `path` is a file of random bytes, so that no file system can store less than all of it. */
export function createReserve(path: string, db: Pick<Database, 'transact'>): Reserve {
  let kept = false
  let making: Promise<void> | undefined

  async function make(): Promise<void> {
    if ((await stat(path).catch(() => undefined))?.size !== BYTES) {
      try {
        await requireRoom()
        const file = await open(path, 'w', 0o600)
        try {
          await file.writeFile(randomBytes(BYTES))
          await file.sync()
        } finally {
          await file.close()
        }
      } catch (error) {
        await unlink(path).catch(() => {})
        throw storageError('keeping room for deleting', error)
      }
    }
    kept = true
  }

  /** Trying for it would take what is left from others, for as long as that takes. */
  async function requireRoom(): Promise<void> {
    const { bavail, bsize } = await statfs(dirname(path))
    if (bavail * bsize < 2 * BYTES) throw storeError('StorageFailed', 'there is no room left but for deleting')
  }

  return {
    async letGo(work) {
      try {
        return await db.transact(work)
      } catch (error) {
        if (!isStorageFailure(error)) throw error
        kept = false
        await unlink(path).catch(() => {})
        return await db.transact(work)
      }
    },
    async require() {
      if (kept) return
      // What another found too full may have room by now.
      await making?.catch(() => {})
      if (kept) return
      making ??= make().finally(() => {
        making = undefined
      })
      await making
    },
  }
}

function isStorageFailure(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'StorageFailed'
}
