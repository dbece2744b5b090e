import fs, { cp, mkdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import type { KeyBackend, UnwrapRequest } from '@kms/core'
import { describeKeyBackend } from '@kms/core/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { expectRefusal, type Scratch, scratchStore } from '../test/scratch-store.ts'
import { fileStem } from './file-name.ts'

describeKeyBackend('local', async () => {
  const scratch = await scratchStore()
  return {
    open: () => scratch.backend(),
    reopen: () => scratch.backend(),
    damage: (keyId) => writeFile(join(scratch.keyDir, 'keys', `${fileStem(keyId)}.json`), 'damaged'),
    cleanup: () => scratch.cleanup(),
  }
})

describe('what the local backend keeps in memory', () => {
  let scratch: Scratch
  beforeEach(async () => {
    scratch = await scratchStore()
  })
  afterEach(() => scratch.cleanup())

  const newKey = (keyId: string) => ({ keyId, aliases: [], description: '', tags: new Map<string, string>() })
  const at = (name: string): string => join(scratch.keyDir, 'keys', name)

  async function wrapUnder(backend: KeyBackend, version: number): Promise<UnwrapRequest> {
    const { materialId } = await backend.describe('a')
    const aad = Buffer.alloc(32)
    const wrapped = await backend.wrap({ keyId: 'a', version, plaintext: Buffer.from('x'), aad })
    return { keyId: 'a', version, algorithm: backend.algorithm, materialId, wrapped, aad }
  }

  it('is a record that was not touched for a while, and no younger one', async () => {
    const backend = await scratch.backend()
    await backend.create(newKey('a'))
    // A young file may change again within one tick of the file system's clock.
    const future = new Date(Date.now() + 60_000)
    await utimes(at('a.json'), future, future)
    const young = await backend.describe('a')
    const again = await backend.describe('a')
    expect(again).toEqual(young)
    expect(again).not.toBe(young)
    const past = new Date(Date.now() - 60_000)
    await utimes(at('a.json'), past, past)
    const old = await backend.describe('a')
    expect(await backend.describe('a')).toBe(old)
  })

  it('is material, so that wraps and unwraps need no disk', async () => {
    const backend = await scratch.backend()
    await backend.create(newKey('a'))
    const sealed = await wrapUnder(backend, 1)
    for (const file of ['a.json', 'a.versions/1.json']) await writeFile(at(file), 'unreadable')
    const request = { keyId: 'a', version: 1, plaintext: Buffer.from('y'), aad: sealed.aad }
    const wrapped = await backend.wrap(request)
    expect((await backend.unwrap({ ...sealed, wrapped })).toString()).toBe('y')
    // Until describe, which core calls every few seconds, looks at the record.
    await expectRefusal(backend.describe('a'), 'KeyUnavailable')
    await expectRefusal(backend.wrap(request), 'KeyUnavailable')
    await expectRefusal(backend.unwrap(sealed), 'KeyUnavailable')
  })

  it('gives way to what another server did, at the next describe', async () => {
    const [one, other] = [await scratch.backend(), await scratch.backend()]
    const { etag } = await one.create(newKey('a'))
    const sealed = await wrapUnder(other, 1)
    await one.destroy('a', etag)
    await expectRefusal(other.describe('a'), 'KeyDestroyed')
    await expectRefusal(other.unwrap(sealed), 'KeyDestroyed')
    await one.create(newKey('a'))
    await expectRefusal(other.unwrap(sealed), 'KeyMaterialReplaced')
    expect((await other.unwrap(await wrapUnder(one, 2))).toString()).toBe('x')
  })

  it('gives way to a record that names other material', async () => {
    const backend = await scratch.backend()
    const { etag } = await backend.create(newKey('a'))
    // A clone of the store goes its own way: same KEKs, same version number, other material.
    const clonePath = join(scratch.root, 'clone')
    await cp(scratch.keyDir, clonePath, { recursive: true })
    const clone = await scratch.backend({ key_dir: clonePath })
    await clone.rotate('a', etag)
    await backend.rotate('a', etag)
    await wrapUnder(backend, 2)

    await cp(join(clonePath, 'keys', 'a.json'), at('a.json'))
    await expectRefusal(wrapUnder(backend, 2), 'KeyUnavailable', 'other material than its record names')
    await cp(join(clonePath, 'keys', 'a.versions', '2.json'), at('a.versions/2.json'))
    const sealed = await wrapUnder(backend, 2)
    expect((await clone.unwrap(sealed)).toString()).toBe('x')
  })

  it('is gone when the backend is closed, but a write that had begun is finished first', async () => {
    const backend = await scratch.backend()
    const creation = backend.create(newKey('a'))
    await backend.close()
    expect((await creation).keyId).toBe('a')
    await expectRefusal(backend.describe('a'), 'BackendUnavailable')
    expect((await (await scratch.backend()).describe('a')).currentVersion).toBe(1)
  })

  it('does not let the versions of a destroyed key come back', async () => {
    const backend = await scratch.backend()
    const { etag } = await backend.create(newKey('a'))
    const version = await readFile(at('a.versions/1.json'))
    await backend.destroy('a', etag)
    // As a crash right after the tombstone would have left it.
    await mkdir(at('a.versions'))
    await writeFile(at('a.versions/1.json'), version)
    expect((await backend.list({ limit: 10 })).keys).toEqual([])
    await backend.close()
    await expect(readFile(at('a.versions/1.json'))).rejects.toThrow('ENOENT')
  })
})

describe('what a call costs', () => {
  let scratch: Scratch
  beforeEach(async () => {
    scratch = await scratchStore()
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    syncBuiltinESMExports()
    await scratch.cleanup()
  })

  /** Counts the calls that touch the disk from now on. */
  function countCalls(): () => Readonly<Record<string, number>> {
    const names = [
      'open',
      'stat',
      'lstat',
      'readdir',
      'opendir',
      'readFile',
      'link',
      'rename',
      'unlink',
      'mkdir',
    ] as const
    const spies = names.map((name) => [name, vi.spyOn(fs, name)] as const)
    syncBuiltinESMExports()
    return () => Object.fromEntries(spies.map(([name, spy]) => [name, spy.mock.calls.length]))
  }

  async function costOf(work: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
    const calls = countCalls()
    await work()
    const counted = calls()
    vi.restoreAllMocks()
    syncBuiltinESMExports()
    return counted
  }

  it('does not depend on how many versions a key has', async () => {
    const aad = Buffer.alloc(32)
    const costs: unknown[] = []
    for (const [keyId, rotations] of [
      ['few', 1],
      ['many', 60],
    ] as const) {
      const backend = await scratch.backend()
      let record = await backend.create({ keyId, aliases: [], description: '', tags: new Map() })
      const { materialId } = record
      const wrapped = await backend.wrap({ keyId, version: 1, plaintext: Buffer.from('x'), aad })
      for (let i = 0; i < rotations; i++) record = await backend.rotate(keyId, record.etag)
      const fresh = await scratch.backend()
      const request = { keyId, version: 1, algorithm: fresh.algorithm, materialId, wrapped, aad }
      const unwrapping = await costOf(() => fresh.unwrap(request))
      await fresh.update(keyId, { description: 'x' }, record.etag)
      const { etag } = await fresh.describe(keyId)
      const rotating = await costOf(() => fresh.rotate(keyId, etag))
      // Of the key directory, where what others left is.
      expect(rotating['readdir']).toBe(1)
      costs.push([unwrapping, rotating])
    }
    expect(costs[0]).toEqual(costs[1])
  })

  it('does not depend on how many keys there are, but for listing them', async () => {
    const key = (keyId: string) => ({ keyId, aliases: [], description: '', tags: new Map<string, string>() })
    const costs: unknown[] = []
    for (const count of [1, 40]) {
      const place = { key_dir: join(scratch.root, `with-${count}`) }
      const backend = await scratch.backend(place)
      for (let i = 0; i < count; i++) await backend.create(key(`k${i}`))
      let fresh = backend
      const opening = await costOf(async () => {
        fresh = await scratch.backend(place)
      })
      const first = await costOf(() => fresh.create(key('new')))
      const describing = await costOf(() => fresh.describe('k0'))
      costs.push([opening, first, describing])
    }
    expect(costs[0]).toEqual(costs[1])
  })

  it('of a page of a listing is bounded, whatever stands between the keys', async () => {
    const backend = await scratch.backend()
    await backend.create({ keyId: 'a', aliases: [], description: '', tags: new Map() })
    await backend.create({ keyId: 'z', aliases: [], description: '', tags: new Map() })
    const names = Array.from({ length: 5000 }, (_, i) => `m${String(i).padStart(4, '0')}`)
    // Files in the wrong place: finding that out costs as much as what is right.
    await backend.destroy('z', (await backend.describe('z')).etag)
    const tombstone = await readFile(join(scratch.keyDir, 'keys', 'z.json'))
    await Promise.all(names.map((name) => writeFile(join(scratch.keyDir, 'keys', `${name}.json`), tombstone)))
    await backend.create({ keyId: 'z', aliases: [], description: '', tags: new Map() })
    const page = await backend.list({ limit: 10_000 })
    expect(page.next).toBeDefined()
    expect(page.keys.length + page.unreadable.length).toBeLessThan(4200)
    const rest = await backend.list({ limit: 10_000, after: page.next ?? '' })
    expect(rest.next).toBeUndefined()
    expect(page.unreadable.length + rest.unreadable.length).toBe(5000)
    expect(rest.keys.map(({ keyId }) => keyId)).toEqual(['z'])
  })
})
