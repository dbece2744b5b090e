import { execFile } from 'node:child_process'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FileSystemFaults, installFileSystemFaults } from './fs-faults.ts'
import { history, statesAfter } from './history.ts'
import { type Scratch, scratchStore } from './scratch-store.ts'
import { copyStore, expectOldOrNew, type Snapshot, takeSnapshots } from './stores-of-history.ts'

/** Children at the same time. */
const WIDTH = 4

let scratch: Scratch
let child: string
let snapshots: readonly Snapshot[]

beforeAll(async () => {
  scratch = await scratchStore()
  child = join(scratch.root, 'child.mjs')
  await build({
    entryPoints: [join(import.meta.dirname, 'crash-child.ts')],
    outfile: child,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@kms/source'],
  })
  snapshots = await takeSnapshots(scratch)
})
afterAll(() => scratch.cleanup())

interface Death {
  readonly signal: string | null
  readonly lines: readonly string[]
}

interface Life {
  readonly keyDir: string
  readonly rootKey?: 'raw' | 'generated'
  readonly first: number
  readonly count: number
  /** The change of the file system to die at; 0: live. */
  readonly step: number
}

function runChild({ keyDir, rootKey = 'raw', first, count, step }: Life): Promise<Death> {
  return new Promise((resolve, reject) => {
    const args = [child, keyDir, scratch.rootKeyDir, rootKey, String(first), String(count), String(step)]
    execFile(process.execPath, args, (error, stdout, stderr) => {
      if (stderr !== '' || (error !== null && error.signal !== 'SIGKILL')) reject(error ?? new Error(stderr))
      else resolve({ signal: error?.signal ?? null, lines: stdout.trim().split('\n') })
    })
  })
}

/** Kills one child at each step, until one outlives it. Returns at how many steps one died. */
async function killAtEveryStep(attempt: (step: number) => Promise<Death>): Promise<number> {
  for (let step = 1; ; step += WIDTH) {
    const deaths = await Promise.all(Array.from({ length: WIDTH }, (_, i) => attempt(step + i)))
    const survivor = deaths.findIndex(({ signal }) => signal === null)
    if (survivor !== -1) return step + survivor - 1
    expect(deaths.map(({ signal }) => signal)).toEqual(deaths.map(() => 'SIGKILL'))
  }
}

const chapters = history.map(({ name }, index) => ({ name, index }))

// A process per step costs time: `SLOW=1` kills one at each step of everything. What the disk then holds is the same
// as when the calls of a process are stopped from within, which the tests below do at every step, always.
const slow = process.env['SLOW'] === '1'

describe('a process killed at any step', () => {
  it.each(chapters.filter(({ name }) => slow || name === 'rotate'))(
    'of $name leaves the old state or the new one, and the next server goes on',
    async ({ index }) => {
      const before = snapshots[index] as Snapshot
      const outcomes: boolean[] = []
      const deaths = await killAtEveryStep(async (step) => {
        const keyDir = join(scratch.root, `killed-${index}-${step}`)
        await copyStore(before.path, keyDir)
        const death = await runChild({ keyDir, first: index, count: 1, step })
        const happened = await expectRecovery(keyDir, before)
        // What the child reported as done is done.
        if (death.lines.length > 1) expect(happened).toBe(true)
        outcomes.push(happened)
        return death
      })
      expect(deaths).toBeGreaterThan(6)
      expect(new Set(outcomes)).toEqual(new Set([true, false]))
    },
    60_000,
  )

  it.each(slow ? (['raw', 'generated'] as const) : (['generated'] as const))(
    'of making a store with a %s root key leaves a directory that the next start accepts',
    async (rootKey) => {
      const deaths = await killAtEveryStep(async (step) => {
        const keyDir = join(scratch.root, `made-${step}-${rootKey}`)
        const death = await runChild({ keyDir, rootKey, first: 0, count: 0, step })
        const backend = await scratch.backend({
          key_dir: keyDir,
          ...(rootKey === 'raw' ? {} : { master_key: undefined }),
        })
        await create(backend, 'first')
        await expectNoLitter(keyDir)
        return death
      })
      expect(deaths).toBeGreaterThan(4)
    },
    60_000,
  )
})

describe('a process stopped at any step', () => {
  let faults: FileSystemFaults
  beforeAll(async () => {
    faults = await installFileSystemFaults()
  })

  it.each(chapters)('of $name leaves the old state or the new one, and the next server goes on', async ({ index }) => {
    const before = snapshots[index] as Snapshot
    const outcomes: boolean[] = []
    for (let step = 1; ; step++) {
      const keyDir = join(scratch.root, `stopped-${index}-${step}`)
      await copyStore(before.path, keyDir)
      const backend = await scratch.backend({ key_dir: keyDir })
      faults.arm(step, 'stop')
      const end = await Promise.race([history[index]?.run(backend), faults.stopped])
      faults.disarm()
      // The owner of its lock lives on: this process.
      await rm(join(keyDir, '.lock'), { force: true })
      outcomes.push(await expectRecovery(keyDir, before))
      if (end !== 'stopped') break
    }
    expect(outcomes.length).toBeGreaterThan(6)
    expect(outcomes.indexOf(true)).toBe(outcomes.lastIndexOf(false) + 1)
  })
})

describe('two processes that write to one store', () => {
  it('take turns: no write is lost', async () => {
    const keyDir = join(scratch.root, 'contended')
    await copyStore((snapshots[0] as Snapshot).path, keyDir)
    const backend = await scratch.backend({ key_dir: keyDir })
    const ours = Promise.all(Array.from({ length: 20 }, (_, i) => create(backend, `ours-${i}`)))
    const [theirs] = await Promise.all([runChild({ keyDir, first: 0, count: 6, step: 0 }), ours])
    expect(theirs.signal).toBeNull()
    const expected = [...Array.from({ length: 20 }, (_, i) => `ours-${i}`), 'Key', 'bystander'].sort()
    const { keys, unreadable } = await backend.list({ limit: 100 })
    expect(unreadable).toEqual([])
    expect(keys.map(({ keyId }) => keyId)).toEqual(expected)
    await expectNoLitter(keyDir)
  })
})

async function create(backend: Awaited<ReturnType<Scratch['backend']>>, keyId: string): Promise<void> {
  await backend.create({ keyId, aliases: [], description: '', tags: new Map() })
}

/** Opens what a dead process left, checks it, and does what it did not get to. Returns whether it had done it. */
async function expectRecovery(keyDir: string, before: Snapshot): Promise<boolean> {
  const backend = await scratch.backend({ key_dir: keyDir })
  const happened = await expectOldOrNew(backend, before)
  // Whichever it was, the store can be written to.
  if (happened) await backend.update('bystander', { description: '' }, (await backend.describe('bystander')).etag)
  else await history[before.chapters]?.run(backend)
  expect(await expectOldOrNew(backend, before)).toBe(true)
  await backend.close()
  await expectNoLitter(keyDir)
  await expectOnlyNamedVersions(keyDir, statesAfter[before.chapters + 1] as string)
  return happened
}

/** After a write went through, neither temporary files nor the lock of the dead process are left. */
async function expectNoLitter(keyDir: string): Promise<void> {
  const names = await readdir(keyDir, { recursive: true })
  expect(names.filter((name) => /\.tmp-|^\.lock/.test(name) && !name.startsWith('.lock.tmp-'))).toEqual([])
}

/** Neither an orphan of a rotation nor the material of a destroyed key is left. */
async function expectOnlyNamedVersions(keyDir: string, state: string): Promise<void> {
  const names = await readdir(join(keyDir, 'keys'), { recursive: true })
  const found = names.filter((name) => /^key~.*versions\/./.test(name)).map((name) => name.replace(/^.*\//, ''))
  const [, oldest, current] = /^versions (\d)-(\d)/.exec(state) ?? ['', '1', '0']
  const named = Array.from({ length: Number(current) - Number(oldest) + 1 }, (_, i) => `${Number(oldest) + i}.json`)
  expect(found.sort()).toEqual(named)
}
