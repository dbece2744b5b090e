import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { ObjectStore } from '../store/object-store.ts'
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

/** Keys that a store which takes them for paths, or for text of its own, would get wrong. */
export const ODD_KEYS: readonly string[] = [
  '.',
  '..',
  '/',
  '//',
  '/etc/passwd',
  '../../../etc/passwd',
  'a/../b',
  'a//b',
  'a/',
  'a',
  'a\u0000b',
  '\u0000',
  '\u0001\u001f\u007f',
  'line\nbreak\r\n',
  ' ',
  'a b',
  'CON',
  'a\\b',
  'é',
  'e\u0301',
  '日本語',
  '\u{10ffff}',
  '\uffff',
  '\u{1f4a9}',
  'x'.repeat(1024),
  '\u0000'.repeat(1024),
  'é'.repeat(512),
  '%2e%2e%2f',
  '__proto__',
  'constructor',
]

async function keysOf(store: ObjectStore): Promise<readonly string[]> {
  const { entries } = await store.listObjects({ bucket: BUCKET, limit: 1000 })
  return entries.map((entry) => (entry.kind === 'object' ? entry.object.key : entry.prefix))
}

/** Writing, reading, deleting, conditions, tags. */
export const objectContract: readonly ContractTest[] = [
  {
    name: 'an object comes back as it was put, blobs and all',
    async run({ store }) {
      const metadata = Buffer.from([0, 255, 10])
      const keys = Buffer.from('wrapped')
      const parts = Buffer.from('table')
      const uses = [{ realm: 'r', keyId: 'k', version: 3 }]
      let told: unknown
      const written = await store.putObject({
        ...at('a'),
        body: chunks('one ', '', 'two'),
        uses,
        finish(stored) {
          told = stored
          return { metadata, keys, parts }
        },
      })
      expect(told).toEqual({ size: 7 })
      const expected = { key: 'a', ...written, size: 7, metadata, keys, uses }
      expect(await store.object(at('a'))).toEqual(expected)
      const opened = await store.openObject(at('a'))
      expect(opened).toMatchObject({ ...expected, parts })
      await opened?.close()
      expect(await bodyOf(store, 'a')).toBe('one two')
      expect(await store.object(at('b'))).toBeUndefined()
      expect(await store.openObject(at('b'))).toBeUndefined()
    },
  },
  {
    name: 'an empty body is an object, with or without chunks',
    async run({ store }) {
      await put(store, 'none', '', { body: chunks() })
      await put(store, 'empty', '', { body: chunks('', '') })
      for (const key of ['none', 'empty']) {
        expect((await store.object(at(key)))?.size).toBe(0)
        expect(await bodyOf(store, key)).toBe('')
        expect(await store.deleteObject(at(key))).toBe(true)
      }
    },
  },
  {
    name: 'any bytes in any chunks come back, whole and in ranges',
    async run({ store }) {
      const property = fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 8 }),
        fc.nat(),
        fc.nat(),
        async (pieces, a, b) => {
          const whole = Buffer.concat(pieces)
          await put(store, 'a', '', { body: chunks(...pieces) })
          const opened = await store.openObject(at('a'))
          if (opened === undefined) return expect.fail('the object is not there')
          const [start, end] = [a % (whole.length + 1), b % (whole.length + 1)].sort((x, y) => x - y) as [
            number,
            number,
          ]
          const [all, part] = await Promise.all([
            collect(opened.read({ start: 0, end: opened.size })),
            collect(opened.read({ start, end })),
          ])
          expect(all.equals(whole)).toBe(true)
          expect(part.equals(whole.subarray(start, end))).toBe(true)
          await opened.close()
        },
      )
      await fc.assert(property, { numRuns: 25 })
    },
  },
  {
    name: 'large bodies come back in ranges, also when a reader stops early',
    async run({ store }) {
      const whole = Buffer.alloc(3_000_001, 'a rather long text without a period of a power of two, ')
      await put(store, 'a', '', { body: chunks(whole.subarray(0, 999_999), whole.subarray(999_999)) })
      const opened = await store.openObject(at('a'))
      if (opened === undefined) return expect.fail('the object is not there')
      for (const [start, end] of [
        [0, 1],
        [262_143, 262_145],
        [1, 3_000_001],
        [2_999_999, 3_000_001],
        [5, 5],
      ] as const) {
        expect((await collect(opened.read({ start, end }))).equals(whole.subarray(start, end))).toBe(true)
      }
      for await (const chunk of opened.read({ start: 0, end: opened.size })) {
        expect(chunk[0]).toBe(whole[0])
        break
      }
      await opened.close()
      await opened.close()
    },
  },
  {
    name: 'a body that fails leaves what was there, and throws what failed',
    async run({ store }) {
      const error = new Error('the client went away')
      await throwsIt(put(store, 'a', '', { body: broken(error, 'some') }), error)
      expect(await store.object(at('a'))).toBeUndefined()
      await put(store, 'a', 'first')
      await throwsIt(put(store, 'a', '', { body: broken(error) }), error)
      const late = (): never => {
        throw error
      }
      await throwsIt(put(store, 'a', 'second', { finish: late }), error)
      await throwsIt(put(store, 'a', 'second', { finish: async () => late() }), error)
      expect(await bodyOf(store, 'a')).toBe('first')
      expect((await store.object(at('a')))?.metadata.toString()).toBe('about first')
    },
  },
  {
    name: 'an object appears when its body is complete, not before',
    async run({ store }) {
      await put(store, 'a', 'old')
      let go = (): void => {}
      const gate = new Promise<void>((resolve) => {
        go = resolve
      })
      async function* slow(): AsyncGenerator<Uint8Array, void> {
        yield Buffer.from('n')
        await gate
        yield Buffer.from('ew')
      }
      const writing = put(store, 'a', 'new', { body: slow() })
      const other = put(store, 'b', 'new', { body: slow() })
      expect(await bodyOf(store, 'a')).toBe('old')
      expect(await keysOf(store)).toEqual(['a'])
      go()
      await Promise.all([writing, other])
      expect(await bodyOf(store, 'a')).toBe('new')
      expect(await keysOf(store)).toEqual(['a', 'b'])
    },
  },
  {
    name: 'readers finish on the body they began with',
    async run({ store }) {
      const whole = 'x'.repeat(700_000)
      await put(store, 'a', whole)
      const first = await store.openObject(at('a'))
      await put(store, 'a', 'second')
      const second = await store.openObject(at('a'))
      await store.deleteObject(at('a'))
      await store.sweep()
      if (first === undefined || second === undefined) return expect.fail('the object is not there')
      expect((await collect(first.read({ start: 0, end: first.size }))).toString()).toBe(whole)
      expect((await collect(second.read({ start: 0, end: second.size }))).toString()).toBe('second')
      await first.close()
      await second.close()
      expect(await bodyOf(store, 'a')).toBeUndefined()
    },
  },
  {
    name: 'of concurrent writes of one key one is left, whole',
    async run({ store }) {
      const texts = Array.from({ length: 16 }, (_, i) => String.fromCharCode(97 + i).repeat(10_000 + i))
      const written = await Promise.all(texts.map((text) => put(store, 'a', text)))
      const text = await bodyOf(store, 'a')
      expect(texts).toContain(text)
      const left = await store.object(at('a'))
      expect(left?.metadata.toString()).toBe(`about ${text}`)
      expect(left?.generation).toBe(written[texts.indexOf(text ?? '')]?.generation)
      expect(new Set(written.map(({ generation }) => generation)).size).toBe(texts.length)
    },
  },
  {
    name: 'conditions are checked in the instant in which the object appears',
    async run({ store }) {
      const about = (expected: 'absent' | { generation: string }) => ({
        finish: () => ({ metadata: Buffer.from('m'), expected }),
      })
      const { generation } = await put(store, 'a', 'first', about('absent'))
      await refused(put(store, 'a', 'second', about('absent')), 'Conflict')
      await refused(put(store, 'a', 'second', about({ generation: `${generation}0` })), 'Conflict')
      await refused(put(store, 'b', 'second', about({ generation })), 'Conflict')
      expect(await bodyOf(store, 'a')).toBe('first')
      expect(await bodyOf(store, 'b')).toBeUndefined()
      await put(store, 'a', 'second', about({ generation }))
      await refused(put(store, 'a', 'third', about({ generation })), 'Conflict')
      await refused(store.deleteObject({ ...at('a'), expected: { generation } }), 'Conflict')
      await refused(store.deleteObject({ ...at('b'), expected: { generation } }), 'Conflict')
      expect(await bodyOf(store, 'a')).toBe('second')
    },
  },
  {
    name: 'of concurrent writes of a new key under the condition that it is new exactly one succeeds',
    async run({ store }) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 12 }, (_, i) =>
          put(store, 'a', `text ${i}`, { finish: () => ({ metadata: Buffer.from('m'), expected: 'absent' }) }),
        ),
      )
      const winners = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))
      expect(winners).toHaveLength(1)
      expect(await bodyOf(store, 'a')).toBe(`text ${winners[0]}`)
    },
  },
  {
    name: 'deleting says whether there was something',
    async run({ store }) {
      await put(store, 'a', 'text')
      expect(await store.deleteObject(at('a'))).toBe(true)
      expect(await store.deleteObject(at('a'))).toBe(false)
      expect(await store.object(at('a'))).toBeUndefined()
      expect(await keysOf(store)).toEqual([])
    },
  },
  {
    name: 'every key is a key, and none is another',
    async run({ store }) {
      for (const [i, key] of ODD_KEYS.entries()) await put(store, key, `text ${i}`)
      for (const [i, key] of ODD_KEYS.entries()) {
        expect(await bodyOf(store, key), JSON.stringify(key)).toBe(`text ${i}`)
        expect((await store.object(at(key)))?.key).toBe(key)
      }
      expect(new Set(await keysOf(store))).toEqual(new Set(ODD_KEYS))
      for (const key of ODD_KEYS) expect(await store.deleteObject(at(key)), JSON.stringify(key)).toBe(true)
      expect(await keysOf(store)).toEqual([])
    },
  },
  {
    name: 'tags change without the object, and go with it',
    async run({ store }) {
      const finish = () => ({ metadata: Buffer.from('m'), tags: Buffer.from('first') })
      await put(store, 'a', 'text', { finish })
      const before = await store.object(at('a'))
      expect(await store.objectTags(at('a'))).toEqual(Buffer.from('first'))
      await store.putObjectTags(at('a'), Buffer.from('second'))
      expect(await store.objectTags(at('a'))).toEqual(Buffer.from('second'))
      expect(await store.object(at('a'))).toEqual(before)
      await store.putObjectTags(at('a'), undefined)
      expect(await store.objectTags(at('a'))).toBeUndefined()
      await store.putObjectTags(at('a'), Buffer.from('third'))
      await put(store, 'a', 'text')
      expect(await store.objectTags(at('a'))).toBeUndefined()
      await put(store, 'a', 'text', { finish })
      await store.deleteObject(at('a'))
      expect(await store.objectTags(at('a'))).toBeUndefined()
      await refused(store.putObjectTags(at('a'), Buffer.from('fourth')), 'NoSuchKey')
    },
  },
]
