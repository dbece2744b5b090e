import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyBackend, UnwrapRequest } from '@kms/core'
import { isKmsError } from '@kms/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectRefusal, type Scratch, scratchStore } from './scratch-store.ts'

// A store with one of each kind of file, and a key nothing is done to.
let scratch: Scratch
let sealed: readonly UnwrapRequest[]
let bystander: UnwrapRequest

beforeAll(async () => {
  scratch = await scratchStore()
  const backend = await scratch.backend()
  const none = { aliases: [], description: '', tags: new Map<string, string>() }
  bystander = await wrapUnder(backend, (await backend.create({ ...none, keyId: 'bystander' })).keyId)
  const key = await backend.create({ ...none, keyId: 'victim', aliases: ['nick'], tags: new Map([['a', 'b']]) })
  const first = await wrapUnder(backend, 'victim')
  await backend.rotate('victim', key.etag)
  sealed = [first, await wrapUnder(backend, 'victim')]
  await backend.destroy('gone', (await backend.create({ ...none, keyId: 'gone' })).etag)
  await backend.close()
})
afterAll(() => scratch.cleanup())

async function wrapUnder(backend: KeyBackend, keyId: string): Promise<UnwrapRequest> {
  const { currentVersion: version, materialId } = await backend.describe(keyId)
  const aad = Buffer.alloc(32)
  const wrapped = await backend.wrap({ keyId, version, plaintext: Buffer.from(keyId), aad })
  return { keyId, version, algorithm: backend.algorithm, materialId, wrapped, aad }
}

/** Runs `check` for every byte (or every `stride`-th) of a file flipped in one bit, and for the file cut short. */
async function everyDamage(path: string, check: (what: string) => Promise<void>, stride = 1): Promise<void> {
  const good = await readFile(path)
  for (let i = 0; i < good.length; i += stride) {
    const flipped = Buffer.from(good)
    flipped[i] = (flipped[i] ?? 0) ^ (1 << (i % 8))
    await writeFile(path, flipped)
    await check(`byte ${i} flipped`)
    if (i % 16 !== 0) continue
    await writeFile(path, good.subarray(0, i))
    await check(`cut at ${i}`)
  }
  for (const longer of [Buffer.concat([good, Buffer.of(0x0a)]), Buffer.concat([good, good])]) {
    await writeFile(path, longer)
    await check('longer')
  }
  await writeFile(path, good)
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => (isKmsError(error) ? error.code : String(error)),
  )
}

async function expectBystanderUnharmed(backend: KeyBackend): Promise<void> {
  expect((await backend.unwrap(bystander)).toString()).toBe('bystander')
  expect((await backend.describe('bystander')).state).toBe('Enabled')
}

describe('every byte of', () => {
  const keys = (name: string): string => join(scratch.keyDir, 'keys', name)

  it('store.json, changed, keeps the store shut', async () => {
    await everyDamage(join(scratch.keyDir, 'store.json'), async (what) => {
      const code = await codeOf(scratch.open())
      expect(['StoreDamaged', 'RootKeyMismatch', 'RootKeyMissing', 'NewerFormat', 'ValidationError'], what).toContain(
        code,
      )
    })
    await expectBystanderUnharmed(await scratch.backend())
  })

  it('a key record, changed, makes that key unavailable and no other', async () => {
    const backend = await scratch.backend()
    await everyDamage(keys('victim.json'), async (what) => {
      expect(await codeOf(backend.describe('victim')), what).toBe('KeyUnavailable')
      expect(await codeOf(backend.describe('nick')), what).toBe('KeyUnavailable')
      const page = await backend.list({ limit: 10 })
      expect(page.unreadable, what).toEqual(['victim'])
      expect(page.keys.map(({ keyId }) => keyId)).toEqual(['bystander'])
    })
    await expectBystanderUnharmed(backend)
    expect((await backend.describe('nick')).keyId).toBe('victim')
  })

  it('a version, changed, makes that version unavailable and no other', async () => {
    const [first, second] = sealed as readonly [UnwrapRequest, UnwrapRequest]
    const check = async (what: string): Promise<void> => {
      // A new opening each time: material once unsealed stays in memory.
      const backend = await scratch.backend()
      expect(await codeOf(backend.unwrap(first)), what).toBe('KeyUnavailable')
      expect((await backend.unwrap(second)).toString()).toBe('victim')
    }
    // Every single byte: version-file.test.ts.
    await everyDamage(keys('victim.versions/1.json'), check, 8)
    const backend = await scratch.backend()
    expect((await backend.unwrap(first)).toString()).toBe('victim')
    await expectBystanderUnharmed(backend)
  })

  it('an alias, changed, makes that alias unavailable and no key', async () => {
    const backend = await scratch.backend()
    await everyDamage(keys('nick.json'), async (what) => {
      expect(await codeOf(backend.describe('nick')), what).toBe('KeyUnavailable')
      expect((await backend.describe('victim')).keyId).toBe('victim')
      expect((await backend.list({ limit: 10 })).unreadable, what).toEqual(['nick'])
    })
    await expectBystanderUnharmed(backend)
  })

  it('a tombstone, changed, keeps its id from being used again', async () => {
    const backend = await scratch.backend()
    const again = { keyId: 'gone', aliases: [], description: '', tags: new Map<string, string>() }
    await everyDamage(keys('gone.json'), async (what) => {
      expect(await codeOf(backend.describe('gone')), what).toBe('KeyUnavailable')
      expect((await backend.list({ limit: 10 })).unreadable, what).toEqual(['gone'])
    })
    const path = keys('gone.json')
    const good = await readFile(path)
    await writeFile(path, good.subarray(1))
    await expectRefusal(backend.create(again), 'KeyAlreadyExists')
    await writeFile(path, good)
    await expectRefusal(backend.describe('gone'), 'KeyDestroyed')
  })
})

describe('a file put in the place of another', () => {
  it.each([
    ['a key record under another id', 'keys/bystander.json', 'keys/victim.json', 'victim'],
    ['a version under another number', 'keys/victim.versions/1.json', 'keys/victim.versions/2.json', undefined],
    ['a version of another key', 'keys/bystander.versions/1.json', 'keys/victim.versions/2.json', undefined],
    ['an alias under a key id', 'keys/nick.json', 'keys/victim.json', 'victim'],
    ['a tombstone under another id', 'keys/gone.json', 'keys/victim.json', 'victim'],
    ['a version as a record', 'keys/victim.versions/2.json', 'keys/victim.json', 'victim'],
  ])('%s is noticed', async (_, from, to, unreadable) => {
    const path = join(scratch.keyDir, to)
    const good = await readFile(path)
    await writeFile(path, await readFile(join(scratch.keyDir, from)))
    const backend = await scratch.backend()
    await expectRefusal(backend.unwrap(sealed[1] as UnwrapRequest), 'KeyUnavailable')
    if (unreadable !== undefined) expect((await backend.list({ limit: 10 })).unreadable).toEqual([unreadable])
    await expectBystanderUnharmed(backend)
    await writeFile(path, good)
    expect((await backend.unwrap(sealed[1] as UnwrapRequest)).toString()).toBe('victim')
  })

  it('of a newer release is refused with the reason', async () => {
    for (const [file, text] of [
      ['keys/victim.json', 'its file was written by a newer release'],
      ['keys/victim.versions/2.json', 'the file of version 2 was written by a newer release'],
    ] as const) {
      const path = join(scratch.keyDir, file)
      const good = await readFile(path, 'utf8')
      await writeFile(path, good.replace('"format":1', '"format":2'))
      const backend = await scratch.backend()
      await expectRefusal(backend.unwrap(sealed[1] as UnwrapRequest), 'KeyUnavailable', text)
      await writeFile(path, good)
    }
  })

  it('with upper-case letters and nothing left to tell its id is listed under its file name', async () => {
    const backend = await scratch.backend()
    await backend.create({ keyId: 'Upper', aliases: [], description: '', tags: new Map() })
    const file = (await readdir(join(scratch.keyDir, 'keys'))).find((name) => /^upper~.*json$/.test(name)) ?? ''
    const path = join(scratch.keyDir, 'keys', file)
    const good = await readFile(path, 'utf8')
    await writeFile(path, good.replace('Enabled', 'enabled'))
    expect((await backend.list({ limit: 10 })).unreadable).toEqual(['Upper'])
    await writeFile(path, 'nothing')
    expect((await (await scratch.backend()).list({ limit: 10 })).unreadable).toEqual([file.replace('.json', '')])
    await writeFile(path, good)
  })
})
