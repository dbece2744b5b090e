import { Buffer } from 'node:buffer'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createServerKey, type ServerKeys } from '../seal/server-key.ts'
import { createSeededRandom } from '../testing/index.ts'
import { createFileOfflineKeyStore } from './file-offline-key-store.ts'
import type { OfflineKey, OfflineKeyStore } from './offline-keys.ts'

const realm = 'ab'.repeat(16)
const keys: ServerKeys = { current: createServerKey(randomBytes(32)) }

let directory: string
let warnings: string[]
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kms-offline-'))
  warnings = []
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const open = (serverKeys = keys): Promise<OfflineKeyStore> =>
  createFileOfflineKeyStore({
    directory: join(directory, 'offline'),
    keys: serverKeys,
    random: randomBytes,
    onWarning: (message) => warnings.push(message),
  })
const fileOf = (keyId: string, of = realm): string =>
  join(directory, 'offline', of, `${createHash('sha256').update(keyId).digest('hex').slice(0, 32)}.json`)
const plain = (key: OfflineKey | undefined) =>
  key && { id: Buffer.from(key.id).toString('hex'), key: Buffer.from(key.key).toString('hex') }
const provide = async (store: OfflineKeyStore, keyId = 'k', of = realm): Promise<OfflineKey> =>
  (await store.provide(of, keyId)) ?? expect.fail('there is one')

describe('a key of offline copies', () => {
  it('is made once, durably and sealed, and found again by its id after a restart', async () => {
    const store = await open()
    const made = await provide(store)
    expect([made.id.length, made.key.length]).toEqual([16, 32])
    expect(plain(await store.provide(realm, 'k'))).toEqual(plain(made))
    const text = await readFile(fileOf('k'), 'utf8')
    expect(text).not.toContain(Buffer.from(made.key).toString('hex'))
    expect(text).not.toContain(Buffer.from(made.key).toString('base64'))
    expect((await stat(fileOf('k'))).mode & 0o777).toBe(0o600)
    expect((await stat(join(directory, 'offline', realm))).mode & 0o077).toBe(0)
    const again = await open()
    expect(plain(await again.find(realm, 'k', made.id))).toEqual(plain(made))
    expect(plain(await again.provide(realm, 'k'))).toEqual(plain(made))
  })

  it('is another one for every KMS key and every store', async () => {
    const store = await open()
    const all = [
      await provide(store, 'k'),
      await provide(store, 'K'),
      await provide(store, 'other'),
      await provide(store, 'k', 'cd'.repeat(16)),
    ]
    expect(new Set(all.map((key) => plain(key)?.key)).size).toBe(4)
    expect(await store.find(realm, 'k', all[1]?.id ?? Buffer.alloc(16))).toBeUndefined()
    expect(await store.find(realm, 'never', all[0]?.id ?? Buffer.alloc(16))).toBeUndefined()
  })

  it('of many who ask at once is one', async () => {
    const store = await open()
    const made = await Promise.all(Array.from({ length: 20 }, () => provide(store)))
    expect(new Set(made.map((key) => plain(key)?.key)).size).toBe(1)
  })

  it('is given as a copy: what the store zeroes never seals anything', async () => {
    const store = await open()
    const made = await provide(store)
    await store.suspend(realm, 'k')
    store.close()
    expect(Buffer.from(made.key).equals(Buffer.alloc(32))).toBe(false)
  })

  it('is not used while it is suspended, across restarts, and is the same afterwards', async () => {
    const store = await open()
    const made = await provide(store)
    await store.suspend(realm, 'k')
    for (const each of [store, await open()]) {
      expect(await each.provide(realm, 'k')).toBeUndefined()
      expect(await each.find(realm, 'k', made.id)).toBeUndefined()
    }
    await store.resume(realm, 'k')
    for (const each of [store, await open()]) expect(plain(await each.find(realm, 'k', made.id))).toEqual(plain(made))
  })

  it('that was removed is gone from the disk, and no other one is made until that is allowed', async () => {
    const store = await open()
    const made = await provide(store)
    await store.remove(realm, 'k')
    expect(await readFile(fileOf('k'), 'utf8')).not.toContain('$sealed')
    expect(await readdir(join(directory, 'offline', realm))).toHaveLength(1)
    for (const each of [store, await open()]) {
      await each.resume(realm, 'k')
      expect(await each.provide(realm, 'k')).toBeUndefined()
      expect(await each.find(realm, 'k', made.id)).toBeUndefined()
    }
    await store.allow(realm, 'k')
    expect(plain(await provide(store))?.key).not.toBe(plain(made)?.key)
    expect(await store.find(realm, 'k', made.id)).toBeUndefined()
  })

  it('is not made by suspending, resuming or allowing', async () => {
    const store = await open()
    for (const change of ['suspend', 'resume', 'allow'] as const) await store[change](realm, 'k')
    expect(await readdir(join(directory, 'offline'))).toEqual([])
  })

  it('that is removed before there was one is none afterwards either: a slow writer comes too late', async () => {
    const store = await open()
    await store.remove(realm, 'k')
    expect(await store.provide(realm, 'k')).toBeUndefined()
  })
})

describe('server keys', () => {
  const next: ServerKeys = { current: createServerKey(randomBytes(32)), previous: keys.current }

  it('of before still open it, and are not needed any more after one start', async () => {
    const made = await provide(await open())
    const store = await open(next)
    expect(plain(await store.find(realm, 'k', made.id))).toEqual(plain(made))
    const later = await open({ current: next.current })
    expect(plain(await later.find(realm, 'k', made.id))).toEqual(plain(made))
    expect(warnings).toEqual([])
  })

  it('that are not at hand are demanded, and nothing is touched', async () => {
    const made = await provide(await open())
    const before = await readFile(fileOf('k'))
    await expect(open({ current: next.current })).rejects.toMatchObject({
      code: 'ServerKeyMismatch',
      message: expect.stringContaining(keys.current.id),
    })
    expect(await readFile(fileOf('k'))).toEqual(before)
    expect(plain(await (await open()).find(realm, 'k', made.id))).toEqual(plain(made))
  })
})

describe('damage', () => {
  it.each<[string, (text: string) => string]>([
    ['a changed byte', (text) => text.replace('"active"', '"Active"')],
    ['a truncated file', (text) => text.slice(0, 40)],
    ['an empty file', () => ''],
    ['the file of another key', (text) => text],
  ])('%s is no key, and is left as it is', async (what, change) => {
    const store = await open()
    const made = await provide(store, 'k')
    const text = await readFile(fileOf('k'), 'utf8')
    const path = what.startsWith('the file') ? fileOf('other') : fileOf('k')
    await writeFile(path, change(text))
    const keyId = what.startsWith('the file') ? 'other' : 'k'
    const later = await open()
    expect(await later.find(realm, keyId, made.id)).toBeUndefined()
    expect(await later.provide(realm, keyId)).toBeUndefined()
    expect(await readFile(path, 'utf8')).toBe(change(text))
    expect(warnings.length).toBeGreaterThan(0)
    // Removing needs nothing of it.
    await later.remove(realm, keyId)
    expect(await readFile(path, 'utf8')).toContain('"removed"')
  })

  it('of a secret moved between files does not open', async () => {
    const store = await open()
    await provide(store, 'k')
    await provide(store, 'other')
    const [a, b] = [JSON.parse((await readFile(fileOf('k'), 'utf8')).split('\n')[0] ?? ''), 'other'] as const
    const line = JSON.stringify({ ...a, key_id: b })
    await writeFile(fileOf('other'), `${line}\n${createHash('sha256').update(line).digest('hex')}\n`)
    expect(await (await open()).provide(realm, 'other')).toBeUndefined()
  })

  it('a suspension that was ended with an editor is damage', async () => {
    const store = await open()
    const made = await provide(store)
    await store.suspend(realm, 'k')
    const line = (await readFile(fileOf('k'), 'utf8')).split('\n')[0]?.replace('"suspended"', '"active"') ?? ''
    await writeFile(fileOf('k'), `${line}\n${createHash('sha256').update(line).digest('hex')}\n`)
    expect(await (await open()).find(realm, 'k', made.id)).toBeUndefined()
  })

  it('a newer format is not taken for damage', async () => {
    await provide(await open())
    const line = JSON.stringify({ format: 2, anything: true })
    await writeFile(fileOf('k'), `${line}\n${createHash('sha256').update(line).digest('hex')}\n`)
    expect(await (await open()).provide(realm, 'k')).toBeUndefined()
    expect(warnings[0]).toContain('format 2')
  })
})

describe('a disk that does not take it', () => {
  it('gives out no key, and says so', async () => {
    const store = await open()
    await writeFile(join(directory, 'offline', realm), 'in the way')
    await expect(store.provide(realm, 'k')).rejects.toMatchObject({ code: 'StorageFailed' })
    await expect(store.remove(realm, 'k')).rejects.toMatchObject({ code: 'StorageFailed' })
  })
})

describe('the golden file', () => {
  const golden = new URL('../../vectors/offline-key.json', import.meta.url)
  const goldenKeys: ServerKeys = { current: createServerKey(Buffer.alloc(32, 7)) }
  const goldenRealm = '00112233445566778899aabbccddeeff'
  const openGolden = () =>
    createFileOfflineKeyStore({
      directory: join(directory, 'offline'),
      keys: goldenKeys,
      random: createSeededRandom('golden offline key'),
      onWarning: (message) => warnings.push(message),
    })

  it('is written to the byte, and read', async () => {
    const made = await provide(await openGolden(), 'main', goldenRealm)
    const path = fileOf('main', goldenRealm)
    expect(await readFile(path, 'utf8')).toBe(await readFile(golden, 'utf8'))
    expect(plain(await (await openGolden()).find(goldenRealm, 'main', made.id))).toEqual(plain(made))
    expect(warnings).toEqual([])
  })
})
