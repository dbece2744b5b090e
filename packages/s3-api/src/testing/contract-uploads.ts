import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import type { ObjectStore, StoredPart, UploadMarker, UploadName, UploadPage } from '../store/object-store.ts'
import {
  at,
  BUCKET,
  bodyOf,
  broken,
  type ContractTest,
  chunks,
  collect,
  put,
  refused,
  throwsIt,
} from './contract-test.ts'

async function begin(store: ObjectStore, key: string): Promise<UploadName> {
  const { uploadId } = await store.createUpload({ ...at(key), metadata: Buffer.from(`upload of ${key}`) })
  return { ...at(key), uploadId }
}

function part(store: ObjectStore, name: UploadName, number: number, text: string): Promise<StoredPart> {
  return store.putPart({
    ...name,
    number,
    body: chunks(text),
    finish: ({ size }) => ({ metadata: Buffer.from(`part of ${size}`) }),
  })
}

const object = { metadata: Buffer.from('complete') }

async function numbers(store: ObjectStore, name: UploadName, limit = 1000): Promise<readonly number[]> {
  const found: number[] = []
  let after: number | undefined
  do {
    const page = await store.listParts({ ...name, limit, ...(after === undefined ? {} : { after }) })
    expect(page.parts.length).toBeLessThanOrEqual(limit)
    found.push(...page.parts.map(({ number }) => number))
    after = page.next
  } while (after !== undefined && found.length < 20_000)
  return found
}

async function uploadNames(
  store: ObjectStore,
  request: {
    readonly limit: number
    readonly prefix?: string
    readonly delimiter?: string
    readonly after?: UploadMarker
  },
): Promise<readonly string[]> {
  const names: string[] = []
  let after = request.after
  for (let pages = 0; pages < 100; pages++) {
    const page: UploadPage = await store.listUploads({
      bucket: BUCKET,
      ...request,
      ...(after === undefined ? {} : { after }),
    })
    expect(page.entries.length).toBeLessThanOrEqual(request.limit)
    for (const entry of page.entries) {
      names.push(entry.kind === 'upload' ? `${entry.upload.key}:${entry.upload.uploadId}` : entry.prefix)
    }
    after = page.next
    if (after === undefined) break
  }
  return names
}

/** Multipart uploads. */
export const uploadContract: readonly ContractTest[] = [
  {
    name: 'an upload is seen by itself alone until it is complete',
    async run({ store }) {
      const uses = [{ realm: 'r', keyId: 'k', version: 1 }]
      const made = await store.createUpload({
        ...at('a'),
        metadata: Buffer.from('m'),
        keys: Buffer.from('k'),
        tags: Buffer.from('t'),
        uses,
      })
      expect(made).toMatchObject({
        key: 'a',
        metadata: Buffer.from('m'),
        keys: Buffer.from('k'),
        tags: Buffer.from('t'),
        uses,
      })
      const name = { ...at('a'), uploadId: made.uploadId }
      expect(await store.upload(name)).toEqual(made)
      await part(store, name, 1, 'text')
      expect(await store.object(at('a'))).toBeUndefined()
      expect((await store.listObjects({ bucket: BUCKET, limit: 10 })).entries).toEqual([])
    },
  },
  {
    name: 'parts in any order make the object, in ranges across their borders too',
    async run({ store }) {
      const name = await begin(store, 'a')
      const third = await part(store, name, 10_000, 'ghi')
      const first = await part(store, name, 1, 'abc')
      const second = await part(store, name, 7, 'def')
      expect(first).toMatchObject({ number: 1, size: 3, metadata: Buffer.from('part of 3') })
      expect((await store.listParts({ ...name, limit: 10 })).parts).toEqual([first, second, third])
      const written = await store.completeUpload({
        ...name,
        parts: [first, second, third],
        object: { ...object, keys: Buffer.from('k'), parts: Buffer.from('p'), tags: Buffer.from('t') },
      })
      const opened = await store.openObject(at('a'))
      expect(opened).toMatchObject({
        ...written,
        size: 9,
        metadata: object.metadata,
        keys: Buffer.from('k'),
        parts: Buffer.from('p'),
        uploadId: name.uploadId,
      })
      for (let start = 0; start <= 9; start++) {
        for (let end = start; end <= 9; end++) {
          const read = await collect(opened?.read({ start, end }) ?? chunks())
          expect(read.toString()).toBe('abcdefghi'.slice(start, end))
        }
      }
      await opened?.close()
      expect(await store.objectTags(at('a'))).toEqual(Buffer.from('t'))
      await refused(store.upload(name), 'NoSuchUpload')
      await refused(part(store, name, 2, 'late'), 'NoSuchUpload')
      await refused(store.completeUpload({ ...name, parts: [first], object }), 'NoSuchUpload')
    },
  },
  {
    name: 'an upload of one part, and one of empty parts, are objects like any other',
    async run({ store }) {
      const one = await begin(store, 'one')
      await store.completeUpload({ ...one, parts: [await part(store, one, 5, 'alone')], object })
      expect(await bodyOf(store, 'one')).toBe('alone')
      const empty = await begin(store, 'empty')
      const parts = [await part(store, empty, 1, ''), await part(store, empty, 2, '')]
      await store.completeUpload({ ...empty, parts, object })
      expect(await bodyOf(store, 'empty')).toBe('')
      expect(await store.deleteObject(at('empty'))).toBe(true)
    },
  },
  {
    name: 'a part is replaced whole, and only the one that was named is taken',
    async run({ store }) {
      const name = await begin(store, 'a')
      const old = await part(store, name, 1, 'old')
      const other = await part(store, name, 2, '!')
      const error = new Error('the client went away')
      const failing = store.putPart({ ...name, number: 1, body: broken(error, 'x'), finish: () => object })
      await throwsIt(failing, error)
      expect(await numbers(store, name)).toEqual([1, 2])
      const fresh = await part(store, name, 1, 'new')
      expect(fresh.generation).not.toBe(old.generation)
      await refused(store.completeUpload({ ...name, parts: [old, other], object }), 'PartChanged')
      await refused(store.completeUpload({ ...name, parts: [{ ...fresh, number: 3 }], object }), 'PartChanged')
      expect(await store.object(at('a'))).toBeUndefined()
      await store.completeUpload({ ...name, parts: [fresh, other], object })
      expect(await bodyOf(store, 'a')).toBe('new!')
    },
  },
  {
    name: 'parts that are not named are dropped',
    async run({ store }) {
      const name = await begin(store, 'a')
      const parts = [await part(store, name, 1, 'a'), await part(store, name, 2, 'b'), await part(store, name, 3, 'c')]
      await store.completeUpload({ ...name, parts: [parts[0] as StoredPart, parts[2] as StoredPart], object })
      await store.sweep()
      expect(await bodyOf(store, 'a')).toBe('ac')
    },
  },
  {
    name: 'completion replaces an object whole, while readers finish on the old one',
    async run({ store }) {
      const older = await begin(store, 'a')
      const olderParts = [await part(store, older, 1, 'old '), await part(store, older, 2, 'body')]
      await store.completeUpload({ ...older, parts: olderParts, object })
      const opened = await store.openObject(at('a'))
      const newer = await begin(store, 'a')
      const newerParts = [await part(store, newer, 1, 'new '), await part(store, newer, 2, 'body')]
      await store.completeUpload({ ...newer, parts: newerParts, object })
      await store.sweep()
      expect(await bodyOf(store, 'a')).toBe('new body')
      expect((await collect(opened?.read({ start: 0, end: opened.size }) ?? chunks())).toString()).toBe('old body')
      await opened?.close()
      await store.sweep()
      expect(await bodyOf(store, 'a')).toBe('new body')
    },
  },
  {
    name: 'completion has conditions like any write, and failing one leaves the upload open',
    async run({ store }) {
      const { generation } = await put(store, 'a', 'there')
      const name = await begin(store, 'a')
      const parts = [await part(store, name, 1, 'x'), await part(store, name, 2, 'y')]
      await refused(store.completeUpload({ ...name, parts, object: { ...object, expected: 'absent' } }), 'Conflict')
      expect(await bodyOf(store, 'a')).toBe('there')
      await store.completeUpload({ ...name, parts, object: { ...object, expected: { generation } } })
      expect(await bodyOf(store, 'a')).toBe('xy')
    },
  },
  {
    name: 'of concurrent completions of one upload exactly one succeeds',
    async run({ store }) {
      const name = await begin(store, 'a')
      const parts = [await part(store, name, 1, 'x'), await part(store, name, 2, 'y')]
      const outcomes = await Promise.allSettled(
        Array.from({ length: 6 }, () => store.completeUpload({ ...name, parts, object })),
      )
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      await store.sweep()
      expect(await bodyOf(store, 'a')).toBe('xy')
    },
  },
  {
    name: 'an aborted upload is gone, and its parts with it',
    async run({ store }) {
      const name = await begin(store, 'a')
      const kept = await begin(store, 'a')
      await part(store, name, 1, 'x')
      const other = await part(store, kept, 1, 'y')
      await store.abortUpload(name)
      await refused(store.abortUpload(name), 'NoSuchUpload')
      await refused(store.listParts({ ...name, limit: 1 }), 'NoSuchUpload')
      await store.sweep()
      await store.completeUpload({ ...kept, parts: [other], object })
      expect(await bodyOf(store, 'a')).toBe('y')
    },
  },
  {
    name: 'a part that is under way when the upload ends is not stored',
    async run({ store }) {
      const name = await begin(store, 'a')
      async function* slow(): AsyncGenerator<Uint8Array, void> {
        yield Buffer.from('x')
        await store.abortUpload(name)
        yield Buffer.from('y')
      }
      await refused(store.putPart({ ...name, number: 1, body: slow(), finish: () => object }), 'NoSuchUpload')
    },
  },
  {
    name: 'an upload is found under its own key only',
    async run({ store }) {
      const name = await begin(store, 'a')
      for (const wrong of [
        { ...name, key: 'b' },
        { ...name, uploadId: `${name.uploadId}0` },
        { ...name, uploadId: '' },
        { ...name, uploadId: '../../etc/passwd' },
        { ...name, uploadId: name.uploadId.toUpperCase().replace(/\d/g, 'F') },
      ]) {
        await refused(store.upload(wrong), 'NoSuchUpload')
        await refused(store.abortUpload(wrong), 'NoSuchUpload')
      }
      await store.upload(name)
    },
  },
  {
    name: 'parts are listed by number, in pages',
    async run({ store }) {
      const name = await begin(store, 'a')
      const all = [1, 2, 3, 255, 256, 257, 9_999, 10_000]
      for (const number of all.toReversed()) await part(store, name, number, String(number))
      for (const limit of [1, 3, all.length, 1000]) expect(await numbers(store, name, limit)).toEqual(all)
      const { parts } = await store.listParts({ ...name, after: 255, limit: 2 })
      expect(parts.map(({ number }) => number)).toEqual([256, 257])
    },
  },
  {
    name: 'uploads are listed by key and age, with prefix, delimiter and markers',
    async run({ store }) {
      const ids = new Map<string, string[]>()
      for (const key of ['b', 'a', 'a/x', 'a', 'c/1', 'c/2', 'a', 'a\u0000']) {
        ids.set(key, [...(ids.get(key) ?? []), (await begin(store, key)).uploadId])
      }
      const name = (key: string, index = 0): string => `${key}:${ids.get(key)?.[index]}`
      // Those made in the same instant have no order of their own.
      for (const list of ids.values()) list.sort()
      const all = [
        name('a'),
        name('a', 1),
        name('a', 2),
        name('a\u0000'),
        name('a/x'),
        name('b'),
        name('c/1'),
        name('c/2'),
      ]
      for (const limit of [1, 2, 3, 1000]) {
        expect(await uploadNames(store, { limit })).toEqual(all)
        expect(await uploadNames(store, { limit, delimiter: '/' })).toEqual([...all.slice(0, 4), 'a/', name('b'), 'c/'])
        expect(await uploadNames(store, { limit, prefix: 'c/', delimiter: '/' })).toEqual(all.slice(6))
        expect(await uploadNames(store, { limit, after: { key: 'a' } })).toEqual(all.slice(3))
        const inside = { key: 'a', uploadId: ids.get('a')?.[0] ?? '' }
        expect(await uploadNames(store, { limit, after: inside })).toEqual(all.slice(1))
        expect(await uploadNames(store, { limit, after: { key: 'aa' } })).toEqual(all.slice(5))
      }
    },
  },
]
