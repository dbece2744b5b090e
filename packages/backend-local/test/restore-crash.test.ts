import { cp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArchiveEntry, KeyBackend, Realm, UnwrapRequest } from '@kms/core'
import { archiveOf, heldArchive } from '@kms/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Fault, type FileSystemFaults, installFileSystemFaults } from './fs-faults.ts'
import { expectWhole, fill, resealed, rootChangeOf, roots, storeJson, wrapUnder } from './rotations.ts'
import { type Scratch, scratchStore } from './scratch-store.ts'
import { copyStore } from './stores-of-history.ts'

let faults: FileSystemFaults
let template: Scratch
let realm: Realm
let entries: readonly ArchiveEntry[]
/** Opens with the archive restored, and only then. */
let archived: readonly UnwrapRequest[]
/** Opens either way. */
let kept: readonly UnwrapRequest[]

const none = { aliases: [], description: '', tags: new Map<string, string>() }

beforeAll(async () => {
  template = await scratchStore()
  const backend = await template.backend()
  archived = await fill(backend)
  realm = backend.realm
  entries = await archiveOf(backend)
  await backend.destroy('Orders', (await backend.describe('Orders')).etag)
  await backend.rotate('plain', (await backend.describe('plain')).etag)
  await backend.update('plain', { description: 'since' }, (await backend.describe('plain')).etag)
  await backend.create({ ...none, keyId: 'later', aliases: ['Legacy'] })
  kept = [await wrapUnder(backend, 'later'), await wrapUnder(backend, 'plain')]
  faults = await installFileSystemFaults()
})
afterAll(() => template.cleanup())

const BEFORE = ['later 1-1 Legacy ', 'plain 1-2  since']
// A destroyed key comes back with a version above; the alias that has another owner now stays there.
const AFTER = ['Orders 1-3 shop ', 'later 1-1 Legacy ', 'plain 1-2  ']

async function observe(backend: KeyBackend): Promise<readonly string[]> {
  const { keys, unreadable } = await backend.list({ limit: 10 })
  expect(unreadable).toEqual([])
  for (const each of kept) expect((await backend.unwrap(each)).toString()).toBe(`${each.keyId} ${each.version}`)
  const state = keys.map(
    ({ keyId, oldestVersion, currentVersion, aliases, description }) =>
      `${keyId} ${oldestVersion}-${currentVersion} ${aliases.join(',')} ${description}`,
  )
  if (state.length !== AFTER.length) return state
  for (const each of archived) expect((await backend.unwrap(each)).toString()).toBe(`${each.keyId} ${each.version}`)
  const fresh = await wrapUnder(backend, 'Orders')
  expect((await backend.unwrap(fresh)).toString()).toBe('Orders 3')
  expect((await backend.describe('shop')).keyId).toBe('Orders')
  expect((await backend.describe('Legacy')).keyId).toBe('later')
  return state
}

async function expectNoLitter(keyDir: string): Promise<void> {
  const names = await readdir(keyDir, { recursive: true })
  expect(names.filter((name) => /\.tmp-|^\.(?:lock|restore)/.test(name) && !name.startsWith('.lock.tmp-'))).toEqual([])
}

/** What a dead process kept; this one lives on, so what it holds does not look abandoned. */
async function bury(keyDir: string): Promise<void> {
  for (const name of await readdir(keyDir)) {
    if (/^\.(?:lock|reseal)/.test(name)) await rm(join(keyDir, name), { force: true })
    if (name.startsWith('.restore-')) await rm(join(keyDir, name, 'owner'), { force: true })
  }
}

/** Runs what meets a fault at a step. */
async function meet<T>(
  step: number,
  fault: Fault,
  work: () => Promise<T>,
): Promise<{ end: unknown; reached: boolean }> {
  return faults.live(async () => {
    faults.arm(step, fault)
    const end: unknown = await Promise.race([
      work().then(
        () => undefined,
        (error: unknown) => error,
      ),
      faults.stopped,
    ])
    const reached = faults.steps >= step
    faults.disarm()
    return { end, reached }
  })
}

const slow = process.env['SLOW'] === '1'
// A full disk is met at every third step, `SLOW=1` at every one: what an error leaves is less than what a stop leaves.
const FULL_DISK_STRIDE = slow ? 1 : 3

const overwriting = {
  conflict: 'overwrite',
  dryRun: false,
  seen: { memory: () => undefined, known: () => [] },
} as const

describe('a restore into a store', () => {
  async function prepared(): Promise<{ scratch: Scratch; backend: KeyBackend }> {
    const scratch = await scratchStore()
    await copyStore(template.keyDir, scratch.keyDir)
    return { scratch, backend: await scratch.backend() }
  }
  const restore = async (backend: KeyBackend): Promise<unknown> =>
    backend.restore?.(heldArchive(realm, entries), overwriting)

  it('stopped at any step took place or did not, as whoever opens the store next sees it', async () => {
    const outcomes: boolean[] = []
    for (let step = 1; ; step++) {
      const { scratch, backend } = await prepared()
      const { reached } = await meet(step, 'stop', () => restore(backend))
      await bury(scratch.keyDir)
      const next = await scratch.backend()
      const state = await observe(next)
      const happened = state.length === AFTER.length
      expect(state, `step ${step}`).toEqual(happened ? AFTER : BEFORE)
      if (!happened) await restore(next)
      expect(await observe(next)).toEqual(AFTER)
      await next.update('plain', {}, (await next.describe('plain')).etag)
      await expectNoLitter(scratch.keyDir)
      await scratch.cleanup()
      outcomes.push(happened)
      if (!reached) break
    }
    expect(outcomes.length).toBeGreaterThan(30)
    expect(outcomes.indexOf(true)).toBe(outcomes.lastIndexOf(false) + 1)
    expect(outcomes.indexOf(true)).toBeGreaterThan(10)
  })

  it('stopped at any step, is finished by the next write of a server that had the store open', async () => {
    for (let step = 1; ; step += 3) {
      const { scratch, backend } = await prepared()
      const other = await scratch.backend()
      const { reached } = await meet(step, 'stop', () => restore(backend))
      await bury(scratch.keyDir)
      // Whether the write itself comes too late or not.
      const { etag } = await other.describe('plain')
      await other.update('plain', {}, etag).catch((error: { code?: string }) => {
        expect(error.code).toBe('PreconditionFailed')
      })
      const state = await observe(other)
      expect(state, `step ${step}`).toEqual(state.length === AFTER.length ? AFTER : BEFORE)
      await expectNoLitter(scratch.keyDir)
      await scratch.cleanup()
      if (!reached) break
    }
  })

  it('on a disk that is full at any step changes nothing, or everything', async () => {
    let refused = 0
    for (let step = 1; ; step += FULL_DISK_STRIDE) {
      const { scratch, backend } = await prepared()
      const { end, reached } = await meet(step, 'no-space', () => restore(backend))
      if (end !== undefined) {
        refused++
        expect((end as { code?: string }).code).toMatch(/^(?:StorageFailed|BackendUnavailable)$/)
      }
      const next = await scratch.backend()
      const state = await observe(next)
      const begun = (end as { code?: string } | undefined)?.code === 'BackendUnavailable'
      expect(state, `step ${step}`).toEqual(end === undefined || begun ? AFTER : BEFORE)
      if (state.length !== AFTER.length) await restore(backend)
      expect(await observe(backend)).toEqual(AFTER)
      await backend.update('plain', {}, (await backend.describe('plain')).etag)
      await expectNoLitter(scratch.keyDir)
      await scratch.cleanup()
      if (!reached) break
    }
    expect(refused * FULL_DISK_STRIDE).toBeGreaterThan(20)
  })

  it('that meets a re-seal is whole under the new key, or is to be done again', async () => {
    const { scratch, backend } = await prepared()
    const source = heldArchive(realm, entries)
    let read = 0
    const meeting = {
      header: source.header,
      async *entries() {
        yield* source.entries()
        // After it was decided what to do, and while it is being prepared.
        if (++read === 4) {
          await backend.rotateRoot?.(rootChangeOf(scratch, roots['other raw'] as never), { reseal: true })
          await resealed(backend)
        }
      },
    }
    await expect(backend.restore?.(meeting, overwriting)).rejects.toMatchObject({ code: 'StoreChanged' })
    expect(await observe(backend)).toEqual(BEFORE)
    await restore(backend)
    const { current_kek, keks } = await storeJson(scratch.keyDir)
    expect(keks.map(({ id }) => id)).toEqual([current_kek])
    expect(await observe(await scratch.backend(roots['other raw']))).toEqual(AFTER)
    await expectNoLitter(scratch.keyDir)
    await scratch.cleanup()
  })
})

describe.each(['raw', 'generated'])('a restore into an empty place, under a %s root key', (kind) => {
  const restore = (scratch: Scratch): Promise<unknown> => scratch.restore(heldArchive(realm, entries), roots[kind])

  it('stopped at any step leaves an empty place, or the store', async () => {
    const outcomes: boolean[] = []
    for (let step = 1; ; step++) {
      const scratch = await scratchStore()
      const { reached } = await meet(step, 'stop', () => restore(scratch))
      if ((await readdir(scratch.root)).includes('keys-of-test')) await bury(scratch.keyDir)
      const happened = await scratch.open(roots[kind], { mayInitialise: false }).then(
        async ({ backend }) => {
          await backend.close()
          return true
        },
        (error: { code?: string }) => {
          expect(error.code, `step ${step}`).toBe('StoreNotInitialised')
          return false
        },
      )
      if (!happened) await restore(scratch)
      const backend = await scratch.backend(roots[kind])
      await expectWhole(backend, archived)
      expect(backend.realm).toBe(realm)
      await backend.update('plain', {}, (await backend.describe('plain')).etag)
      await expectNoLitter(scratch.keyDir)
      await scratch.cleanup()
      outcomes.push(happened)
      if (!reached) break
    }
    expect(outcomes.length).toBeGreaterThan(30)
    expect(outcomes.indexOf(true)).toBe(outcomes.lastIndexOf(false) + 1)
  })

  it('on a disk that is full at any step leaves an empty place, or the store', async () => {
    for (let step = 1; ; step += FULL_DISK_STRIDE) {
      const scratch = await scratchStore()
      const { end, reached } = await meet(step, 'no-space', () => restore(scratch))
      if (end !== undefined) {
        const there: readonly string[] = await readdir(scratch.keyDir).catch(() => [])
        if (!there.includes('store.json')) {
          // Another start may make another store of it: nothing is left that could be taken for one.
          await scratch.backend(roots[kind])
          await rm(scratch.keyDir, { recursive: true })
          await rm(scratch.rootKeyDir, { recursive: true, force: true })
          await restore(scratch)
        }
      }
      await expectWhole(await scratch.backend(roots[kind]), archived)
      await scratch.cleanup()
      if (!reached) break
    }
  })
})

it('a server that dies with a generated root key does not lose the one that is there', async () => {
  const scratch = await scratchStore()
  await scratch.restore(heldArchive(realm, entries), roots['generated'])
  const copy = join(scratch.root, 'root-keys-before')
  await cp(scratch.rootKeyDir, copy, { recursive: true })
  await rm(scratch.keyDir, { recursive: true })
  // The key directory is gone, its root key is not: what was copied of the old one opens still.
  await scratch.restore(heldArchive(realm, entries), roots['generated'])
  expect(await readdir(scratch.rootKeyDir)).toEqual(await readdir(copy))
  await expectWhole(await scratch.backend(roots['generated']), archived)
  await scratch.cleanup()
})
