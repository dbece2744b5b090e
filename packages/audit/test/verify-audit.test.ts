import { cp, mkdtemp, readdir, readFile, rename, rm, truncate, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuditFiles, createAuditKey, verifyAudit } from '../src/index.ts'
import { decrypted, seed } from './audit-fixture.ts'

let original: string
let head: string
const folders: string[] = []

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'kms-audit-verify-'))
  folders.push(made)
  return made
}

/** Two writers, the second after a crash of the first, each with several files. */
beforeAll(async () => {
  original = await folder()
  const key = createAuditKey(seed)
  const open = () =>
    createAuditFiles({
      directory: original,
      key,
      sync: 'never',
      whenFull: 'block',
      maxFileBytes: 1500,
      dataPercent: 100,
      onTrouble: (reason) => expect.fail(reason),
      onRecovered: () => {},
      onCheckpoint: (checkpoint) => {
        head = checkpoint.head
      },
    })
  for (let writer = 0; writer < 2; writer++) {
    const files = await open()
    for (let i = 0; i < 12; i++) await files.record([{ ...decrypted, requestId: `r-${writer}-${i} é` }])
    await files.close()
    if (writer === 0) {
      const last = (await readdir(original)).sort().at(-1) as string
      await truncate(join(original, last), (await readFile(join(original, last))).length - 10)
    }
  }
})
afterAll(async () => {
  for (const made of folders) await rm(made, { recursive: true, force: true })
})

async function copy(): Promise<string> {
  const made = await folder()
  await cp(original, made, { recursive: true })
  return made
}

const files = async (directory: string) => (await readdir(directory)).filter((name) => name.endsWith('.jsonl')).sort()

async function edit(directory: string, file: string, change: (lines: string[]) => string[]): Promise<void> {
  const path = join(directory, file)
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
  await writeFile(
    path,
    change(lines)
      .map((line) => `${line}\n`)
      .join(''),
  )
}

it('finds nothing in what writers left, whoever checks it', async () => {
  const { publicKey } = createAuditKey(seed)
  for (const options of [{}, { publicKeys: [publicKey] }, { expectHead: head }]) {
    const report = await verifyAudit(original, options)
    expect(report.problems).toEqual([])
    expect(report).toMatchObject({ sealed: true, fromTheBeginning: true, records: 24, head })
    expect(report.files).toBeGreaterThan(4)
  }
})

it('every change of a single byte, in any file, is found, and said where', { timeout: 120_000 }, async () => {
  const work = await copy()
  const names = await readdir(work)
  const contents = new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(work, name))] as const)),
  )
  const anyChange = fc
    .record({ name: fc.constantFrom(...names), at: fc.nat(), flip: fc.integer({ min: 1, max: 255 }) })
    .map(({ name, at, flip }) => ({ name, at: at % (contents.get(name)?.length ?? 1), flip }))
  const ends = names.flatMap((name) => {
    const { length } = contents.get(name) as Buffer
    return [
      [{ name, at: 0, flip: 1 }],
      [{ name, at: length - 1, flip: 1 }],
      [{ name, at: length - 2, flip: 0x20 }],
    ] as [{ name: string; at: number; flip: number }][]
  })
  await fc.assert(
    fc.asyncProperty(anyChange, async ({ name, at, flip }) => {
      const before = contents.get(name) as Buffer
      const changed = Buffer.from(before)
      changed.writeUInt8(changed.readUInt8(at) ^ flip, at)
      await writeFile(join(work, name), changed)
      const { problems } = await verifyAudit(work)
      await writeFile(join(work, name), before)
      const [problem] = problems
      expect(problem, `${name} byte ${at}`).toBeDefined()
      if (!name.endsWith('.jsonl')) return
      // In the line itself, or at the one after it, which may be the first of the next file.
      const line = before.subarray(0, at).filter((byte) => byte === 0x0a).length + 1
      const next = [...names].sort()[[...names].sort().indexOf(name) + 1]
      const here = problem?.file === name && [line, line + 1].includes(problem.line ?? 0)
      expect(here || problem?.line === 1, `${JSON.stringify(problem)} for line ${line}, next ${next}`).toBe(true)
    }),
    { numRuns: process.env['SLOW'] ? 5000 : 300, examples: ends },
  )
})

describe('what is found', () => {
  it.each<[string, (directory: string, names: string[]) => Promise<void>, string]>([
    ['a line removed', (d, [n = '']) => edit(d, n, (lines) => lines.toSpliced(2, 1)), 'does not follow'],
    ['the last line removed', (d, [n = '']) => edit(d, n, (lines) => lines.slice(0, -1)), 'does not follow'],
    [
      'lines swapped',
      (d, [n = '']) => edit(d, n, ([a = '', b = '', c = '', ...rest]) => [a, c, b, ...rest]),
      'does not follow',
    ],
    [
      'a line doubled',
      (d, [n = '']) => edit(d, n, ([a = '', b = '', ...rest]) => [a, b, b, ...rest]),
      'does not follow',
    ],
    ['a file removed', (d, [, n = '']) => unlink(join(d, n)), 'is missing'],
    ['a file emptied', (d, [, n = '']) => writeFile(join(d, n), ''), 'holds no line'],
    [
      'files swapped',
      async (d, [, a = '', b = '']) => {
        await rename(join(d, a), join(d, 'x'))
        await rename(join(d, b), join(d, a))
        await rename(join(d, 'x'), join(d, b))
      },
      'does not follow',
    ],
    [
      'a line spelled otherwise, its members the same',
      (d, names) => edit(d, names.at(-1) ?? '', (lines) => [...lines.slice(0, -1), `${lines.at(-1)} `]),
      'is not spelled',
    ],
    [
      'a name doubled in a line',
      (d, names) =>
        edit(d, names.at(-1) ?? '', (lines) => [...lines.slice(0, -1), `${lines.at(-1)?.slice(0, -1)},"seq":1}`]),
      'is not spelled',
    ],
    [
      'a piece moved aside and removed',
      async (d) => unlink(join(d, (await readdir(d)).find((name) => name.endsWith('.torn')) ?? '')),
      'is missing',
    ],
  ])('%s', async (_, change, reason) => {
    const work = await copy()
    await change(work, await files(work))
    const { problems } = await verifyAudit(work)
    expect(problems.map((problem) => problem.reason).join('\n')).toContain(reason)
  })

  it('what somebody without the key wrote anew from some line on', async () => {
    const work = await copy()
    const forged = await folder()
    const writer = await createAuditFiles({
      directory: forged,
      key: createAuditKey(Buffer.alloc(32, 8)),
      sync: 'never',
      whenFull: 'block',
      maxFileBytes: 1_000_000,
      dataPercent: 100,
      onTrouble: () => {},
      onRecovered: () => {},
      onCheckpoint: () => {},
    })
    await writer.record([decrypted])
    await writer.close()
    for (const name of await readdir(work)) await unlink(join(work, name))
    await cp(forged, work, { recursive: true })
    expect((await verifyAudit(work)).problems).toEqual([])
    const { publicKey } = createAuditKey(seed)
    expect((await verifyAudit(work, { publicKeys: [publicKey] })).problems[0]?.reason).toContain('none of those given')
    expect((await verifyAudit(work, { expectHead: head })).problems[0]?.reason).toContain('expected head')
  })

  it('an end that was cut off shows against a head kept elsewhere, and only so', async () => {
    const work = await copy()
    const names = await files(work)
    await unlink(join(work, names.at(-1) as string))
    expect((await verifyAudit(work)).problems).toEqual([])
    const { problems } = await verifyAudit(work, { expectHead: head })
    expect(problems).toMatchObject([{ file: names.at(-2), reason: expect.stringContaining('expected head') }])
  })
})

it('files whose beginning was put away elsewhere are judged from where they begin', async () => {
  const work = await copy()
  for (const name of (await files(work)).slice(0, 2)) await unlink(join(work, name))
  expect(await verifyAudit(work)).toMatchObject({ problems: [], fromTheBeginning: false })
})

it('an empty directory holds nothing that is wrong, and nonsense is refused', async () => {
  const empty = await folder()
  expect(await verifyAudit(empty)).toMatchObject({ problems: [], files: 0, head: undefined })
  await expect(verifyAudit(empty, { expectHead: 'x' })).rejects.toThrow(RangeError)
  await expect(verifyAudit(empty, { publicKeys: ['x'] })).rejects.toThrow(RangeError)
})
