import fs, { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@kms/core'
import { createManualClock } from '@kms/core/testing'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fileStem } from './file-name.ts'
import { createNameIndex, type NameIndex } from './name-index.ts'

let directory: string
let index: NameIndex
let hashed: Map<string, string>
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kms-index-'))
  hashed = new Map()
  index = open()
})
afterEach(async () => {
  index.close()
  vi.restoreAllMocks()
  syncBuiltinESMExports()
  await rm(directory, { recursive: true })
})

function open(clock = systemClock): NameIndex {
  return createNameIndex({ directory, clock, nameOf: async (stem) => hashed.get(stem) ?? stem })
}

async function write(...names: readonly string[]): Promise<void> {
  const stems = names.map((name) => {
    const stem = fileStem(name)
    if (stem !== name) hashed.set(stem, name)
    return stem
  })
  await Promise.all(stems.map((stem) => writeFile(join(directory, `${stem}.json`), '')))
}

async function listed(after = ''): Promise<readonly string[]> {
  return [...(await index.after(after))]
}

/** Counts how often the directory is read from now on. */
function countReads(): () => number {
  const spy = vi.spyOn(fs, 'opendir')
  syncBuiltinESMExports()
  return () => spy.mock.calls.length
}

const many = Array.from({ length: 1200 }, (_, i) => `k${String(i).padStart(4, '0')}`)

describe('the index of names', () => {
  it('has them in the order of their bytes, from anywhere on, whatever they begin with', async () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,8}[A-Za-z0-9_])?$/)
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { maxLength: 30 }), name, async (names, after) => {
        await rm(directory, { recursive: true })
        await fs.mkdir(directory)
        await write(...names)
        const expected = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        expect(await listed()).toEqual(expected)
        expect(await listed(after)).toEqual(expected.filter((each) => each > after))
      }),
      { numRuns: 30 },
    )
  })

  it('comes to an end where files of others look like its own', async () => {
    await write('Key', 'b')
    await writeFile(join(directory, 'Key.json'), '')
    await writeFile(Buffer.concat([Buffer.from(directory), Buffer.from('/a\xfe.json', 'latin1')]), '')
    await writeFile(Buffer.concat([Buffer.from(directory), Buffer.from('/a\xff.json', 'latin1')]), '')
    expect(await listed()).toEqual(['Key', 'a\u{fffd}', 'b'])
  })

  it('sorts more than it does at once, with a long beginning in common', async () => {
    const names = Array.from({ length: 5000 }, (_, i) => `the-same-beginning-${(i * 7919) % 5000}`)
    await write(...names)
    expect(await listed()).toEqual([...names].sort())
  })

  it('leaves out what is no entry', async () => {
    await write('a')
    await writeFile(join(directory, '.tmp-b.json'), '')
    await fs.mkdir(join(directory, 'a.versions'))
    expect(await listed()).toEqual(['a'])
  })

  it('reads a large directory once for all pages, as long as nothing changes', async () => {
    await write(...many)
    const past = new Date(Date.now() - 60_000)
    await fs.utimes(directory, past, past)
    const reads = countReads()
    const found: string[] = []
    for (let last = ''; ; ) {
      const page = [...(await index.after(last))].slice(0, 10)
      if (page.length === 0) break
      found.push(...page)
      last = page.at(-1) as string
    }
    expect(found).toEqual(many)
    expect(reads()).toBe(1)
  })

  it('shows what another server made or removed at once, in a small directory', async () => {
    await write('a', 'c')
    expect(await listed()).toEqual(['a', 'c'])
    await write('b')
    expect(await listed()).toEqual(['a', 'b', 'c'])
    await unlink(join(directory, 'a.json'))
    expect(await listed()).toEqual(['b', 'c'])
  })

  it('shows it soon in a large one, and at once what this server wrote', async () => {
    await write(...many)
    await listed()
    await write('of-another')
    await write('own')
    index.add('own')
    expect(await listed('k9')).toContain('own')
    await expect.poll(() => listed('k9'), { timeout: 8000 }).toEqual(['of-another', 'own'])
  })

  it('does not read a large directory for every page while another server writes to it', async () => {
    await write(...many)
    await listed()
    const reads = countReads()
    for (let i = 0; i < 50; i++) {
      await write(`new${i}`)
      await listed()
    }
    expect(reads()).toBeLessThan(25)
  })

  it('does not lose what is written while it reads', async () => {
    await write(...many)
    const { opendir } = fs
    vi.spyOn(fs, 'opendir').mockImplementationOnce(async (...args) => {
      const opened = await opendir(...args)
      index.add('written-meanwhile')
      return opened
    })
    syncBuiltinESMExports()
    expect(await listed('k9')).toEqual(['written-meanwhile'])
  })

  it('is not what somebody read before the question was asked', async () => {
    await write('a')
    const early = listed()
    await write('b')
    expect(await listed()).toEqual(['a', 'b'])
    expect((await early)[0]).toBe('a')
  })

  it('goes when nobody asks for a minute', async () => {
    const clock = createManualClock(0)
    index.close()
    index = open(clock)
    await write(...many)
    const past = new Date(Date.now() - 60_000)
    await fs.utimes(directory, past, past)
    await listed()
    const reads = countReads()
    clock.advance(59_000)
    await listed()
    expect(reads()).toBe(0)
    clock.advance(60_000)
    await listed()
    expect(reads()).toBe(1)
  })
})
