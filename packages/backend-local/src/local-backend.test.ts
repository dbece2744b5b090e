import { cp, mkdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyBackend, UnwrapRequest } from '@kms/core'
import { describeKeyBackend } from '@kms/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
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
