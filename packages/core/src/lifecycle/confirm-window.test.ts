import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { caller, createHarness, dataKey, decrypt, type Harness, local } from '../../test/manager-harness.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { KmsManager } from '../manager/manager-types.ts'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

const nameOf = (manager: KmsManager): unknown => manager.config()?.document['name']

/** A change from store `a` to store `b` that wants to be confirmed within a minute. */
async function unconfirmed(config: object = local): Promise<KmsManager> {
  const manager = await harness.running(config)
  await manager.reconfigure({ name: 'b' }, caller, { confirmWithinSeconds: 60 })
  expect(nameOf(manager)).toBe('b')
  return manager
}

describe('a change that asks to be confirmed', () => {
  it('stays when it is confirmed in time, across restarts', async () => {
    const manager = await unconfirmed()
    await harness.pass(59)
    const { revision } = manager.status()
    expect(await manager.confirm(caller)).toMatchObject({
      outcome: 'confirmed',
      status: 'Running',
      revision: revision + 1,
    })
    await harness.pass(10)
    expect(nameOf(manager)).toBe('b')
    const after = await harness.boot()
    await harness.pass(100)
    expect(nameOf(after)).toBe('b')
    await expect(after.confirm(caller)).rejects.toMatchObject({ code: 'NothingToConfirm' })
  })

  it('is taken back when it is not, as a new revision; what served meanwhile is retired, and everything opens', async () => {
    const manager = await harness.running()
    const before = await dataKey(manager)
    await manager.reconfigure({ name: 'b' }, caller, { confirmWithinSeconds: 60 })
    const between = await dataKey(manager)
    const { revision } = manager.status()
    await harness.pass(59)
    expect(nameOf(manager)).toBe('b')
    await harness.pass(2)
    await expect.poll(() => nameOf(manager)).toBe('a')
    expect(manager.status()).toMatchObject({ status: 'Running', revision: revision + 1 })
    expect(manager.status().retiredBackends).toEqual([harness.store('b').realm])
    for (const { ciphertext, plaintext } of [before, between]) {
      expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
    }
    expect((await manager.history())[0]).toMatchObject({ outcome: 'reverted', principal: 'system' })
    expect(harness.events.at(-1)).toMatchObject({ event: 'kms_reverted', caller: { principal: 'system' } })
  })

  it('is taken back after a restart, in time or late', async () => {
    await unconfirmed()
    const early = await harness.boot()
    expect(nameOf(early)).toBe('b')
    await harness.pass(61)
    await expect.poll(() => nameOf(early)).toBe('a')

    await early.reconfigure({ name: 'c' }, caller, { confirmWithinSeconds: 60 })
    harness.clock.advance(3_600_000)
    const late = await harness.boot()
    expect(late.status()).toMatchObject({ status: 'Running', config: { name: 'a' } })
  })

  it('is taken back where nothing could be started with it', async () => {
    await unconfirmed()
    harness.store('b').faults.fail('open', kmsError('BackendUnavailable', { store: 'b', reason: 'down' }))
    harness.clock.advance(60_000)
    const manager = await harness.boot()
    expect(manager.status()).toMatchObject({ status: 'Running', config: { name: 'a' } })
    await dataKey(manager)
  })

  it('is taken back where the service was stopped meanwhile, and it stays stopped', async () => {
    const manager = await unconfirmed()
    await manager.stop(caller)
    await harness.pass(61)
    await expect.poll(() => nameOf(manager)).toBe('a')
    expect(manager.status().status).toBe('Configured')

    await manager.start({ force: false }, caller)
    await manager.reconfigure({ name: 'b' }, caller, { confirmWithinSeconds: 60 })
    await manager.stop(caller)
    harness.clock.advance(60_000)
    expect((await harness.boot()).status()).toMatchObject({ status: 'Configured', config: { name: 'a' } })
  })

  it('serves on while what it is taken back to cannot be reached, and is taken back as soon as it can', async () => {
    const manager = await unconfirmed()
    harness.store('a').faults.fail('open', kmsError('BackendUnavailable', { store: 'a', reason: 'down' }))
    await harness.pass(90)
    expect(manager.status()).toMatchObject({ status: 'Running', config: { name: 'b' } })
    expect(manager.status().lastError).toMatch(/not confirmed in time .*down/)
    await dataKey(manager)
    await expect(manager.confirm(caller)).rejects.toMatchObject({
      code: 'NothingToConfirm',
      message: expect.stringContaining('ran out'),
    })
    harness.store('a').faults.recover('open')
    await harness.pass(31)
    await expect.poll(() => nameOf(manager)).toBe('a')
    expect(manager.status().lastError).toBeUndefined()
  })

  it('cannot be confirmed at the moment its time runs out', async () => {
    const manager = await unconfirmed()
    harness.failSave = kmsError('StorageFailed', { what: 'it', reason: 'no space is left on the device' })
    await harness.pass(60)
    harness.failSave = undefined
    await expect(manager.confirm(caller)).rejects.toMatchObject({ code: 'NothingToConfirm' })
    await harness.pass(31)
    await expect.poll(() => nameOf(manager)).toBe('a')
  })

  it('stays unconfirmed when that cannot be stored', async () => {
    const manager = await unconfirmed()
    harness.failSave = kmsError('StorageFailed', { what: 'it', reason: 'no space is left on the device' })
    await expect(manager.confirm(caller)).rejects.toMatchObject({ code: 'StorageFailed' })
    harness.failSave = undefined
    await manager.confirm(caller)
  })

  it('keeps the root key that was changed meanwhile', async () => {
    const manager = await harness.running({ ...local, root_key: 'old root' })
    await manager.reconfigure({ cache_ttl_seconds: 5 }, caller, { confirmWithinSeconds: 60 })
    // As changing the root key does: the store, and the configuration in place.
    harness.store('a').rootKey = 'new root'
    await manager.reconfigure({ root_key: 'new root' }, caller, { confirmWithinSeconds: 60 })
    await harness.pass(61)
    await expect.poll(() => manager.config()?.document.cache_ttl_seconds).toBe(300)
    expect(manager.status().status).toBe('Running')
  })
})

describe('another change while one waits to be confirmed', () => {
  it('counts as the answer: nothing is taken back', async () => {
    const manager = await unconfirmed()
    await manager.reconfigure({ cache_ttl_seconds: 5 }, caller)
    await harness.pass(120)
    expect(manager.config()?.document).toMatchObject({ name: 'b', cache_ttl_seconds: 5 })
    await expect(manager.confirm(caller)).rejects.toMatchObject({ code: 'NothingToConfirm' })
  })

  it('that asks to be confirmed itself begins the time anew, and both are taken back together', async () => {
    const manager = await unconfirmed()
    await harness.pass(50)
    await manager.reconfigure({ cache_ttl_seconds: 5 }, caller, { confirmWithinSeconds: 60 })
    await harness.pass(59)
    expect(manager.config()?.document).toMatchObject({ name: 'b', cache_ttl_seconds: 5 })
    await harness.pass(2)
    await expect.poll(() => nameOf(manager)).toBe('a')
    expect(manager.config()?.document.cache_ttl_seconds).toBe(300)
  })

  it('that is a rollback or a configure counts too', async () => {
    const manager = await unconfirmed()
    await manager.rollback({ revision: 1 }, caller)
    const { revision } = manager.status()
    await harness.pass(120)
    expect(manager.status()).toMatchObject({ revision, config: { name: 'a' } })

    await manager.reconfigure({ name: 'b' }, caller, { confirmWithinSeconds: 60 })
    await manager.stop(caller)
    await manager.configure({ ...local, name: 'c' }, caller)
    await harness.pass(120)
    expect(manager.status()).toMatchObject({ status: 'Configured', config: { name: 'c' } })
  })

  it('that is refused, changes nothing, starts or stops is no answer', async () => {
    const manager = await unconfirmed()
    await expect(manager.reconfigure({ timeout_seconds: 0 }, caller)).rejects.toMatchObject({ code: 'ValidationError' })
    expect(await manager.reconfigure({ name: 'b' }, caller)).toMatchObject({ outcome: 'unchanged' })
    await manager.start({ force: true }, caller)
    await manager.stop(caller)
    await manager.start({ force: false }, caller)
    await harness.pass(61)
    await expect.poll(() => nameOf(manager)).toBe('a')
  })
})

describe('confirm_within', () => {
  it.each([0, -1, 86_401, 1.5, Number.NaN])('%d is refused, and nothing is changed', async (confirmWithinSeconds) => {
    const manager = await harness.running()
    const { revision } = manager.status()
    await expect(manager.reconfigure({ name: 'b' }, caller, { confirmWithinSeconds })).rejects.toMatchObject({
      code: 'ValidationError',
      message: expect.stringMatching(/^confirm_within: .*1 to 86400/),
    })
    expect(manager.status()).toMatchObject({ revision, config: { name: 'a' } })
  })

  it.each([1, 86_400])('%d is taken', async (confirmWithinSeconds) => {
    const manager = await harness.running()
    await manager.reconfigure({ name: 'b' }, caller, { confirmWithinSeconds })
    harness.clock.advance(confirmWithinSeconds * 1000 - 1)
    expect(await manager.confirm(caller)).toMatchObject({ outcome: 'confirmed' })
  })

  it('needs something to go back to', async () => {
    const manager = await harness.boot()
    await expect(manager.reconfigure(local, caller, { confirmWithinSeconds: 60 })).rejects.toMatchObject({
      code: 'NoConfiguration',
    })
    expect(manager.status()).toMatchObject({ status: 'NotConfigured', revision: 0 })
  })

  it('on a change that changes nothing waits for nothing', async () => {
    const manager = await harness.running()
    await manager.reconfigure({ name: 'a' }, caller, { confirmWithinSeconds: 60 })
    await expect(manager.confirm(caller)).rejects.toMatchObject({ code: 'NothingToConfirm' })
  })
})
