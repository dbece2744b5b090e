import { Buffer } from 'node:buffer'
import type { KeyUse, ObjectStore, StoredPart, StoredUpload, UploadMarker, UploadName } from '@kms/s3-api'
import type { Buckets } from './buckets.ts'
import type { Database } from './database.ts'
import type { Garbage } from './garbage.ts'
import { newId, newUploadId, uploadIdBytes } from './ids.ts'
import type { KeyUses } from './key-uses.ts'
import { above, after, objectKey } from './object-key.ts'
import type { Objects } from './objects.ts'
import type { PendingWrites } from './pending-writes.ts'
import { decodeRecord, encodeRecord } from './record.ts'
import type { Reserve } from './reserve.ts'
import { rollUp } from './roll-up.ts'
import type { StoreClock } from './store-clock.ts'
import { storeError } from './store-error.ts'

interface UploadHead {
  readonly bucket: string
  readonly key: string
  readonly created: number
  readonly uses: readonly KeyUse[]
}

export interface PartHead {
  /** Empty when the part is. */
  readonly body: string
  readonly generation: string
  readonly modified: number
  readonly size: number
}

type UploadVerbs = Pick<
  ObjectStore,
  'createUpload' | 'upload' | 'putPart' | 'listParts' | 'listUploads' | 'completeUpload' | 'abortUpload'
>

export interface Uploads extends UploadVerbs {
  /** Inside a transaction. */
  endAll(bucket: string): void
}

export interface UploadsOptions {
  readonly db: Database
  readonly reserve: Pick<Reserve, 'letGo'>
  readonly uses: KeyUses
  readonly garbage: Garbage
  readonly writes: PendingWrites
  readonly place: Objects['place']
  readonly requireBucket: Buckets['require']
  readonly clock: StoreClock
}

export function createUploads(options: UploadsOptions): Uploads {
  const { db, reserve, uses, garbage, writes, place, requireBucket, clock } = options

  /** Throws `NoSuchBucket`, `NoSuchUpload`. */
  function must({ bucket, key, uploadId }: UploadName): { readonly id: Buffer; readonly stored: StoredUpload } {
    requireBucket(bucket)
    const id = uploadIdBytes(uploadId)
    const bytes = id === undefined ? undefined : db.uploads.get(id)
    if (id !== undefined && bytes !== undefined) {
      const { head, blobs } = decodeRecord<UploadHead>(bytes)
      if (head.bucket === bucket && head.key === key) return { id, stored: publicUpload(uploadId, head, blobs) }
    }
    throw storeError('NoSuchUpload', 'there is no such upload')
  }

  /** Inside a transaction: the upload is over, whatever becomes of its parts. */
  function end(id: Buffer, { bucket, key, uses: used }: Pick<UploadHead, 'bucket' | 'key' | 'uses'>): void {
    db.uploads.remove(id)
    db.uploadIndex.remove(objectKey(bucket, key), id)
    uses.remove(used, 'uploads')
  }

  function partAt(id: Buffer, number: number): (StoredPart & { readonly body: string }) | undefined {
    const bytes = db.uploadParts.get(partKey(id, number))
    return bytes === undefined ? undefined : decodePart(number, bytes)
  }

  /** All of them, read before any is changed. */
  function partsOf(id: Buffer): readonly { readonly key: Buffer; readonly body: string }[] {
    return Array.from(db.uploadParts.range({ start: id, end: above(id) }), ({ key, value }) => ({
      key: Buffer.from(key),
      body: decodeRecord<PartHead>(Buffer.from(value)).head.body,
    }))
  }

  return {
    endAll(bucket) {
      const start = objectKey(bucket, '')
      const ids = [...db.uploadIndex.range({ start, end: above(start) })].map(({ value }) => Buffer.from(value))
      for (const id of ids) {
        const bytes = db.uploads.get(id)
        if (bytes === undefined) continue
        end(id, decodeRecord<UploadHead>(bytes).head)
        garbage.drop({ kind: 'upload', id: id.toString('hex') })
      }
    },

    async createUpload({ bucket, key, uses: used = [], metadata, keys, tags }) {
      const created = clock.now()
      const uploadId = newUploadId(created)
      const id = Buffer.from(uploadId, 'hex')
      const head: UploadHead = { bucket, key, created, uses: used }
      await db.transact(() => {
        requireBucket(bucket)
        db.uploads.put(id, encodeRecord(head, [metadata, keys, tags]))
        db.uploadIndex.put(objectKey(bucket, key), id)
        uses.add(used, 'uploads')
      })
      return publicUpload(uploadId, head, [copy(metadata), copy(keys), copy(tags)])
    },

    async upload(name) {
      return must(name).stored
    },

    async putPart({ number, body, finish, ...name }) {
      must(name)
      const stored = await writes.write({
        body,
        uses: [],
        async prepare({ id: generation, size }) {
          const { metadata } = await finish({ size })
          return () => {
            const { id } = must(name)
            const old = partAt(id, number)
            if (old !== undefined && old.body !== '') garbage.drop({ kind: 'body', id: old.body })
            const head: PartHead = { body: size === 0 ? '' : generation, generation, modified: clock.now(), size }
            const bytes = encodeRecord(head, [metadata])
            db.uploadParts.put(partKey(id, number), bytes)
            return publicPart(decodePart(number, bytes))
          }
        },
      })
      garbage.kick()
      return stored
    },

    async listParts({ after: last = 0, limit, ...name }) {
      const { id } = must(name)
      const parts: StoredPart[] = []
      for (const { key, value } of db.uploadParts.range({ start: after(partKey(id, last)), end: above(id) })) {
        if (parts.length === limit) return { parts, next: (parts.at(-1) as StoredPart).number }
        parts.push(publicPart(decodePart(key.readUInt16BE(id.length), Buffer.from(value))))
      }
      return { parts }
    },

    async listUploads(request) {
      requireBucket(request.bucket)
      const { after: marker } = request
      const passed = marker?.uploadId
      const { entries, more } = rollUp(db.uploadIndex, request, (key, id) => {
        if (marker === undefined || key !== marker.key) return false
        return passed === undefined || id.toString('hex') <= passed
      })
      const page = entries.map(({ name, value }) => {
        if (value === undefined) return { kind: 'prefix', prefix: name } as const
        const { head, blobs } = decodeRecord<UploadHead>(db.uploads.get(value) ?? Buffer.alloc(0))
        return { kind: 'upload', upload: publicUpload(value.toString('hex'), head, blobs) } as const
      })
      const last = page.at(-1)
      if (!more || last === undefined) return { entries: page }
      return { entries: page, next: markerOf(last) }
    },

    async completeUpload({ parts: named, object, ...name }) {
      const written = await db.transact(() => {
        const { id, stored } = must(name)
        const segments = named.map(({ number, generation }) => {
          const part = partAt(id, number)
          if (part?.generation === generation) return { id: part.body, size: part.size }
          throw storeError('PartChanged', `part ${number} is not the one that was named`)
        })
        const kept = new Set(segments.map((segment) => segment.id))
        for (const { key, body } of partsOf(id)) {
          if (body !== '' && !kept.has(body)) garbage.drop({ kind: 'body', id: body })
          db.uploadParts.remove(key)
        }
        end(id, { bucket: name.bucket, key: name.key, uses: stored.uses })
        return place({
          ...object,
          ...name,
          generation: newId(),
          segments: segments.filter(({ size }) => size > 0),
          uses: stored.uses,
        })
      })
      garbage.kick()
      return written
    },

    async abortUpload(name) {
      await reserve.letGo(() => {
        const { id, stored } = must(name)
        end(id, { bucket: name.bucket, key: name.key, uses: stored.uses })
        garbage.drop({ kind: 'upload', id: name.uploadId })
      })
      garbage.kick()
    },
  }
}

function partKey(id: Buffer, number: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(number)
  return Buffer.concat([id, bytes])
}

function decodePart(number: number, bytes: Buffer): StoredPart & { readonly body: string } {
  const { head, blobs } = decodeRecord<PartHead>(bytes)
  const [metadata] = blobs
  if (metadata === undefined) throw storeError('Damaged', 'a part has no metadata')
  return { number, ...head, metadata }
}

function publicPart({ body: _, ...part }: StoredPart & { readonly body: string }): StoredPart {
  return part
}

function publicUpload(
  uploadId: string,
  { key, created, uses }: UploadHead,
  [metadata, keys, tags]: readonly (Buffer | undefined)[],
): StoredUpload {
  if (metadata === undefined) throw storeError('Damaged', 'an upload has no metadata')
  return {
    uploadId,
    key,
    created,
    metadata,
    uses,
    ...(keys === undefined ? {} : { keys }),
    ...(tags === undefined ? {} : { tags }),
  }
}

function markerOf(
  entry:
    | { readonly kind: 'prefix'; readonly prefix: string }
    | { readonly kind: 'upload'; readonly upload: StoredUpload },
): UploadMarker {
  if (entry.kind === 'prefix') return { key: entry.prefix, prefix: true }
  return { key: entry.upload.key, uploadId: entry.upload.uploadId }
}

function copy(bytes: Uint8Array | undefined): Buffer | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes)
}
