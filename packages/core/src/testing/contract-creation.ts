import { expect } from 'vitest'
import { type ContractTest, newKey, race, refused, settled } from './contract-test.ts'

/** `create`, `describe` and the one namespace of ids and aliases. */
export const creationContract: readonly ContractTest[] = [
  {
    name: 'realm is 32 lower-case hex digits',
    async run({ backend }) {
      expect(backend.realm).toMatch(/^[0-9a-f]{32}$/)
    },
  },
  {
    name: 'create returns the whole record of an enabled key at version 1',
    async run({ backend }) {
      const before = Date.UTC(2000, 0, 1)
      const record = await backend.create(
        newKey('orders', { aliases: ['shop', 'legacy'], description: 'for orders', tags: new Map([['team', 'blue']]) }),
      )
      expect(record).toMatchObject({
        keyId: 'orders',
        description: 'for orders',
        tags: new Map([['team', 'blue']]),
        state: 'Enabled',
        currentVersion: 1,
        oldestVersion: 1,
        origin: 'KMS',
      })
      expect([...record.aliases].sort()).toEqual(['legacy', 'shop'])
      expect(record.createdAt).toBeGreaterThan(before)
      expect(record.materialId).toMatch(/^[0-9a-f]{32}$/)
      expect(record.etag).not.toBe('')
      for (const absent of [
        'problem',
        'rotatedAt',
        'deletionAt',
        'stateBeforeDeletion',
        'rotationPeriodDays',
      ] as const) {
        expect(record[absent]).toBeUndefined()
      }
    },
  },
  {
    name: 'describe returns what create returned',
    async run({ backend }) {
      const created = await backend.create(newKey('a', { aliases: ['b'], tags: new Map([['k', 'v']]) }))
      expect(await backend.describe('a')).toEqual(created)
    },
  },
  {
    name: 'describe resolves an alias to its key',
    async run({ backend }) {
      const created = await backend.create(newKey('a', { aliases: ['b', 'c'] }))
      expect(await backend.describe('b')).toEqual(created)
      expect(await backend.describe('c')).toEqual(created)
    },
  },
  {
    name: 'describe of an unknown name is KeyNotFound',
    async run({ backend }) {
      for (const name of ['nobody', '__proto__', 'constructor', '../a', 'a/b', '', '.', 'a\0', 'x'.repeat(300)]) {
        await refused(backend.describe(name), 'KeyNotFound')
      }
    },
  },
  {
    name: 'names of every allowed shape are told apart',
    async run({ backend }) {
      const longest = 'x'.repeat(128)
      const names = [
        'key',
        'Key',
        'KEY',
        'k',
        'K',
        '0',
        '_',
        '__proto__',
        'constructor',
        'a.b-c_d',
        longest,
        'X'.repeat(128),
      ]
      for (const name of names) await backend.create(newKey(name, { description: `it is ${name}` }))
      for (const name of names) {
        expect(await backend.describe(name)).toMatchObject({ keyId: name, description: `it is ${name}` })
      }
      const ids = new Set(await Promise.all(names.map(async (name) => (await backend.describe(name)).materialId)))
      expect(ids.size).toBe(names.length)
    },
  },
  {
    name: 'tags and descriptions keep every well-formed string',
    async run({ backend }) {
      const tags = new Map([
        ['__proto__', 'constructor'],
        ['toString', ''],
        ['\u{1f511} key', 'e\u0301 is not \u00e9'],
        ['line\nbreak', '"quoted" \\ \u2028'],
      ])
      const created = await backend.create(newKey('a', { tags, description: 'z\u00fc\u0000rich \u{1f30d}' }))
      expect(created.tags).toEqual(tags)
      expect(await backend.describe('a')).toMatchObject({ tags, description: 'z\u00fc\u0000rich \u{1f30d}' })
    },
  },
  {
    name: 'create over a key is KeyAlreadyExists and changes nothing',
    async run({ backend }) {
      const first = await backend.create(newKey('a', { description: 'first' }))
      await refused(backend.create(newKey('a', { description: 'second' })), 'KeyAlreadyExists')
      expect(await backend.describe('a')).toEqual(first)
    },
  },
  {
    name: 'ids and aliases share one namespace',
    async run({ backend }) {
      const first = await backend.create(newKey('a', { aliases: ['b'] }))
      await refused(backend.create(newKey('b')), 'KeyAlreadyExists')
      await refused(backend.create(newKey('c', { aliases: ['a'] })), 'KeyAlreadyExists')
      await refused(backend.create(newKey('c', { aliases: ['b'] })), 'KeyAlreadyExists')
      await refused(backend.create(newKey('c', { aliases: ['c'] })), 'KeyAlreadyExists')
      await refused(backend.describe('c'), 'KeyNotFound')
      expect(await backend.describe('b')).toEqual(first)
    },
  },
  {
    name: 'a refused create leaves none of its aliases behind',
    async run({ backend }) {
      await backend.create(newKey('a', { aliases: ['taken'] }))
      await refused(backend.create(newKey('b', { aliases: ['free', 'taken'] })), 'KeyAlreadyExists')
      await refused(backend.describe('free'), 'KeyNotFound')
      const later = await backend.create(newKey('b', { aliases: ['free'] }))
      expect(settled(await backend.describe('free'))).toEqual(settled(later))
    },
  },
  {
    name: 'of concurrent creates of one name exactly one succeeds',
    async run({ backend }) {
      const counts = await race(
        Array.from({ length: 8 }, (_, i) => () => backend.create(newKey('a', { description: `attempt ${i}` }))),
      )
      expect(Object.fromEntries(counts)).toEqual({ ok: 1, KeyAlreadyExists: 7 })
      expect((await backend.describe('a')).currentVersion).toBe(1)
    },
  },
  {
    name: 'of concurrent creates of one name as id and as alias exactly one succeeds',
    async run({ backend }) {
      const counts = await race([
        () => backend.create(newKey('a')),
        () => backend.create(newKey('b', { aliases: ['a'] })),
        () => backend.create(newKey('c', { aliases: ['a'] })),
      ])
      expect(Object.fromEntries(counts)).toEqual({ ok: 1, KeyAlreadyExists: 2 })
    },
  },
  {
    name: 'two openings of one store make one winner',
    needs: ['reopen'],
    async run({ backend, reopen }) {
      const other = await reopen()
      const counts = await race([backend, other, backend, other].map((each) => () => each.create(newKey('a'))))
      expect(Object.fromEntries(counts)).toEqual({ ok: 1, KeyAlreadyExists: 3 })
      expect(await other.describe('a')).toEqual(await backend.describe('a'))
    },
  },
]
