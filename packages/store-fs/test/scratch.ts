import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ObjectStore } from '@kms/s3-api'
import { type FsObjectStoreOptions, openFsObjectStore } from '../src/fs-object-store.ts'

/** A place for stores, and what was opened there. */
export interface Scratch {
  readonly directory: string
  open(options?: Partial<FsObjectStoreOptions>): Promise<ObjectStore>
  closeAll(): Promise<void>
  /** Closes everything and removes the place. */
  cleanup(): Promise<void>
}

export async function scratchStore(): Promise<Scratch> {
  const root = await mkdtemp(join(tmpdir(), 'kms-store-fs-'))
  const directory = join(root, 'objects')
  const opened: ObjectStore[] = []
  const closeAll = async (): Promise<void> => {
    for (const store of opened) await store.close()
  }
  return {
    directory,
    async open(options) {
      const store = await openFsObjectStore({ directory, ...options })
      opened.push(store)
      return store
    },
    closeAll,
    async cleanup() {
      await closeAll()
      await rm(root, { recursive: true })
    },
  }
}
