import { cp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyBackend, OpenedBackend, UnwrapRequest } from '@kms/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fields } from './document-of.ts'
import { type Fault, type FileSystemFaults, installFileSystemFaults } from './fs-faults.ts'
import { expectWhole, fill, GENERATED, keksOnDisk, resealed, rootChangeOf, roots, storeJson } from './rotations.ts'
import { type Scratch, scratchStore } from './scratch-store.ts'
import { copyStore } from './stores-of-history.ts'

const changes = [
  ['raw', 'other raw'],
  ['raw', 'generated'],
  ['generated', 'raw'],
  ['generated', 'generated'],
] as const

interface Template {
  readonly scratch: Scratch
  readonly sealed: readonly UnwrapRequest[]
}

const templates = new Map<string, Template>()
let faults: FileSystemFaults

beforeAll(async () => {
  for (const kind of ['raw', 'generated']) {
    const scratch = await scratchStore()
    templates.set(kind, { scratch, sealed: await fill(await scratch.backend(roots[kind])) })
  }
  faults = await installFileSystemFaults()
})
afterAll(async () => {
  for (const { scratch } of templates.values()) await scratch.cleanup()
})

/** One change of the root key that meets a fault at a step. */
interface Attempt {
  readonly scratch: Scratch
  readonly sealed: readonly UnwrapRequest[]
  readonly backend: KeyBackend
  /** How the change ended: with an error, `stopped`, or not at all badly. */
  readonly end: unknown
  /** Whether there was such a step. */
  readonly reached: boolean
}

async function attempt(from: string, to: string, reseal: boolean, step: number, fault: Fault): Promise<Attempt> {
  const { scratch: template, sealed } = templates.get(from) as Template
  const scratch = await scratchStore()
  await copyStore(template.keyDir, scratch.keyDir)
  if (from === 'generated') await cp(template.rootKeyDir, scratch.rootKeyDir, { recursive: true })
  return faults.live(async () => {
    const backend = await scratch.backend(roots[from])
    faults.arm(step, fault)
    const change = async (): Promise<unknown> => {
      const rotated = await backend.rotateRoot?.(rootChangeOf(scratch, roots[to] as Fields), { reseal })
      if (reseal) await resealed(backend)
      return rotated?.changed === true ? undefined : 'unchanged'
    }
    const end: unknown = await Promise.race([change().catch((error: unknown) => error), faults.stopped])
    const reached = faults.steps >= step
    faults.disarm()
    return { scratch, sealed, backend, end, reached }
  })
}

/** Opens the store as the next start does, which does not know how far the change came; returns whether it took place. */
async function openEither(scratch: Scratch, from: string, to: string): Promise<OpenedBackend> {
  return scratch.open(roots[from], { changedRoot: rootChangeOf(scratch, roots[to] as Fields), mayInitialise: false })
}

/** What a dead process kept; this one lives on, so its locks do not look abandoned. */
async function removeLocks(keyDir: string): Promise<void> {
  for (const name of await readdir(keyDir)) {
    if (/^\.(?:lock|reseal)/.test(name)) await rm(join(keyDir, name), { force: true })
  }
}

describe.each(changes)('a change from a %s root key to a %s one', (from, to) => {
  it('stopped at any step leaves a store that the next start opens, with the old one or the new one', async () => {
    const outcomes: boolean[] = []
    for (let step = 1; ; step++) {
      const { scratch, sealed, reached } = await attempt(from, to, false, step, 'stop')
      await removeLocks(scratch.keyDir)
      const { backend, rootChanged } = await openEither(scratch, from, to)
      const happened = from === to ? step > 1 : rootChanged === true
      await expectWhole(backend, sealed)
      // From here on what named the other one is not needed.
      await backend.close()
      await expectWhole(await scratch.backend(roots[happened ? to : from]), sealed)
      // And the change can be made.
      const again = await scratch.backend(roots[happened ? to : from])
      await again.rotateRoot?.(rootChangeOf(scratch, roots['third raw'] as Fields), { reseal: false })
      await expectWhole(await scratch.backend(roots['third raw']), sealed)
      expect(await readdir(scratch.rootKeyDir).catch(() => [])).toEqual([])
      await scratch.cleanup()
      outcomes.push(happened)
      if (!reached) break
    }
    expect(outcomes.length).toBeGreaterThan(6)
    expect(new Set(outcomes)).toEqual(new Set([true, false]))
    expect(outcomes.indexOf(true)).toBe(outcomes.lastIndexOf(false) + 1)
  })

  it('on a disk that is full at any step changes nothing, or everything', async () => {
    let refused = 0
    for (let step = 1; ; step++) {
      const { scratch, sealed, backend, end, reached } = await attempt(from, to, false, step, 'no-space')
      await expectWhole(backend, sealed)
      if (end !== undefined) {
        refused++
        expect(end).toMatchObject({ code: 'StorageFailed' })
        if (from !== to) await expectWhole(await scratch.backend(roots[from]), sealed)
        await backend.rotateRoot?.(rootChangeOf(scratch, roots[to] as Fields), { reseal: false })
      }
      await expectWhole(await scratch.backend(roots[to]), sealed)
      await scratch.cleanup()
      if (!reached) break
    }
    expect(refused).toBeGreaterThan(3)
  })
})

describe('a re-seal', () => {
  it('stopped at any step goes on in the next server, and nothing is lost', async () => {
    for (let step = 1; ; step++) {
      const { scratch, sealed, reached } = await attempt('raw', 'other raw', true, step, 'stop')
      await removeLocks(scratch.keyDir)
      const { backend, rootChanged } = await openEither(scratch, 'raw', 'other raw')
      await expectWhole(backend, sealed)
      // As the next start does after a while; or the change itself, if it did not take place.
      await backend.rotateRoot?.(rootChangeOf(scratch, roots['other raw'] as Fields), { reseal: true })
      if ((await storeJson(scratch.keyDir)).keks.length > 1) await resealed(backend)
      await expectWhole(backend, sealed)
      await backend.close()
      await expectSealedAnew(scratch, sealed)
      expect(rootChanged === true || step < 10, `step ${step}`).toBe(true)
      await scratch.cleanup()
      if (!reached) break
      expect(step).toBeLessThan(200)
    }
  })

  it('on a disk that is full at any step is interrupted, and ends when it is called for again', async () => {
    for (let step = 1; ; step++) {
      const { scratch, sealed, backend, reached } = await attempt('raw', 'other raw', true, step, 'no-space')
      await expectWhole(backend, sealed)
      await backend.rotateRoot?.(rootChangeOf(scratch, roots['other raw'] as Fields), { reseal: true })
      await resealed(backend)
      await backend.close()
      await expectSealedAnew(scratch, sealed)
      await scratch.cleanup()
      if (!reached) break
      expect(step).toBeLessThan(200)
    }
  })

  async function expectSealedAnew({ keyDir, backend }: Scratch, sealed: readonly UnwrapRequest[]): Promise<void> {
    const { current_kek, keks } = await storeJson(keyDir)
    expect(keks.map(({ id }) => id)).toEqual([current_kek])
    expect(await keksOnDisk(keyDir)).toEqual(new Set([current_kek]))
    const names = await readdir(keyDir, { recursive: true })
    // What a lock is linked from belongs to a process that lives: this one.
    expect(names.filter((name) => /\.tmp-|^\.(?:lock|reseal)/.test(name) && !/^\.\w+\.tmp-/.test(name))).toEqual([])
    await expectWhole(await backend(roots['other raw']), sealed)
  }
})

it('a generated root key that lost its place between two starts is found again', async () => {
  const { scratch, sealed } = await attempt('generated', 'generated', false, 0, 'stop')
  const [file = ''] = await readdir(scratch.rootKeyDir)
  await rename(join(scratch.rootKeyDir, file), join(scratch.rootKeyDir, file.replace('.key', '.next.key')))
  const backend = await scratch.backend(GENERATED)
  await expectWhole(backend, sealed)
  await backend.close()
  expect(await readdir(scratch.rootKeyDir)).toEqual([file])
  await scratch.cleanup()
})
