import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { caller, createHarness, dataKey, decrypt, type Harness } from '../../test/manager-harness.ts'
import { kmsError } from '../errors/kms-error.ts'

const BAD = kmsError('BackendUnavailable', { store: 'b', reason: 'it turned bad' })

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

describe('a candidate that turns bad right after the swap', () => {
  it('is returned from, once, as a new revision; it stays as retired, and what it wrapped opens', async () => {
    const manager = await harness.running()
    const before = await dataKey(manager)
    await manager.reconfigure({ name: 'b', cache_ttl_seconds: 5 }, caller)
    const between = await dataKey(manager)
    const { revision } = manager.status()
    harness.store('b').faults.fail('health', BAD)
    await harness.pass(8)
    await expect.poll(() => manager.config()?.document).toMatchObject({ name: 'a', cache_ttl_seconds: 300 })
    expect(manager.status()).toMatchObject({ status: 'Running', healthy: true, revision: revision + 1 })
    expect(manager.status().retiredBackends).toEqual([harness.store('b').realm])
    expect(harness.events.find(({ event }) => event === 'kms_returned')).toMatchObject({
      caller: { principal: 'system' },
      revisionBefore: revision,
      revision: revision + 1,
      diff: [
        { path: 'cache_ttl_seconds', from: 5, to: 300 },
        { path: 'name', from: 'b', to: 'a' },
      ],
    })
    expect((await manager.history())[0]).toMatchObject({ outcome: 'returned', principal: 'system' })
    for (const { ciphertext, plaintext } of [before, between]) {
      expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
    }
    expect((await harness.boot()).config()?.document).toMatchObject({ name: 'a' })
  })

  it('is never returned to from what was returned to, however bad that is', async () => {
    const manager = await harness.running()
    await manager.reconfigure({ name: 'b' }, caller)
    harness.store('b').faults.fail('health', BAD)
    await harness.pass(8)
    await expect.poll(() => manager.config()?.document['name']).toBe('a')
    const { revision } = manager.status()
    harness.store('b').faults.recover('health')
    harness.store('a').faults.fail('health', BAD)
    await harness.pass(120)
    expect(manager.status()).toMatchObject({ status: 'Running', healthy: false, revision, config: { name: 'a' } })
    await dataKey(manager)
  })

  it('serves on when what was there before cannot be returned to, and that is tried once', async () => {
    const manager = await harness.running()
    await manager.reconfigure({ name: 'b' }, caller)
    const { revision } = manager.status()
    harness.store('b').faults.fail('health', BAD)
    harness.store('a').faults.fail('open', BAD)
    await harness.pass(8)
    const opens = harness.store('a').faults.calls('open')
    await harness.pass(120)
    expect(manager.status()).toMatchObject({ status: 'Running', healthy: false, revision, config: { name: 'b' } })
    expect(harness.store('a').faults.calls('open')).toBe(opens)
    expect(harness.events.some(({ message }) => /^kms_returned: .*turned bad/.test(message))).toBe(true)
    await dataKey(manager)
  })

  it('after its first probe was good is not returned from', async () => {
    const manager = await harness.running()
    await manager.reconfigure({ name: 'b' }, caller)
    await harness.pass(8)
    harness.store('b').faults.fail('health', BAD)
    await harness.pass(120)
    expect(manager.status()).toMatchObject({ status: 'Running', healthy: false, config: { name: 'b' } })
  })

  it('that is a rollback is returned from too', async () => {
    const manager = await harness.running()
    await manager.reconfigure({ name: 'b' }, caller)
    await harness.pass(8)
    await manager.rollback({ revision: 1 }, caller)
    harness.store('a').faults.fail('health', BAD)
    await harness.pass(8)
    await expect.poll(() => manager.config()?.document['name']).toBe('b')
  })

  it('from a stopped service leaves nothing to return to', async () => {
    const manager = await harness.running()
    await manager.stop(caller)
    await manager.reconfigure({ name: 'b' }, caller)
    harness.store('b').faults.fail('health', BAD)
    await harness.pass(60)
    expect(manager.status()).toMatchObject({ status: 'Running', healthy: false, config: { name: 'b' } })
  })

  it('is returned from although a bad change was refused meanwhile', async () => {
    const manager = await harness.running()
    await manager.reconfigure({ name: 'b' }, caller)
    await expect(manager.reconfigure({ timeout_seconds: 0 }, caller)).rejects.toMatchObject({ code: 'ValidationError' })
    harness.store('b').faults.fail('health', BAD)
    await harness.pass(8)
    await expect.poll(() => manager.config()?.document['name']).toBe('a')
  })

  it('is not returned from when the operator was quicker', async () => {
    const manager = await harness.running()
    await manager.reconfigure({ name: 'b' }, caller)
    harness.store('b').faults.fail('health', BAD)
    await manager.reconfigure({ name: 'c' }, caller)
    await harness.pass(60)
    expect(manager.status()).toMatchObject({ status: 'Running', healthy: true, config: { name: 'c' } })
  })

  it('ends the wait for its confirmation', async () => {
    const manager = await harness.running()
    await manager.reconfigure({ name: 'b' }, caller, { confirmWithinSeconds: 60 })
    harness.store('b').faults.fail('health', BAD)
    await harness.pass(8)
    await expect.poll(() => manager.config()?.document['name']).toBe('a')
    const { revision } = manager.status()
    await expect(manager.confirm(caller)).rejects.toMatchObject({ code: 'NothingToConfirm' })
    await harness.pass(120)
    expect(manager.status().revision).toBe(revision)
  })
})
