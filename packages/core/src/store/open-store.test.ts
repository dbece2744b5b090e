import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { kmsError } from '../errors/kms-error.ts'
import {
  createManualClock,
  createMemoryBackend,
  createMemoryCanaryStore,
  type ManualClock,
  type MemoryBackend,
} from '../testing/index.ts'
import { createOpenStore, type OpenStore } from './open-store.ts'

let clock: ManualClock
let backend: MemoryBackend
let store: OpenStore
let warnings: string[]

beforeEach(async () => {
  clock = createManualClock(1)
  backend = createMemoryBackend({ clock, random: randomBytes })
  warnings = []
  store = createOpenStore({
    backend,
    canaries: await createMemoryCanaryStore().open(backend.realm),
    timeoutSeconds: 30,
    clock,
    random: randomBytes,
    onWarning: (message) => warnings.push(message),
  })
  for (const keyId of ['a', 'b']) {
    await backend.create({ keyId, aliases: [`${keyId}-alias`], description: '', tags: new Map() })
    await store.describe(keyId, false)
  }
})

const describes = (): number => backend.calls('describe')
const disable = async (keyId: string): Promise<void> => {
  await backend.update(keyId, { state: 'Disabled' }, (await backend.describe(keyId)).etag)
}

describe('a record', () => {
  it('is at most 5 s old, counted from when it was asked for', async () => {
    await store.describe('a', true)
    await disable('a')
    clock.advance(4999)
    expect((await store.describe('a', true)).state).toBe('Enabled')
    clock.advance(1)
    expect((await store.describe('a', true)).state).toBe('Disabled')
  })

  it('is asked for once by many, but not by those who come when the question is old', async () => {
    clock.advance(5000)
    const before = describes()
    backend.hang('describe')
    const early = Array.from({ length: 10 }, () => store.describe('a', true))
    clock.advance(4999)
    early.push(store.describe('a', true))
    expect(describes()).toBe(before + 1)
    clock.advance(1)
    const late = store.describe('a', true)
    expect(describes()).toBe(before + 2)
    backend.recover('describe')
    for (const each of [...early, late]) expect((await each).keyId).toBe('a')
  })

  it('is never kept where it is asked for uncached', async () => {
    const before = describes()
    for (let i = 0; i < 3; i++) await store.describe('a', false)
    await Promise.all([store.describe('a', false), store.describe('a', false)])
    expect(describes()).toBe(before + 5)
  })

  it('is forgotten by id under all its names, and by name', async () => {
    const names = ['a', 'a-alias', 'b', 'b-alias']
    const askedAfter = async (...forgotten: readonly string[]): Promise<number> => {
      for (const name of names) await store.describe(name, true)
      store.forget(...forgotten)
      const before = describes()
      for (const name of names) await store.describe(name, true)
      return describes() - before
    }
    expect(await askedAfter('a')).toBe(2)
    expect(await askedAfter('b-alias')).toBe(1)
    expect(await askedAfter('nobody')).toBe(0)
    expect(await askedAfter()).toBe(4)
  })

  it('that was on its way when it was forgotten is not kept', async () => {
    clock.advance(5000)
    backend.hang('describe')
    const running = store.describe('a', true)
    store.forget('a')
    backend.recover('describe')
    await running
    const before = describes()
    await store.describe('a', true)
    expect(describes()).toBe(before + 1)
  })
})

describe('a new version', () => {
  it('gets one canary, however many meet it at once', async () => {
    await backend.rotate('a', (await backend.describe('a')).etag)
    const before = backend.calls('wrap')
    await Promise.all(Array.from({ length: 10 }, () => store.describe('a', false)))
    expect(backend.calls('wrap')).toBe(before + 1)
    expect(store.canaries.memory('a')).toEqual({ highestVersion: 2, destroyed: false })
  })

  it('that can get none is told of, and tried again', async () => {
    await backend.rotate('a', (await backend.describe('a')).etag)
    backend.fail('wrap', kmsError('BackendUnavailable', { store: 's', reason: 'down' }))
    expect((await store.describe('a', false)).currentVersion).toBe(2)
    expect(warnings).toEqual([expect.stringContaining('down')])
    backend.recover('wrap')
    await store.describe('a', false)
    expect(store.canaries.memory('a')).toMatchObject({ highestVersion: 2 })
  })
})
