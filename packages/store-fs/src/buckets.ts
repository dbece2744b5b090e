import { Buffer } from 'node:buffer'
import type { Bucket, ObjectStore } from '@kms/s3-api'
import type { Database } from './database.ts'
import { above, after, objectKey } from './object-key.ts'
import { decodeRecord, encodeRecord } from './record.ts'
import type { Reserve } from './reserve.ts'
import type { StoreClock } from './store-clock.ts'
import { storeError } from './store-error.ts'

interface BucketHead {
  readonly created: number
  /** Names of the settings, in the order of their blobs. */
  readonly settings: readonly string[]
}

type BucketVerbs = Pick<ObjectStore, 'createBucket' | 'bucket' | 'listBuckets' | 'putBucketSetting' | 'deleteBucket'>

export interface Buckets extends BucketVerbs {
  /** Throws `NoSuchBucket`. */
  require(name: string): void
}

export interface BucketsOptions {
  readonly db: Database
  readonly reserve: Pick<Reserve, 'letGo'>
  readonly clock: StoreClock
  /** Inside a transaction: ends every upload of a bucket. */
  readonly endUploads: (bucket: string) => void
}

/** Longer ones are no key of the database; names of buckets are far shorter. */
const LONGEST_NAME = 255

export function createBuckets({ db, reserve, clock, endUploads }: BucketsOptions): Buckets {
  const keyOf = (name: string): Buffer => Buffer.from(name, 'latin1')

  function find(name: string): Bucket | undefined {
    if (name.length === 0 || name.length > LONGEST_NAME) return undefined
    const bytes = db.buckets.get(keyOf(name))
    return bytes === undefined ? undefined : decode(name, bytes)
  }

  function must(name: string): Bucket {
    const bucket = find(name)
    if (bucket === undefined) throw storeError('NoSuchBucket', `there is no bucket ${name}`)
    return bucket
  }

  return {
    require: (name) => void must(name),

    async createBucket(name) {
      return await db.transact(() => {
        if (find(name) !== undefined) throw storeError('BucketAlreadyExists', `there is a bucket ${name}`)
        const bucket = { name, created: clock.now(), settings: new Map<string, Buffer>() }
        db.buckets.put(keyOf(name), encode(bucket))
        return bucket
      })
    },

    async bucket(name) {
      return find(name)
    },

    async listBuckets({ limit, after: marker = '', prefix = '' }) {
      const first = keyOf(prefix)
      const beyond = after(keyOf(marker))
      const start = marker !== '' && Buffer.compare(beyond, first) > 0 ? beyond : first
      const buckets: Bucket[] = []
      for (const { key, value } of db.buckets.range(prefix === '' ? { start } : { start, end: above(first) })) {
        if (buckets.length === limit) return { buckets, next: (buckets.at(-1) as Bucket).name }
        buckets.push(decode(key.toString('latin1'), Buffer.from(value)))
      }
      return { buckets }
    },

    async putBucketSetting(name, setting, value) {
      await db.transact(() => {
        const bucket = must(name)
        const settings = new Map(bucket.settings)
        if (value === undefined) settings.delete(setting)
        else settings.set(setting, Buffer.from(value))
        db.buckets.put(keyOf(name), encode({ ...bucket, settings }))
      })
    },

    async deleteBucket(name) {
      await reserve.letGo(() => {
        must(name)
        const start = objectKey(name, '')
        for (const _ of db.objects.range({ start, end: above(start) })) {
          throw storeError('BucketNotEmpty', `the bucket ${name} has objects`)
        }
        endUploads(name)
        db.buckets.remove(keyOf(name))
      })
    },
  }
}

function encode({ created, settings }: Bucket): Buffer {
  return encodeRecord({ created, settings: [...settings.keys()] } satisfies BucketHead, [...settings.values()])
}

function decode(name: string, bytes: Buffer): Bucket {
  const { head, blobs } = decodeRecord<BucketHead>(bytes)
  const settings = new Map<string, Buffer>()
  for (const [index, setting] of head.settings.entries()) {
    const blob = blobs[index]
    if (blob !== undefined) settings.set(setting, blob)
  }
  return { name, created: head.created, settings }
}
