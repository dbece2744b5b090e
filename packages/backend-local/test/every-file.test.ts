import { readdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isKmsError, type KeyBackend, type UnwrapRequest } from '@kms/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Fields } from './document-of.ts'
import { expectWhole, fill, GENERATED, keksOnDisk, rootChangeOf, roots, storeJson, wrapUnder } from './rotations.ts'
import { expectRefusal, type Scratch, scratchStore } from './scratch-store.ts'

// Beside damage.test.ts: the files that are not of one key, and every file in the place of every other.
let scratch: Scratch
beforeEach(async () => {
  scratch = await scratchStore()
})
afterEach(() => scratch.cleanup())

/** Every byte flipped in one bit, and the file cut short here and there, and grown. */
function* damaged(good: Buffer): Generator<readonly [what: string, bytes: Buffer]> {
  for (let i = 0; i < good.length; i++) {
    const flipped = Buffer.from(good)
    flipped[i] = (flipped[i] ?? 0) ^ (1 << (i % 8))
    yield [`byte ${i} flipped`, flipped]
    if (i % 16 === 0 || i === good.length - 1) yield [`cut at ${i}`, good.subarray(0, i)]
  }
  yield ['grown', Buffer.concat([good, Buffer.of(0x0a)])]
}

async function expectShut(path: string, fields: Fields, codes: readonly string[]): Promise<void> {
  const good = await readFile(path)
  for (const [what, bytes] of damaged(good)) {
    await writeFile(path, bytes)
    const code = await scratch.open(fields).then(
      () => 'opened',
      (error: unknown) => (isKmsError(error) ? error.code : String(error)),
    )
    expect(codes, `${path}: ${what}`).toContain(code)
  }
  await writeFile(path, good)
}

/** A store whose re-seal was stopped when it had hardly begun. */
async function stopResealing(before: Fields, after: Fields): Promise<readonly UnwrapRequest[]> {
  const { backend } = await scratch.open(before)
  const sealed = await fill(backend)
  await backend.rotateRoot?.(rootChangeOf(scratch, after), { reseal: true })
  await backend.close()
  expect((await storeJson(scratch.keyDir)).keks).toHaveLength(2)
  return sealed
}

describe('every byte of', () => {
  it('a generated root key, changed, keeps the store shut', async () => {
    const { backend } = await scratch.open(GENERATED)
    const sealed = await fill(backend)
    await backend.close()
    const path = join(scratch.rootKeyDir, `${backend.realm}.key`)
    await expectShut(path, GENERATED, ['StoreDamaged', 'RootKeyMismatch'])
    await expectWhole((await scratch.open(GENERATED)).backend, sealed)
  })

  it.each([
    ['raw', 'other raw'],
    ['raw', 'generated'],
  ])(
    'store.json of a store that is being re-sealed, changed, keeps it shut: %s to %s',
    async (from, to) => {
      const sealed = await stopResealing(roots[from] as Fields, roots[to] as Fields)
      const codes = ['StoreDamaged', 'RootKeyMismatch', 'RootKeyMissing', 'NewerFormat', 'ValidationError']
      await expectShut(join(scratch.keyDir, 'store.json'), roots[to] as Fields, codes)
      const { backend } = await scratch.open(roots[to])
      await expectWhole(backend, sealed)
      await backend.close()
    },
    60_000,
  )
})

/** What every verb tells of a store, by name or envelope. */
async function outcomes(backend: KeyBackend, names: readonly string[], sealed: readonly UnwrapRequest[]) {
  const told = new Map<string, string>()
  const tell = async (name: string, work: Promise<string>): Promise<void> => {
    told.set(name, await work.catch((error: unknown) => (isKmsError(error) ? error.code : expect.fail(String(error)))))
  }
  for (const name of names)
    await tell(
      name,
      backend.describe(name).then(({ keyId, etag }) => `${keyId} ${etag}`),
    )
  for (const each of sealed) await tell(`${each.keyId} ${each.version}`, backend.unwrap(each).then(String))
  return told
}

describe('a file in the place of any other, or gone,', () => {
  const NAMES = ['Orders', 'plain', 'shop', 'Legacy', 'gone']

  async function files(): Promise<readonly string[]> {
    const keys = join(scratch.keyDir, 'keys')
    const found = await readdir(keys, { recursive: true, withFileTypes: true })
    return found.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name))
  }

  it('is noticed, and nothing that is not of it is affected', async () => {
    const sealed = await fill(await scratch.backend())
    const before = await outcomes(await scratch.backend(), NAMES, sealed)
    const paths = await files()
    // Records of two keys, of a destroyed one and of two aliases, and three versions.
    expect(paths).toHaveLength(8)
    const contents = new Map<string, Buffer>()
    for (const path of paths) contents.set(path, await readFile(path))
    for (const path of paths) {
      for (const other of [...paths, undefined]) {
        if (other === path) continue
        if (other === undefined) await unlink(path)
        else await writeFile(path, contents.get(other) as Buffer)
        const backend = await scratch.backend()
        const after = await outcomes(backend, NAMES, sealed)
        const differing = [...after].filter(([name, told]) => told !== before.get(name))
        const what = `${other ?? 'nothing'} as ${path}`
        expect(differing.length, what).toBeGreaterThan(0)
        // Nothing tells something else than it did: it tells nothing.
        const errors = new Set(differing.map(([, told]) => told))
        const expected = other === undefined ? ['KeyNotFound', 'KeyUnavailable'] : ['KeyUnavailable']
        for (const error of errors) expect(expected, what).toContain(error)
        await backend.close()
        await writeFile(path, contents.get(path) as Buffer, { mode: 0o600 })
      }
    }
    expect(await outcomes(await scratch.backend(), NAMES, sealed)).toEqual(before)
  })

  it('as it was before a re-seal is noticed', async () => {
    const { backend } = await scratch.open(roots['raw'])
    const sealed = await fill(backend)
    const paths = await files()
    const before = new Map<string, Buffer>()
    for (const path of paths) before.set(path, await readFile(path))
    await backend.rotateRoot?.(rootChangeOf(scratch, roots['other raw'] as Fields), { reseal: true })
    await expect.poll(() => backend.resealProgress?.running, { timeout: 20_000, interval: 5 }).toBe(false)
    await backend.close()
    expect((await keksOnDisk(scratch.keyDir)).size).toBe(1)
    for (const path of paths) {
      const good = await readFile(path)
      await writeFile(path, before.get(path) as Buffer)
      const again = await scratch.backend(roots['other raw'])
      const told = await outcomes(again, NAMES, sealed)
      expect([...told.values()], path).toContain('KeyUnavailable')
      await again.close()
      await writeFile(path, good)
    }
    await expectWhole(await scratch.backend(roots['other raw']), sealed)
  })

  it('of another store is noticed', async () => {
    const sealed = await fill(await scratch.backend())
    const other = await scratchStore()
    try {
      await fill(await other.backend())
      for (const path of await files()) {
        const good = await readFile(path)
        await writeFile(path, await readFile(path.replace(scratch.keyDir, other.keyDir)))
        const backend = await scratch.backend()
        expect([...(await outcomes(backend, NAMES, sealed)).values()], path).toContain('KeyUnavailable')
        await backend.close()
        await writeFile(path, good)
      }
    } finally {
      await other.cleanup()
    }
    const backend = await scratch.backend()
    await expectWhole(backend, sealed)
    await expectRefusal(backend.describe('nobody'), 'KeyNotFound')
    expect((await backend.unwrap(await wrapUnder(backend, 'plain'))).toString()).toBe('plain 1')
  })
})
