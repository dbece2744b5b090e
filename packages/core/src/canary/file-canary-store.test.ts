import { Buffer } from 'node:buffer'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Canary, CanaryStore } from './canary-store.ts'
import { createFileCanaryStore } from './file-canary-store.ts'

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

function open() {
  const store = createFileCanaryStore({
    directory: join(directory, 'canaries'),
    random: randomBytes,
    onDamaged: (message) => damaged.push(message),
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
