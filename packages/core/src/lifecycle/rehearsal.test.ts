import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, dataKey, type Harness, local } from '../../test/manager-harness.ts'
import { kmsError } from '../errors/kms-error.ts'
import { createMemoryBackend, createMemoryStore } from '../testing/index.ts'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

/** Everything a rehearsal must leave as it was: on disk, in the stores, in the service. */
async function traces(): Promise<unknown> {
  const stores = [...harness.driver.stores].map(([place, { realm, keys, aliases }]) => [
    place,
    realm,
    [...keys].map(([id, key]) => [id, 'record' in key ? key.record.etag : key]),
    [...aliases],
  ])
  return { stores, files: (await readdir(harness.directory, { recursive: true })).sort(), events: [...harness.events] }
}

describe('a rehearsal', () => {
  it('tells what would change and how the candidate was proven, and leaves no trace', async () => {
    const manager = await harness.running()
    await dataKey(manager)
    const known = createMemoryStore()
    createMemoryBackend({ store: known })
    harness.driver.stores.set('known', known)
    const before = { status: manager.status(), config: manager.config(), traces: await traces() }
    const { revision } = manager.status()

    const report = await manager.rehearse({ name: 'a', token: 'n3w', cache_ttl_seconds: 600 })
    expect(report).toMatchObject({
      status: 'Running',
      revision,
      diff: [
        { path: 'cache_ttl_seconds', from: 300, to: 600 },
        { path: 'token', to: '***' },
      ],
      notes: [],
    })
    expect(report.proof.map(({ step }) => step)).toEqual([
      'open',
      'health',
      'default key',
      'fresh canary',
      'negative canary',
      'stored canaries',
    ])
    expect(report.proof.every(({ detail, milliseconds }) => detail !== '' && milliseconds >= 0)).toBe(true)
    expect(JSON.stringify(report)).not.toContain('n3w')

    // A store that is there and was never used here.
    const other = await manager.rehearse({ name: 'known' })
    expect(other.proof.map(({ step, detail }) => `${step}: ${detail}`)).toEqual([
      `open: key store ${known.realm} was opened`,
      'health: the store answers',
      'default key: "master" would be created',
      'fresh canary: the store has no usable key yet',
    ])
    expect({ status: manager.status(), config: manager.config(), traces: await traces() }).toEqual(before)
    expect(harness.driver.opened.filter(({ backend }) => !backend.closed)).toHaveLength(1)
  })

  it('at an empty place says what would be made there, and makes nothing', async () => {
    const manager = await harness.running()
    const before = await traces()
    const report = await manager.rehearse({ name: 'empty' })
    expect(report.notes).toEqual(['A new key store would be initialised at empty.'])
    expect(report.proof.map(({ step, detail }) => `${step}: ${detail}`)).toEqual([
      'open: empty is empty: a new key store would be initialised there',
      'default key: "master" would be created, unless it is there already',
    ])
    expect(await traces()).toEqual(before)
    expect(harness.driver.stores.has('empty')).toBe(false)
  })

  it('works before the first configuration, and while the service is stopped or cannot start', async () => {
    const manager = await harness.boot()
    expect(await manager.rehearse(local)).toMatchObject({ status: 'NotConfigured', revision: 0 })
    await manager.configure(local, caller)
    expect(await manager.rehearse({ cache_ttl_seconds: 5 })).toMatchObject({ status: 'Configured', revision: 1 })
    expect(harness.driver.opened).toEqual([])
  })

  it.each<[string, object, string]>([
    ['is not valid', { timeout_seconds: 0 }, 'ValidationError'],
    ['names a default key that does not exist', { default_key_id: 'absent' }, 'DefaultKeyMissing'],
    ['names a default key that is disabled', { default_key_id: 'off' }, 'ProofFailed'],
    ['points at a place that is not ours', { name: 'foreign' }, 'StoreNotOurs'],
    ['points at a store that is down', { name: 'down' }, 'BackendUnavailable'],
    ['sends a stored secret to another address', { endpoint: 'memory://evil' }, 'SecretRequired'],
  ])('of a change that %s throws what the change would throw, and leaves no trace', async (_, patch, code) => {
    const manager = await harness.running({ ...local, endpoint: 'memory://one', token: 't' })
    const { record } = await manager.keys.create({ name: 'off', authorize: anyone, caller })
    const backend = createMemoryBackend({ store: harness.store('a') })
    await backend.update('off', { state: 'Disabled' }, record.etag)
    harness.driver.stores.set('foreign', { ...createMemoryStore(), foreign: true })
    harness.driver.stores.set('down', createMemoryStore())
    harness.store('down').faults.fail('open', kmsError('BackendUnavailable', { store: 'down', reason: 'sealed' }))
    const before = { status: manager.status(), config: manager.config(), traces: await traces() }
    await expect(manager.rehearse(patch)).rejects.toMatchObject({ code })
    expect({ status: manager.status(), config: manager.config(), traces: await traces() }).toEqual(before)
    expect(harness.driver.opened.filter(({ backend: { closed } }) => !closed)).toHaveLength(1)
    // The change itself is refused for the same reason.
    await expect(manager.reconfigure(patch, caller)).rejects.toMatchObject({ code })
  })

  it('takes no notice of what it sees in a store, however new', async () => {
    const manager = await harness.running()
    const backend = createMemoryBackend({ store: harness.store('a') })
    await backend.rotate('master', (await backend.describe('master')).etag)
    await manager.rehearse({ cache_ttl_seconds: 5 })
    // Had it remembered version 2, a store restored from before the rotation would be refused now.
    const key = harness.store('a').keys.get('master')
    if (key === undefined || !('record' in key)) return expect.fail('it was there')
    const { record, versions } = key
    harness.store('a').keys.set('master', { record: { ...record, currentVersion: 1 }, versions })
    expect(await manager.reconfigure({ cache_ttl_seconds: 5 }, caller)).toMatchObject({ status: 'Running' })
  })

  it('loses a race it was told to lose, and refuses a confirm_within that would be refused', async () => {
    const manager = await harness.running()
    await expect(manager.rehearse({}, { ifMatch: '"0-0"' })).rejects.toMatchObject({ code: 'PreconditionFailed' })
    await expect(manager.rehearse({}, { confirmWithinSeconds: 0 })).rejects.toMatchObject({ code: 'ValidationError' })
  })

  it('holds up no change, however long it takes', async () => {
    const manager = await harness.running()
    harness.driver.stores.set('slow', createMemoryStore())
    harness.store('slow').faults.hang('open')
    const rehearsal = manager.rehearse({ name: 'slow' }).catch((error: unknown) => error)
    await manager.reconfigure({ cache_ttl_seconds: 5 }, caller)
    harness.clock.advance(30_000)
    expect(await rehearsal).toMatchObject({ code: 'BackendTimeout' })
    harness.store('slow').faults.recover('open')
  })
})
