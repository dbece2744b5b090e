import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, dataKey, decrypt, type Harness, local } from '../../../test/manager-harness.ts'
import { kmsError } from '../../errors/kms-error.ts'
import type { KeyRecord, KeyState } from '../../keys/key-backend.ts'
import type { KmsManager } from '../manager-types.ts'
import type { ChangedKey, KeyRequest } from './change-key.ts'

let harness: Harness
let manager: KmsManager

beforeEach(async () => {
  harness = await createHarness()
  manager = await harness.running()
  await manager.keys.create({ name: 'k', authorize: anyone, caller })
})
afterEach(() => harness.close())

const request = (key = 'k'): KeyRequest => ({ key, authorize: anyone, caller })
const describeKey = (key = 'k'): Promise<KeyRecord> => manager.keys.describe({ key, authorize: anyone })

/** Every change, as one that changes something of a fresh key. */
const CHANGES: Readonly<Record<string, (input: KeyRequest) => Promise<ChangedKey>>> = {
  rotate: (input) => manager.keys.rotate(input),
  enable: (input) => manager.keys.enable(input),
  disable: (input) => manager.keys.disable(input),
  updateDescription: (input) => manager.keys.updateDescription({ ...input, description: 'new' }),
  tag: (input) => manager.keys.tag({ ...input, tags: new Map([['a', '1']]) }),
  untag: (input) => manager.keys.untag({ ...input, tagKeys: ['old'] }),
  addAlias: (input) => manager.keys.addAlias({ ...input, alias: 'new-alias' }),
  removeAlias: (input) => manager.keys.removeAlias({ ...input, alias: 'old-alias' }),
  setRotationPeriod: (input) => manager.keys.setRotationPeriod({ ...input, days: 30 }),
}
const names = Object.keys(CHANGES)
const change = (name: string, input: KeyRequest = request()): Promise<ChangedKey> =>
  (CHANGES[name] as (typeof CHANGES)[string])(input)

/** Gives the key what there is to remove, and a state, behind the manager's back. */
async function put(state: KeyState): Promise<void> {
  const key = harness.store('a').keys.get('k')
  if (key === undefined || !('record' in key)) return expect.fail('no key k')
  const record: KeyRecord = { ...key.record, aliases: ['old-alias'], tags: new Map([['old', 'x']]), state }
  harness.store('a').aliases.set('old-alias', 'k')
  harness.store('a').keys.set('k', { ...key, record })
}

const P = 'KeyPendingDeletion'
const D = 'KeyDisabled'

/** By change: what comes of it in the states Enabled, Disabled, PendingDeletion; true: changed, false: was so before. */
const OUTCOMES: Readonly<Record<string, readonly (boolean | string)[]>> = {
  rotate: [true, D, P],
  enable: [false, true, P],
  disable: [true, false, P],
  updateDescription: [true, true, P],
  tag: [true, true, P],
  untag: [true, true, P],
  addAlias: [true, true, P],
  removeAlias: [true, true, true],
  setRotationPeriod: [true, true, P],
}

describe.each(names)('%s', (name) => {
  it.each(
    (['Enabled', 'Disabled', 'PendingDeletion'] as const).map((state, i) => [state, OUTCOMES[name]?.[i]] as const),
  )('of a key that is %s: %s', async (state, outcome) => {
    await put(state)
    const before = await harness.driver.opened.at(-1)?.backend.describe('k')
    if (typeof outcome === 'string') {
      await expect(change(name)).rejects.toMatchObject({ code: outcome })
      expect(await harness.driver.opened.at(-1)?.backend.describe('k')).toEqual(before)
      return
    }
    const { record, changed } = await change(name)
    expect(changed).toBe(outcome)
    expect(await describeKey()).toEqual(record)
    expect(record.etag === before?.etag).toBe(!outcome)
  })

  it('twice changes nothing the second time, but for a rotation and an alias that is gone', async () => {
    await put('Enabled')
    await change(name)
    const before = await describeKey()
    if (name === 'removeAlias') {
      await expect(change(name)).rejects.toMatchObject({ code: 'KeyNotFound' })
    } else expect((await change(name)).changed).toBe(name === 'rotate')
    if (name !== 'rotate') expect(await describeKey()).toEqual(before)
  })

  it('of a key that cannot be read, is not there or was destroyed says so', async () => {
    await expect(change(name, request('nobody'))).rejects.toMatchObject({ code: 'KeyNotFound' })
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    await backend.destroy('k', (await backend.describe('k')).etag)
    await expect(change(name)).rejects.toMatchObject({ code: 'KeyDestroyed' })
    await manager.keys.create({ name: 'damaged', authorize: anyone, caller })
    harness.store('a').unreadable.add('damaged')
    await expect(change(name, request('damaged'))).rejects.toMatchObject({ code: 'KeyUnavailable' })
  })

  it('is denied before anything is told of the key, by its id and not by its name', async () => {
    await put('PendingDeletion')
    const denied = kmsError('AccessDenied', { reason: 'no' })
    const asked: string[] = []
    const authorize = (keyId: string): void => {
      asked.push(keyId)
      throw denied
    }
    for (const key of ['k', 'alias/old-alias', 'nobody']) {
      await expect(change(name, { key, authorize, caller })).rejects.toBe(denied)
    }
    expect(asked).toEqual(['k', 'k', 'nobody'])
  })

  it('counts at once, whatever is cached', async () => {
    await put('Enabled')
    await describeKey('old-alias')
    await dataKey(manager, 'k')
    const { record } = await change(name)
    for (const key of ['k', ...record.aliases]) expect(await describeKey(key)).toEqual(record)
  })

  it('reads the record, not what is cached', async () => {
    await put('Enabled')
    await describeKey()
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    await backend.update('k', { state: 'PendingDeletion' }, (await backend.describe('k')).etag)
    if (name === 'removeAlias') expect((await change(name)).record.state).toBe('PendingDeletion')
    else await expect(change(name)).rejects.toMatchObject({ code: P })
  })

  it('is decided anew when another change came first', async () => {
    await put(name === 'enable' ? 'Disabled' : 'Enabled')
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    const verb = name === 'rotate' ? 'rotate' : 'update'
    harness.store('a').faults.hang(verb)
    const running = change(name)
    await expect.poll(() => backend.calls(verb)).toBe(1)
    // Another process of the same store.
    const key = harness.store('a').keys.get('k')
    if (key === undefined || !('record' in key)) return expect.fail('no key k')
    const state = name === 'disable' ? 'Disabled' : 'Enabled'
    harness.store('a').keys.set('k', { ...key, record: { ...key.record, state, etag: 'another' } })
    harness.store('a').faults.recover(verb)
    expect((await running).changed).toBe(name !== 'enable' && name !== 'disable')
  })
})

describe('events', () => {
  it.each([
    ['rotate', 'kms_key_rotated'],
    ['disable', 'kms_key_disabled'],
    ['updateDescription', 'kms_key_updated'],
    ['tag', 'kms_key_updated'],
    ['untag', 'kms_key_updated'],
    ['addAlias', 'kms_key_updated'],
    ['removeAlias', 'kms_key_updated'],
    ['setRotationPeriod', 'kms_key_updated'],
  ])('tell of %s as %s, once, with who it was', async (name, event) => {
    await put('Enabled')
    harness.events.length = 0
    await change(name)
    expect(harness.events).toMatchObject([
      { event, caller, keyId: 'k', realm: harness.store('a').realm, message: expect.stringContaining('"k"') },
    ])
  })

  it('tell nothing where nothing changed or was refused', async () => {
    harness.events.length = 0
    await manager.keys.enable(request())
    await expect(manager.keys.enable(request('nobody'))).rejects.toMatchObject({ code: 'KeyNotFound' })
    expect(harness.events).toEqual([])
    await manager.keys.disable(request())
    await manager.keys.enable(request())
    expect(harness.events.map(({ event }) => event)).toEqual(['kms_key_disabled', 'kms_key_enabled'])
  })
})

describe('many changes of one key at the same time', () => {
  it('all happen, whoever comes first', async () => {
    const tags = Array.from({ length: 40 }, (_, i) => `t${i}`)
    await Promise.all(
      tags.map(async (tag, i) => {
        await manager.keys.tag({ ...request(), tags: new Map([[tag, `${i}`]]) })
        if (i % 4 === 0) await manager.keys.rotate(request())
      }),
    )
    const record = await describeKey()
    expect([...record.tags.keys()].sort()).toEqual([...tags].sort())
    expect(record.currentVersion).toBe(11)
  })

  it('give up at some time, when somebody never stops changing it', async () => {
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    harness.store('a').faults.fail('update', kmsError('PreconditionFailed', { actual: 'x', expected: 'y' }))
    await expect(manager.keys.disable(request())).rejects.toMatchObject({ code: 'PreconditionFailed' })
    expect(backend.calls('update')).toBeLessThan(1000)
  })
})

describe('what a backend cannot do', () => {
  it.each(names)('%s is 501 to those who may, whether there is such a key or not', async (name) => {
    const capabilities = { rotate: false, enable_disable: false, update_key_metadata: false }
    const poor = await createHarness({ capabilities })
    try {
      manager = await poor.running()
      for (const key of ['master', 'nobody']) {
        await expect(change(name, request(key))).rejects.toMatchObject({
          code: 'UnsupportedCapability',
          message: expect.stringMatching(/^The memory backend cannot /),
        })
        const denied = kmsError('AccessDenied', { reason: 'no' })
        const authorize = () => {
          throw denied
        }
        await expect(change(name, { key, caller, authorize })).rejects.toBe(denied)
      }
    } finally {
      await poor.close()
    }
  })
})

describe('limits', () => {
  const long = 'x'.repeat(8193)
  const tags = (count: number): Map<string, string> => new Map(Array.from({ length: count }, (_, i) => [`n${i}`, '']))

  it.each<[string, string, (input: KeyRequest) => Promise<ChangedKey>]>([
    ['a long description', 'description', (k) => manager.keys.updateDescription({ ...k, description: long })],
    ['no Unicode', 'description', (k) => manager.keys.updateDescription({ ...k, description: '\ud800' })],
    ['51 tags', 'tags', (k) => manager.keys.tag({ ...k, tags: tags(51) })],
    ['50 tags beside one', 'tags', (k) => manager.keys.tag({ ...k, tags: tags(50) })],
    ['a tag without a name', 'tags', (k) => manager.keys.tag({ ...k, tags: new Map([['', 'x']]) })],
    ['a long tag', 'tags', (k) => manager.keys.tag({ ...k, tags: new Map([['x'.repeat(129), 'x']]) })],
    ['a long value', 'tags', (k) => manager.keys.tag({ ...k, tags: new Map([['x', 'x'.repeat(257)]]) })],
    ['the tag name', 'tags', (k) => manager.keys.tag({ ...k, tags: new Map([['name', 'x']]) })],
    ['removing the tag name', 'tag_keys', (k) => manager.keys.untag({ ...k, tagKeys: ['old', 'name'] })],
    ['an alias with a blank', 'alias', (k) => manager.keys.addAlias({ ...k, alias: 'a b' })],
    ['a route word as alias', 'alias', (k) => manager.keys.addAlias({ ...k, alias: 'rotate' })],
    ['0 days', 'days', (k) => manager.keys.setRotationPeriod({ ...k, days: 0 })],
    ['3651 days', 'days', (k) => manager.keys.setRotationPeriod({ ...k, days: 3651 })],
    ['half a day', 'days', (k) => manager.keys.setRotationPeriod({ ...k, days: 1.5 })],
    ['no number of days', 'days', (k) => manager.keys.setRotationPeriod({ ...k, days: Number.NaN })],
  ])('%s is refused, and nothing changes', async (_, path, attempt) => {
    await put('Enabled')
    const before = await describeKey()
    await expect(attempt(request())).rejects.toMatchObject({
      code: 'ValidationError',
      message: expect.stringMatching(new RegExp(`^${path}: `)),
    })
    expect(await describeKey()).toEqual(before)
  })

  it('leave room for 50 tags, 50 aliases, 3650 days and a name given at creation', async () => {
    await manager.keys.tag({ ...request(), tags: tags(50) })
    for (let i = 0; i < 50; i++) await manager.keys.addAlias({ ...request(), alias: `alias-${i}` })
    await expect(manager.keys.addAlias({ ...request(), alias: 'one-more' })).rejects.toMatchObject({
      code: 'ValidationError',
    })
    for (const days of [1, 3650, null]) {
      expect((await manager.keys.setRotationPeriod({ ...request(), days })).record.rotationPeriodDays ?? null).toBe(
        days,
      )
    }
    const named = new Map([['name', 'n']])
    const { record } = await manager.keys.create({ name: 'n', tags: named, authorize: anyone, caller })
    await manager.keys.tag({ ...request('n'), tags: new Map([['other', 'x']]) })
    await manager.keys.untag({ ...request('n'), tagKeys: ['other'] })
    expect((await describeKey('n')).tags).toEqual(record.tags)
  })
})

describe('aliases', () => {
  it('are taken once, by key or alias', async () => {
    await manager.keys.addAlias({ ...request(), alias: 'shop' })
    await manager.keys.create({ name: 'other', authorize: anyone, caller })
    for (const alias of ['shop', 'k', 'master']) {
      await expect(manager.keys.addAlias({ ...request('other'), alias })).rejects.toMatchObject({
        code: 'KeyAlreadyExists',
      })
    }
    expect((await manager.keys.addAlias({ ...request('alias/shop'), alias: 'shop' })).changed).toBe(false)
    await expect(manager.keys.removeAlias({ ...request('other'), alias: 'shop' })).rejects.toMatchObject({
      code: 'KeyNotFound',
    })
    expect((await describeKey('shop')).keyId).toBe('k')
  })

  it('move to another key, which requests reach at once; the default key stays what it was', async () => {
    await manager.keys.addAlias({ ...request(), alias: 'current' })
    await manager.keys.create({ name: 'next', authorize: anyone, caller })
    await manager.reconfigure({ default_key_id: 'current' }, caller)
    expect((await dataKey(manager, 'current')).keyId).toBe('k')
    await manager.keys.removeAlias({ ...request('current'), alias: 'current' })
    await expect(dataKey(manager, 'current')).rejects.toMatchObject({ code: 'KeyNotFound' })
    await manager.keys.addAlias({ ...request('next'), alias: 'current' })
    expect((await dataKey(manager, 'current')).keyId).toBe('next')
    expect((await dataKey(manager)).keyId).toBe('k')
    await manager.reconfigure({ cache_ttl_seconds: 100 }, caller)
    expect((await dataKey(manager)).keyId).toBe('k')
    manager = await harness.boot()
    expect((await dataKey(manager)).keyId).toBe('k')
  })

  it('can be taken away from a key that is to be deleted', async () => {
    await put('PendingDeletion')
    await manager.keys.removeAlias({ ...request(), alias: 'old-alias' })
    await manager.keys.addAlias({ ...request('master'), alias: 'old-alias' })
    expect((await describeKey('old-alias')).keyId).toBe('master')
  })
})

describe('rotation', () => {
  it('wraps under the new version at once, and unwraps all', async () => {
    const made = [await dataKey(manager, 'k')]
    for (let version = 2; version <= 5; version++) {
      expect((await manager.keys.rotate(request())).record.currentVersion).toBe(version)
      made.push(await dataKey(manager, 'k'))
    }
    expect(made.map(({ keyVersion }) => keyVersion)).toEqual([1, 2, 3, 4, 5])
    const restarted = await harness.boot()
    for (const { ciphertext, plaintext } of made) {
      expect((await decrypt(restarted, ciphertext)).plaintext.equals(plaintext)).toBe(true)
    }
  })

  it('is remembered: a record from before is not used any more', async () => {
    const before = harness.store('a').keys.get('k')
    await manager.keys.rotate(request())
    if (before === undefined) return expect.fail('no key k')
    harness.store('a').keys.set('k', before)
    harness.clock.advance(5000)
    await expect(dataKey(manager, 'k')).rejects.toMatchObject({
      code: 'KeyUnavailable',
      message: expect.stringContaining('version 2 was seen here'),
    })
    await expect(manager.keys.rotate(request())).rejects.toMatchObject({ code: 'KeyUnavailable' })
  })

  it('that may or may not have happened leaves nothing stale behind', async () => {
    await dataKey(manager, 'k')
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    harness.store('a').faults.hang('rotate')
    const running = manager.keys.rotate(request()).catch((error: unknown) => error)
    await expect.poll(() => backend.calls('rotate')).toBe(1)
    harness.clock.advance(30_000)
    expect(await running).toMatchObject({ code: 'BackendTimeout' })
    harness.store('a').faults.recover('rotate')
    expect((await dataKey(manager, 'k')).keyVersion).toBe(2)
  })
})

describe('a change that is under way while the service moves', () => {
  it('is never made to the key of that name in the other store', async () => {
    await manager.reconfigure({ ...local, name: 'b', default_key_id: null }, caller)
    await manager.keys.create({ name: 'k', authorize: anyone, caller })
    await manager.reconfigure({ ...local, name: 'a', default_key_id: null, timeout_seconds: 1 }, caller)
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    harness.store('a').faults.hang('update')
    const running = manager.keys.disable(request()).catch((error: unknown) => error)
    await expect.poll(() => backend.calls('update')).toBe(1)
    await manager.reconfigure({ name: 'b' }, caller)
    harness.clock.advance(1000)
    expect(await running).toMatchObject({ code: 'BackendTimeout' })
    expect(await describeKey()).toMatchObject({ state: 'Enabled' })
    harness.store('a').faults.recover('update')
  })

  it('is forgotten by the caches of the configuration that took over', async () => {
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    harness.store('a').faults.hang('update')
    const running = manager.keys.disable(request())
    await expect.poll(() => backend.calls('update')).toBe(1)
    await manager.reconfigure({ cache_ttl_seconds: 100 }, caller)
    await dataKey(manager, 'k')
    harness.store('a').faults.recover('update')
    expect((await running).changed).toBe(true)
    await expect(dataKey(manager, 'k')).rejects.toMatchObject({ code: 'KeyDisabled' })
  })
})
