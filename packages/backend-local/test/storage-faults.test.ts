import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FileSystemFaults, installFileSystemFaults } from './fs-faults.ts'
import { history } from './history.ts'
import { type Scratch, scratchStore } from './scratch-store.ts'
import { copyStore, expectOldOrNew, type Snapshot, takeSnapshots } from './stores-of-history.ts'

const full = { code: 'StorageFailed', message: expect.stringContaining('no space is left on the device') }

let scratch: Scratch
let snapshots: readonly Snapshot[]
let faults: FileSystemFaults

beforeAll(async () => {
  scratch = await scratchStore()
  snapshots = await takeSnapshots(scratch)
  faults = await installFileSystemFaults()
})
afterAll(() => scratch.cleanup())

describe('a disk that is full at any step', () => {
  it.each(history.map(({ name, run }, index) => ({ name, run, index })))(
    'of $name: a coded error and nothing changed, or success and all of it',
    async ({ run, index }) => {
      const before = snapshots[index] as Snapshot
      let refused = 0
      for (let step = 1; ; step++) {
        const keyDir = join(scratch.root, `full-${index}-${step}`)
        await copyStore(before.path, keyDir)
        const backend = await scratch.backend({ key_dir: keyDir })
        faults.arm(step, 'no-space')
        const error: unknown = await run(backend).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        const reached = faults.steps >= step
        faults.disarm()
        if (error !== undefined) {
          refused++
          expect(error).toMatchObject(full)
        }
        expect(await expectOldOrNew(backend, before)).toBe(error === undefined)
        // This server goes on as if nothing had been, and another one sees the same.
        if (error !== undefined) await run(backend)
        expect(await expectOldOrNew(await scratch.backend({ key_dir: keyDir }), before)).toBe(true)
        if (!reached) break
      }
      expect(refused).toBeGreaterThan(3)
    },
  )

  it('of making a store: a coded error, and the next start makes it', async () => {
    for (const [kind, fields] of [
      ['raw', {}],
      ['generated', { master_key: undefined }],
    ] as const) {
      let refused = 0
      for (let step = 1; ; step++) {
        const place = { ...fields, key_dir: join(scratch.root, `unmade-${kind}-${step}`) }
        faults.arm(step, 'no-space')
        const error: unknown = await scratch.open(place).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        const reached = faults.steps >= step
        faults.disarm()
        if (error !== undefined) {
          refused++
          expect(error).toMatchObject(full)
        }
        const { backend } = await scratch.open(place)
        await backend.health()
        if (!reached) break
      }
      expect(refused).toBeGreaterThan(3)
    }
  })
})
