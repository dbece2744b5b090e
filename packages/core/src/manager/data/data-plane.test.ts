import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  anyone,
  caller,
  createHarness,
  dataKey,
  decrypt,
  type Harness,
  local,
  noContext,
} from '../../../test/manager-harness.ts'
import { kmsError } from '../../errors/kms-error.ts'

let harness: Harness
let clock: Harness['clock']
let driver: Harness['driver']
let boot: Harness['boot']
let running: Harness['running']
let store: Harness['store']

beforeEach(async () => {
  harness = await createHarness()
  ;({ clock, driver, boot, running, store } = harness)
})
afterEach(() => harness.close())

describe('the default key', () => {
  it('stays the one it named when its alias moves later', async () => {
    const manager = await running({ backend_type: 'memory', name: 'a' })
    const { record } = await manager.keys.create({ description: 'rotation-2024-09', authorize: anyone, caller })
    expect(record.aliases).toEqual(['rotation-2024-09'])
    await manager.reconfigure({ default_key_id: 'rotation-2024-09' }, caller)
    const { record: second } = await manager.keys.create({ name: 'second', authorize: anyone, caller })
    const { backend } = driver.opened.at(-1) ?? expect.fail('nothing is open')
    const cleared = await backend.update(record.keyId, { aliases: [] }, (await backend.describe(record.keyId)).etag)
    expect(cleared.aliases).toEqual([])
    await backend.update(second.keyId, { aliases: ['rotation-2024-09'] }, (await backend.describe('second')).etag)
    expect((await dataKey(await boot())).keyId).toBe(record.keyId)
  })

  it('that may not wrap does not keep a known store from starting, but is no key to change to', async () => {
    const manager = await running()
    const { ciphertext } = await dataKey(manager)
    const { backend } = driver.opened.at(-1) ?? expect.fail('nothing is open')
    await backend.update('master', { state: 'Disabled' }, (await backend.describe('master')).etag)
    const restarted = await boot()
    expect(restarted.status()).toMatchObject({ status: 'Running', lastError: expect.stringContaining('Disabled') })
    await decrypt(restarted, ciphertext)
    await expect(dataKey(restarted)).rejects.toMatchObject({ code: 'KeyDisabled' })
    await expect(restarted.reconfigure({ enable_cache: false }, caller)).rejects.toMatchObject({ code: 'ProofFailed' })
  })

  it('missing from request and configuration is a clear error', async () => {
    const manager = await running({ backend_type: 'memory', name: 'a' })
    await expect(dataKey(manager)).rejects.toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringContaining('default_key_id'),
    })
  })
})

describe('wrap and unwrap', () => {
  it('round-trip any plaintext under any context, and under no other', async () => {
    const manager = await running()
    const context = fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), fc.string({ maxLength: 5 }), {
      maxKeys: 4,
    })
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 4096 }),
        context,
        context,
        async (plaintext, own, other) => {
          const ownContext = new Map(Object.entries(own))
          const otherContext = new Map(Object.entries(other))
          const wrapped = await manager.data.encrypt({ plaintext, context: ownContext, authorize: anyone })
          expect((await decrypt(manager, wrapped.ciphertext, ownContext)).plaintext.equals(plaintext)).toBe(true)
          const same =
            ownContext.size === otherContext.size &&
            [...ownContext].every(([key, value]) => otherContext.get(key) === value)
          if (!same)
            await expect(decrypt(manager, wrapped.ciphertext, otherContext)).rejects.toMatchObject({
              code: 'InvalidCiphertext',
            })
        },
      ),
      { numRuns: 50 },
    )
  })

  it('refuse every changed byte of an envelope with a 4xx', async () => {
    const manager = await running()
    const { ciphertext } = await dataKey(manager)
    for (let i = 0; i < ciphertext.length; i++) {
      const changed = Buffer.from(ciphertext)
      changed.writeUInt8(changed.readUInt8(i) ^ 1, i)
      const error = await decrypt(manager, changed).catch((reason: unknown) => reason)
      expect((error as { status: number }).status, `byte ${i}`).toBeLessThan(500)
    }
  })

  it('give data keys of the length asked for, never the same twice', async () => {
    const manager = await running()
    const short = await manager.data.generateDataKey({ spec: 'AES_128', context: noContext, authorize: anyone })
    expect(short.plaintext).toHaveLength(16)
    const seen = await Promise.all(
      Array.from({ length: 50 }, async () => (await dataKey(manager)).plaintext.toString('hex')),
    )
    expect(new Set(seen).size).toBe(50)
  })

  it.each([0, 4097])('refuse a plaintext of %i bytes', async (size) => {
    const manager = await running()
    const attempt = manager.data.encrypt({ plaintext: Buffer.alloc(size), context: noContext, authorize: anyone })
    await expect(attempt).rejects.toMatchObject({
      code: 'ValidationError',
      message: expect.stringMatching(/^plaintext: /),
    })
  })

  it('ask for permission on the resolved id, before anything is revealed', async () => {
    const manager = await running()
    await manager.keys.create({ description: 'nickname', authorize: anyone, caller })
    const asked: string[] = []
    const deny = (keyId: string) => {
      asked.push(keyId)
      throw kmsError('AccessDenied', { reason: 'no' })
    }
    const { keyId } = await manager.keys.describe({ key: 'nickname', authorize: anyone })
    for (const key of ['nickname', 'alias/nickname', 'absent']) {
      await expect(
        manager.data.generateDataKey({ key, spec: 'AES_256', context: noContext, authorize: deny }),
      ).rejects.toMatchObject({
        code: 'AccessDenied',
      })
    }
    const { ciphertext } = await dataKey(manager, 'nickname')
    await expect(manager.data.decrypt({ ciphertext, context: noContext, authorize: deny })).rejects.toMatchObject({
      code: 'AccessDenied',
    })
    expect(asked).toEqual([keyId, keyId, 'absent', keyId])
  })

  it('tell a key id from an alias when the spelling does', async () => {
    const manager = await running()
    await manager.keys.create({ description: 'nickname', authorize: anyone, caller })
    for (const key of ['alias/master', 'arn:aws:kms:::alias/master', 'arn:aws:kms:::key/nickname']) {
      await expect(dataKey(manager, key)).rejects.toMatchObject({ code: 'KeyNotFound' })
    }
    for (const key of ['master', 'arn:aws:kms:::key/master', 'arn:aws:kms:::alias/nickname'])
      await dataKey(manager, key)
  })

  it('check the key a caller expects', async () => {
    const manager = await running()
    await manager.keys.create({ name: 'second', authorize: anyone, caller })
    const { ciphertext } = await dataKey(manager)
    const input = { ciphertext, context: noContext, authorize: anyone }
    await manager.data.decrypt({ ...input, key: 'arn:aws:kms:::key/master' })
    await expect(manager.data.decrypt({ ...input, key: 'second' })).rejects.toMatchObject({ code: 'IncorrectKey' })
    await expect(manager.data.decrypt({ ...input, key: 'absent' })).rejects.toMatchObject({ code: 'KeyNotFound' })
  })

  it.each<['Disabled' | 'PendingDeletion', string | undefined, string]>([
    ['Disabled', undefined, 'KeyDisabled'],
    ['PendingDeletion', 'KeyPendingDeletion', 'KeyPendingDeletion'],
  ])('follow the state %s within 5 s, whatever the cache holds', async (state, unwrapCode, wrapCode) => {
    const manager = await running()
    const { ciphertext } = await dataKey(manager)
    await decrypt(manager, ciphertext)
    const { backend } = driver.opened.at(-1) ?? expect.fail('nothing is open')
    await backend.update('master', { state }, (await backend.describe('master')).etag)
    clock.advance(5000)
    await expect(dataKey(manager)).rejects.toMatchObject({ code: wrapCode })
    if (unwrapCode === undefined) await decrypt(manager, ciphertext)
    else await expect(decrypt(manager, ciphertext)).rejects.toMatchObject({ code: unwrapCode })
  })

  it('go on when the key is rotated behind our back, and old envelopes open', async () => {
    const manager = await running()
    const old = await dataKey(manager)
    const { backend } = driver.opened.at(-1) ?? expect.fail('nothing is open')
    await backend.rotate('master', (await backend.describe('master')).etag)
    const fresh = await dataKey(manager)
    expect([old.keyVersion, fresh.keyVersion]).toEqual([1, 2])
    for (const { ciphertext, plaintext } of [old, fresh]) {
      expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
    }
  })

  it('do not use a record that was rolled back, nor a key that came back from destruction', async () => {
    const manager = await running()
    const { backend, config } = driver.opened.at(-1) ?? expect.fail('nothing is open')
    expect(config['name']).toBe('a')
    const before = store('a').keys.get('master')
    await backend.rotate('master', (await backend.describe('master')).etag)
    await dataKey(manager)
    store('a').keys.set('master', before ?? expect.fail('the key was there'))
    clock.advance(5000)
    await expect(dataKey(manager)).rejects.toMatchObject({
      code: 'KeyUnavailable',
      message: expect.stringContaining('rolled back'),
    })
    expect((await manager.keys.list({ limit: 10 })).keys[0]).toMatchObject({ keyId: 'master', state: 'Unavailable' })
  })

  it('end in time when the backend hangs', async () => {
    const manager = await running({ ...local, timeout_seconds: 5 })
    store('a').faults.hang('wrap')
    const attempt = dataKey(manager).catch((error: unknown) => error)
    await new Promise(setImmediate)
    clock.advance(5000)
    expect(await attempt).toMatchObject({ code: 'BackendTimeout', status: 504 })
    store('a').faults.recover('wrap')
  })
})

describe('the cache', () => {
  it('counts, empties on request, and is really off when it is off', async () => {
    const manager = await running()
    const { ciphertext } = await dataKey(manager)
    const unwraps = () => store('a').faults.calls('unwrap')
    const before = unwraps()
    await decrypt(manager, ciphertext)
    await decrypt(manager, ciphertext)
    expect(unwraps() - before).toBe(1)
    expect(manager.status().cache).toEqual({ hits: 1, misses: 1, entries: 1, evictions: 0 })
    manager.clearCache()
    expect(manager.status().cache).toMatchObject({ entries: 0 })
    await manager.reconfigure({ enable_cache: false }, caller)
    expect(manager.status().cache).toBeUndefined()
    const [describes, opens] = [store('a').faults.calls('describe'), unwraps()]
    await decrypt(manager, ciphertext)
    await decrypt(manager, ciphertext)
    expect(unwraps() - opens).toBe(2)
    expect(store('a').faults.calls('describe') - describes).toBe(2)
  })

  it('is bounded and expires as configured', async () => {
    const manager = await running({ ...local, max_cached_keys: 2, cache_ttl_seconds: 4 })
    const keysMade = [await dataKey(manager), await dataKey(manager), await dataKey(manager)]
    for (const { ciphertext } of keysMade) await decrypt(manager, ciphertext)
    expect(manager.status().cache).toMatchObject({ entries: 2, evictions: 1 })
    const before = store('a').faults.calls('unwrap')
    clock.advance(4001)
    await decrypt(manager, keysMade[2]?.ciphertext ?? expect.fail('it was made'))
    expect(store('a').faults.calls('unwrap') - before).toBe(1)
  })

  it('cannot be cleared while nothing runs', async () => {
    const manager = await boot()
    expect(() => manager.clearCache()).toThrow(expect.objectContaining({ code: 'NotRunning' }))
  })
})
