import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import { at, BUCKET, bodyOf, type ContractTest, chunks, put, refused } from './contract-test.ts'

/** Closing, and opening again. */
export const lifeContract: readonly ContractTest[] = [
  {
    name: 'what was acknowledged is there when the store is opened again',
    needs: ['reopen'],
    async run({ store, reopen }) {
      const uses = [{ realm: 'r', keyId: 'k', version: 1 }]
      await put(store, 'a', 'text', { uses })
      await store.putObjectTags(at('a'), Buffer.from('t'))
      await store.putBucketSetting(BUCKET, 'policy', Buffer.from('{}'))
      const { uploadId } = await store.createUpload({ ...at('b'), metadata: Buffer.from('m'), uses })
      const name = { ...at('b'), uploadId }
      const finish = () => ({ metadata: Buffer.from('m') })
      const part = await store.putPart({ ...name, number: 1, body: chunks('part'), finish })
      const object = await store.object(at('a'))
      await store.close()
      await store.close()
      const again = await reopen()
      expect(await again.object(at('a'))).toEqual(object)
      expect(await bodyOf(again, 'a')).toBe('text')
      expect(await again.objectTags(at('a'))).toEqual(Buffer.from('t'))
      expect((await again.bucket(BUCKET))?.settings.get('policy')).toEqual(Buffer.from('{}'))
      expect((await again.listParts({ ...name, limit: 10 })).parts).toEqual([part])
      expect(await again.countKeyUse({ realm: 'r' })).toEqual({ objects: 1, uploads: 1 })
      await again.completeUpload({ ...name, parts: [part], object: finish() })
      expect(await bodyOf(again, 'b')).toBe('part')
    },
  },
  {
    name: 'two openings of one store see each other’s writes',
    needs: ['reopen'],
    async run({ store, reopen }) {
      const other = await reopen()
      await put(store, 'a', 'first')
      expect(await bodyOf(other, 'a')).toBe('first')
      const opened = await store.openObject(at('a'))
      await put(other, 'a', 'second')
      await other.sweep()
      expect(await bodyOf(store, 'a')).toBe('second')
      const read: Uint8Array[] = []
      for await (const chunk of opened?.read({ start: 0, end: 5 }) ?? chunks()) read.push(chunk)
      expect(Buffer.concat(read).toString()).toBe('first')
      await opened?.close()
      await other.close()
      expect(await bodyOf(store, 'a')).toBe('second')
    },
  },
  {
    name: 'closing ends writes under way, and leaves nothing of them',
    needs: ['reopen'],
    async run({ store, reopen }) {
      let begun = (): void => {}
      const started = new Promise<void>((resolve) => {
        begun = resolve
      })
      let go = (): void => {}
      const gate = new Promise<void>((resolve) => {
        go = resolve
      })
      async function* slow(): AsyncGenerator<Uint8Array, void> {
        yield Buffer.alloc(1_000_000)
        begun()
        await gate
        yield Buffer.alloc(1_000_000)
      }
      const writing = put(store, 'a', '', { body: slow(), uses: [{ realm: 'r', keyId: 'k', version: 1 }] })
      const refusal = refused(writing, 'StorageFailed')
      await started
      const closing = store.close()
      go()
      await refusal
      await closing
      await refused(put(store, 'b', 'text'), 'StorageFailed')
      const again = await reopen()
      expect(await again.object(at('a'))).toBeUndefined()
      expect(await again.countKeyUse({ realm: 'r' })).toEqual({ objects: 0, uploads: 0 })
    },
  },
]
