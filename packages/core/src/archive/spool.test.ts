import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { kmsError } from '../errors/kms-error.ts'
import { createSpool, type Spool } from './spool.ts'

let folder: string
let directory: string
let spool: Spool
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kms-spool-'))
  directory = join(folder, 'spool')
  spool = createSpool(directory, randomBytes)
})
afterEach(() => rm(folder, { recursive: true }))

async function* sent(...parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part)
}

describe('a spool', () => {
  it('lends what was sent as a private file, and removes it', async () => {
    const read = await spool.withFile(sent('ab', '', 'c'), async (path) => {
      expect((await stat(path)).mode & 0o777).toBe(0o600)
      expect((await stat(directory)).mode & 0o777).toBe(0o700)
      return readFile(path, 'utf8')
    })
    expect(read).toBe('abc')
    expect(await readdir(directory)).toEqual([])
  })

  it('keeps nothing of what failed, and says why it did', async () => {
    const broken = kmsError('InvalidRequest', { reason: 'it ended' })
    async function* half(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a')
      throw broken
    }
    await expect(spool.withFile(half(), async () => {})).rejects.toBe(broken)
    await expect(
      spool.withFile(sent('a'), async () => {
        throw broken
      }),
    ).rejects.toBe(broken)
    expect(await readdir(directory)).toEqual([])
    await rm(directory, { recursive: true })
    await writeFile(directory, '')
    await expect(spool.withFile(sent('a'), async () => {})).rejects.toMatchObject({ code: 'StorageFailed' })
  })

  it('takes two at the same time', async () => {
    const both = await Promise.all(
      ['a', 'b'].map((text) => spool.withFile(sent(text), (path) => readFile(path, 'utf8'))),
    )
    expect(both).toEqual(['a', 'b'])
  })

  it('removes what a process that was killed left, and nothing else', async () => {
    await spool.clear()
    await mkdir(directory)
    await writeFile(join(directory, 'incoming-0123456789abcdef'), '')
    await writeFile(join(directory, 'incoming-mine'), '')
    await spool.clear()
    expect(await readdir(directory)).toEqual(['incoming-mine'])
  })
})
