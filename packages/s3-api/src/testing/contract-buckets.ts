import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import type { ObjectStore } from '../store/object-store.ts'
import { at, BUCKET, bodyOf, type ContractTest, chunks, put, refused } from './contract-test.ts'

async function names(store: ObjectStore, limit: number, prefix?: string): Promise<readonly string[]> {
  const found: string[] = []
  let after: string | undefined
  do {
    const page = await store.listBuckets({
      limit,
      ...(after === undefined ? {} : { after }),
      ...(prefix === undefined ? {} : { prefix }),
    })
    expect(page.buckets.length).toBeLessThanOrEqual(limit)
    found.push(...page.buckets.map(({ name }) => name))
    after = page.next
  } while (after !== undefined && found.length < 1000)
  return found
}

/** Buckets and their settings. */
export const bucketContract: readonly ContractTest[] = [
  {
    name: 'a bucket is there once it was made, and once only',
    async run({ store }) {
      expect(await store.bucket('music')).toBeUndefined()
      const made = await store.createBucket('music')
      expect(made.name).toBe('music')
      expect(made.settings.size).toBe(0)
      expect(await store.bucket('music')).toEqual(made)
      await refused(store.createBucket('music'), 'BucketAlreadyExists')
    },
  },
  {
    name: 'of concurrent creations of one bucket exactly one succeeds',
    async run({ store }) {
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => store.createBucket('music')))
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    },
  },
  {
    name: 'buckets are listed by name, in pages, with a prefix',
    async run({ store }) {
      const all = ['b', 'a', 'a-b', 'a.b', 'ab', 'c', BUCKET].sort()
      for (const name of all) if (name !== BUCKET) await store.createBucket(name)
      for (const limit of [1, 2, 3, all.length, 1000]) expect(await names(store, limit)).toEqual(all)
      expect(await names(store, 2, 'a')).toEqual(['a', 'a-b', 'a.b', 'ab'])
      expect(await names(store, 2, 'zz')).toEqual([])
      expect((await store.listBuckets({ limit: 10, after: 'aaa' })).buckets[0]?.name).toBe('ab')
    },
  },
  {
    name: 'settings are kept apart, byte for byte, until they are removed',
    async run({ store }) {
      const policy = Buffer.from([0, 1, 255, 0x7b])
      await store.putBucketSetting(BUCKET, 'policy', policy)
      await store.putBucketSetting(BUCKET, 'encryption', Buffer.from('aes'))
      const settings = (await store.bucket(BUCKET))?.settings
      expect(new Map(settings)).toEqual(
        new Map([
          ['policy', policy],
          ['encryption', Buffer.from('aes')],
        ]),
      )
      await store.putBucketSetting(BUCKET, 'policy', Buffer.alloc(0))
      expect((await store.bucket(BUCKET))?.settings.get('policy')).toEqual(Buffer.alloc(0))
      await store.putBucketSetting(BUCKET, 'policy', undefined)
      await store.putBucketSetting(BUCKET, 'never-there', undefined)
      expect([...((await store.bucket(BUCKET))?.settings.keys() ?? [])]).toEqual(['encryption'])
      await refused(store.putBucketSetting('nowhere', 'policy', policy), 'NoSuchBucket')
    },
  },
  {
    name: 'a bucket with an object stays; an empty one goes, with its settings and open uploads',
    async run({ store }) {
      await put(store, 'a', 'text')
      await refused(store.deleteBucket(BUCKET), 'BucketNotEmpty')
      expect(await bodyOf(store, 'a')).toBe('text')
      await store.deleteObject(at('a'))
      await store.putBucketSetting(BUCKET, 'policy', Buffer.from('{}'))
      const { uploadId } = await store.createUpload({ ...at('b'), metadata: Buffer.from('m') })
      await store.deleteBucket(BUCKET)
      expect(await store.bucket(BUCKET)).toBeUndefined()
      await refused(store.deleteBucket(BUCKET), 'NoSuchBucket')
      await store.createBucket(BUCKET)
      expect((await store.bucket(BUCKET))?.settings.size).toBe(0)
      await refused(store.upload({ ...at('b'), uploadId }), 'NoSuchUpload')
      expect((await store.listUploads({ bucket: BUCKET, limit: 10 })).entries).toEqual([])
    },
  },
  {
    name: 'objects of a bucket that is another one’s prefix are not mixed up',
    async run({ store }) {
      await store.createBucket('a')
      await store.createBucket('a.b')
      await store.putObject({ ...at('k', 'a.b'), body: chunks('x'), finish: () => ({ metadata: Buffer.from('m') }) })
      expect((await store.listObjects({ bucket: 'a', limit: 10 })).entries).toEqual([])
      await store.deleteBucket('a')
      expect((await store.listObjects({ bucket: 'a.b', limit: 10 })).entries).toHaveLength(1)
    },
  },
  {
    name: 'without the bucket every verb says NoSuchBucket',
    async run({ store }) {
      const name = { ...at('a', 'nowhere'), uploadId: '0' }
      const finish = () => ({ metadata: Buffer.from('m') })
      await refused(store.putObject({ ...name, body: chunks('x'), finish }), 'NoSuchBucket')
      await refused(store.object(name), 'NoSuchBucket')
      await refused(store.openObject(name), 'NoSuchBucket')
      await refused(store.deleteObject(name), 'NoSuchBucket')
      await refused(store.listObjects({ bucket: 'nowhere', limit: 1 }), 'NoSuchBucket')
      await refused(store.objectTags(name), 'NoSuchBucket')
      await refused(store.putObjectTags(name, Buffer.from('t')), 'NoSuchBucket')
      await refused(store.createUpload({ ...name, metadata: Buffer.from('m') }), 'NoSuchBucket')
      await refused(store.upload(name), 'NoSuchBucket')
      await refused(store.putPart({ ...name, number: 1, body: chunks('x'), finish }), 'NoSuchBucket')
      await refused(store.listParts({ ...name, limit: 1 }), 'NoSuchBucket')
      await refused(store.listUploads({ bucket: 'nowhere', limit: 1 }), 'NoSuchBucket')
      await refused(store.completeUpload({ ...name, parts: [], object: finish() }), 'NoSuchBucket')
      await refused(store.abortUpload(name), 'NoSuchBucket')
      await refused(store.deleteBucket('nowhere'), 'NoSuchBucket')
    },
  },
]
