import { expect } from 'vitest'
import { type ContractTest, newKey, race, refused, settled } from './contract-test.ts'

/** `update`: compare-and-set on the record. */
export const recordContract: readonly ContractTest[] = [
  {
    name: 'update changes what the patch names and nothing else',
    async run({ backend }) {
      const created = await backend.create(
        newKey('a', { aliases: ['b'], description: 'old', tags: new Map([['k', '1']]) }),
      )
      const described = await backend.update('a', { description: 'new' }, created.etag)
      expect(settled(described)).toEqual({ ...settled(created), description: 'new' })
      expect(described.etag).not.toBe(created.etag)
      const tagged = await backend.update('a', { tags: new Map([['__proto__', '2']]) }, described.etag)
      expect(settled(tagged)).toEqual({ ...settled(described), tags: new Map([['__proto__', '2']]) })
      expect(await backend.describe('a')).toEqual(tagged)
    },
  },
  {
    name: 'update sets and clears the members of a scheduled deletion',
    async run({ backend }) {
      const created = await backend.create(newKey('a'))
      const deletionAt = Date.UTC(2031, 0, 2, 3, 4, 5, 678)
      const pending = await backend.update(
        'a',
        { state: 'PendingDeletion', deletionAt, stateBeforeDeletion: 'Disabled', rotationPeriodDays: 90 },
        created.etag,
      )
      expect(pending).toMatchObject({ state: 'PendingDeletion', deletionAt, stateBeforeDeletion: 'Disabled' })
      expect(pending.rotationPeriodDays).toBe(90)
      const cancelled = await backend.update(
        'a',
        { state: 'Disabled', deletionAt: null, stateBeforeDeletion: null, rotationPeriodDays: null },
        pending.etag,
      )
      expect(settled(cancelled)).toEqual({ ...settled(created), state: 'Disabled' })
    },
  },
  {
    name: 'update with an old etag is PreconditionFailed and changes nothing',
    async run({ backend }) {
      const created = await backend.create(newKey('a'))
      const current = await backend.update('a', { description: 'first' }, created.etag)
      await refused(backend.update('a', { description: 'second' }, created.etag), 'PreconditionFailed')
      await refused(backend.update('a', { description: 'third' }, 'no etag'), 'PreconditionFailed')
      expect(await backend.describe('a')).toEqual(current)
    },
  },
  {
    name: 'an etag never returns, not even with the same contents',
    async run({ backend }) {
      const created = await backend.create(newKey('a', { description: 'x' }))
      const changed = await backend.update('a', { description: 'y' }, created.etag)
      const back = await backend.update('a', { description: 'x' }, changed.etag)
      expect(new Set([created.etag, changed.etag, back.etag]).size).toBe(3)
    },
  },
  {
    name: 'of concurrent updates from one etag exactly one succeeds',
    async run({ backend }) {
      const { etag } = await backend.create(newKey('a'))
      const counts = await race(
        Array.from({ length: 6 }, (_, i) => () => backend.update('a', { description: `${i}` }, etag)),
      )
      expect(Object.fromEntries(counts)).toEqual({ ok: 1, PreconditionFailed: 5 })
    },
  },
  {
    name: 'update, rotate and destroy of an unknown key are KeyNotFound',
    async run({ backend }) {
      await backend.create(newKey('a', { aliases: ['b'] }))
      for (const name of ['nobody', 'b', '__proto__', '../a']) {
        await refused(backend.update(name, { description: 'x' }, 'etag'), 'KeyNotFound')
        await refused(backend.rotate(name, 'etag'), 'KeyNotFound')
        await refused(backend.destroy(name, 'etag'), 'KeyNotFound')
      }
    },
  },
  {
    name: 'update adds, removes and moves aliases',
    async run({ backend }) {
      const a = await backend.create(newKey('a', { aliases: ['one', 'two'] }))
      const b = await backend.create(newKey('b'))
      const fewer = await backend.update('a', { aliases: ['two', 'three'] }, a.etag)
      expect([...fewer.aliases].sort()).toEqual(['three', 'two'])
      await refused(backend.describe('one'), 'KeyNotFound')
      expect(await backend.describe('three')).toEqual(fewer)
      const moved = await backend.update('b', { aliases: ['one'] }, b.etag)
      expect(await backend.describe('one')).toEqual(moved)
      const none = await backend.update('a', { aliases: [] }, fewer.etag)
      expect(none.aliases).toEqual([])
      await refused(backend.describe('two'), 'KeyNotFound')
      expect((await backend.create(newKey('two'))).keyId).toBe('two')
    },
  },
  {
    name: 'update with a taken alias is KeyAlreadyExists and changes nothing',
    async run({ backend }) {
      const a = await backend.create(newKey('a', { aliases: ['one'] }))
      const b = await backend.create(newKey('b', { aliases: ['two'] }))
      for (const taken of ['a', 'b', 'two']) {
        await refused(backend.update('a', { aliases: ['free', taken], description: 'x' }, a.etag), 'KeyAlreadyExists')
      }
      expect(await backend.describe('one')).toEqual(a)
      expect(await backend.describe('two')).toEqual(b)
      await refused(backend.describe('free'), 'KeyNotFound')
    },
  },
  {
    name: 'of concurrent updates that claim one alias exactly one succeeds',
    async run({ backend }) {
      const keys = await Promise.all(['a', 'b', 'c'].map((id) => backend.create(newKey(id))))
      const counts = await race(
        keys.map(
          ({ keyId, etag }) =>
            () =>
              backend.update(keyId, { aliases: ['one'] }, etag),
        ),
      )
      expect(Object.fromEntries(counts)).toEqual({ ok: 1, KeyAlreadyExists: 2 })
      const winner = await backend.describe('one')
      expect(winner.aliases).toEqual(['one'])
    },
  },
  {
    name: 'records survive closing and opening',
    needs: ['reopen'],
    async run({ backend, reopen }) {
      const tags = new Map([['__proto__', '1']])
      const created = await backend.create(newKey('Orders', { aliases: ['Shop'], description: 'd', tags }))
      const updated = await backend.update('Orders', { state: 'Disabled', rotationPeriodDays: 30 }, created.etag)
      await backend.close()
      const again = await reopen()
      expect(again.realm).toBe(backend.realm)
      expect(await again.describe('Orders')).toEqual(updated)
      expect(await again.describe('Shop')).toEqual(updated)
    },
  },
  {
    name: 'describe sees at once what another opening of the store wrote',
    needs: ['reopen'],
    async run({ backend, reopen }) {
      const other = await reopen()
      let record = await backend.create(newKey('a', { aliases: ['b'] }))
      for (let i = 0; i < 5; i++) {
        expect(await other.describe('b')).toEqual(record)
        record = await (i % 2 === 0 ? other : backend).update('a', { description: `${i}` }, record.etag)
        expect(await backend.describe('a')).toEqual(record)
      }
      const counts = await race([backend, other].map((each) => () => each.rotate('a', record.etag)))
      expect(Object.fromEntries(counts)).toEqual({ ok: 1, PreconditionFailed: 1 })
      const rotated = await other.describe('a')
      expect(rotated.currentVersion).toBe(2)
      await backend.destroy('a', rotated.etag)
      await refused(other.describe('a'), 'KeyDestroyed')
      await refused(other.describe('b'), 'KeyNotFound')
    },
  },
]
