import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import type { KeyUse, KeyUseCount, ObjectStore } from '../store/object-store.ts'
import { at, BUCKET, broken, type ContractTest, chunks, put, refused, throwsIt } from './contract-test.ts'

const REALM = '00112233445566778899aabbccddeeff'
const use = (keyId: string, version: number, realm = REALM): KeyUse => ({ realm, keyId, version })

function count(store: ObjectStore, keyId?: string, version?: number, realm: string = REALM): Promise<KeyUseCount> {
  return store.countKeyUse({
    realm,
    ...(keyId === undefined ? {} : { keyId }),
    ...(version === undefined ? {} : { version }),
  })
}

/** `countKeyUse`. */
export const useContract: readonly ContractTest[] = [
  {
    name: 'uses are counted by realm, key and version, and go with what used them',
    async run({ store }) {
      await put(store, 'a', 'x', { uses: [use('k', 1)] })
      await put(store, 'b', 'x', { uses: [use('k', 2)] })
      await put(store, 'c', 'x', { uses: [use('k2', 1)] })
      await put(store, 'd', 'x', { uses: [use('k', 1, 'other')] })
      await put(store, 'e', 'x')
      expect(await count(store)).toEqual({ objects: 3, uploads: 0 })
      expect(await count(store, 'k')).toEqual({ objects: 2, uploads: 0 })
      expect(await count(store, 'k', 1)).toEqual({ objects: 1, uploads: 0 })
      expect(await count(store, 'k', 3)).toEqual({ objects: 0, uploads: 0 })
      expect(await count(store, 'k', 1, 'other')).toEqual({ objects: 1, uploads: 0 })
      await put(store, 'a', 'y', { uses: [use('k', 2)] })
      expect(await count(store, 'k', 1)).toEqual({ objects: 0, uploads: 0 })
      expect(await count(store, 'k', 2)).toEqual({ objects: 2, uploads: 0 })
      await put(store, 'a', 'y')
      await store.deleteObject(at('b'))
      expect(await count(store, 'k')).toEqual({ objects: 0, uploads: 0 })
      expect(await count(store)).toEqual({ objects: 1, uploads: 0 })
    },
  },
  {
    name: 'a write counts from before its first byte, and no longer when it fails',
    async run({ store }) {
      const seen: KeyUseCount[] = []
      async function* body(): AsyncGenerator<Uint8Array, void> {
        seen.push(await count(store, 'k', 1))
        yield Buffer.from('x')
      }
      const finish = async () => {
        seen.push(await count(store, 'k', 1))
        return { metadata: Buffer.from('m') }
      }
      await put(store, 'a', '', { body: body(), finish, uses: [use('k', 1)] })
      expect(seen).toEqual([
        { objects: 0, uploads: 1 },
        { objects: 0, uploads: 1 },
      ])
      expect(await count(store, 'k')).toEqual({ objects: 1, uploads: 0 })
      const error = new Error('the client went away')
      await throwsIt(put(store, 'b', '', { body: broken(error, 'x'), uses: [use('k', 1)] }), error)
      const conflict = () => ({ metadata: Buffer.from('m'), expected: 'absent' as const })
      await refused(put(store, 'a', 'x', { finish: conflict, uses: [use('k', 1)] }), 'Conflict')
      expect(await count(store, 'k')).toEqual({ objects: 1, uploads: 0 })
    },
  },
  {
    name: 'an upload counts while it is open, its object afterwards',
    async run({ store }) {
      const uses = [use('k', 1)]
      const open = async (key: string) => {
        const { uploadId } = await store.createUpload({ ...at(key), metadata: Buffer.from('m'), uses })
        return { ...at(key), uploadId }
      }
      const [done, aborted, left] = [await open('a'), await open('b'), await open('c')]
      expect(await count(store, 'k')).toEqual({ objects: 0, uploads: 3 })
      const finish = () => ({ metadata: Buffer.from('m') })
      const part = await store.putPart({ ...done, number: 1, body: chunks('x'), finish })
      expect(await count(store, 'k')).toEqual({ objects: 0, uploads: 3 })
      await store.completeUpload({ ...done, parts: [part], object: finish() })
      await store.abortUpload(aborted)
      expect(await count(store, 'k')).toEqual({ objects: 1, uploads: 1 })
      expect((await store.object(at('a')))?.uses).toEqual(uses)
      await store.deleteObject(at('a'))
      expect((await store.upload(left)).uses).toEqual(uses)
      await store.deleteBucket(BUCKET)
      expect(await count(store, 'k')).toEqual({ objects: 0, uploads: 0 })
    },
  },
  {
    name: 'concurrent writes of one key leave exactly one use',
    async run({ store }) {
      await Promise.all(
        Array.from({ length: 20 }, (_, i) => put(store, 'a', `${i}`, { uses: [use('k', 1 + (i % 3))] })),
      )
      expect(await count(store, 'k')).toEqual({ objects: 1, uploads: 0 })
    },
  },
]
