import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KmsManager } from '@kms/core'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FileSystemFaults, installFileSystemFaults } from './fs-faults.ts'
import { type Act, acts, stateOf } from './rewire-acts.ts'
import { boot, decrypt, generate } from './service.ts'

const slow = process.env['SLOW'] === '1'

let root: string
/** The same path for every test: configurations name it. */
let home: string
let child: string
let faults: FileSystemFaults
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kms-rewire-'))
  home = join(root, 'home')
  child = join(root, 'child.mjs')
  await build({
    entryPoints: [join(import.meta.dirname, 'rewire-child.ts')],
    outfile: child,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@kms/source'],
  })
  faults = await installFileSystemFaults()
})
afterAll(() => rm(root, { recursive: true, force: true }))

type Issued = Awaited<ReturnType<typeof generate>>

/** A home as it is before an act, and what was wrapped in it. */
interface Stage {
  readonly kept: string
  readonly issued: readonly Issued[]
}

async function setStage(act: Act): Promise<Stage> {
  await rm(home, { recursive: true, force: true })
  const { manager } = await boot(home)
  await act.prepare(manager, home)
  const issued: Issued[] = []
  const { status } = manager.status()
  if (status === 'Running') issued.push(await generate(manager))
  expect(await stateOf(manager)).toBe(act.states[0])
  await manager.close()
  const kept = join(root, 'kept')
  await rm(kept, { recursive: true, force: true })
  await cp(home, kept, { recursive: true, preserveTimestamps: true })
  return { kept, issued }
}

async function resetStage({ kept }: Stage): Promise<void> {
  await rm(home, { recursive: true, force: true })
  await cp(kept, home, { recursive: true, preserveTimestamps: true })
}

async function removeLocks(): Promise<void> {
  for (const name of ['keys-a', 'keys-b', 'moved-a']) await rm(join(home, name, '.lock'), { force: true })
}

/** Boots what is left, finds it before the act or after, with everything wrapped opening, and does what was not done. */
async function expectBeforeOrAfter(act: Act, { issued }: Stage, done: boolean): Promise<boolean> {
  const { manager } = await boot(home)
  const state = await stateOf(manager)
  expect(act.states).toContain(state)
  const happened = state === act.states.at(-1)
  if (done) expect(happened).toBe(true)
  await expectAllOpen(act, manager, issued)
  if (!happened) await act.run(manager, home)
  expect(await stateOf(manager)).toBe(act.states.at(-1))
  await expectAllOpen(act, manager, issued)
  await manager.close()
  return happened
}

async function expectAllOpen(act: Act, manager: KmsManager, issued: readonly Issued[]): Promise<void> {
  const { status } = manager.status()
  if (status !== 'Running' || act.name === 'remove') return
  for (const { ciphertext, plaintext } of issued) {
    expect(await decrypt(manager, ciphertext)).toEqual(plaintext)
  }
  await generate(manager)
}

describe.each(acts)('$name', (act) => {
  it('that ends at any step leaves the state before or the one after, and the next server goes on', async () => {
    const stage = await setStage(act)
    const outcomes: boolean[] = []
    for (let step = 1; ; step++) {
      await resetStage(stage)
      const ended = await faults.live(async () => {
        const { manager, abandon } = await boot(home)
        faults.arm(step, 'stop')
        const end = await Promise.race([act.run(manager, home), faults.stopped])
        faults.disarm()
        // What waits for the step that was stopped waits for ever.
        await Promise.race([abandon(), new Promise(setImmediate)])
        return end !== 'stopped'
      })
      // The owner of its lock lives on: this process.
      await removeLocks()
      outcomes.push(await expectBeforeOrAfter(act, stage, ended))
      if (ended) break
    }
    expect(outcomes.length).toBeGreaterThan(4)
    // Once the document is on disk, it stays.
    expect(outcomes.indexOf(true)).toBe(outcomes.lastIndexOf(false) + 1)
  }, 60_000)

  it('that finds the disk full at any step leaves the state before, serving, or succeeds; and works once there is space', async () => {
    const stage = await setStage(act)
    for (let step = 1; ; step++) {
      await resetStage(stage)
      const { manager } = await boot(home)
      faults.arm(step, 'no-space')
      const refusal = await act.run(manager, home).then(
        () => undefined,
        (error: { code?: string }) => error,
      )
      const reached = faults.steps >= step
      faults.disarm()
      if (refusal !== undefined) {
        expect(refusal).toMatchObject({ code: expect.stringMatching(/^(?:StorageFailed|StoreUnwritable)$/) })
        // A start that failed says so; everything else is as it was, a change that waits to be confirmed included.
        expect([...act.states, 'Error, keys-a, 300, retired -']).toContain(await stateOf(manager))
      }
      await expectAllOpen(act, manager, stage.issued)
      if (refusal !== undefined && (await stateOf(manager)) !== act.states.at(-1)) await act.run(manager, home)
      expect(await stateOf(manager)).toBe(act.states.at(-1))
      await manager.close()
      const { manager: next } = await boot(home)
      expect(await stateOf(next)).toBe(act.states.at(-1))
      await expectAllOpen(act, next, stage.issued)
      await next.close()
      if (!reached) break
    }
  }, 60_000)
})

// A process per step costs time: `SLOW=1` kills one at each step of everything. What the disk then holds is the same as
// when the calls of a service are stopped from within, which the tests above do at every step, always.
describe('a process killed', () => {
  it.each(acts.filter(({ name }) => slow || name === 'reconfigure to another directory'))(
    'at any step of $name leaves the state before or the one after, and the next server goes on',
    async (act) => {
      const stage = await setStage(act)
      const outcomes: boolean[] = []
      for (let step = 1; ; step += slow ? 1 : 4) {
        await resetStage(stage)
        const { killed, done } = await runChild(act, step)
        outcomes.push(await expectBeforeOrAfter(act, stage, done))
        if (!killed) break
      }
      expect(outcomes.length).toBeGreaterThan(4)
      expect(outcomes.indexOf(true)).toBe(outcomes.lastIndexOf(false) + 1)
    },
    120_000,
  )
})

function runChild({ name }: Act, step: number): Promise<{ readonly killed: boolean; readonly done: boolean }> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [child, home, name, String(step)], (error, stdout, stderr) => {
      if (stderr !== '' || (error !== null && error.signal !== 'SIGKILL')) reject(error ?? new Error(stderr))
      else resolve({ killed: error !== null, done: stdout.includes('done') })
    })
  })
}
