import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, dataKey, decrypt, type Harness } from '../../../test/manager-harness.ts'
import type { KeyRecord } from '../../keys/key-backend.ts'
import type { KmsManager } from '../manager-types.ts'
import type { KeyRequest } from './change-key.ts'

const DAY_SECONDS = 86_400

let harness: Harness
let manager: KmsManager
let ciphertext: Buffer
beforeEach(async () => {
  harness = await createHarness()
  harness.allowImmediateDeletion = true
  manager = await harness.running()
})
afterEach(() => harness.close())

const request = (key = 'k'): KeyRequest => ({ key, authorize: anyone, caller })
const destroy = (): Promise<unknown> => manager.keys.destroy({ ...request(), confirmKeyId: 'k' })
const shown = (): Promise<KeyRecord> => manager.keys.describe(request())

/** Destroys a key of three versions; brings it back as it was at the version given, without the server's doing. */
async function bringBack(version: number, change: Partial<KeyRecord> = {}): Promise<void> {
  const { keys } = harness.store('a')
  await manager.keys.create({ name: 'k', authorize: anyone, caller })
  ;({ ciphertext } = await manager.data.generateDataKey({
    key: 'k',
    spec: 'AES_256',
    context: new Map(),
    authorize: anyone,
  }))
  let kept = keys.get('k')
  for (let next = 2; next <= 3; next++) {
    await manager.keys.rotate(request())
    if (next <= version) kept = keys.get('k')
  }
  await destroy()
  if (kept === undefined || !('record' in kept)) return expect.fail('no key k')
  keys.set('k', { ...kept, record: { ...kept.record, ...change } })
  manager.clearCache()
}

describe('a key that was destroyed and has come back', () => {
  it('is shown with the reason, and nothing is done with it or to it but its deletion', async () => {
    await bringBack(3)
    expect(await shown()).toMatchObject({ state: 'Unavailable', problem: expect.stringContaining('delete it again') })
    const refusals = [
      manager.data.generateDataKey({ key: 'k', spec: 'AES_256', context: new Map(), authorize: anyone }),
      decrypt(manager, ciphertext),
      manager.keys.rotate(request()),
      manager.keys.enable(request()),
      manager.keys.disable(request()),
      manager.keys.updateDescription({ ...request(), description: 'new' }),
      manager.keys.addAlias({ ...request(), alias: 'alias' }),
      manager.keys.setRotationPeriod({ ...request(), days: 1 }),
    ]
    for (const refused of refusals) await expect(refused).rejects.toMatchObject({ code: 'KeyUnavailable' })
    await dataKey(manager)
  })

  it.each([1, 2, 3])('as of version %i, destroyed again, may be made again like any other', async (version) => {
    await bringBack(version)
    await expect(manager.keys.destroy({ ...request(), confirmKeyId: 'other' })).rejects.toMatchObject({
      code: 'ValidationError',
    })
    await destroy()
    await expect(shown()).rejects.toMatchObject({ code: 'KeyDestroyed' })
    expect(harness.events.at(-1)).toMatchObject({ event: 'kms_key_destroyed', keyId: 'k' })
    // Above everything ever seen of it, so that nobody takes it for what came back.
    const { record } = await manager.keys.create({ name: 'k', authorize: anyone, caller })
    expect(record).toMatchObject({ state: 'Enabled', currentVersion: 4 })
    await dataKey(manager, 'k')
    await expect(decrypt(manager, ciphertext)).rejects.toMatchObject({ code: 'KeyMaterialReplaced' })
  })

  it('is destroyed after a window where nobody may do it at once, by a server that was started meanwhile', async () => {
    await bringBack(2, { rotationPeriodDays: 1 })
    harness.allowImmediateDeletion = false
    manager = await harness.boot()
    await expect(destroy()).rejects.toMatchObject({ code: 'PolicyViolation' })
    const { record, changed } = await manager.keys.scheduleDeletion({ ...request(), windowDays: 7 })
    expect(changed).toBe(true)
    expect(record).toMatchObject({ state: 'Unavailable', deletionAt: harness.clock.now() + 7 * DAY_SECONDS * 1000 })
    expect((await manager.keys.scheduleDeletion(request())).changed).toBe(false)
    manager = await harness.boot()
    harness.clock.jump(7 * DAY_SECONDS * 1000 - 1000)
    await harness.pass(0)
    // Nor was it rotated, although its record says so.
    expect(await shown()).toMatchObject({ state: 'Unavailable', currentVersion: 2 })
    await harness.pass(2)
    await expect(shown()).rejects.toMatchObject({ code: 'KeyDestroyed' })
  })

  it('is left as it is when that is cancelled', async () => {
    await bringBack(3, { state: 'Disabled' })
    await manager.keys.scheduleDeletion(request())
    expect(harness.store('a').keys.get('k')).toMatchObject({ record: { state: 'PendingDeletion' } })
    const { record, changed } = await manager.keys.cancelDeletion(request())
    expect(changed).toBe(true)
    expect(record).toMatchObject({ state: 'Unavailable' })
    expect(harness.store('a').keys.get('k')).toMatchObject({ record: { state: 'Disabled' } })
    harness.clock.jump(40 * DAY_SECONDS * 1000)
    await harness.pass(0)
    expect(await shown()).toMatchObject({ state: 'Unavailable' })
  })

  it('is not deleted while something is stored that needs it', async () => {
    let count = 0
    harness.keyUse = { count: async () => count, beforeDestroy: async () => {} }
    manager = await harness.boot()
    await bringBack(3)
    count = 2
    for (const refused of [destroy(), manager.keys.scheduleDeletion(request())]) {
      await expect(refused).rejects.toMatchObject({ code: 'KeyInUse' })
    }
    expect(await shown()).toMatchObject({ state: 'Unavailable' })
  })
})

it('a key that was rolled back is not deleted: its versions may be brought back', async () => {
  const { keys } = harness.store('a')
  await manager.keys.create({ name: 'k', authorize: anyone, caller })
  const kept = keys.get('k')
  await manager.keys.rotate(request())
  keys.set('k', kept ?? expect.fail('no key k'))
  for (const refused of [destroy(), manager.keys.scheduleDeletion(request())]) {
    await expect(refused).rejects.toMatchObject({
      code: 'KeyUnavailable',
      message: expect.stringContaining('rolled back'),
    })
  }
})
