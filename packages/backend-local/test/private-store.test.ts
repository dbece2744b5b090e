import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, readdir, readFile, rename, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyBackend, UnwrapRequest } from '@kms/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { wrapUnder } from './rotations.ts'
import { expectRefusal, type Scratch, scratchStore } from './scratch-store.ts'

const none = { aliases: [], description: '', tags: new Map<string, string>() }

let scratch: Scratch
let backend: KeyBackend
let victim: UnwrapRequest
let bystander: UnwrapRequest
beforeEach(async () => {
  scratch = await scratchStore()
  backend = await scratch.backend()
  await backend.create({ ...none, keyId: 'victim' })
  await backend.create({ ...none, keyId: 'bystander' })
  victim = await wrapUnder(backend, 'victim')
  bystander = await wrapUnder(backend, 'bystander')
  // What is in memory needs no disk; these tests are about the disk.
  backend = await scratch.backend()
})
afterEach(() => scratch.cleanup())

const at = (name: string): string => join(scratch.keyDir, name)

describe('a store that others may use', () => {
  it.each([
    ['the directory', '.', 0o710, '0710'],
    ['the directory of the keys', 'keys', 0o701, '0701'],
    ['store.json', 'store.json', 0o644, '0644'],
  ])('is refused, with the command that mends it: %s', async (_, name, mode, shown) => {
    await chmod(at(name), mode)
    await expectRefusal(scratch.open(), 'StoreUnwritable', `(mode ${shown}); run: chmod -R go-rwx ${scratch.keyDir}`)
    expect((await stat(at(name))).mode & 0o777).toBe(mode)
    execFileSync('chmod', ['-R', 'go-rwx', scratch.keyDir])
    expect((await (await scratch.backend()).unwrap(victim)).toString()).toBe('victim 1')
  })

  it('is narrowed as long as it is empty', async () => {
    await mkdir(at('../empty'))
    await chmod(at('../empty'), 0o777)
    await (await scratch.backend({ key_dir: join(scratch.root, 'empty') })).health()
    expect((await stat(join(scratch.root, 'empty'))).mode & 0o777).toBe(0o700)
  })

  it('is refused when it belongs to somebody else, empty or not', async ({ skip }) => {
    if (process.geteuid?.() !== 0) skip('only root can give files to somebody else')
    await chown(scratch.keyDir, 12_345, 12_345)
    await expectRefusal(scratch.open(), 'StoreUnwritable', `uid 12345); run: chown -R 0 ${scratch.keyDir}`)
    const empty = join(scratch.root, 'empty')
    await mkdir(empty)
    await chown(empty, 12_345, 12_345)
    await expectRefusal(scratch.open({ key_dir: empty }), 'StoreUnwritable', 'another user')
    expect(await readdir(empty)).toEqual([])
  })
})

describe('a link inside a store', () => {
  async function expectOthersUnharmed(): Promise<void> {
    expect((await backend.unwrap(bystander)).toString()).toBe('bystander 1')
    expect((await backend.list({ limit: 10 })).keys.map(({ keyId }) => keyId)).toContain('bystander')
  }

  it('in the place of the keys keeps it shut', async () => {
    await rename(at('keys'), join(scratch.root, 'elsewhere'))
    await symlink(join(scratch.root, 'elsewhere'), at('keys'))
    await expectRefusal(scratch.open(), 'StoreUnwritable', 'a link to one is not followed')
  })

  it('in the place of a record makes that key unavailable, even when it leads to the record', async () => {
    await rename(at('keys/victim.json'), join(scratch.root, 'victim.json'))
    await symlink(join(scratch.root, 'victim.json'), at('keys/victim.json'))
    await expectRefusal(backend.describe('victim'), 'KeyUnavailable')
    await expectRefusal(backend.unwrap(victim), 'KeyUnavailable')
    expect((await backend.list({ limit: 10 })).unreadable).toEqual(['victim'])
    await expectOthersUnharmed()
  })

  it.each(['keys/victim.json', 'keys/victim.versions/1.json'])(
    'or a pipe, in the place of %s, is not waited for',
    async (name) => {
      await unlink(at(name))
      execFileSync('mkfifo', [at(name)])
      await expectRefusal(backend.unwrap(victim), 'KeyUnavailable')
      await expectOthersUnharmed()
    },
  )

  it('in the place of a version makes that version unavailable', async () => {
    await rename(at('keys/victim.versions/1.json'), join(scratch.root, '1.json'))
    await symlink(join(scratch.root, '1.json'), at('keys/victim.versions/1.json'))
    await expectRefusal(backend.unwrap(victim), 'KeyUnavailable', 'version 1 cannot be read')
    await expectOthersUnharmed()
  })

  it('in the place of the versions is neither read through nor written through', async () => {
    const elsewhere = join(scratch.root, 'elsewhere')
    await rename(at('keys/victim.versions'), elsewhere)
    await symlink(elsewhere, at('keys/victim.versions'))
    await writeFile(join(elsewhere, '2.json'), 'somebody else')
    await expectRefusal(backend.unwrap(victim), 'KeyUnavailable')
    const { etag } = await backend.describe('victim')
    await expectRefusal(backend.rotate('victim', etag), 'StoreUnwritable', 'a link is not followed')
    await backend.destroy('victim', etag)
    await expectRefusal(backend.create({ ...none, keyId: 'victim' }), 'StoreUnwritable')
    expect((await readdir(elsewhere)).sort()).toEqual(['1.json', '2.json'])
    expect(await readFile(join(elsewhere, '2.json'), 'utf8')).toBe('somebody else')
    await expectOthersUnharmed()
  })
})
