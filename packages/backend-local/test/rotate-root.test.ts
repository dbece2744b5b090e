import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyBackend, Notice, RootRotation, UnwrapRequest } from '@kms/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Fields } from './document-of.ts'
import {
  expectWhole,
  fill,
  GENERATED,
  keksOnDisk,
  resealed,
  rootChangeOf,
  roots,
  storeJson,
  wrapUnder,
} from './rotations.ts'
import { expectRefusal, type Scratch, scratchStore } from './scratch-store.ts'

const pairs = [
  ['passphrase', 'other passphrase'],
  ['passphrase', 'raw'],
  ['passphrase', 'generated'],
  ['raw', 'passphrase'],
  ['raw', 'other raw'],
  ['raw', 'generated'],
  ['generated', 'passphrase'],
  ['generated', 'raw'],
  ['generated', 'generated'],
] as const

let scratch: Scratch
const environment = new Map<string, string>()
beforeEach(async () => {
  scratch = await scratchStore({ environment: (name) => environment.get(name) })
})
afterEach(async () => {
  environment.clear()
  await scratch.cleanup()
})

function rotate(backend: KeyBackend, fields: Fields, reseal = false): Promise<RootRotation> {
  const config = rootChangeOf(scratch, fields)
  return backend.rotateRoot?.(config, { reseal }) ?? expect.fail('no rotateRoot')
}

describe('rotateRoot', () => {
  it.each(pairs)(
    'from a %s root key to a %s one: only the new one opens the store, and nothing else changes',
    async (from, to) => {
      const { backend } = await scratch.open(roots[from])
      const sealed = await fill(backend)
      const before = await storeJson(scratch.keyDir)
      const keyFile = join(scratch.rootKeyDir, `${backend.realm}.key`)
      const oldKey = await readFile(keyFile, 'utf8').catch(() => '')
      const { changed, reseal } = await rotate(backend, roots[to] as Fields)
      expect([changed, reseal]).toEqual([true, undefined])
      await expectWhole(backend, sealed)

      const after = await storeJson(scratch.keyDir)
      expect([after.realm, after.current_kek]).toEqual([before.realm, before.current_kek])
      const again = await scratch.open(roots[to])
      await expectWhole(again.backend, sealed)
      if (from !== to) {
        const code =
          to === 'generated' ? 'ValidationError' : from === 'generated' ? 'RootKeyMissing' : 'RootKeyMismatch'
        await expectRefusal(scratch.open(roots[from]), code)
      }
      // One root key is kept where one is generated, and it is not the one of before.
      const files = await readdir(scratch.rootKeyDir).catch(() => [])
      expect(files).toEqual(to === 'generated' ? [`${backend.realm}.key`] : [])
      if (to === 'generated') expect(await readFile(keyFile, 'utf8')).not.toBe(oldKey)
      // And on it goes, from the store that was opened before and from the one opened after.
      await backend.rotate('plain', (await backend.describe('plain')).etag)
      await again.backend.rotate('plain', (await again.backend.describe('plain')).etag)
      await rotate(again.backend, roots['third raw'] as Fields)
      await expectWhole(await scratch.backend(roots['third raw']), sealed)
    },
  )

  it('leaves the root key alone that is there already', async () => {
    for (const kind of ['passphrase', 'raw']) {
      const place = { ...roots[kind], key_dir: join(scratch.root, kind) }
      const { backend } = await scratch.open(place)
      const bytes = await readFile(join(scratch.root, kind, 'store.json'))
      expect(await rotate(backend, place)).toEqual({ changed: false, notes: [] })
      expect(await rotate(backend, place, true)).toEqual({ changed: false, notes: [] })
      expect(await readFile(join(scratch.root, kind, 'store.json'))).toEqual(bytes)
    }
  })

  it('refuses a root key it cannot have, and changes nothing', async () => {
    const { backend } = await scratch.open(roots['raw'])
    const bytes = await readFile(join(scratch.keyDir, 'store.json'))
    await expectRefusal(rotate(backend, { master_key_env: 'UNSET' }), 'ValidationError', 'UNSET is not set')
    await expectRefusal(rotate(backend, { master_key_file: '/etc/passwd' }), 'PolicyViolation')
    expect(await readFile(join(scratch.keyDir, 'store.json'))).toEqual(bytes)
    await backend.close()
    await expectRefusal(rotate(backend, roots['passphrase'] as Fields), 'BackendUnavailable')
  })

  it('takes one from the environment', async () => {
    const { backend } = await scratch.open(roots['raw'])
    environment.set('NEXT_KEY', 'from the environment')
    const byName = { ...GENERATED, master_key_env: 'NEXT_KEY' }
    expect((await rotate(backend, byName)).notes.join()).toContain('master_key_env was read as a passphrase')
    await (await scratch.backend(byName)).health()
    await (await scratch.backend({ master_key: 'from the environment' })).health()
  })
})

describe('other servers on the directory, when the root key changes', () => {
  it('go on reading, and neither write nor call themselves healthy until they are told the new one', async () => {
    const { backend } = await scratch.open(roots['raw'])
    const other = await scratch.backend(roots['raw'])
    const sealed = await fill(backend)
    await rotate(backend, roots['other raw'] as Fields)
    for (const each of sealed) expect((await other.unwrap(each)).toString()).toBe(`${each.keyId} ${each.version}`)
    await expectRefusal(other.health(), 'RootKeyMismatch', 'rotate-root')
    const plain = await other.describe('plain')
    await expectRefusal(other.rotate('plain', plain.etag), 'RootKeyMismatch')
    await expectRefusal(other.update('plain', { description: 'x' }, plain.etag), 'RootKeyMismatch')
    expect(await backend.describe('plain')).toEqual(plain)
  })

  it('learn of it by themselves where it is in a place they know', async () => {
    environment.set('SHARED_KEY', 'before')
    const shared = { ...GENERATED, master_key_env: 'SHARED_KEY' }
    const { backend } = await scratch.open(shared)
    const other = await scratch.backend(shared)
    const sealed = await fill(backend)
    // An operator changes the variable of one server after the other; here both are this process.
    environment.set('NEXT_KEY', 'after')
    await rotate(backend, { ...GENERATED, master_key_env: 'NEXT_KEY' }, true)
    await resealed(backend)
    environment.set('SHARED_KEY', 'after')
    await expectWhole(other, sealed)
    await other.rotate('plain', (await other.describe('plain')).etag)
    expect(await keksOnDisk(scratch.keyDir)).toEqual(new Set([(await storeJson(scratch.keyDir)).current_kek]))
    await expectWhole(backend, sealed)
  })
})

describe('a re-seal', () => {
  it.each([
    ['generated', 'generated'],
    ['generated', 'passphrase'],
    ['passphrase', 'raw'],
  ])('from a %s root key to a %s one leaves nothing under the key-encryption key of before', async (from, to) => {
    const notices: Notice[] = []
    const { backend } = await scratch.open(roots[from], { onNotice: (notice) => notices.push(notice) })
    const sealed = await fill(backend)
    const before = await storeJson(scratch.keyDir)
    const records = (await backend.list({ limit: 10 })).keys
    expect((await rotate(backend, roots[to] as Fields, true)).reseal).toMatchObject({ running: true, left: 0 })
    await resealed(backend)
    expect(backend.resealProgress).toEqual({ done: 5, total: 5, left: 0, running: false })
    const after = await storeJson(scratch.keyDir)
    expect(after.current_kek).not.toBe(before.current_kek)
    expect(after.keks.map(({ id }) => id)).toEqual([after.current_kek])
    expect(await keksOnDisk(scratch.keyDir)).toEqual(new Set([after.current_kek]))
    expect(notices.map(({ level }) => level)).toEqual(['info', 'info'])
    // The records are the same, so that a compare-and-set that was under way still fits.
    expect((await backend.list({ limit: 10 })).keys).toEqual(records)
    await expectWhole(backend, sealed)
    await expectWhole(await scratch.backend(roots[to]), sealed)
  })

  it('is not done twice for one root key, and can be asked for later', async () => {
    const { backend } = await scratch.open(roots['raw'])
    await fill(backend)
    await rotate(backend, roots['other raw'] as Fields)
    const first = await storeJson(scratch.keyDir)
    expect((await rotate(backend, roots['other raw'] as Fields, true)).changed).toBe(false)
    await resealed(backend)
    const second = await storeJson(scratch.keyDir)
    expect(second.current_kek).not.toBe(first.current_kek)
    const report = await rotate(backend, roots['other raw'] as Fields, true)
    expect(report).toEqual({ changed: false, notes: [], reseal: { done: 5, total: 5, left: 0, running: false } })
    expect(await storeJson(scratch.keyDir)).toEqual(second)
  })

  it('under way, is what the same call tells about, and what another root key joins', async () => {
    const { backend } = await scratch.open(GENERATED)
    const sealed = await fill(backend)
    await rotate(backend, GENERATED, true)
    const first = await storeJson(scratch.keyDir)
    expect(first.keks).toHaveLength(2)
    expect(await rotate(backend, GENERATED, true)).toMatchObject({ changed: false, reseal: { running: true } })
    expect((await storeJson(scratch.keyDir)).current_kek).toBe(first.current_kek)
    expect((await rotate(backend, roots['passphrase'] as Fields, true)).changed).toBe(true)
    await resealed(backend)
    const last = await storeJson(scratch.keyDir)
    expect(first.keks.map(({ id }) => id)).not.toContain(last.current_kek)
    expect(await keksOnDisk(scratch.keyDir)).toEqual(new Set([last.current_kek]))
    await expectWhole(await scratch.backend(roots['passphrase']), sealed)
  })

  it('lets reads and writes through, and misses nothing that is written meanwhile', async () => {
    const { backend } = await scratch.open(roots['raw'])
    const sealed = [...(await fill(backend))]
    const none = { aliases: [], description: '', tags: new Map<string, string>() }
    for (let i = 0; i < 40; i++) await backend.create({ ...none, keyId: `k${i}` })
    await rotate(backend, roots['other raw'] as Fields)
    const [other, third] = [await scratch.backend(roots['other raw']), await scratch.backend(roots['other raw'])]
    await rotate(backend, roots['other raw'] as Fields, true)
    for (let i = 0; backend.resealProgress?.running === true; i++) {
      const keyId = `k${i % 40}`
      const writer = i % 2 === 0 ? backend : third
      await writer.rotate(keyId, (await writer.describe(keyId)).etag)
      sealed.push(await wrapUnder(other, keyId))
      if (i % 5 === 0) await writer.create({ ...none, keyId: `new${i}` })
      if (i % 7 === 3)
        await writer.destroy(`new${i - (i % 5)}`, (await writer.describe(`new${i - (i % 5)}`)).etag).catch(() => {})
    }
    expect(sealed.length).toBeGreaterThan(5)
    expect(await keksOnDisk(scratch.keyDir)).toEqual(new Set([(await storeJson(scratch.keyDir)).current_kek]))
    const again = await scratch.backend(roots['other raw'])
    for (const each of sealed) expect((await again.unwrap(each)).toString()).toBe(`${each.keyId} ${each.version}`)
    expect((await again.list({ limit: 1000 })).unreadable).toEqual([])
  })

  it('keeps the key-encryption key of before for what it cannot read, says so, and ends when that is mended', async () => {
    const notices: Notice[] = []
    const onNotice = (notice: Notice): unknown => notices.push(notice)
    const { backend } = await scratch.open(roots['raw'], { onNotice })
    const sealed = await fill(backend)
    const damaged = [
      join(scratch.keyDir, 'keys', 'plain.json'),
      join(scratch.keyDir, 'keys', 'plain.versions', '1.json'),
    ]
    const good = await Promise.all(damaged.map((path) => readFile(path)))
    for (const [i, path] of damaged.entries()) await writeFile(path, (good[i] as Buffer).subarray(1))
    await rotate(backend, roots['other raw'] as Fields, true)
    await resealed(backend)
    expect(backend.resealProgress).toEqual({ done: 5, total: 5, left: 2, running: false })
    expect(notices.at(-1)).toMatchObject({ level: 'warning', message: expect.stringContaining('keys/plain.json') })
    expect((await storeJson(scratch.keyDir)).keks).toHaveLength(2)
    // Back from a copy of before, as they were.
    for (const [i, path] of damaged.entries()) await writeFile(path, good[i] as Buffer)
    await expectWhole(backend, sealed)
    await rotate(backend, roots['other raw'] as Fields, true)
    await resealed(backend)
    expect((await storeJson(scratch.keyDir)).keks).toHaveLength(1)
    await expectWhole(await scratch.backend(roots['other raw']), sealed)
  })

  it('makes a file of before it, brought back afterwards, unavailable, and no other', async () => {
    const { backend } = await scratch.open(roots['raw'])
    const sealed = await fill(backend)
    const path = join(scratch.keyDir, 'keys', 'plain.json')
    const old = await readFile(path)
    await rotate(backend, roots['other raw'] as Fields, true)
    await resealed(backend)
    const good = await readFile(path)
    await writeFile(path, old)
    await expectRefusal(backend.describe('plain'), 'KeyUnavailable', 'key-encryption key that store.json does not hold')
    expect((await backend.list({ limit: 10 })).unreadable).toEqual(['plain'])
    expect((await backend.unwrap(sealed[0] as UnwrapRequest)).toString()).toBe('Orders 1')
    await writeFile(path, good)
    await expectWhole(backend, sealed)
  })

  it('that is stopped while it writes does not wait for the clock first', async () => {
    let closed: Promise<void> | undefined
    let begun = false
    const now = (): number => {
      if (begun) closed ??= backend.close()
      return 0
    }
    const { backend } = await scratch.open(roots['raw'], {
      clock: { now, after: () => () => {} },
      onNotice: () => {
        begun = true
      },
    })
    await fill(backend)
    await rotate(backend, roots['other raw'] as Fields, true)
    await expect.poll(() => closed !== undefined).toBe(true)
    await closed
  })

  it('goes on in the next server when one ends in the middle, and only one does it at a time', async () => {
    const { backend } = await scratch.open(roots['raw'])
    const none = { aliases: [], description: '', tags: new Map<string, string>() }
    for (let i = 0; i < 40; i++) await backend.create({ ...none, keyId: `k${i}` })
    await rotate(backend, roots['other raw'] as Fields, true)
    await backend.close()
    expect((await storeJson(scratch.keyDir)).keks).toHaveLength(2)
    const next = await scratch.backend(roots['other raw'])
    await resealed(next)
    expect((await storeJson(scratch.keyDir)).keks).toHaveLength(1)
    expect((await keksOnDisk(scratch.keyDir)).size).toBe(1)
  })
})
