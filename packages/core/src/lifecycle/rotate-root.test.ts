import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, dataKey, decrypt, type Harness } from '../../test/manager-harness.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { RootRotation } from '../keys/key-backend.ts'
import type { KmsManager } from '../manager/manager-types.ts'
import type { MemoryBackend } from '../testing/index.ts'

const FULL = kmsError('StorageFailed', { what: 'the configuration', reason: 'no space is left on the device' })
const REFUSED = kmsError('StoreUnwritable', { path: 'a', reason: 'it is read-only' })
const LATE = kmsError('BackendTimeout', { seconds: 30 })

let harness: Harness
let manager: KmsManager
let issued: Awaited<ReturnType<typeof dataKey>>
beforeEach(async () => {
  harness = await createHarness()
  manager = await harness.running({
    backend_type: 'memory',
    name: 'a',
    root_key: 'the first token',
    default_key_id: 'master',
  })
  issued = await dataKey(manager)
})
afterEach(() => harness.close())

function backendOf(): MemoryBackend {
  return harness.driver.opened.findLast(({ backend }) => !backend.closed)?.backend ?? expect.fail('nothing is open')
}

/** Something happens right after, or instead of, the change of the store. */
function replaceRotation(act: (real: () => Promise<RootRotation>) => Promise<RootRotation>): void {
  const backend = backendOf()
  const real = backend.rotateRoot?.bind(backend) ?? expect.fail('no rotateRoot')
  Object.assign(backend, { rotateRoot: (...args: Parameters<typeof real>) => act(() => real(...args)) })
}

/** A restart of the process, whatever state the one before was in. */
async function restart(): Promise<KmsManager> {
  harness.failSave = undefined
  manager = await harness.boot()
  return manager
}

async function expectServing(): Promise<void> {
  expect(manager.status().status).toBe('Running')
  expect((await decrypt(manager, issued.ciphertext)).plaintext).toEqual(issued.plaintext)
  await dataKey(manager)
}

const rotate = (request: unknown = { root_key: 'second' }) => manager.rotateRoot(request, caller)

describe('rotateRoot', () => {
  it('changes the root key of the store and the configuration, while the service runs', async () => {
    const before = manager.status().revision
    const report = await rotate()
    expect(report).toMatchObject({ outcome: 'root rotated', status: 'Running', notes: [] })
    expect(report.revision).toBeGreaterThan(before)
    expect(harness.store('a').rootKey).toBe('second')
    expect(harness.events.at(-1)).toMatchObject({ event: 'kms_root_rotated', caller, revision: report.revision })
    await expectServing()
    expect((await manager.start({ force: true }, caller)).outcome).toBe('restarted')
    await restart()
    await expectServing()
  })

  it('does not need the old root key any more: neither for a return to the store', async () => {
    await rotate()
    await manager.reconfigure({ name: 'b' }, caller)
    await manager.reconfigure({ name: 'a' }, caller)
    await expectServing()
    await restart()
    await expectServing()
  })

  it('takes one the backend makes when none is named', async () => {
    expect((await rotate({})).outcome).toBe('root rotated')
    expect(harness.store('a').rootKey).toBeUndefined()
    expect(manager.config()?.document).not.toHaveProperty('root_key')
    await restart()
    await expectServing()
  })

  it('stores nothing when the root key is named as before', async () => {
    const { revision } = manager.status()
    const report = await rotate({ root_key: 'the first token', reseal: true })
    expect(report).toMatchObject({ outcome: 'unchanged', reseal: { done: 1, total: 1, left: 0, running: false } })
    expect(manager.status().revision).toBe(revision)
  })

  it('tells how far a re-seal is, and changes nothing, on a dry run', async () => {
    const { revision } = manager.status()
    const report = await manager.rotateRoot({ root_key: 'second' }, caller, { dryRun: true })
    expect(report).toMatchObject({ outcome: 'unchanged', revision })
    expect(harness.store('a').rootKey).toBe('the first token')
    await expect(manager.rotateRoot({ rootkey: 'x' }, caller, { dryRun: true })).rejects.toMatchObject({
      code: 'ValidationError',
    })
  })

  it.each<[string, unknown, string]>([
    ['no object', 'second', 'body: must be a JSON object'],
    [
      'a field it does not know',
      { root_keys: 'x' },
      'root_keys: is not a field of this call; did you mean "root_key"?',
    ],
    ['a field that is not of the root key', { name: 'b' }, 'name: is not a field of this call'],
    ['a blank root key', { root_key: ' ' }, 'root_key: must be the new root key'],
    ['a redacted root key', { root_key: '***' }, 'root_key: must be the new root key'],
    ['one that is no text', { root_key: 7 }, 'root_key'],
    ['a reseal that is neither true nor false', { reseal: 'yes' }, 'reseal: must be true or false'],
  ])('refuses %s, and changes nothing', async (_, request, message) => {
    const { revision } = manager.status()
    await expect(rotate(request)).rejects.toMatchObject({
      code: 'ValidationError',
      message: expect.stringContaining(message),
    })
    expect(manager.status().revision).toBe(revision)
    expect(harness.store('a').rootKey).toBe('the first token')
  })

  it('needs a running service, and a backend with a root key', async () => {
    await manager.stop(caller)
    await expect(rotate()).rejects.toMatchObject({ code: 'NotRunning' })
    await manager.start({ force: false }, caller)
    Object.assign(backendOf(), { rotateRoot: undefined })
    await expect(rotate()).rejects.toMatchObject({
      code: 'UnsupportedCapability',
      message: expect.stringContaining('memory'),
    })
    await expectServing()
  })
})

describe('a change of the root key that fails', () => {
  it('before anything was stored, changes nothing', async () => {
    harness.failSave = FULL
    await expect(rotate()).rejects.toBe(FULL)
    expect(backendOf().calls('rotateRoot')).toBe(0)
    await expectServing()
    await restart()
    await expectServing()
    expect((await rotate()).outcome).toBe('root rotated')
  })

  it('at the store, which refuses it, keeps the old one, and forgets the new one', async () => {
    backendOf().fail('rotateRoot', REFUSED)
    await expect(rotate()).rejects.toBe(REFUSED)
    await expectServing()
    expect(JSON.stringify(await storedStores())).not.toContain('changed_root')
    await restart()
    await expectServing()
  })

  it('at the store, when the new one cannot be forgotten either, keeps the old one', async () => {
    replaceRotation(async () => {
      harness.failSave = FULL
      throw REFUSED
    })
    await expect(rotate()).rejects.toBe(REFUSED)
    await expectServing()
    await restart()
    await expectServing()
    expect(JSON.stringify(await storedStores())).not.toContain('changed_root')
  })

  it.each([
    ['and it took place', true],
    ['and it did not', false],
  ])('without an answer, %s: the next start finds out', async (_, happened) => {
    replaceRotation(async (real) => {
      if (happened) await real()
      throw LATE
    })
    await expect(rotate()).rejects.toBe(LATE)
    await expectServing()
    await restart()
    await expectServing()
    expect(JSON.stringify(await storedStores())).not.toContain('changed_root')
    // Neither is the change repeated nor the way to it blocked.
    expect((await rotate({ root_key: 'third' })).outcome).toBe('root rotated')
    await restart()
    await expectServing()
  })

  it('to be stored in the end, has taken place: it is said so, and the next start makes up for it', async () => {
    replaceRotation(async (real) => {
      const rotated = await real()
      harness.failSave = FULL
      return rotated
    })
    const report = await rotate()
    expect(report.outcome).toBe('root rotated')
    expect(report.notes.join()).toContain('no space is left on the device')
    await expectServing()
    await restart()
    await expectServing()
    expect(JSON.stringify(await storedStores())).not.toContain('changed_root')
  })

  it('to be stored in the end, does not stand in the way of other changes', async () => {
    replaceRotation(async (real) => {
      const rotated = await real()
      harness.failSave = FULL
      return rotated
    })
    await rotate()
    harness.failSave = undefined
    await expect(manager.reconfigure({ root_key: 'wrong' }, caller)).rejects.toMatchObject({ code: 'RootKeyMismatch' })
    await manager.reconfigure({ timeout_seconds: 20 }, caller)
    await expectServing()
    expect(JSON.stringify(await storedStores())).not.toContain('changed_root')
    await restart()
    await expectServing()
  })

  it('to be stored in the end, is found when the store is needed as a retired one', async () => {
    replaceRotation(async (real) => {
      const rotated = await real()
      harness.failSave = FULL
      return rotated
    })
    await rotate()
    harness.failSave = undefined
    await manager.reconfigure({ name: 'b' }, caller)
    await restart()
    await expectServing()
  })

  it.each([
    ['before the store was changed', false],
    ['after the store was changed', true],
  ])('by the death of the process, %s, leaves a service that starts', async (_, happened) => {
    let die = (): void => {}
    const reached = new Promise<void>((resolve) => {
      replaceRotation(async (real) => {
        if (happened) await real()
        resolve()
        return new Promise((__, reject) => {
          die = () => reject(new Error('the process is gone'))
        })
      })
    })
    const dead = manager.rotateRoot({ root_key: 'second' }, caller).catch(anyone)
    await reached
    await restart()
    await expectServing()
    expect(harness.store('a').rootKey).toBe(happened ? 'second' : 'the first token')
    expect(JSON.stringify(await storedStores())).not.toContain('changed_root')
    die()
    await dead
  })
})

describe('what is stored while the root key is changed', () => {
  it('shows neither the old nor the new one', async () => {
    let during = ''
    replaceRotation(async (real) => {
      during = await stateText()
      return real()
    })
    await rotate({ root_key: 'a very secret new token' })
    expect(during).toContain('changed_root')
    for (const text of [during, await stateText(), JSON.stringify(manager.config())]) {
      expect(text).not.toContain('a very secret new token')
      expect(text).not.toContain('the first token')
    }
  })
})

async function stateText(): Promise<string> {
  return readFile(join(harness.directory, 'state.json'), 'utf8')
}

async function storedStores(): Promise<unknown> {
  return (JSON.parse((await stateText()).split('\n')[0] ?? '') as { stores: unknown }).stores
}
