import { Buffer } from 'node:buffer'
import { createHash, randomBytes } from 'node:crypto'
import { copyFile, mkdtemp, readdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createManualClock } from '../testing/manual-clock.ts'
import { createMemoryCanaryStore } from '../testing/memory-canary-store.ts'
import type { Canary, CanarySet, CanaryStore } from './canary-store.ts'
import { createFileCanaryStore, type FileCanaryStoreOptions } from './file-canary-store.ts'

const realm = 'ab'.repeat(16)

let directory: string
let damaged: string[]
let stores: CanaryStore[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kms-canaries-'))
  damaged = []
  stores = []
})
afterEach(async () => {
  for (const store of stores) await store.close()
  await rm(directory, { recursive: true, force: true })
})

const path = () => join(directory, 'canaries', `${realm}.log`)

function open(options: Partial<FileCanaryStoreOptions> = {}) {
  const store = createFileCanaryStore({
    directory: join(directory, 'canaries'),
    random: randomBytes,
    onDamaged: (message) => damaged.push(message),
    ...options,
  })
  stores.push(store)
  return store.open(realm)
}

function canary(keyId: string, version: number): Canary {
  const envelope = Buffer.from(`envelope of ${keyId} ${version}`)
  return { keyId, version, envelope, digest: createHash('sha256').update(envelope).digest() }
}

const names = (canaries: readonly Canary[]) => canaries.map(({ keyId, version }) => `${keyId}@${version}`).sort()

describe('a canary set', () => {
  it('is empty at first', async () => {
    const set = await open()
    expect(set.isEmpty).toBe(true)
    expect(set.memory('a')).toBeUndefined()
    expect(await set.sample(10)).toEqual([])
    // Looking leaves no trace.
    expect(await readdir(directory)).toEqual([])
  })

  it('remembers across restarts what was added and destroyed', async () => {
    const set = await open()
    for (const [key, version] of [
      ['a', 1],
      ['a', 2],
      ['__proto__', 1],
      ['b', 1],
    ] as const)
      await set.add(canary(key, version))
    await set.markDestroyed('b', 1)
    for (const seen of [set, await open()]) {
      expect(seen.isEmpty).toBe(false)
      expect(seen.memory('a')).toEqual({ highestVersion: 2, destroyed: false })
      expect(seen.memory('__proto__')).toEqual({ highestVersion: 1, destroyed: false })
      expect(seen.memory('b')).toEqual({ highestVersion: 1, destroyed: true })
      expect(seen.memory('c')).toBeUndefined()
      const sample = await seen.sample(10)
      expect(names(sample)).toEqual(['__proto__@1', 'a@1', 'a@2'])
      expect(sample.find(({ version }) => version === 2)).toEqual(canary('a', 2))
    }
  })

  it('takes a destroyed key that was made again, and leaves its old versions out', async () => {
    const set = await open()
    await set.add(canary('a', 1))
    await set.markDestroyed('a', 1)
    await set.add(canary('a', 2))
    for (const seen of [set, await open()]) {
      expect(seen.memory('a')).toEqual({ highestVersion: 2, destroyed: false })
      expect(names(await seen.sample(10))).toEqual(['a@2'])
    }
  })

  it('keeps every one of many concurrent additions', async () => {
    const set = await open()
    await Promise.all(Array.from({ length: 300 }, (_, i) => set.add(canary(`k${i}`, 1))))
    expect(await set.sample(1000)).toHaveLength(300)
    expect(await (await open()).sample(1000)).toHaveLength(300)
  })

  it('samples the wanted key and the newest, within the limit and without repeats', async () => {
    const set = await open()
    await Promise.all(Array.from({ length: 600 }, (_, i) => set.add(canary(`k${i}`, 1))))
    const sample = names(await set.sample(256, 'k0'))
    expect(sample).toHaveLength(256)
    expect(new Set(sample).size).toBe(256)
    expect(sample).toContain('k0@1')
    for (let i = 600 - 127; i < 600; i++) expect(sample).toContain(`k${i}@1`)
  })

  it('is private', async () => {
    await (await open()).add(canary('a', 1))
    expect((await stat(path())).mode & 0o777).toBe(0o600)
  })
})

describe('damage', () => {
  it('of a torn last line loses nothing that was acknowledged', async () => {
    const set = await open()
    await set.add(canary('a', 1))
    const { size } = await stat(path())
    await set.add(canary('b', 1))
    const whole = await readFile(path())
    for (let end = size + 1; end < whole.length; end += 7) {
      await writeFile(path(), whole.subarray(0, end))
      const seen = await open()
      expect(names(await seen.sample(10))).toEqual(['a@1'])
      expect((await stat(path())).size).toBe(size)
    }
    expect(damaged).toEqual([])
    const seen = await open()
    await seen.add(canary('c', 1))
    expect(names(await (await open()).sample(10))).toEqual(['a@1', 'c@1'])
  })

  it('of a line in the middle is noticed and costs that line only', async () => {
    const set = await open()
    for (const key of ['a', 'b', 'c']) await set.add(canary(key, 1))
    const text = await readFile(path(), 'utf8')
    await writeFile(path(), text.replace('"key":"b"', '"key":"x"'))
    expect(names(await (await open()).sample(10))).toEqual(['a@1', 'c@1'])
    expect(damaged).toHaveLength(1)
  })

  it('of any byte is told of', async () => {
    const set = await open()
    for (const key of ['a', 'b']) await set.add(canary(key, 1))
    await set.markDestroyed('b', 1)
    const good = await readFile(path())
    for (let i = 0; i < good.length - 1; i++) {
      const flipped = Buffer.from(good)
      flipped[i] = (flipped[i] ?? 0) ^ (1 << (i % 8))
      await writeFile(path(), flipped)
      await (await open()).sample(10)
      expect(damaged, `byte ${i}`).toHaveLength(i + 1)
    }
  })

  it('is not assumed when the format is newer or the realm another one', async () => {
    await (await open()).add(canary('a', 1))
    const other = createFileCanaryStore({
      directory: join(directory, 'canaries'),
      random: randomBytes,
      onDamaged: () => {},
    })
    stores.push(other)
    const text = await readFile(path(), 'utf8')
    await writeFile(join(directory, 'canaries', `${'cd'.repeat(16)}.log`), text)
    await expect(other.open('cd'.repeat(16))).rejects.toMatchObject({ code: 'StoreDamaged' })
  })

  it('of the last newline only makes the line one that was never acknowledged, not the beginning of the next', async () => {
    const set = await open()
    await set.add(canary('a', 1))
    await truncate(path(), (await stat(path())).size - 1)
    const seen = await open()
    await seen.add(canary('b', 1))
    expect(names(await (await open()).sample(10))).toEqual(['b@1'])
  })
})

describe('the index of a long file', () => {
  const indexPath = () => join(directory, 'canaries', `${realm}.index`)
  /** Some two canaries. */
  const unindexedBytes = 400

  async function closeAll(): Promise<void> {
    for (const store of stores.splice(0)) await store.close()
  }

  /** Makes a file with an index of all its lines but the last few. */
  async function makeIndexed(keys: number): Promise<void> {
    const set = await open({ unindexedBytes })
    for (let i = 0; i < keys; i++) await set.add(canary(`k${i}`, 1))
    await closeAll()
    expect(await readdir(join(directory, 'canaries'))).toEqual([`${realm}.index`, `${realm}.log`])
  }

  async function contentOf(set: CanarySet): Promise<object> {
    const known = new Map<string, object>()
    for await (const [key, memory] of set.known()) known.set(key, memory)
    for (const [key, memory] of known) expect(set.memory(key)).toEqual(memory)
    expect(set.memory('nobody')).toBeUndefined()
    const { keyVersions, isEmpty } = set
    return { known, sample: names(await set.sample(1000)), keyVersions, isEmpty }
  }

  it('changes nothing of what is known, whatever was done, and whatever becomes of it', async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ type: fc.constant('add' as const), key: fc.constantFrom('a', 'b', 'c', 'd') }),
      },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('destroy' as const), key: fc.constantFrom('a', 'b') }) },
      {
        weight: 2,
        arbitrary: fc.record({
          type: fc.constant('restart' as const),
          index: fc.constantFrom('kept', 'lost', 'flipped', 'cut', 'of before'),
          at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        }),
      },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
        await rm(join(directory, 'canaries'), { recursive: true, force: true })
        const model = await createMemoryCanaryStore().open(realm)
        let before: Buffer | undefined
        let set = await open({ unindexedBytes })
        const versions = new Map<string, number>()
        for (const each of steps) {
          if (each.type === 'restart') {
            await closeAll()
            const found = await readFile(indexPath()).catch(() => undefined)
            if (found !== undefined) {
              const at = Math.floor(each.at * found.length)
              if (each.index === 'lost') await unlink(indexPath())
              if (each.index === 'cut') await truncate(indexPath(), at)
              if (each.index === 'of before' && before !== undefined) await writeFile(indexPath(), before)
              if (each.index === 'flipped') {
                const flipped = Buffer.from(found)
                flipped[at] = (flipped[at] ?? 0) ^ 4
                await writeFile(indexPath(), flipped)
              }
              before ??= found
            }
            set = await open({ unindexedBytes })
          } else if (each.type === 'add') {
            const version = (versions.get(each.key) ?? 0) + 1
            versions.set(each.key, version)
            for (const to of [model, set]) await to.add(canary(each.key, version))
          } else {
            for (const to of [model, set]) await to.markDestroyed(each.key, versions.get(each.key) ?? 1)
          }
          expect(await contentOf(set)).toEqual(await contentOf(model))
        }
        await closeAll()
      }),
      { numRuns: 60 },
    )
    expect(damaged).toEqual([])
  })

  it('is ignored with any byte changed, and wherever it is cut', async () => {
    await makeIndexed(8)
    const good = await readFile(indexPath())
    const log = await readFile(path(), 'utf8')
    // Only without its index is what was done to the file noticed at once.
    await writeFile(path(), log.replace('"key":"k3"', '"key":"x3"'))
    for (let i = 0; i < good.length; i++) {
      const flipped = Buffer.from(good)
      flipped[i] = (flipped[i] ?? 0) ^ (1 << (i % 8))
      for (const bytes of [flipped, good.subarray(0, i)]) {
        damaged = []
        await writeFile(indexPath(), bytes)
        const set = await open({ unindexedBytes: 1_000_000 })
        expect(damaged, `byte ${i}`).toHaveLength(1)
        expect([set.memory('k3'), set.memory('k4')]).toEqual([undefined, { highestVersion: 1, destroyed: false }])
        await closeAll()
      }
    }
  })

  it('makes a start read nothing of what it covers; damage there is told of all the same, a little later', async () => {
    await makeIndexed(20)
    const text = await readFile(path(), 'utf8')
    await writeFile(path(), text.replace('"key":"k3"', '"key":"x3"'))
    const clock = createManualClock(0)
    const set = await open({ unindexedBytes, clock })
    expect(set.memory('k3')).toEqual({ highestVersion: 1, destroyed: false })
    expect(damaged).toEqual([])
    // What it proved is not proven, as without an index.
    expect(names(await set.sample(100))).not.toContain('k3@1')
    clock.advance(5000)
    await expect.poll(() => damaged).toHaveLength(1)
  })

  it('is made again, a little after a start, when there is none', async () => {
    await makeIndexed(20)
    const whole = await readFile(indexPath())
    await unlink(indexPath())
    const clock = createManualClock(0)
    const set = await open({ unindexedBytes, clock })
    expect(set.memory('k3')).toEqual({ highestVersion: 1, destroyed: false })
    await expect(stat(indexPath())).rejects.toThrow('ENOENT')
    clock.advance(5000)
    await expect.poll(() => stat(indexPath()).catch(() => undefined)).toBeDefined()
    await closeAll()
    expect((await readFile(indexPath())).length).toBeGreaterThanOrEqual(whole.length)
    expect((await stat(indexPath())).mode & 0o777).toBe(0o600)
  })

  it('is not believed beside a file brought back from before, nor beside another one', async () => {
    const set = await open({ unindexedBytes })
    for (let i = 0; i < 5; i++) await set.add(canary(`k${i}`, 1))
    await closeAll()
    const kept = join(directory, 'kept')
    await copyFile(path(), kept)
    const later = await open({ unindexedBytes })
    for (let i = 5; i < 25; i++) await later.add(canary(`k${i}`, 1))
    await closeAll()
    const index = await readFile(indexPath())

    await copyFile(kept, path())
    expect((await open({ unindexedBytes })).memory('k7')).toBeUndefined()
    await closeAll()
    // It grows past what the index covers, into another file.
    const other = await open({ unindexedBytes: 1_000_000 })
    for (let i = 5; i < 60; i++) await other.add(canary(`o${i}`, 1))
    await closeAll()
    await writeFile(indexPath(), index)
    const seen = await open({ unindexedBytes })
    expect(seen.memory('k7')).toBeUndefined()
    expect(seen.memory('o7')).toEqual({ highestVersion: 1, destroyed: false })
  })

  it('leaves nothing of an attempt that was cut short', async () => {
    await makeIndexed(20)
    await writeFile(join(directory, 'canaries', `.tmp-${realm}.index-0123456789ab`), 'half')
    const set = await open({ unindexedBytes })
    for (let i = 20; i < 60; i++) await set.add(canary(`k${i}`, 1))
    await closeAll()
    expect(await readdir(join(directory, 'canaries'))).toEqual([`${realm}.index`, `${realm}.log`])
  })

  it('gives samples of many: the wanted key, the newest, and some of the rest; never what was destroyed', async () => {
    const set = await open({ unindexedBytes: 100_000 })
    const add = (from: number, to: number): Promise<unknown> =>
      Promise.all(Array.from({ length: to - from }, (_, i) => set.add(canary(`k${from + i}`, 1))))
    await add(0, 4000)
    await Promise.all(Array.from({ length: 200 }, (_, i) => set.add(canary('k0', 2 + i))))
    await add(4000, 6000)
    await Promise.all(Array.from({ length: 3000 }, (_, i) => set.markDestroyed(`k${1000 + i}`, 1)))
    await closeAll()
    for (const seen of [await open({ unindexedBytes: 100_000 }), await open({ unindexedBytes: 100_000_000 })]) {
      const sample = names(await seen.sample(256, 'k0'))
      expect(new Set(sample).size).toBe(256)
      for (let version = 138; version <= 201; version++) expect(sample).toContain(`k0@${version}`)
      for (let i = 6000 - 96; i < 6000; i++) expect(sample).toContain(`k${i}@1`)
      for (const name of sample) expect(name).not.toMatch(/^k([123]\d{3})@/)
      expect(seen.keyVersions).toBe(3200)
      // Nearly all destroyed: those that are left are found.
      const all = names(await seen.sample(5000, 'k0'))
      expect(all).toHaveLength(3200)
    }
  })
})
