import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { buildChild } from './build-child.ts'
import { type Scratch, scratchStore } from './scratch-store.ts'
import { checkStore, expectTidy, runWorkers } from './workers.ts'

let programs: Scratch
let scratch: Scratch
let worker: string
beforeAll(async () => {
  programs = await scratchStore()
  worker = await buildChild('worker-child', programs.root)
})
afterAll(() => programs.cleanup())
beforeEach(async () => {
  scratch = await scratchStore()
})
afterEach(() => scratch.cleanup())

describe('several servers on one directory', () => {
  it('keep each other from nothing but what their writes decide, and lose nothing that was acknowledged', async () => {
    const lines = await runWorkers({ scratch, worker, width: 3, writes: 30 })
    expect(lines.filter((line) => 'done' in line)).toHaveLength(3)
    await checkStore(scratch, lines)
  }, 60_000)

  it('that are killed in the middle of anything, and started again, neither', async () => {
    const lines = []
    for (let round = 0; round < 6; round++) {
      lines.push(...(await runWorkers({ scratch, worker, width: 3, writes: 1_000_000, killAfterMs: 150 + 60 * round })))
      await checkStore(scratch, lines)
    }
    await expectTidy(scratch)
    expect(lines.filter((line) => 'wrapped' in line).length).toBeGreaterThan(20)
  }, 60_000)

  it('that restore archives in the middle of it all, neither', async () => {
    const restores = true
    const lines = []
    for (let round = 0; round < 6; round++) {
      const killAfterMs = 150 + 80 * round
      lines.push(...(await runWorkers({ scratch, worker, width: 3, writes: 1_000_000, killAfterMs, restores })))
      await checkStore(scratch, lines, { restores })
    }
    lines.push(...(await runWorkers({ scratch, worker, width: 2, writes: 20, restores })))
    await checkStore(scratch, lines, { restores })
    await expectTidy(scratch)
    expect(lines.filter((line) => 'restored' in line).length).toBeGreaterThan(0)
  }, 60_000)
})
