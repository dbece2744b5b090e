import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { caller, createHarness, dataKey, decrypt, type Harness, local } from '../../test/manager-harness.ts'
import type { Secret } from '../config/secret.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { KmsManager } from '../manager/manager-types.ts'
import { createMemoryStore } from '../testing/index.ts'

let harness: Harness
const tokenOf = (manager: KmsManager): string | undefined =>
  (manager.config()?.document['token'] as Secret | undefined)?.reveal()

beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

describe('history', () => {
  it('tells, newest first, who changed the configuration, how, and when; starting and stopping are no part of it', async () => {
    const manager = await harness.running({ ...local, token: 's3cret' })
    harness.clock.advance(60_000)
    await manager.reconfigure({ cache_ttl_seconds: 600, token: 'n3w' }, { principal: 'ann' })
    await manager.stop(caller)
    await manager.configure(local, caller)
    const history = await manager.history()
    expect(history).toEqual([
      {
        revision: 5,
        time: '2026-01-01T00:01:00.000Z',
        principal: 'root',
        outcome: 'configured',
        diff: [
          { path: 'cache_ttl_seconds', from: 600, to: 300 },
          { path: 'token', from: '***' },
        ],
      },
      {
        revision: 3,
        time: '2026-01-01T00:01:00.000Z',
        principal: 'ann',
        outcome: 'reconfigured',
        diff: [
          { path: 'cache_ttl_seconds', from: 300, to: 600 },
          { path: 'token', from: '***', to: '***' },
        ],
      },
      expect.objectContaining({ revision: 1, outcome: 'configured' }),
    ])
    expect(JSON.stringify(history)).not.toMatch(/s3cret|n3w/)
  })

  it('is empty when nothing was ever configured', async () => {
    expect(await (await harness.boot()).history()).toEqual([])
  })
})

describe('rollback', () => {
  it('serves an old configuration again, secrets included, as a new revision; every envelope opens', async () => {
    const manager = await harness.running({ ...local, token: 'first', cache_ttl_seconds: 900 })
    harness.store('a').requiredToken = 'first'
    const before = await dataKey(manager)
    const { revision } = manager.status()
    await manager.reconfigure({ name: 'b', token: 'second', cache_ttl_seconds: 5 }, caller)
    const between = await dataKey(manager)
    const report = await manager.rollback({ revision: 1 }, caller)
    expect(report).toMatchObject({
      status: 'Running',
      outcome: 'rolled back',
      revision: revision + 2,
      changed: [
        { path: 'cache_ttl_seconds', from: 5, to: 900 },
        { path: 'name', from: 'b', to: 'a' },
        { path: 'token', from: '***', to: '***' },
      ],
    })
    expect(tokenOf(manager)).toBe('first')
    for (const { ciphertext, plaintext } of [before, between]) {
      expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
    }
    expect((await manager.history())[0]).toMatchObject({ revision: revision + 2, outcome: 'rolled back' })
    expect((await harness.boot()).config()?.document).toMatchObject({ name: 'a', cache_ttl_seconds: 900 })
  })

  it.each([2, 99, 2 ** 53 - 1])(
    'to revision %d, which changed no configuration or never was, is NoSuchRevision',
    async (revision) => {
      const manager = await harness.running()
      const before = { status: manager.status(), config: manager.config() }
      await expect(manager.rollback({ revision }, caller)).rejects.toMatchObject({ code: 'NoSuchRevision' })
      expect({ status: manager.status(), config: manager.config() }).toEqual(before)
    },
  )

  it('to what is configured already changes nothing', async () => {
    const manager = await harness.running()
    const { revision } = manager.status()
    expect(await manager.rollback({ revision: 1 }, caller)).toMatchObject({ outcome: 'unchanged', revision })
    expect(harness.driver.opened).toHaveLength(1)
  })

  it('to what no longer proves is refused; what runs keeps running', async () => {
    const manager = await harness.running()
    await manager.reconfigure({ name: 'b' }, caller)
    const before = { status: manager.status(), config: manager.config() }
    const kept = harness.store('a')
    for (const [replaced, code] of [
      [{ ...createMemoryStore(), realm: 'ee'.repeat(16) }, 'RealmConflict'],
      [createMemoryStore(), 'RealmMissing'],
    ] as const) {
      harness.driver.stores.set('a', replaced)
      await expect(manager.rollback({ revision: 1 }, caller)).rejects.toMatchObject({ code })
    }
    harness.driver.stores.set('a', kept)
    kept.faults.fail('health', kmsError('BackendUnavailable', { store: 'a', reason: 'down' }))
    await expect(manager.rollback({ revision: 1 }, caller)).rejects.toMatchObject({ code: 'BackendUnavailable' })
    expect({ status: manager.status(), config: manager.config() }).toEqual(before)
    await dataKey(manager)
  })

  it('never starts what was stopped, nor stops what was meant to run', async () => {
    const manager = await harness.running()
    await manager.reconfigure({ cache_ttl_seconds: 5 }, caller)
    await manager.stop(caller)
    const opened = harness.driver.opened.length
    expect(await manager.rollback({ revision: 1 }, caller)).toMatchObject({
      status: 'Configured',
      outcome: 'rolled back',
    })
    expect(harness.driver.opened).toHaveLength(opened)
    expect((await harness.boot()).status()).toMatchObject({ status: 'Configured', config: { cache_ttl_seconds: 300 } })
  })

  it('mends a service that cannot start as it is configured', async () => {
    const first = await harness.running()
    await first.reconfigure({ name: 'b' }, caller)
    harness.store('b').faults.fail('open', kmsError('BackendUnavailable', { store: 'b', reason: 'down' }))
    const manager = await harness.boot()
    expect(manager.status().status).toEqual({ Error: expect.stringContaining('down') })
    expect(await manager.rollback({ revision: 1 }, caller)).toMatchObject({ status: 'Running' })
    await dataKey(manager)
  })

  it('loses a race it was told to lose, and loses it before anything else is looked at', async () => {
    const manager = await harness.running()
    const ifMatch = manager.config()?.etag ?? ''
    await manager.reconfigure({ cache_ttl_seconds: 5 }, caller)
    await expect(manager.rollback({ revision: 99 }, caller, { ifMatch })).rejects.toMatchObject({
      code: 'PreconditionFailed',
    })
  })

  it('keeps the root key a store has now: an old one would not open it any more', async () => {
    const manager = await harness.running({ ...local, root_key: 'old root', token: 't1' })
    const { ciphertext } = await dataKey(manager)
    // The root key of the store is changed, and the configuration with it.
    harness.store('a').rootKey = 'new root'
    await manager.reconfigure({ root_key: 'new root', token: 't2', cache_ttl_seconds: 5 }, caller)
    await manager.reconfigure({ name: 'b', root_key: 'another' }, caller)
    await manager.rollback({ revision: 1 }, caller)
    const { document } = manager.config() ?? expect.fail('it is configured')
    expect(document).toMatchObject({ name: 'a', cache_ttl_seconds: 300 })
    expect((document['root_key'] as Secret).reveal()).toBe('new root')
    expect(tokenOf(manager)).toBe('t1')
    await decrypt(manager, ciphertext)
  })

  it('is answered before the first configuration', async () => {
    await expect((await harness.boot()).rollback({ revision: 1 }, caller)).rejects.toMatchObject({
      code: 'NoSuchRevision',
    })
  })
})
