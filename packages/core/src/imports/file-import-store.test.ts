import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createServerKey } from '../seal/server-key.ts'
import { createFileImportStore } from './file-import-store.ts'
import type { ImportStore, ImportTicket } from './import-store.ts'

const keys = { current: createServerKey(randomBytes(32)) }

let directory: string
let store: ImportStore
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kms-imports-'))
  store = await createFileImportStore({ directory, keys, random: randomBytes })
})
afterEach(() => rm(directory, { recursive: true }))

function ticket(keyName?: string): ImportTicket {
  const [id, realm] = [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')]
  const bound = keyName === undefined ? {} : { keyName }
  return { id, realm, expiresAt: 1_800_000_000_000, privateKey: randomBytes(64), ...bound }
}

const pathOf = ({ id }: ImportTicket): string => join(directory, `${id}.json`)

describe('an import token', () => {
  it.each([undefined, 'orders'])('is what was saved, for a key named %s', async (keyName) => {
    const saved = ticket(keyName)
    await store.save({ ...saved, privateKey: Buffer.from(saved.privateKey) }, 0)
    expect(await store.load(saved.id)).toEqual(saved)
  })

  it.each([undefined, 'orders'])(
    'with any byte changed, or cut anywhere, is none, for a key named %s',
    async (keyName) => {
      const saved = ticket(keyName)
      await store.save(saved, 0)
      const good = await readFile(pathOf(saved))
      for (let i = 0; i < good.length; i++) {
        const flipped = Buffer.from(good)
        flipped[i] = (flipped[i] ?? 0) ^ (1 << (i % 8))
        await writeFile(pathOf(saved), flipped)
        expect(await store.load(saved.id), `byte ${i}`).toBeUndefined()
        // Without its line feed it still says everything.
        await writeFile(pathOf(saved), good.subarray(0, i))
        if (i < good.length - 1) expect(await store.load(saved.id), `cut at ${i}`).toBeUndefined()
      }
    },
  )

  it('in the place of another is none', async () => {
    const [one, other] = [ticket(), ticket()]
    for (const each of [one, other]) await store.save(each, 0)
    await writeFile(pathOf(one), await readFile(pathOf(other)))
    expect(await store.load(one.id)).toBeUndefined()
    expect(await store.load(other.id)).toMatchObject({ id: other.id })
  })

  it('that was used is used, whatever became of the file that says so', async () => {
    const saved = ticket()
    await store.save(saved, 0)
    expect(await store.claim(saved)).toBe(true)
    const path = join(directory, `${saved.id}.used`)
    const good = await readFile(path)
    for (let i = 0; i < good.length; i++) {
      await writeFile(path, good.subarray(0, i))
      expect(await store.load(saved.id)).toBe('used')
      expect(await store.claim(saved)).toBe(false)
      await store.sweep(saved.expiresAt - 1)
      expect(await store.load(saved.id)).toBe('used')
    }
    await store.sweep(saved.expiresAt)
    expect(await readdir(directory)).toEqual([])
  })
})
