import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, type Harness, local } from '../../test/manager-harness.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { KmsManager } from '../manager/manager-types.ts'
import { createMemoryBackend } from '../testing/index.ts'
import type { OfflineKey } from './offline-keys.ts'

const allowing = { ...local, allow_offline_decryption: true }
const request = { key: 'master', authorize: anyone, caller }

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

const realm = (): string => harness.store('a').realm ?? expect.fail('it was initialised')

/** A running service, an offline key of `keyId`, and the way to ask for it while the service is stopped. */
async function withCopy(keyId = 'second'): Promise<[KmsManager, OfflineKey]> {
  const manager = await harness.running(allowing)
  await manager.keys.create({ name: keyId, authorize: anyone, caller })
  const key = await manager.offline.forWriting(realm(), keyId)
  return [manager, key ?? expect.fail('copies are allowed')]
}

async function readable(manager: KmsManager, { id }: OfflineKey, keyId = 'second'): Promise<boolean> {
  if (manager.status().status !== 'Configured') await manager.stop(caller)
  return (await manager.offline.forReading(realm(), keyId, id)) !== undefined
}

describe('allow_offline_decryption', () => {
  it('decides whether there are keys for new copies', async () => {
    const manager = await harness.running(local)
    expect(await manager.offline.forWriting(realm(), 'master')).toBeUndefined()
    await manager.reconfigure({ allow_offline_decryption: true }, caller)
    const key = await manager.offline.forWriting(realm(), 'master')
    expect(key?.key).toHaveLength(32)
    await manager.reconfigure({ allow_offline_decryption: false }, caller)
    expect(await manager.offline.forWriting(realm(), 'master')).toBeUndefined()
    // What was written while it was on stays readable while the service is stopped.
    expect(await readable(manager, key as OfflineKey, 'master')).toBe(true)
  })

  it('is about the active store only', async () => {
    const manager = await harness.running(allowing)
    expect(await manager.offline.forWriting('ee'.repeat(16), 'master')).toBeUndefined()
    const retired = realm()
    await manager.reconfigure({ name: 'b' }, caller)
    expect(await manager.offline.forWriting(retired, 'master')).toBeUndefined()
  })
})

describe('copies are opened offline', () => {
  it('only while the service is stopped on purpose', async () => {
    const [manager, key] = await withCopy()
    expect(await manager.offline.forReading(realm(), 'second', key.id)).toBeUndefined()
    expect(await readable(manager, key)).toBe(true)
    // After a restart too.
    const stopped = await harness.boot()
    expect(await readable(stopped, key)).toBe(true)
    await stopped.start({ force: false }, caller)
    expect(await stopped.offline.forReading(realm(), 'second', key.id)).toBeUndefined()
    // A service that is meant to run and cannot is not stopped on purpose.
    harness.store('a').faults.fail('open', kmsError('BackendUnavailable', { store: 'a', reason: 'down' }))
    const broken = await harness.boot()
    expect(broken.status().status).toEqual({ Error: expect.any(String) })
    expect(await broken.offline.forReading(realm(), 'second', key.id)).toBeUndefined()
    await broken.stop(caller)
    expect(await broken.offline.forReading(realm(), 'second', key.id)).toBeDefined()
    await expect(broken.start({ force: false }, caller)).rejects.toThrow('down')
    expect(await broken.offline.forReading(realm(), 'second', key.id)).toBeDefined()
  })

  it('not under a key pending deletion, and again when that is cancelled', async () => {
    const [manager, key] = await withCopy()
    await manager.keys.scheduleDeletion({ ...request, key: 'second' })
    expect(await manager.offline.forWriting(realm(), 'second')).toBeUndefined()
    expect(await readable(manager, key)).toBe(false)
    const after = await harness.boot()
    expect(await readable(after, key)).toBe(false)
    await after.start({ force: false }, caller)
    await after.keys.cancelDeletion({ ...request, key: 'second' })
    await harness.pass(0)
    expect((await after.offline.forWriting(realm(), 'second'))?.id).toEqual(key.id)
    expect(await readable(after, key)).toBe(true)
  })

  it('not under a destroyed key, whose key is gone before the KMS key is', async () => {
    harness.allowImmediateDeletion = true
    const [manager, key] = await withCopy()
    harness.store('a').faults.fail('destroy', kmsError('BackendUnavailable', { store: 'a', reason: 'down' }))
    const destroy = () => manager.keys.destroy({ ...request, key: 'second', confirmKeyId: 'second' })
    await expect(destroy()).rejects.toThrow('down')
    expect(await manager.offline.forWriting(realm(), 'second')).toBeUndefined()
    harness.store('a').faults.recover('destroy')
    await destroy()
    // A writer that was admitted before comes too late.
    expect(await manager.offline.forWriting(realm(), 'second')).toBeUndefined()
    expect(await readable(manager, key)).toBe(false)
  })

  it('under a key made again only if they were made for that one', async () => {
    harness.allowImmediateDeletion = true
    const [manager, key] = await withCopy()
    await manager.keys.destroy({ ...request, key: 'second', confirmKeyId: 'second' })
    await manager.keys.create({ name: 'second', authorize: anyone, caller })
    await harness.pass(0)
    const again = (await manager.offline.forWriting(realm(), 'second')) as OfflineKey
    expect(again.id).not.toEqual(key.id)
    expect(await readable(manager, again)).toBe(true)
    expect(await readable(manager, key)).toBe(false)
  })
})

describe('a disk that is full', () => {
  it('keeps a key from being scheduled for deletion, or destroyed, while its copies would still open', async () => {
    harness.allowImmediateDeletion = true
    const [manager, key] = await withCopy()
    harness.failOffline = kmsError('StorageFailed', { what: 'it', reason: 'no space is left on the device' })
    await expect(manager.keys.scheduleDeletion({ ...request, key: 'second' })).rejects.toMatchObject({
      code: 'StorageFailed',
    })
    await expect(manager.keys.destroy({ ...request, key: 'second', confirmKeyId: 'second' })).rejects.toMatchObject({
      code: 'StorageFailed',
    })
    harness.failOffline = undefined
    const { state } = await manager.keys.describe({ key: 'second', authorize: anyone })
    expect(state).toBe('Enabled')
    await harness.pass(0)
    expect(await readable(manager, key)).toBe(true)
  })
})

describe('what another server does with a key', () => {
  it('is followed when it is seen', async () => {
    const [manager, key] = await withCopy()
    const other = createMemoryBackend({ store: harness.store('a') })
    const etag = async () => (await other.describe('second')).etag
    const look = async () => {
      await harness.pass(6)
      await manager.keys.describe({ key: 'second', authorize: anyone })
      await harness.pass(0)
    }
    await other.update('second', { state: 'PendingDeletion', stateBeforeDeletion: 'Enabled' }, await etag())
    await look()
    expect(await manager.offline.forWriting(realm(), 'second')).toBeUndefined()
    await other.update('second', { state: 'Enabled' }, await etag())
    await look()
    expect((await manager.offline.forWriting(realm(), 'second'))?.id).toEqual(key.id)
    await other.destroy('second', await etag())
    await manager.stop(caller)
    // What proves the store finds its tombstone.
    await manager.start({ force: false }, caller)
    expect(await readable(manager, key)).toBe(false)
  })

  it('is followed after a restart, with a suspension of before', async () => {
    const [manager, key] = await withCopy()
    await manager.keys.scheduleDeletion({ ...request, key: 'second' })
    const after = await harness.boot()
    const other = createMemoryBackend({ store: harness.store('a') })
    await other.update('second', { state: 'Enabled' }, (await other.describe('second')).etag)
    await harness.pass(6)
    await after.keys.describe({ key: 'second', authorize: anyone })
    await harness.pass(0)
    expect(await readable(after, key)).toBe(true)
  })
})
