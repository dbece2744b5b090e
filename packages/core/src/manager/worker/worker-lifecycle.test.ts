import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, type Harness, local } from '../../../test/manager-harness.ts'
import type { KmsManager } from '../manager-types.ts'

const DAY = 86_400_000

let harness: Harness
let manager: KmsManager

beforeEach(async () => {
  harness = await createHarness()
  manager = await harness.running()
})
afterEach(() => harness.close())

/** Makes a key that is to be destroyed in seven days. */
async function schedule(name: string): Promise<void> {
  await manager.keys.create({ name, authorize: anyone, caller })
  await manager.keys.scheduleDeletion({ key: name, windowDays: 7, authorize: anyone, caller })
}

const isDestroyed = (place: string, name: string): boolean => {
  const key = harness.store(place).keys.get(name)
  return key !== undefined && !('record' in key)
}

/** Lets everything that may have been started come to its end. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}

describe('what falls due', () => {
  it('waits while the service is stopped, also across a restart, and is made up for at the start', async () => {
    await schedule('k')
    await manager.stop(caller)
    harness.clock.advance(8 * DAY)
    await settle()
    expect(isDestroyed('a', 'k')).toBe(false)
    manager = await harness.boot()
    await settle()
    expect(isDestroyed('a', 'k')).toBe(false)
    await manager.start({ force: false }, caller)
    await expect.poll(() => isDestroyed('a', 'k')).toBe(true)
    await expect
      .poll(() => harness.events.find(({ event }) => event === 'kms_key_destroyed'))
      .toMatchObject({ keyId: 'k', caller: { principal: 'system' } })
  })

  it('is done for the active store only, and for one that is active again', async () => {
    await schedule('k')
    await manager.reconfigure({ ...local, name: 'b' }, caller)
    harness.clock.advance(8 * DAY)
    await settle()
    expect(isDestroyed('a', 'k')).toBe(false)
    await schedule('l')
    await manager.reconfigure({ name: 'a' }, caller)
    await expect.poll(() => isDestroyed('a', 'k')).toBe(true)
    harness.clock.advance(8 * DAY)
    await settle()
    expect(isDestroyed('b', 'l')).toBe(false)
  })

  it('stays planned when the configuration changes and the store does not', async () => {
    await schedule('k')
    await settle()
    const before = harness.store('a').faults.calls('list')
    for (const cache_ttl_seconds of [100, 200, 300]) await manager.reconfigure({ cache_ttl_seconds }, caller)
    await settle()
    expect(harness.store('a').faults.calls('list')).toBe(before)
    harness.clock.advance(7 * DAY)
    await expect.poll(() => isDestroyed('a', 'k')).toBe(true)
  })

  it('is nobody’s any more after the end', async () => {
    await schedule('k')
    await manager.close()
    harness.clock.advance(8 * DAY)
    await settle()
    expect(isDestroyed('a', 'k')).toBe(false)
  })

  it('destroyed on purpose is no reason to doubt the store at the next start', async () => {
    await schedule('k')
    harness.clock.advance(7 * DAY)
    await expect.poll(() => isDestroyed('a', 'k')).toBe(true)
    manager = await harness.boot()
    expect(manager.status()).toMatchObject({ status: 'Running', lastError: undefined })
    await expect(manager.keys.describe({ key: 'k', authorize: anyone })).rejects.toMatchObject({ code: 'KeyDestroyed' })
  })
})
