import type { Buffer } from 'node:buffer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, dataKey, decrypt, type Harness, local } from '../../../test/manager-harness.ts'
import type { KmsManager } from '../manager-types.ts'

let harness: Harness
let manager: KmsManager

beforeEach(async () => {
  harness = await createHarness()
  manager = await harness.running({ ...local, cache_ttl_seconds: 86_400 })
  for (const name of ['k', 'other']) await manager.keys.create({ name, authorize: anyone, caller })
  await manager.keys.addAlias({ key: 'k', alias: 'old-alias', authorize: anyone, caller })
  await manager.keys.tag({ key: 'k', tags: new Map([['old', 'x']]), authorize: anyone, caller })
})
afterEach(() => harness.close())

/** How often the store was asked during `work`. */
async function asked(work: () => Promise<unknown>): Promise<{ readonly describe: number; readonly unwrap: number }> {
  const { faults } = harness.store('a')
  const before = [faults.calls('describe'), faults.calls('unwrap')] as const
  await work()
  return { describe: faults.calls('describe') - before[0], unwrap: faults.calls('unwrap') - before[1] }
}

async function decryptTimes(times: number, ciphertext: Buffer): Promise<void> {
  for (let i = 0; i < times; i++) await decrypt(manager, ciphertext)
}

describe('caches', () => {
  it('spare the backend, and say so', async () => {
    const { ciphertext } = await dataKey(manager, 'k')
    const before = manager.status().cache
    expect(await asked(() => decryptTimes(10, ciphertext))).toEqual({ describe: 0, unwrap: 1 })
    expect(manager.status().cache).toEqual({
      hits: (before?.hits ?? 0) + 9,
      misses: (before?.misses ?? 0) + 1,
      entries: 1,
      evictions: 0,
    })
  })

  it('are none where enable_cache is false', async () => {
    await manager.reconfigure({ enable_cache: false }, caller)
    const { ciphertext } = await dataKey(manager, 'k')
    expect(await asked(() => decryptTimes(10, ciphertext))).toEqual({ describe: 10, unwrap: 10 })
    expect(await asked(() => Promise.all([dataKey(manager, 'k'), dataKey(manager, 'k')]))).toMatchObject({
      describe: 2,
    })
    expect(manager.status().cache).toBeUndefined()
    expect(() => manager.clearCache()).not.toThrow()
  })

  it('are empty after they were cleared, which shows', async () => {
    const { ciphertext } = await dataKey(manager, 'k')
    await decrypt(manager, ciphertext)
    expect(manager.status().cache).toMatchObject({ entries: 1 })
    manager.clearCache()
    expect(manager.status().cache).toMatchObject({ entries: 0 })
    expect(await asked(() => decrypt(manager, ciphertext))).toEqual({ describe: 1, unwrap: 1 })
  })

  it('of data keys outlive no state of their key, however long they may be kept', async () => {
    const { ciphertext } = await dataKey(manager, 'k')
    await decrypt(manager, ciphertext)
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    await backend.update('k', { state: 'PendingDeletion' }, (await backend.describe('k')).etag)
    harness.clock.advance(4999)
    await decrypt(manager, ciphertext)
    harness.clock.advance(1)
    await expect(decrypt(manager, ciphertext)).rejects.toMatchObject({ code: 'KeyPendingDeletion' })
  })

  it('hand out no data key to who may not have it', async () => {
    const { ciphertext } = await dataKey(manager, 'k')
    await decrypt(manager, ciphertext)
    const refuse = () => {
      throw new Error('denied')
    }
    const context = new Map<string, string>()
    await expect(manager.data.decrypt({ ciphertext, context, authorize: refuse })).rejects.toThrow('denied')
  })

  const k = { key: 'k', authorize: anyone, caller }
  it.each<[string, () => Promise<unknown>]>([
    ['rotate', () => manager.keys.rotate(k)],
    ['disable', () => manager.keys.disable(k)],
    ['updateDescription', () => manager.keys.updateDescription({ ...k, description: 'new' })],
    ['tag', () => manager.keys.tag({ ...k, tags: new Map([['a', 'b']]) })],
    ['untag', () => manager.keys.untag({ ...k, tagKeys: ['old'] })],
    ['addAlias', () => manager.keys.addAlias({ ...k, alias: 'new-alias' })],
    ['removeAlias', () => manager.keys.removeAlias({ ...k, alias: 'old-alias' })],
    ['setRotationPeriod', () => manager.keys.setRotationPeriod({ ...k, days: 30 })],
    ['scheduleDeletion', () => manager.keys.scheduleDeletion(k)],
  ])('hold nothing of a key after %s, and everything of others', async (_, change) => {
    const mine = await dataKey(manager, 'old-alias')
    const others = await dataKey(manager, 'other')
    await decryptTimes(2, mine.ciphertext)
    await decryptTimes(2, others.ciphertext)
    expect(manager.status().cache).toMatchObject({ entries: 2 })
    await change()
    expect(manager.status().cache).toMatchObject({ entries: 1 })
    expect(await asked(() => decrypt(manager, others.ciphertext))).toEqual({ describe: 0, unwrap: 0 })
    expect(await asked(() => decrypt(manager, mine.ciphertext).catch(() => {}))).toMatchObject({ describe: 1 })
  })
})
