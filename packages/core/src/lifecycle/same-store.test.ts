import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, dataKey, decrypt, type Harness } from '../../test/manager-harness.ts'
import { kmsError } from '../errors/kms-error.ts'
import { copyMemoryStore } from '../testing/index.ts'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

describe('a store that serves, found at another place', () => {
  it('is moved to while it serves when it is the same one under another name', async () => {
    const manager = await harness.running()
    const { ciphertext } = await dataKey(manager)
    harness.driver.stores.set('alias', harness.store('a'))
    expect(await manager.reconfigure({ name: 'alias' }, caller)).toMatchObject({ outcome: 'reconfigured' })
    expect(manager.status().retiredBackends).toEqual([])
    await decrypt(manager, ciphertext)
    // It is known by its new name now, and by that one only.
    await manager.reconfigure({ name: 'b' }, caller)
    expect(manager.retired()).toMatchObject([{ summary: { name: 'alias' } }])
  })

  it('is told by a key that somebody else made when it has no other', async () => {
    const manager = await harness.running()
    const { keys } = harness.store('a')
    for (const [id, key] of keys)
      if ('record' in key) keys.set(id, { ...key, record: { ...key.record, adopted: true } })
    harness.driver.stores.set('alias', harness.store('a'))
    expect(await manager.reconfigure({ name: 'alias' }, caller)).toMatchObject({ outcome: 'reconfigured' })
    harness.driver.stores.set('copy', copyMemoryStore(harness.store('a')))
    await expect(manager.reconfigure({ name: 'copy' }, caller)).rejects.toMatchObject({ code: 'StoreCopied' })
  })

  it('is refused while it serves when it is a copy: what is wrapped meanwhile would be lost', async () => {
    const manager = await harness.running()
    harness.driver.stores.set('copy', copyMemoryStore(harness.store('a')))
    const { revision } = manager.status()
    await expect(manager.reconfigure({ name: 'copy' }, caller)).rejects.toMatchObject({ code: 'StoreCopied' })
    expect(manager.status()).toMatchObject({ status: 'Running', revision, config: { name: 'a' } })
    expect(harness.driver.opened.filter(({ backend }) => !backend.closed)).toHaveLength(1)
    await dataKey(manager)
  })

  it('may be a copy once the service is stopped, as long as it opens everything that was ever wrapped here', async () => {
    const manager = await harness.running()
    const { ciphertext, plaintext } = await dataKey(manager)
    harness.driver.stores.set('copy', copyMemoryStore(harness.store('a')))
    await manager.stop(caller)
    await manager.reconfigure({ name: 'copy' }, caller)
    expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
    expect(manager.status().retiredBackends).toEqual([])
    // From here on the copy is the store, and the one left behind falls behind.
    await manager.keys.create({ name: 'later', authorize: anyone, caller })
    const later = await dataKey(manager, 'later')
    await manager.stop(caller)
    await expect(manager.reconfigure({ name: 'a' }, caller)).rejects.toMatchObject({
      code: 'RealmConflict',
      message: expect.stringContaining('"later"'),
    })
    await manager.start({ force: false }, caller)
    await decrypt(manager, later.ciphertext)
  })

  it('is refused as a copy from before a key was made or rotated: it would not open what was wrapped since', async () => {
    const manager = await harness.running()
    harness.driver.stores.set('copy', copyMemoryStore(harness.store('a')))
    await manager.keys.create({ name: 'later', authorize: anyone, caller })
    await manager.stop(caller)
    await expect(manager.reconfigure({ name: 'copy' }, caller)).rejects.toMatchObject({ code: 'RealmConflict' })
    await expect(manager.configure({ backend_type: 'memory', name: 'copy' }, caller)).resolves.toBeDefined()
    await expect(manager.start({ force: false }, caller)).rejects.toMatchObject({ code: 'RealmConflict' })
    expect(manager.status().status).toEqual({ Error: expect.stringContaining('later') })
    await manager.rollback({ revision: 1 }, caller)
    await manager.start({ force: false }, caller)
  })

  it('is refused when nothing can be written to tell them apart', async () => {
    const manager = await harness.running()
    harness.driver.stores.set('alias', harness.store('a'))
    harness.store('a').faults.fail('update', kmsError('StoreUnwritable', { path: 'a', reason: 'it is read-only' }))
    await expect(manager.reconfigure({ name: 'alias' }, caller)).rejects.toMatchObject({
      code: 'StoreCopied',
      message: expect.stringContaining('read-only'),
    })
    await dataKey(manager)
  })

  it('a snapshot put in its place while it is stopped is refused, and named', async () => {
    const manager = await harness.running()
    const snapshot = copyMemoryStore(harness.store('a'))
    await manager.keys.create({ name: 'later', authorize: anyone, caller })
    await manager.stop(caller)
    const kept = harness.store('a')
    harness.driver.stores.set('a', snapshot)
    await expect(manager.start({ force: false }, caller)).rejects.toMatchObject({
      code: 'RealmConflict',
      message: expect.stringContaining('"later" version 1 is gone'),
    })
    harness.driver.stores.set('a', kept)
    await manager.start({ force: false }, caller)
  })
})
