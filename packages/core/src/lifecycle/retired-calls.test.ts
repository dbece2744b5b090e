import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { caller, createHarness, dataKey, decrypt, type Harness, local } from '../../test/manager-harness.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { KmsManager } from '../manager/manager-types.ts'
import { copyMemoryStore, createMemoryStore } from '../testing/index.ts'

const DOWN = kmsError('BackendUnavailable', { store: 'a', reason: 'down' })

let harness: Harness
let realm: string
beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

type Envelope = Awaited<ReturnType<typeof dataKey>>

/** A service that moved from store `a` to store `b`, and an envelope of each. */
async function moved(config: object = local): Promise<[KmsManager, Envelope, Envelope]> {
  const manager = await harness.running(config)
  const old = await dataKey(manager)
  await manager.reconfigure({ name: 'b' }, caller)
  realm = harness.store('a').realm ?? expect.fail('it was initialised')
  return [manager, old, await dataKey(manager)]
}

async function opens(manager: KmsManager, { ciphertext, plaintext }: Envelope): Promise<void> {
  expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
}

describe('retired stores', () => {
  it('are listed with what is known of them, in every state of the service', async () => {
    const [manager] = await moved({ ...local, token: 's3cret' })
    const entry = {
      realm,
      backendType: 'memory',
      summary: { backend_type: 'memory', name: 'a', endpoint: null, has_token: true },
      lastActive: '2026-01-01T00:00:00.000Z',
      lastError: undefined,
    }
    expect(manager.retired()).toEqual([{ ...entry, healthy: true }])
    await manager.stop(caller)
    expect(manager.retired()).toEqual([{ ...entry, healthy: undefined }])
    expect(JSON.stringify(manager.retired())).not.toContain('s3cret')
  })

  it('of a service that never ran are none', async () => {
    const manager = await harness.boot()
    expect(manager.retired()).toEqual([])
    await manager.configure(local, caller)
    expect(manager.retired()).toEqual([])
  })
})

describe('mending', () => {
  it('serves through another way to the same store, proven before it is stored; restarts know it', async () => {
    const [manager, old] = await moved({ ...local, endpoint: 'memory://one', token: 'old' })
    const kept = harness.store('a')
    kept.requiredToken = 'new'
    harness.driver.stores.delete('a')
    harness.driver.stores.set('moved', kept)
    const { revision } = manager.status()
    const report = await manager.mendRetired(
      realm,
      { name: 'moved', endpoint: 'memory://two', token: 'new', timeout_seconds: 5 },
      caller,
    )
    expect(report).toMatchObject({
      outcome: 'mended',
      revision: revision + 1,
      changed: [
        { path: `retired.${realm}.endpoint`, from: 'memory://one', to: 'memory://two' },
        { path: `retired.${realm}.name`, from: 'a', to: 'moved' },
        { path: `retired.${realm}.timeout_seconds`, from: 30, to: 5 },
        { path: `retired.${realm}.token`, from: '***', to: '***' },
      ],
    })
    await opens(manager, old)
    expect(manager.retired()).toMatchObject([{ realm, healthy: true, summary: { name: 'moved' } }])
    const after = await harness.boot()
    await opens(after, old)
    // The place it has now is where it is known.
    await after.reconfigure({ name: 'moved' }, caller)
    expect(after.status().retiredBackends).toEqual([harness.store('b').realm])
    expect(after.config()?.document['endpoint']).toBe('memory://two')
  })

  it('brings a quarantined store back at once', async () => {
    const [before, old] = await moved({ ...local, token: 'old' })
    harness.store('a').requiredToken = 'new'
    const manager = await harness.boot()
    await expect(decrypt(manager, old.ciphertext)).rejects.toMatchObject({ code: 'BackendUnavailable' })
    expect(manager.retired()).toMatchObject([{ healthy: false, lastError: expect.stringContaining('refused') }])
    await manager.mendRetired(realm, { token: 'new' }, caller)
    await opens(manager, old)
    expect(manager.retired()).toMatchObject([{ healthy: true, lastError: undefined }])
    expect(before).not.toBe(manager)
  })

  it('works while the service is stopped, and leaves nothing open', async () => {
    const [manager, old] = await moved({ ...local, token: 'old' })
    await manager.stop(caller)
    harness.store('a').requiredToken = 'new'
    await manager.mendRetired(realm, { token: 'new' }, caller)
    expect(harness.driver.opened.every(({ backend }) => backend.closed)).toBe(true)
    await manager.start({ force: false }, caller)
    await opens(manager, old)
  })

  it.each<[string, object, string]>([
    ['at another store', { name: 'b2' }, 'RealmConflict'],
    ['at nothing', { name: 'empty' }, 'RealmMissing'],
    ['at the place of another known store', { name: 'b' }, 'RealmConflict'],
    ['at a copy that lost a key', { name: 'copy' }, 'RealmConflict'],
    ['at a store that is down', { name: 'down' }, 'BackendUnavailable'],
    ['at another address with the stored secret', { endpoint: 'memory://evil' }, 'SecretRequired'],
    ['nowhere', { name: null }, 'ValidationError'],
    ['with a field that is not of the connection', { default_key_id: 'x' }, 'ValidationError'],
    ['at another backend', { backend_type: 'vault' }, 'ValidationError'],
    ['with a field nobody knows', { nmae: 'x' }, 'ValidationError'],
  ])('that points %s is refused, and nothing is changed', async (_, patch, code) => {
    const [manager, old] = await moved({ ...local, endpoint: 'memory://one', token: 't' })
    harness.driver.stores.set('b2', { ...createMemoryStore(), realm: 'ee'.repeat(16) })
    const copy = copyMemoryStore(harness.store('a'))
    copy.keys.delete('master')
    harness.driver.stores.set('copy', copy)
    const down = copyMemoryStore(harness.store('a'))
    down.faults.fail('health', DOWN)
    harness.driver.stores.set('down', down)
    const before = { status: manager.status(), config: manager.config(), retired: manager.retired() }
    await expect(manager.mendRetired(realm, patch, caller)).rejects.toMatchObject({ code })
    expect({ status: manager.status(), config: manager.config(), retired: manager.retired() }).toEqual(before)
    expect(harness.driver.opened.filter(({ backend }) => !backend.closed)).toHaveLength(2)
    await opens(manager, old)
    expect((await harness.boot()).retired()).toMatchObject([{ summary: { name: 'a' } }])
  })

  it('that cannot be stored is a failed one', async () => {
    const [manager, old] = await moved()
    harness.failSave = kmsError('StorageFailed', { what: 'it', reason: 'no space is left on the device' })
    await expect(manager.mendRetired(realm, { timeout_seconds: 5 }, caller)).rejects.toMatchObject({
      code: 'StorageFailed',
    })
    harness.failSave = undefined
    expect(harness.driver.opened.filter(({ backend }) => !backend.closed)).toHaveLength(2)
    await opens(manager, old)
  })

  it('that changes nothing is unchanged, unless it brings a secret', async () => {
    const [manager] = await moved({ ...local, token: 't' })
    const { revision } = manager.status()
    for (const patch of [{}, { name: 'a' }, { token: '***' }, { backend_type: 'memory' }]) {
      expect(await manager.mendRetired(realm, patch, caller)).toMatchObject({ outcome: 'unchanged', revision })
    }
    expect(await manager.mendRetired(realm, { token: 't' }, caller)).toMatchObject({ outcome: 'mended' })
  })

  it('is for retired stores only', async () => {
    const [manager] = await moved()
    for (const other of [harness.store('b').realm ?? '', 'ff'.repeat(16), 'x', '__proto__']) {
      await expect(manager.mendRetired(other, {}, caller)).rejects.toMatchObject({ code: 'NoSuchKeyStore' })
    }
  })

  it('loses a race it was told to lose', async () => {
    const [manager] = await moved()
    const ifMatch = manager.config()?.etag ?? ''
    await manager.reconfigure({ cache_ttl_seconds: 5 }, caller)
    await expect(manager.mendRetired(realm, { timeout_seconds: 5 }, caller, { ifMatch })).rejects.toMatchObject({
      code: 'PreconditionFailed',
    })
  })

  it('ends no wait for a confirmation', async () => {
    const [manager] = await moved()
    await manager.reconfigure({ cache_ttl_seconds: 5 }, caller, { confirmWithinSeconds: 60 })
    await manager.mendRetired(realm, { timeout_seconds: 5 }, caller)
    expect(await manager.confirm(caller)).toMatchObject({ outcome: 'confirmed' })
  })
})

describe('removing', () => {
  const remove = (manager: KmsManager, force: boolean, confirmRealm = realm) =>
    manager.removeRetired({ realm, confirmRealm, force }, caller)

  it('needs force as long as nobody counts what needs the store, and says what is lost', async () => {
    const [manager, old, fresh] = await moved()
    await expect(remove(manager, false)).rejects.toMatchObject({
      code: 'KeyStoreInUse',
      message: expect.stringMatching(/1 key version .* not counted.* "force": true/),
    })
    await opens(manager, old)
    const report = await remove(manager, true)
    expect(report).toMatchObject({
      outcome: 'removed',
      changed: [{ path: `retired.${realm}`, from: 'a' }],
      notes: [expect.stringMatching(/1 key version .*opens here any more\. The key store itself was not touched/)],
    })
    await expect(decrypt(manager, old.ciphertext)).rejects.toMatchObject({ code: 'UnknownKeyStore' })
    await opens(manager, fresh)
    expect(manager.retired()).toEqual([])
    expect(harness.driver.opened.filter(({ backend }) => !backend.closed)).toHaveLength(1)
    const after = await harness.boot()
    expect(after.retired()).toEqual([])
    await opens(after, fresh)
  })

  it('needs none when nothing is known to need it, and is refused with the number otherwise', async () => {
    let count = 3
    harness.keyUse = { count: async () => count, beforeDestroy: async () => {} }
    const [manager, old] = await moved()
    await expect(remove(manager, false)).rejects.toMatchObject({
      code: 'KeyStoreInUse',
      message: expect.stringContaining('3 known objects'),
    })
    await opens(manager, old)
    count = 0
    expect(await remove(manager, false)).toMatchObject({ outcome: 'removed', notes: [] })
  })

  it('can be undone: the store is where it was, and serves again', async () => {
    const [manager, old] = await moved()
    await remove(manager, true)
    expect(await manager.reconfigure({ name: 'a' }, caller)).toMatchObject({ status: 'Running' })
    await opens(manager, old)
  })

  it('has to name the realm twice', async () => {
    const [manager, old] = await moved()
    await expect(remove(manager, true, 'ff'.repeat(16))).rejects.toMatchObject({
      code: 'ValidationError',
      message: expect.stringMatching(/^confirm_realm: /),
    })
    await opens(manager, old)
  })

  it('is refused for the active store, for one the configuration points at, and for unknown ones', async () => {
    const [manager] = await moved()
    const active = harness.store('b').realm ?? ''
    for (const other of [active, 'ff'.repeat(16)]) {
      await expect(
        manager.removeRetired({ realm: other, confirmRealm: other, force: true }, caller),
      ).rejects.toMatchObject({ code: 'NoSuchKeyStore' })
    }
    await manager.stop(caller)
    await manager.configure(local, caller)
    await expect(remove(manager, true)).rejects.toMatchObject({
      code: 'KeyStoreInUse',
      message: expect.stringContaining('configuration points at it'),
    })
  })

  it('is refused while a change may be taken back to it', async () => {
    const manager = await harness.running()
    await manager.reconfigure({ name: 'b' }, caller, { confirmWithinSeconds: 60 })
    realm = harness.store('a').realm ?? ''
    await expect(remove(manager, true)).rejects.toMatchObject({
      code: 'KeyStoreInUse',
      message: expect.stringContaining('not confirmed'),
    })
    await manager.confirm(caller)
    await remove(manager, true)
  })

  it('that cannot be stored removes nothing', async () => {
    const [manager, old] = await moved()
    harness.failSave = kmsError('StorageFailed', { what: 'it', reason: 'no space is left on the device' })
    await expect(remove(manager, true)).rejects.toMatchObject({ code: 'StorageFailed' })
    harness.failSave = undefined
    await opens(manager, old)
  })

  it('works while the store is unreachable, and while the service is stopped', async () => {
    const [first] = await moved()
    harness.store('a').faults.hang('open')
    const manager = await harness.boot()
    await remove(manager, true)
    expect(manager.retired()).toEqual([])
    harness.store('a').faults.recover('open')
    await manager.reconfigure({ name: 'c' }, caller)
    await manager.stop(caller)
    realm = harness.store('b').realm ?? ''
    await remove(manager, true)
    expect(manager.retired()).toEqual([])
    expect(first).not.toBe(manager)
  })
})
