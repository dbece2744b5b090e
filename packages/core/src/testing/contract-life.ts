import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import type { KeyBackend, UnwrapRequest } from '../keys/key-backend.ts'
import { aad, type ContractTest, newKey, race, refused, settled, wrapUnder } from './contract-test.ts'

async function opens(backend: KeyBackend, sealed: readonly UnwrapRequest[]): Promise<readonly string[]> {
  const opened: string[] = []
  for (const each of sealed) opened.push((await backend.unwrap(each)).toString())
  return opened
}

/** Rotation, destruction, closing. */
export const lifeContract: readonly ContractTest[] = [
  {
    name: 'rotate adds a version and makes it current',
    async run({ backend }) {
      const created = await backend.create(newKey('a', { aliases: ['b'], description: 'd' }))
      const rotated = await backend.rotate('a', created.etag)
      expect(rotated).toMatchObject({ currentVersion: 2, oldestVersion: 1, createdAt: created.createdAt })
      expect(rotated.rotatedAt).toBeGreaterThanOrEqual(created.createdAt - 1000)
      expect(rotated.materialId).not.toBe(created.materialId)
      expect(rotated.etag).not.toBe(created.etag)
      const { rotatedAt: _, ...rest } = settled(rotated)
      expect(rest).toEqual({ ...settled(created), currentVersion: 2, materialId: rotated.materialId })
      expect(await backend.describe('b')).toEqual(rotated)
    },
  },
  {
    name: 'old versions unwrap for ever',
    async run({ backend }) {
      let record = await backend.create(newKey('a'))
      const sealed = [await wrapUnder(backend, record, Buffer.from('v1'))]
      for (let version = 2; version <= 6; version++) {
        record = await backend.rotate('a', record.etag)
        sealed.push(await wrapUnder(backend, record, Buffer.from(`v${version}`)))
      }
      expect(await opens(backend, sealed)).toEqual(['v1', 'v2', 'v3', 'v4', 'v5', 'v6'])
    },
  },
  {
    name: 'every version unwraps after closing and opening',
    needs: ['reopen'],
    async run({ backend, reopen }) {
      const created = await backend.create(newKey('a'))
      const sealed = [await wrapUnder(backend, created, Buffer.from('one'))]
      const rotated = await backend.rotate('a', created.etag)
      sealed.push(await wrapUnder(backend, rotated, Buffer.from('two')))
      await backend.close()
      const again = await reopen()
      expect(await opens(again, sealed)).toEqual(['one', 'two'])
      sealed.push(await wrapUnder(again, await again.describe('a'), Buffer.from('three')))
      expect(await opens(again, sealed)).toEqual(['one', 'two', 'three'])
    },
  },
  {
    name: 'another opening of the store uses a new version at once',
    needs: ['reopen'],
    async run({ backend, reopen }) {
      const other = await reopen()
      const created = await backend.create(newKey('a'))
      await wrapUnder(other, created, Buffer.from('one'))
      const rotated = await backend.rotate('a', created.etag)
      const sealed = [
        await wrapUnder(backend, rotated, Buffer.from('x')),
        await wrapUnder(other, rotated, Buffer.from('y')),
      ]
      expect(await opens(other, sealed)).toEqual(['x', 'y'])
      expect(await opens(backend, sealed)).toEqual(['x', 'y'])
    },
  },
  {
    name: 'rotate with an old etag is PreconditionFailed and adds nothing',
    async run({ backend }) {
      const created = await backend.create(newKey('a'))
      const rotated = await backend.rotate('a', created.etag)
      await refused(backend.rotate('a', created.etag), 'PreconditionFailed')
      expect(await backend.describe('a')).toEqual(rotated)
    },
  },
  {
    name: 'of concurrent rotations from one etag exactly one succeeds',
    async run({ backend }) {
      const { etag } = await backend.create(newKey('a'))
      const counts = await race(Array.from({ length: 5 }, () => () => backend.rotate('a', etag)))
      expect(Object.fromEntries(counts)).toEqual({ ok: 1, PreconditionFailed: 4 })
      expect((await backend.describe('a')).currentVersion).toBe(2)
    },
  },
  {
    name: 'wraps during rotations name the version that made them',
    async run({ backend }) {
      let record = await backend.create(newKey('a'))
      const sealed: UnwrapRequest[] = []
      for (let i = 0; i < 4; i++) {
        const current = record
        const wraps = Array.from({ length: 4 }, () => wrapUnder(backend, current, Buffer.from('x')))
        const [next, ...outcomes] = await Promise.all([
          backend.rotate('a', current.etag),
          ...wraps.map((wrap) =>
            wrap.catch((error: unknown) => refused(Promise.reject(error), 'KeyVersionNotCurrent')),
          ),
        ])
        record = next
        for (const outcome of outcomes) if (outcome !== undefined) sealed.push(outcome)
      }
      sealed.push(await wrapUnder(backend, record, Buffer.from('x')))
      expect(await opens(backend, sealed)).toEqual(sealed.map(() => 'x'))
    },
  },
  {
    name: 'destroy with an old etag is PreconditionFailed and destroys nothing',
    async run({ backend }) {
      const created = await backend.create(newKey('a'))
      const sealed = await wrapUnder(backend, created, Buffer.from('kept'))
      const updated = await backend.update('a', { description: 'x' }, created.etag)
      await refused(backend.destroy('a', created.etag), 'PreconditionFailed')
      expect(await backend.describe('a')).toEqual(updated)
      expect(await opens(backend, [sealed])).toEqual(['kept'])
    },
  },
  {
    name: 'a destroyed key is KeyDestroyed in every verb, and its aliases are free',
    async run({ backend }) {
      const created = await backend.create(newKey('a', { aliases: ['b'] }))
      const sealed = await wrapUnder(backend, created, Buffer.from('gone'))
      await backend.destroy('a', created.etag)
      await refused(backend.describe('a'), 'KeyDestroyed')
      await refused(backend.describe('b'), 'KeyNotFound')
      await refused(backend.update('a', { description: 'x' }, created.etag), 'KeyDestroyed')
      await refused(backend.rotate('a', created.etag), 'KeyDestroyed')
      await refused(backend.destroy('a', created.etag), 'KeyDestroyed')
      await refused(backend.wrap({ keyId: 'a', version: 1, plaintext: Buffer.from('x'), aad: aad(1) }), 'KeyDestroyed')
      await refused(backend.unwrap(sealed), 'KeyDestroyed')
      expect(await backend.list({ limit: 10 })).toEqual({ keys: [], unreadable: [] })
      expect((await backend.create(newKey('b'))).keyId).toBe('b')
    },
  },
  {
    name: 'a destroyed id is retired, or continues at the next version with other material',
    async run({ backend, retiresIds }) {
      const created = await backend.create(newKey('a', { description: 'first' }))
      const sealed = [await wrapUnder(backend, created, Buffer.from('one'))]
      const rotated = await backend.rotate('a', created.etag)
      sealed.push(await wrapUnder(backend, rotated, Buffer.from('two')))
      await backend.destroy('a', rotated.etag)
      if (retiresIds) return refused(backend.create(newKey('a')), 'KeyIdRetired')
      const again = await backend.create(newKey('a', { description: 'second' }))
      expect(again).toMatchObject({ currentVersion: 3, oldestVersion: 3, description: 'second', state: 'Enabled' })
      expect(again.rotatedAt).toBeUndefined()
      for (const old of sealed) await refused(backend.unwrap(old), 'KeyMaterialReplaced')
      expect(await opens(backend, [await wrapUnder(backend, again, Buffer.from('three'))])).toEqual(['three'])
      await backend.destroy('a', again.etag)
      expect((await backend.create(newKey('a'))).currentVersion).toBe(4)
    },
  },
  {
    name: 'a destroyed id continues above the version it is told to',
    async run({ backend, retiresIds }) {
      const created = await backend.create(newKey('a'))
      await backend.destroy('a', created.etag, 6)
      if (retiresIds) return refused(backend.create(newKey('a')), 'KeyIdRetired')
      const again = await backend.create(newKey('a'))
      expect(again).toMatchObject({ currentVersion: 7, oldestVersion: 7 })
      expect(await opens(backend, [await wrapUnder(backend, again, Buffer.from('seven'))])).toEqual(['seven'])
      const rotated = await backend.rotate('a', again.etag)
      await backend.destroy('a', rotated.etag, 2)
      expect((await backend.create(newKey('a'))).currentVersion).toBe(9)
    },
  },
  {
    name: 'a tombstone survives closing and opening',
    needs: ['reopen'],
    async run({ backend, reopen, retiresIds }) {
      const { etag } = await backend.create(newKey('a'))
      await backend.destroy('a', etag)
      await backend.close()
      const again = await reopen()
      await refused(again.describe('a'), 'KeyDestroyed')
      if (retiresIds) return refused(again.create(newKey('a')), 'KeyIdRetired')
      expect((await again.create(newKey('a'))).currentVersion).toBe(2)
    },
  },
  {
    name: 'health resolves while the store answers',
    async run({ backend }) {
      await backend.health()
      await backend.create(newKey('a'))
      await backend.health()
    },
  },
  {
    name: 'close is idempotent, and every later call is BackendUnavailable',
    async run({ backend }) {
      const created = await backend.create(newKey('a'))
      const sealed = await wrapUnder(backend, created, Buffer.from('x'))
      await Promise.all([backend.close(), backend.close()])
      await backend.close()
      const calls: readonly (() => Promise<unknown>)[] = [
        () => backend.create(newKey('b')),
        () => backend.describe('a'),
        () => backend.list({ limit: 1 }),
        () => backend.update('a', { description: 'x' }, created.etag),
        () => backend.rotate('a', created.etag),
        () => backend.destroy('a', created.etag),
        () => backend.wrap({ keyId: 'a', version: 1, plaintext: Buffer.from('x'), aad: aad(1) }),
        () => backend.unwrap(sealed),
        () => backend.health(),
      ]
      for (const call of calls) await refused(call(), 'BackendUnavailable')
    },
  },
]
