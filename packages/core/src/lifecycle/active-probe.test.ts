import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { caller, createHarness, dataKey, decrypt, type Harness } from '../../test/manager-harness.ts'
import { kmsError } from '../errors/kms-error.ts'
import { createMemoryBackend } from '../testing/index.ts'

const DOWN = kmsError('BackendUnavailable', { store: 'a', reason: 'sealed' })

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

describe('the probe of the active store', () => {
  it('marks the service unhealthy when it fails, and the next good one clears that; nothing stops', async () => {
    const manager = await harness.running()
    const { ciphertext } = await dataKey(manager)
    harness.store('a').faults.fail('health', DOWN)
    await harness.pass(20)
    expect(manager.status()).toMatchObject({
      status: 'Running',
      healthy: false,
      lastError: expect.stringContaining('sealed'),
    })
    await dataKey(manager)
    await decrypt(manager, ciphertext)
    harness.store('a').faults.recover('health')
    await harness.pass(8)
    expect(manager.status()).toMatchObject({ status: 'Running', healthy: true, lastError: undefined })
    const told = harness.events.filter(({ event }) => event === 'kms_unhealthy' || event === 'kms_healthy')
    expect(told.map(({ event }) => event)).toEqual(['kms_unhealthy', 'kms_healthy'])
  })

  it.each(['wrap', 'unwrap'] as const)('notices a store that answers and does not %s', async (verb) => {
    const manager = await harness.running()
    harness.store('a').faults.fail(verb, DOWN)
    await harness.pass(20)
    expect(manager.status()).toMatchObject({ status: 'Running', healthy: false })
    harness.store('a').faults.recover()
    await harness.pass(8)
    expect(manager.status().healthy).toBe(true)
  })

  it('notices a store that hangs, within ten seconds of asking, and asks no second time meanwhile', async () => {
    const manager = await harness.running()
    harness.store('a').faults.hang('health')
    const calls = harness.store('a').faults.calls('health')
    await harness.pass(17)
    expect(manager.status()).toMatchObject({ healthy: false, lastError: expect.stringContaining('10 s') })
    expect(harness.store('a').faults.calls('health')).toBe(calls + 1)
    harness.store('a').faults.recover()
  })

  it('asks at intervals that differ', async () => {
    await harness.running()
    const times: number[] = []
    let calls = harness.store('a').faults.calls('health')
    for (let second = 0; second < 600; second++) {
      await harness.pass(1)
      const now = harness.store('a').faults.calls('health')
      if (now > calls) times.push(second)
      calls = now
    }
    const gaps = times.slice(1).map((time, i) => time - (times[i] as number))
    expect(gaps.length).toBeGreaterThan(25)
    expect(new Set(gaps).size).toBeGreaterThan(2)
    for (const gap of gaps) {
      expect(gap).toBeGreaterThanOrEqual(11)
      expect(gap).toBeLessThanOrEqual(19)
    }
  })

  it('is not disturbed by a default key that is disabled, rotated, destroyed or damaged: that is told to who uses it', async () => {
    const manager = await harness.running()
    const backend = createMemoryBackend({ store: harness.store('a') })
    const etag = async () => (await backend.describe('master')).etag
    await backend.rotate('master', await etag())
    await harness.pass(20)
    expect(manager.status().healthy).toBe(true)
    await backend.update('master', { state: 'Disabled' }, await etag())
    await harness.pass(20)
    expect(manager.status().healthy).toBe(true)
    harness.store('a').unreadable.add('master')
    await harness.pass(20)
    expect(manager.status().healthy).toBe(true)
    harness.store('a').unreadable.delete('master')
    await backend.destroy('master', await etag())
    await harness.pass(20)
    expect(manager.status().healthy).toBe(true)
  })

  it('leaves no canary behind', async () => {
    const manager = await harness.running()
    const wraps = harness.store('a').faults.calls('wrap')
    await harness.pass(60)
    expect(harness.store('a').faults.calls('wrap')).toBeGreaterThan(wraps + 2)
    await manager.reconfigure({ name: 'b' }, caller)
    await expect(
      manager.removeRetired({ realm: harness.store('a').realm ?? '', confirmRealm: '', force: true }, caller),
    ).rejects.toMatchObject({ code: 'ValidationError' })
    await expect(
      manager.removeRetired(
        { realm: harness.store('a').realm ?? '', confirmRealm: harness.store('a').realm ?? '', force: false },
        caller,
      ),
    ).rejects.toThrow('1 key version seen here')
  })

  it('ends with the service, and begins with it', async () => {
    const manager = await harness.running()
    harness.store('a').faults.fail('health', DOWN)
    await harness.pass(20)
    await manager.stop(caller)
    expect(manager.status()).toMatchObject({ status: 'Configured', healthy: undefined, lastError: undefined })
    harness.store('a').faults.recover('health')
    const calls = harness.store('a').faults.calls('health')
    await harness.pass(60)
    expect(harness.store('a').faults.calls('health')).toBe(calls)
    await manager.start({ force: false }, caller)
    expect(manager.status().healthy).toBe(true)
    await harness.pass(10)
    expect(harness.store('a').faults.calls('health')).toBeGreaterThan(calls + 1)
  })

  it('says nothing about a store that is not the active one any more', async () => {
    const manager = await harness.running()
    harness.store('a').faults.hang('health')
    await harness.pass(7)
    await manager.reconfigure({ name: 'b' }, caller)
    harness.store('a').faults.fail('health', DOWN)
    await harness.pass(10)
    expect(manager.status().healthy).toBe(true)
  })
})
