import { Buffer } from 'node:buffer'
import type {
  Bucket,
  Expected,
  KeyUse,
  KeyUseCount,
  ListMarker,
  ListRequest,
  ObjectStore,
  StoredObject,
  StoredPart,
  StoredUpload,
  UploadName,
} from '../store/object-store.ts'
import { objectStoreError } from '../store/object-store-error.ts'

interface MemoryObject {
  readonly stored: StoredObject
  readonly body: Buffer
  readonly parts: Buffer | undefined
  tags: Buffer | undefined
}

interface MemoryUpload {
  readonly bucket: string
  readonly stored: StoredUpload
  readonly parts: Map<number, { readonly stored: StoredPart; readonly body: Buffer }>
}

interface PrefixEntry {
  readonly kind: 'prefix'
  readonly prefix: string
}

interface MemoryBucket {
  readonly name: string
  readonly created: number
  readonly settings: Map<string, Buffer>
  readonly objects: Map<string, MemoryObject>
}

export interface MemoryObjectStoreOptions {
  /** Epoch milliseconds; `Date.now` unless given. */
  readonly now?: () => number
}

/** The reference `ObjectStore`: simple rather than fast, and gone with the process. For tests. */
export function createMemoryObjectStore({ now = Date.now }: MemoryObjectStoreOptions = {}): ObjectStore {
  const buckets = new Map<string, MemoryBucket>()
  const uploads = new Map<string, MemoryUpload>()
  const writing = new Set<readonly KeyUse[]>()
  let serial = 0
  let closed = false

  const nextId = (): string => String(++serial).padStart(8, '0')

  function mustBucket(name: string): MemoryBucket {
    const bucket = buckets.get(name)
    if (bucket === undefined) throw objectStoreError('NoSuchBucket', `there is no bucket ${name}`)
    return bucket
  }

  function mustUpload({ bucket, key, uploadId }: UploadName): MemoryUpload {
    mustBucket(bucket)
    const upload = uploads.get(uploadId)
    if (upload?.bucket === bucket && upload.stored.key === key) return upload
    throw objectStoreError('NoSuchUpload', 'there is no such upload')
  }

  function mustHold(bucket: MemoryBucket, key: string, expected: Expected | undefined): void {
    if (expected === undefined) return
    const generation = bucket.objects.get(key)?.stored.generation
    if (expected === 'absent' ? generation === undefined : generation === expected.generation) return
    throw objectStoreError('Conflict', 'the object is not the one that was expected')
  }

  async function readAll(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    for await (const chunk of body) {
      if (closed) throw objectStoreError('StorageFailed', 'the store is closed')
      chunks.push(Uint8Array.from(chunk))
    }
    return Buffer.concat(chunks)
  }

  async function counted<T>(uses: readonly KeyUse[], work: () => Promise<T>): Promise<T> {
    // An array of its own: the same one may be passed twice.
    const own = [...uses]
    writing.add(own)
    try {
      return await work()
    } finally {
      writing.delete(own)
    }
  }

  /** Items are sorted and come after the marker. */
  function rollUp<E>(
    items: readonly { readonly key: string; readonly entry: E }[],
    { prefix = '', delimiter = '', limit }: Pick<ListRequest, 'prefix' | 'delimiter' | 'limit'>,
  ): { readonly entries: readonly (E | PrefixEntry)[]; readonly more: boolean } {
    const entries: (E | PrefixEntry)[] = []
    const seen = new Set<string>()
    for (const { key, entry } of items) {
      if (!key.startsWith(prefix)) continue
      const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
      const common = cut < 0 ? undefined : key.slice(0, cut + delimiter.length)
      if (common !== undefined && seen.has(common)) continue
      if (entries.length === limit) return { entries, more: true }
      if (common !== undefined) seen.add(common)
      entries.push(common === undefined ? entry : { kind: 'prefix', prefix: common })
    }
    return { entries, more: false }
  }

  return {
    async createBucket(name) {
      if (buckets.has(name)) throw objectStoreError('BucketAlreadyExists', `there is a bucket ${name}`)
      const bucket = { name, created: now(), settings: new Map(), objects: new Map() }
      buckets.set(name, bucket)
      return publicBucket(bucket)
    },

    async bucket(name) {
      const bucket = buckets.get(name)
      return bucket === undefined ? undefined : publicBucket(bucket)
    },

    async listBuckets({ limit, after = '', prefix = '' }) {
      const names = [...buckets.keys()].sort().filter((name) => name > after && name.startsWith(prefix))
      const page = names.slice(0, limit)
      const next = page.at(-1)
      return {
        buckets: page.map((name) => publicBucket(mustBucket(name))),
        ...(names.length > page.length && next !== undefined ? { next } : {}),
      }
    },

    async putBucketSetting(name, setting, value) {
      const { settings } = mustBucket(name)
      if (value === undefined) settings.delete(setting)
      else settings.set(setting, Buffer.from(value))
    },

    async deleteBucket(name) {
      if (mustBucket(name).objects.size > 0) throw objectStoreError('BucketNotEmpty', 'the bucket has objects')
      buckets.delete(name)
      for (const [uploadId, upload] of uploads) if (upload.bucket === name) uploads.delete(uploadId)
    },

    async putObject({ bucket, key, body, uses = [], finish }) {
      mustBucket(bucket)
      return await counted(uses, async () => {
        const bytes = await readAll(body)
        const { metadata, keys, parts, tags, expected } = await finish({ size: bytes.length })
        const home = mustBucket(bucket)
        mustHold(home, key, expected)
        const written = { generation: nextId(), modified: now() }
        home.objects.set(key, {
          stored: {
            key,
            ...written,
            size: bytes.length,
            metadata: Buffer.from(metadata),
            ...(keys === undefined ? {} : { keys: Buffer.from(keys) }),
            uses: [...uses],
          },
          body: bytes,
          parts: copy(parts),
          tags: copy(tags),
        })
        return written
      })
    },

    async object({ bucket, key }) {
      return mustBucket(bucket).objects.get(key)?.stored
    },

    async openObject({ bucket, key }) {
      const found = mustBucket(bucket).objects.get(key)
      if (found === undefined) return undefined
      return {
        ...found.stored,
        ...(found.parts === undefined ? {} : { parts: found.parts }),
        async *read({ start, end }) {
          if (end > start) yield found.body.subarray(start, end)
        },
        close: async () => {},
      }
    },

    async deleteObject({ bucket, key, expected }) {
      const home = mustBucket(bucket)
      mustHold(home, key, expected)
      return home.objects.delete(key)
    },

    async listObjects(request) {
      const { objects } = mustBucket(request.bucket)
      const keys = sorted(objects.keys()).filter((key) => isAfter(key, request.after))
      const items = keys.map((key) => {
        const object = (objects.get(key) as MemoryObject).stored
        return { key, entry: { kind: 'object', object } as const }
      })
      const { entries, more } = rollUp(items, request)
      const last = entries.at(-1)
      if (!more || last === undefined) return { entries }
      return { entries, next: last.kind === 'prefix' ? { key: last.prefix, prefix: true } : { key: last.object.key } }
    },

    async objectTags({ bucket, key }) {
      return mustBucket(bucket).objects.get(key)?.tags
    },

    async putObjectTags({ bucket, key }, tags) {
      const found = mustBucket(bucket).objects.get(key)
      if (found === undefined) throw objectStoreError('NoSuchKey', 'there is no such object')
      found.tags = copy(tags)
    },

    async createUpload({ bucket, key, uses = [], metadata, keys, tags }) {
      mustBucket(bucket)
      const stored = {
        uploadId: nextId(),
        key,
        created: now(),
        metadata: Buffer.from(metadata),
        ...(keys === undefined ? {} : { keys: Buffer.from(keys) }),
        ...(tags === undefined ? {} : { tags: Buffer.from(tags) }),
        uses: [...uses],
      }
      uploads.set(stored.uploadId, { bucket, stored, parts: new Map() })
      return stored
    },

    async upload(name) {
      return mustUpload(name).stored
    },

    async putPart({ number, body, finish, ...name }) {
      mustUpload(name)
      const bytes = await readAll(body)
      const { metadata } = await finish({ size: bytes.length })
      const stored = {
        number,
        generation: nextId(),
        modified: now(),
        size: bytes.length,
        metadata: Buffer.from(metadata),
      }
      mustUpload(name).parts.set(number, { stored, body: bytes })
      return stored
    },

    async listParts({ after = 0, limit, ...name }) {
      const numbers = [...mustUpload(name).parts.keys()].filter((number) => number > after).sort((a, b) => a - b)
      const page = numbers.slice(0, limit)
      const parts = page.map((number) => (mustUpload(name).parts.get(number) as { stored: StoredPart }).stored)
      const next = page.at(-1)
      return numbers.length > page.length && next !== undefined ? { parts, next } : { parts }
    },

    async listUploads(request) {
      mustBucket(request.bucket)
      const { after } = request
      const all = [...uploads.values()].filter(({ bucket }) => bucket === request.bucket).map(({ stored }) => stored)
      all.sort((a, b) => compare(a.key, b.key) || (a.uploadId < b.uploadId ? -1 : 1))
      const items = all
        .filter(({ key, uploadId }) =>
          after?.uploadId !== undefined && key === after.key ? uploadId > after.uploadId : isAfter(key, after),
        )
        .map((upload) => ({ key: upload.key, entry: { kind: 'upload', upload } as const }))
      const { entries, more } = rollUp(items, request)
      const last = entries.at(-1)
      if (!more || last === undefined) return { entries }
      if (last.kind === 'prefix') return { entries, next: { key: last.prefix, prefix: true } }
      return { entries, next: { key: last.upload.key, uploadId: last.upload.uploadId } }
    },

    async completeUpload({ parts, object, ...name }) {
      const upload = mustUpload(name)
      const home = mustBucket(name.bucket)
      mustHold(home, name.key, object.expected)
      const bodies = parts.map(({ number, generation }) => {
        const part = upload.parts.get(number)
        if (part?.stored.generation === generation) return part.body
        throw objectStoreError('PartChanged', `part ${number} is not the one that was named`)
      })
      const body = Buffer.concat(bodies)
      const written = { generation: nextId(), modified: now() }
      home.objects.set(name.key, {
        stored: {
          key: name.key,
          ...written,
          size: body.length,
          metadata: Buffer.from(object.metadata),
          ...(object.keys === undefined ? {} : { keys: Buffer.from(object.keys) }),
          uses: upload.stored.uses,
          uploadId: name.uploadId,
        },
        body,
        parts: copy(object.parts),
        tags: copy(object.tags),
      })
      uploads.delete(name.uploadId)
      return written
    },

    async abortUpload(name) {
      mustUpload(name)
      uploads.delete(name.uploadId)
    },

    async countKeyUse(wanted): Promise<KeyUseCount> {
      const matching = (uses: readonly KeyUse[]): number =>
        uses.filter(
          (use) =>
            use.realm === wanted.realm &&
            (wanted.keyId === undefined || use.keyId === wanted.keyId) &&
            (wanted.version === undefined || use.version === wanted.version),
        ).length
      let objects = 0
      for (const bucket of buckets.values())
        for (const { stored } of bucket.objects.values()) objects += matching(stored.uses)
      let open = 0
      for (const uses of writing) open += matching(uses)
      for (const { stored } of uploads.values()) open += matching(stored.uses)
      return { objects, uploads: open }
    },

    sweep: async () => {},

    async close() {
      closed = true
    },
  }
}

function publicBucket({ name, created, settings }: MemoryBucket): Bucket {
  return { name, created, settings: new Map(settings) }
}

function copy(bytes: Uint8Array | undefined): Buffer | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes)
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function sorted(keys: Iterable<string>): string[] {
  return [...keys].sort(compare)
}

function isAfter(key: string, after: ListMarker | undefined): boolean {
  return after === undefined || (compare(key, after.key) > 0 && !(after.prefix === true && key.startsWith(after.key)))
}
