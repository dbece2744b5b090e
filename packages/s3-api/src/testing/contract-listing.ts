import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { ListMarker, ListRequest, ObjectStore } from '../store/object-store.ts'
import { ODD_KEYS } from './contract-objects.ts'
import { at, BUCKET, type ContractTest, put, sortedKeys } from './contract-test.ts'

/** What a listing should be: keys, and common prefixes, each once, in order. */
function expectedNames(
  keys: readonly string[],
  { prefix = '', delimiter = '', after }: Pick<ListRequest, 'prefix' | 'delimiter' | 'after'>,
): readonly string[] {
  const isAfter = (key: string): boolean => {
    if (after === undefined) return true
    if (after.prefix === true && key.startsWith(after.key)) return false
    return Buffer.compare(Buffer.from(key), Buffer.from(after.key)) > 0
  }
  const names = sortedKeys(keys)
    .filter((key) => key.startsWith(prefix) && isAfter(key))
    .map((key) => {
      const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
      return cut < 0 ? key : `${key.slice(0, cut + delimiter.length)}\u{10fffe}`
    })
  return [...new Set(names)]
}

/** All pages; common prefixes carry a mark, so that none passes for a key. */
async function list(store: ObjectStore, request: Omit<ListRequest, 'bucket'>): Promise<readonly string[]> {
  const names: string[] = []
  let after: ListMarker | undefined = request.after
  for (let pages = 0; pages < 500; pages++) {
    const page = await store.listObjects({ bucket: BUCKET, ...request, ...(after === undefined ? {} : { after }) })
    expect(page.entries.length).toBeLessThanOrEqual(request.limit)
    if (page.next !== undefined) expect(page.entries).toHaveLength(request.limit)
    for (const entry of page.entries) {
      names.push(entry.kind === 'object' ? entry.object.key : `${entry.prefix}\u{10fffe}`)
    }
    after = page.next
    if (after === undefined) break
  }
  return names
}

async function fill(store: ObjectStore, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((key) => put(store, key, key)))
}

const TREE = [
  'a',
  'a/1',
  'a/2/x',
  'a/2/y',
  'a/3',
  'a0',
  'b//x',
  'b/',
  'c/é/1',
  'c/é/2',
  'c/日',
  'd',
  'dir/',
  'dir/a',
  'e\u{10ffff}',
  'e\uffff',
  'f/\u{10ffff}\u{10ffff}',
]

/** `listObjects`. */
export const listingContract: readonly ContractTest[] = [
  {
    name: 'an empty bucket lists nothing',
    async run({ store }) {
      expect(await store.listObjects({ bucket: BUCKET, limit: 10 })).toEqual({ entries: [] })
      expect(await store.listObjects({ bucket: BUCKET, limit: 1, prefix: 'a', delimiter: '/' })).toEqual({
        entries: [],
      })
    },
  },
  {
    name: 'keys are listed by their UTF-8 bytes, with what was stored beside them',
    async run({ store }) {
      await fill(store, ODD_KEYS)
      for (const limit of [1, 7, 1000]) expect(await list(store, { limit })).toEqual(sortedKeys(ODD_KEYS))
      const { entries } = await store.listObjects({ bucket: BUCKET, limit: 1000 })
      for (const entry of entries) {
        if (entry.kind !== 'object') return expect.fail('there is no delimiter')
        expect(entry.object).toEqual(await store.object(at(entry.object.key)))
      }
    },
  },
  {
    name: 'prefixes, delimiters, markers and limits list what they should, in every combination',
    async run({ store }) {
      await fill(store, TREE)
      const markers: (ListMarker | undefined)[] = [
        undefined,
        { key: '' },
        { key: 'a' },
        { key: 'a/' },
        { key: 'a/', prefix: true },
        { key: 'a/2/', prefix: true },
        { key: 'a/2/x' },
        { key: 'bb' },
        { key: 'c/é/', prefix: true },
        { key: 'e\u{10ffff}' },
        { key: '\u{10ffff}' },
      ]
      for (const prefix of ['', 'a', 'a/', 'a/2/', 'b/', 'b//', 'c/', 'dir/', 'nothing']) {
        for (const delimiter of ['', '/', '2/', 'é', '\u{10ffff}']) {
          for (const after of markers) {
            for (const limit of [1, 2, 3, 1000]) {
              const request = { prefix, delimiter, limit, ...(after === undefined ? {} : { after }) }
              expect(await list(store, request), JSON.stringify(request)).toEqual(expectedNames(TREE, request))
            }
          }
        }
      }
    },
  },
  {
    name: 'any keys are listed as they should be',
    async run({ store }) {
      const letters = fc.constantFrom('a', 'b', '/', '\u0000', '\u0001', 'é', '\uffff', '\u{10000}')
      const text = fc.string({ unit: letters, maxLength: 4 })
      const keys = fc.uniqueArray(fc.string({ unit: letters, minLength: 1, maxLength: 5 }), { maxLength: 30 })
      const marker = fc.option(fc.record({ key: text, prefix: fc.boolean() }), { nil: undefined })
      const property = fc.asyncProperty(
        keys,
        text,
        text,
        marker,
        fc.integer({ min: 1, max: 6 }),
        async (given, prefix, delimiter, mark, limit) => {
          for (const { key } of await everything(store)) await store.deleteObject(at(key))
          await fill(store, given)
          // A common prefix is never empty.
          const after = mark?.prefix === true && mark.key === '' ? undefined : mark
          const request = { prefix, delimiter, limit, ...(after === undefined ? {} : { after }) }
          expect(await list(store, request)).toEqual(expectedNames(given, request))
        },
      )
      await fc.assert(property, { numRuns: 40 })
    },
  },
  {
    name: 'a marker stays valid when its key is deleted, and shows keys that were added behind it',
    async run({ store }) {
      await fill(store, ['a', 'b', 'd'])
      const { next } = await store.listObjects({ bucket: BUCKET, limit: 2 })
      expect(next).toEqual({ key: 'b' })
      await store.deleteObject(at('b'))
      await fill(store, ['aa', 'c'])
      expect(await list(store, { limit: 10, after: next ?? { key: '' } })).toEqual(['c', 'd'])
    },
  },
]

async function everything(store: ObjectStore): Promise<readonly { readonly key: string }[]> {
  const { entries } = await store.listObjects({ bucket: BUCKET, limit: 1000 })
  return entries.flatMap((entry) => (entry.kind === 'object' ? [entry.object] : []))
}
