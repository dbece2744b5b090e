import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import type { KeyBackend, KeyPage } from '../keys/key-backend.ts'
import { type ContractTest, newKey, refused, wrapUnder } from './contract-test.ts'

async function pages(backend: KeyBackend, limit: number): Promise<readonly KeyPage[]> {
  const read: KeyPage[] = []
  let after: string | undefined
  do {
    const page: KeyPage = await backend.list(after === undefined ? { limit } : { limit, after })
    expect(page.keys.length + page.unreadable.length).toBeLessThanOrEqual(limit)
    read.push(page)
    after = page.next
  } while (after !== undefined && read.length < 100)
  return read
}

function ids(read: readonly KeyPage[]): readonly string[] {
  return read.flatMap((page) => page.keys.map((key) => key.keyId))
}

/** `list`, and records that cannot be read. */
export const listingContract: readonly ContractTest[] = [
  {
    name: 'an empty store lists nothing',
    async run({ backend }) {
      expect(await backend.list({ limit: 10 })).toEqual({ keys: [], unreadable: [] })
    },
  },
  {
    name: 'pages hold every key once, ascending by UTF-8 bytes, whatever their size',
    async run({ backend }) {
      const names = ['b', 'B', 'a', 'Z', '0', '_', 'a.b', 'a-b', 'a_b', 'ab', 'aB', 'a0']
      for (const name of names) await backend.create(newKey(name, { aliases: [`${name}x`] }))
      const sorted = [...names].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)))
      for (const limit of [1, 2, 5, names.length - 1, names.length, 1000]) {
        const read = await pages(backend, limit)
        expect(ids(read)).toEqual(sorted)
        expect(read.length).toBe(Math.ceil(names.length / limit))
      }
      const [page] = await pages(backend, 1000)
      for (const record of page?.keys ?? []) expect(record).toEqual(await backend.describe(record.keyId))
    },
  },
  {
    name: 'a marker stays valid when its key is destroyed',
    async run({ backend }) {
      const made = []
      for (const name of ['a', 'B', 'c', 'd']) made.push(await backend.create(newKey(name)))
      const first = await backend.list({ limit: 2 })
      expect(ids([first])).toEqual(['B', 'a'])
      expect(first.next).toBe('a')
      await backend.destroy('a', made[0]?.etag ?? '')
      expect(ids([await backend.list({ limit: 10, after: 'a' })])).toEqual(['c', 'd'])
      expect(ids([await backend.list({ limit: 10 })])).toEqual(['B', 'c', 'd'])
      expect(ids([await backend.list({ limit: 10, after: 'bb' })])).toEqual(['c', 'd'])
      expect(await backend.list({ limit: 10, after: 'zz' })).toEqual({ keys: [], unreadable: [] })
    },
  },
  {
    name: 'an unreadable record is listed as such and stops no other',
    needs: ['damage'],
    async run({ backend, damage }) {
      for (const name of ['a', 'b', 'c']) await backend.create(newKey(name))
      await damage('b')
      for (const limit of [1, 2, 3, 10]) {
        const read = await pages(backend, limit)
        expect(ids(read)).toEqual(['a', 'c'])
        expect(read.flatMap((page) => page.unreadable)).toEqual(['b'])
      }
    },
  },
  {
    name: 'an unreadable key is KeyUnavailable, and its name stays taken',
    needs: ['damage'],
    async run({ backend, damage }) {
      const b = await backend.create(newKey('b'))
      const a = await backend.create(newKey('a'))
      const sealed = await wrapUnder(backend, b, Buffer.from('secret'))
      await damage('b')
      await refused(backend.describe('b'), 'KeyUnavailable')
      await refused(backend.update('b', { description: 'x' }, b.etag), 'KeyUnavailable')
      await refused(backend.rotate('b', b.etag), 'KeyUnavailable')
      await refused(backend.destroy('b', b.etag), 'KeyUnavailable')
      await refused(
        backend.wrap({ keyId: 'b', version: 1, plaintext: Buffer.from('x'), aad: sealed.aad }),
        'KeyUnavailable',
      )
      await refused(backend.unwrap(sealed), 'KeyUnavailable')
      await refused(backend.create(newKey('b')), 'KeyAlreadyExists')
      await refused(backend.create(newKey('c', { aliases: ['b'] })), 'KeyAlreadyExists')
      await refused(backend.update('a', { aliases: ['b'] }, a.etag), 'KeyAlreadyExists')
      expect(await backend.describe('a')).toEqual(a)
    },
  },
]
