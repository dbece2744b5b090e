import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ObjectStore } from '@kms/s3-api'
import { describeObjectStore } from '@kms/s3-api/testing'
import { openFsObjectStore } from './fs-object-store.ts'

describeObjectStore('on a directory', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'kms-store-fs-'))
  const opened: ObjectStore[] = []
  const open = async (): Promise<ObjectStore> => {
    const store = await openFsObjectStore({ directory: join(directory, 'objects') })
    opened.push(store)
    return store
  }
  return {
    open,
    reopen: open,
    async cleanup() {
      for (const store of opened) await store.close()
      await rm(directory, { recursive: true })
    },
  }
})
