import { Buffer } from 'node:buffer'
import type { KeyUse, NewObject, ObjectStore, StoredObject, WrittenObject } from '@kms/s3-api'
import { type BodyFiles, readFileRange } from './body-files.ts'
import type { Buckets } from './buckets.ts'
import type { Database } from './database.ts'
import type { Garbage } from './garbage.ts'
import type { KeyUses } from './key-uses.ts'
import { objectKey } from './object-key.ts'
import type { PendingWrites } from './pending-writes.ts'
import { decodeRecord, encodeRecord } from './record.ts'
import type { Reserve } from './reserve.ts'
import { rollUp } from './roll-up.ts'
import { readSegments, type Segment, writeSegments } from './segments.ts'
import type { StoreClock } from './store-clock.ts'
import { storeError } from './store-error.ts'

interface ObjectHead {
  readonly generation: string
  readonly modified: number
  readonly size: number
  /** Id of its one body; empty when the object is empty. Absent when there is a row of segments under its generation. */
  readonly body?: string
  /** Whether there is a blob of parts under its generation. */
  readonly parts: boolean
  readonly uses: readonly KeyUse[]
  readonly uploadId?: string
}

/** An object about to appear. */
export interface Placement extends NewObject {
  readonly bucket: string
  readonly key: string
  readonly generation: string
  readonly segments: readonly Segment[]
  readonly uses: readonly KeyUse[]
  readonly uploadId?: string
}

type ObjectVerbs = Pick<
  ObjectStore,
  'putObject' | 'object' | 'openObject' | 'deleteObject' | 'listObjects' | 'objectTags' | 'putObjectTags'
>

export interface Objects extends ObjectVerbs {
  /** Inside a transaction. Throws `Conflict`. */
  place(placement: Placement): WrittenObject
}

export interface ObjectsOptions {
  readonly db: Database
  readonly reserve: Pick<Reserve, 'letGo'>
  readonly files: BodyFiles
  readonly uses: KeyUses
  readonly garbage: Garbage
  readonly writes: PendingWrites
  /** Throws `NoSuchBucket`. */
  readonly requireBucket: Buckets['require']
  readonly clock: StoreClock
}

export function createObjects(options: ObjectsOptions): Objects {
  const { db, reserve, files, uses, garbage, writes, requireBucket, clock } = options

  function find(
    row: Buffer,
  ): { readonly head: ObjectHead; readonly metadata: Buffer; readonly keys?: Buffer } | undefined {
    const bytes = db.objects.get(row)
    return bytes === undefined ? undefined : decode(bytes)
  }

  function mustHold(head: ObjectHead | undefined, { expected }: Pick<NewObject, 'expected'>): void {
    if (expected === undefined) return
    if (expected === 'absent' ? head === undefined : head?.generation === expected.generation) return
    throw storeError('Conflict', 'the object is not the one that was expected')
  }

  /** Inside a transaction: nothing refers to this object any more. */
  function letGo({ generation, body, parts, uses: used }: ObjectHead): void {
    uses.remove(used, 'objects')
    if (parts) db.parts.remove(Buffer.from(generation, 'hex'))
    if (body === undefined) garbage.drop({ kind: 'segments', id: generation })
    else if (body !== '') garbage.drop({ kind: 'body', id: body })
  }

  function place(placement: Placement): WrittenObject {
    const { bucket, key, generation, segments, metadata, keys, parts, tags, uses: used, uploadId } = placement
    requireBucket(bucket)
    const row = objectKey(bucket, key)
    const old = find(row)?.head
    mustHold(old, placement)
    if (old !== undefined) letGo(old)
    const modified = clock.now()
    const [first, ...more] = segments
    const head: ObjectHead = {
      generation,
      modified,
      size: segments.reduce((sum, { size }) => sum + size, 0),
      ...(more.length > 0 ? {} : { body: first?.id ?? '' }),
      parts: parts !== undefined,
      uses: used,
      ...(uploadId === undefined ? {} : { uploadId }),
    }
    if (more.length > 0) db.segments.put(Buffer.from(generation, 'hex'), writeSegments(segments))
    if (parts !== undefined) db.parts.put(Buffer.from(generation, 'hex'), Buffer.from(parts))
    setTags(row, tags)
    uses.add(used, 'objects')
    db.objects.put(row, encodeRecord(head, [metadata, keys]))
    return { generation, modified }
  }

  function setTags(row: Buffer, tags: Uint8Array | undefined): void {
    if (tags !== undefined) db.tags.put(row, Buffer.from(tags))
    else if (db.tags.get(row) !== undefined) db.tags.remove(row)
  }

  return {
    place,

    async putObject({ bucket, key, body, uses: used = [], finish }) {
      requireBucket(bucket)
      const written = await writes.write({
        body,
        uses: used,
        async prepare({ id, size }) {
          const object = await finish({ size })
          const segments = size === 0 ? [] : [{ id, size }]
          return () => place({ ...object, bucket, key, generation: id, segments, uses: used })
        },
      })
      garbage.kick()
      return written
    },

    async object({ bucket, key }) {
      requireBucket(bucket)
      const found = find(objectKey(bucket, key))
      return found === undefined ? undefined : publicObject(key, found)
    },

    async openObject({ bucket, key }) {
      requireBucket(bucket)
      const found = find(objectKey(bucket, key))
      if (found === undefined) return undefined
      const { generation, body, size, parts: hasParts } = found.head
      const leave = garbage.enter()
      const id = Buffer.from(generation, 'hex')
      const parts = hasParts ? db.parts.get(id) : undefined
      const segments: readonly Segment[] =
        body === undefined ? readSegments(db.segments.get(id)) : body === '' ? [] : [{ id: body, size }]
      try {
        if (hasParts && parts === undefined) throw storeError('Damaged', 'the part table of an object is missing')
        if (segments.reduce((sum, segment) => sum + segment.size, 0) !== size) {
          throw storeError('Damaged', 'the bodies of an object do not make up its size')
        }
        // A body that is missing should be known before a reply has begun.
        const [only, ...others] = segments
        const file = only === undefined || others.length > 0 ? undefined : await files.open(only.id)
        return {
          ...publicObject(key, found),
          ...(parts === undefined ? {} : { parts }),
          read: ({ start, end }) =>
            file === undefined ? readSegmentRange(files, segments, start, end) : readFileRange(file, start, end),
          async close() {
            leave()
            file?.close()
          },
        }
      } catch (error) {
        leave()
        throw error
      }
    },

    async deleteObject({ bucket, key, ...condition }) {
      const row = objectKey(bucket, key)
      const deleted = await reserve.letGo(() => {
        requireBucket(bucket)
        const head = find(row)?.head
        mustHold(head, condition)
        if (head === undefined) return false
        letGo(head)
        setTags(row, undefined)
        db.objects.remove(row)
        return true
      })
      if (deleted) garbage.kick()
      return deleted
    },

    async listObjects(request) {
      requireBucket(request.bucket)
      const { entries, more } = rollUp(db.objects, request)
      const page = entries.map(({ name, value }) =>
        value === undefined
          ? ({ kind: 'prefix', prefix: name } as const)
          : ({ kind: 'object', object: publicObject(name, decode(value)) } as const),
      )
      const last = entries.at(-1)
      if (!more || last === undefined) return { entries: page }
      const next = last.value === undefined ? { key: last.name, prefix: true } : { key: last.name }
      return { entries: page, next }
    },

    async objectTags({ bucket, key }) {
      requireBucket(bucket)
      return db.tags.get(objectKey(bucket, key))
    },

    async putObjectTags({ bucket, key }, tags) {
      const row = objectKey(bucket, key)
      await db.transact(() => {
        requireBucket(bucket)
        if (db.objects.get(row) === undefined) throw storeError('NoSuchKey', 'there is no such object')
        setTags(row, tags)
      })
    },
  }
}

function decode(bytes: Buffer): { readonly head: ObjectHead; readonly metadata: Buffer; readonly keys?: Buffer } {
  const { head, blobs } = decodeRecord<ObjectHead>(bytes)
  const [metadata, keys] = blobs
  if (metadata === undefined) throw storeError('Damaged', 'an object has no metadata')
  return { head, metadata, ...(keys === undefined ? {} : { keys }) }
}

function publicObject(
  key: string,
  { head, metadata, keys }: { readonly head: ObjectHead; readonly metadata: Buffer; readonly keys?: Buffer },
): StoredObject {
  const { generation, modified, size, uses, uploadId } = head
  return {
    key,
    generation,
    modified,
    size,
    metadata,
    uses,
    ...(keys === undefined ? {} : { keys }),
    ...(uploadId === undefined ? {} : { uploadId }),
  }
}

async function* readSegmentRange(
  files: BodyFiles,
  segments: readonly Segment[],
  start: number,
  end: number,
): AsyncGenerator<Buffer, void> {
  let offset = 0
  for (const { id, size } of segments) {
    const from = Math.max(start - offset, 0)
    const to = Math.min(end - offset, size)
    offset += size
    if (from >= to) continue
    const file = await files.open(id)
    try {
      yield* readFileRange(file, from, to)
    } finally {
      file.close()
    }
  }
}
