import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, dataKey, decrypt, type Harness, local } from '../../test/manager-harness.ts'
import { kmsError } from '../errors/kms-error.ts'
import { createMemoryBackend, createMemoryStore } from '../testing/index.ts'

let harness: Harness
let clock: Harness['clock']
let driver: Harness['driver']
let events: Harness['events']
let boot: Harness['boot']
let running: Harness['running']
let store: Harness['store']

beforeEach(async () => {
  harness = await createHarness()
  ;({ clock, driver, events, boot, running, store } = harness)
})
afterEach(() => harness.close())

describe('the playbook’s first page', () => {
  it('walks NotConfigured → Configured → Running → Configured → Running', async () => {
    const manager = await boot()
    expect(manager.status()).toMatchObject({
      status: 'NotConfigured',
      revision: 0,
      config: undefined,
      healthy: undefined,
    })
    expect(await manager.configure(local, caller)).toMatchObject({
      status: 'Configured',
      revision: 1,
      outcome: 'configured',
    })
    expect(driver.opened).toEqual([])
    expect(await manager.start({ force: false }, caller)).toMatchObject({ status: 'Running', outcome: 'started' })
    expect(manager.status()).toMatchObject({ status: 'Running', healthy: true, capabilities: { encrypt: true } })
    const { plaintext, ciphertext, keyId } = await dataKey(manager)
    expect(keyId).toBe('master')
    expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
    expect(await manager.stop(caller)).toMatchObject({ status: 'Configured', outcome: 'stopped' })
    await expect(decrypt(manager, ciphertext)).rejects.toMatchObject({ code: 'NotRunning' })
    await manager.start({ force: false }, caller)
    expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
  })

  it('stands after a restart: state, configuration, keys and envelopes', async () => {
    const before = await running({ ...local, cache_ttl_seconds: 900 })
    const { plaintext, ciphertext } = await dataKey(before)
    const revision = before.status().revision
    const after = await boot()
    expect(after.status()).toMatchObject({ status: 'Running', revision, config: { cache_ttl_seconds: 900 } })
    expect((await decrypt(after, ciphertext)).plaintext.equals(plaintext)).toBe(true)
  })

  it('stays stopped after a restart', async () => {
    await (await running()).stop(caller)
    expect((await boot()).status()).toMatchObject({ status: 'Configured' })
  })
})

describe('configure', () => {
  it('is refused while running, unless it is equal', async () => {
    const manager = await running()
    const { revision } = manager.status()
    await expect(manager.configure({ ...local, enable_cache: false }, caller)).rejects.toMatchObject({
      code: 'AlreadyRunning',
    })
    expect(await manager.configure(local, caller)).toMatchObject({ outcome: 'unchanged', revision, status: 'Running' })
    expect(manager.status()).toMatchObject({ status: 'Running', revision })
  })

  it('with a secret is never taken for a no-op', async () => {
    const manager = await running({ ...local, token: 't' })
    await expect(manager.configure({ ...local, token: 't' }, caller)).rejects.toMatchObject({ code: 'AlreadyRunning' })
  })

  it('replaces the document when stopped', async () => {
    const manager = await running({ ...local, cache_ttl_seconds: 900 })
    await manager.stop(caller)
    await manager.configure(local, caller)
    expect(manager.config()?.document.cache_ttl_seconds).toBe(300)
  })

  it('changes nothing when it is bad or cannot be stored', async () => {
    const manager = await boot()
    await expect(manager.configure({ ...local, timeout_seconds: 0 }, caller)).rejects.toMatchObject({
      code: 'ValidationError',
    })
    harness.failSave = kmsError('StorageFailed', {
      what: 'the configuration',
      reason: 'no space is left on the device',
    })
    await expect(manager.configure(local, caller)).rejects.toMatchObject({ code: 'StorageFailed' })
    expect(manager.status()).toMatchObject({ status: 'NotConfigured', revision: 0 })
    expect(manager.config()).toBeUndefined()
  })

  it('loses a race it was told to lose', async () => {
    const manager = await boot()
    await manager.configure(local, caller)
    const etag = manager.config()?.etag ?? ''
    await manager.configure({ ...local, enable_cache: false }, caller, { ifMatch: etag })
    await expect(manager.configure(local, caller, { ifMatch: etag })).rejects.toMatchObject({
      code: 'PreconditionFailed',
    })
    expect(manager.config()?.document.enable_cache).toBe(false)
  })
})

describe('start', () => {
  it('without a configuration is refused and changes nothing', async () => {
    const manager = await boot()
    await expect(manager.start({ force: false }, caller)).rejects.toMatchObject({ code: 'NoConfiguration' })
    expect(manager.status()).toMatchObject({ status: 'NotConfigured' })
  })

  it('creates the default key in a new store only', async () => {
    const manager = await running()
    expect((await manager.keys.describe({ key: 'master', authorize: anyone })).state).toBe('Enabled')
    await manager.stop(caller)
    await manager.configure({ ...local, default_key_id: 'absent' }, caller)
    await expect(manager.start({ force: false }, caller)).rejects.toMatchObject({ code: 'DefaultKeyMissing' })
    expect(manager.status().status).toEqual({ Error: expect.stringContaining('absent') })
  })

  it('is a report when running, and builds anew beside it with force', async () => {
    const manager = await running()
    expect(await manager.start({ force: false }, caller)).toMatchObject({ outcome: 'unchanged' })
    expect(driver.opened).toHaveLength(1)
    expect(await manager.start({ force: true }, caller)).toMatchObject({ outcome: 'restarted', status: 'Running' })
    expect(driver.opened.map(({ backend }) => backend.closed)).toEqual([true, false])
  })

  it('with force keeps what runs when the new one cannot be built', async () => {
    const manager = await running()
    store('a').faults.fail('open', kmsError('BackendUnavailable', { store: 'a', reason: 'down' }))
    await expect(manager.start({ force: true }, caller)).rejects.toMatchObject({ code: 'BackendUnavailable' })
    store('a').faults.recover('open')
    expect(manager.status().status).toBe('Running')
    await dataKey(manager)
  })

  it('that fails says why, can be tried again, and leaves nothing open', async () => {
    const manager = await boot()
    await manager.configure(local, caller)
    await manager.start({ force: false }, caller)
    await manager.stop(caller)
    store('a').faults.fail('health', kmsError('BackendUnavailable', { store: 'a', reason: 'sealed' }))
    await expect(manager.start({ force: false }, caller)).rejects.toMatchObject({
      code: 'BackendUnavailable',
      message: expect.stringMatching(/^health: .*sealed/),
    })
    expect(manager.status()).toMatchObject({
      status: { Error: expect.stringContaining('sealed') },
      lastError: expect.any(String),
    })
    expect(driver.opened.every(({ backend }) => backend.closed)).toBe(true)
    store('a').faults.recover('health')
    expect(await manager.start({ force: false }, caller)).toMatchObject({ status: 'Running' })
    expect(manager.status().lastError).toBeUndefined()
  })

  it('leaves Error by configure and by stop', async () => {
    const manager = await boot()
    await manager.configure({ ...local, name: 'b' }, caller)
    driver.stores.set('b', { ...createMemoryStore(), foreign: true })
    await expect(manager.start({ force: false }, caller)).rejects.toMatchObject({ code: 'StoreNotOurs' })
    expect(await manager.stop(caller)).toMatchObject({ status: 'Configured' })
    await expect(manager.start({ force: false }, caller)).rejects.toMatchObject({ code: 'StoreNotOurs' })
    expect(await manager.configure(local, caller)).toMatchObject({ status: 'Configured' })
  })

  it('ends in time when the backend hangs, and closes what opens late', async () => {
    const manager = await boot()
    await manager.configure({ ...local, timeout_seconds: 7 }, caller)
    driver.stores.set('a', createMemoryStore())
    store('a').faults.hang('open')
    const attempt = manager.start({ force: false }, caller).catch((error: unknown) => error)
    await new Promise(setImmediate)
    clock.advance(7000)
    expect(await attempt).toMatchObject({ code: 'BackendTimeout' })
    store('a').faults.recover('open')
    await new Promise(setImmediate)
    expect(driver.opened.every(({ backend }) => backend.closed)).toBe(true)
  })
})

describe('reconfigure', () => {
  it('changes what it names, under a running service', async () => {
    const manager = await running()
    const { ciphertext, plaintext } = await dataKey(manager)
    const report = await manager.reconfigure({ enable_cache: true, max_cached_keys: 2048, timeout_seconds: 20 }, caller)
    expect(report).toMatchObject({
      status: 'Running',
      outcome: 'reconfigured',
      changed: [
        { path: 'max_cached_keys', from: 1000, to: 2048 },
        { path: 'timeout_seconds', from: 30, to: 20 },
      ],
    })
    expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
  })

  it('answers a no-op so and touches nothing', async () => {
    const manager = await running()
    const { revision } = manager.status()
    expect(await manager.reconfigure({ enable_cache: true }, caller)).toMatchObject({ outcome: 'unchanged', revision })
    expect(driver.opened).toHaveLength(1)
  })

  it('configures and starts a fresh server', async () => {
    const manager = await boot()
    expect(await manager.reconfigure(local, caller)).toMatchObject({ status: 'Running' })
    expect((await boot()).status().status).toBe('Running')
  })

  it.each<[string, object, string]>([
    ['is not valid', { timeout_seconds: 0 }, 'ValidationError'],
    ['names a default key that does not exist', { default_key_id: 'absent' }, 'DefaultKeyMissing'],
    ['points at a place that is not ours', { name: 'foreign' }, 'StoreNotOurs'],
    ['points at a store that is down', { name: 'down' }, 'BackendUnavailable'],
    ['points at a store whose wraps do not authenticate', { name: 'lax' }, 'ProofFailed'],
  ])('that %s is refused; the old one keeps serving, on disk and in memory', async (_, patch, code) => {
    const manager = await running()
    const { ciphertext } = await dataKey(manager)
    driver.stores.set('foreign', { ...createMemoryStore(), foreign: true })
    driver.stores.set('down', createMemoryStore())
    store('down').faults.fail('health', kmsError('BackendUnavailable', { store: 'down', reason: 'sealed' }))
    driver.stores.set('lax', createMemoryStore())
    store('lax').faults.fail('unwrap', kmsError('ProofFailed', { step: 'negative canary', reason: 'no' }))
    const before = { status: manager.status(), config: manager.config() }
    await expect(manager.reconfigure(patch, caller)).rejects.toMatchObject({ code })
    expect({ status: manager.status(), config: manager.config() }).toEqual(before)
    await decrypt(manager, ciphertext)
    expect(driver.opened.filter(({ backend }) => !backend.closed)).toHaveLength(1)
    const restarted = await boot()
    expect(restarted.config()).toEqual(before.config)
    await decrypt(restarted, ciphertext)
  })

  it('from nothing that fails leaves nothing', async () => {
    const manager = await boot()
    driver.stores.set('a', { ...createMemoryStore(), foreign: true })
    await expect(manager.reconfigure(local, caller)).rejects.toMatchObject({ code: 'StoreNotOurs' })
    expect(manager.status()).toMatchObject({ status: 'NotConfigured', revision: 0 })
  })

  it('that cannot be stored is a failed one: nothing is published', async () => {
    const manager = await running()
    harness.failSave = kmsError('StorageFailed', {
      what: 'the configuration',
      reason: 'no space is left on the device',
    })
    await expect(manager.reconfigure({ enable_cache: false }, caller)).rejects.toMatchObject({ code: 'StorageFailed' })
    expect(manager.status()).toMatchObject({ status: 'Running', config: { enable_cache: true } })
    expect(driver.opened.map(({ backend }) => backend.closed)).toEqual([false, true])
  })

  it('lets what is under way finish on the snapshot it began with', async () => {
    const manager = await running()
    store('a').faults.hang('wrap')
    const slow = dataKey(manager)
    await new Promise(setImmediate)
    const swapped = manager.reconfigure({ name: 'b' }, caller)
    await swapped
    store('a').faults.recover('wrap')
    const { ciphertext, plaintext } = await slow
    expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
  })

  it('retries on the new snapshot what a drain cut off', async () => {
    const manager = await running()
    const [first] = driver.opened
    first?.backend.hang('wrap')
    const slow = dataKey(manager)
    await new Promise(setImmediate)
    await manager.reconfigure({ enable_cache: false }, caller)
    // The drain of the old backend runs out of time; its deadline is the same 30 s, so the operation has to be newer.
    clock.advance(29_999)
    expect(first?.backend.closed).toBe(false)
    await first?.backend.close()
    first?.backend.recover('wrap')
    const { ciphertext, plaintext } = await slow
    expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
  })

  it('of many callers at once happens one after the other, and the last stands', async () => {
    const manager = await running()
    const { revision } = manager.status()
    const ttls = Array.from({ length: 20 }, (_, i) => 1000 + i)
    const reports = await Promise.all(
      ttls.map((cache_ttl_seconds) => manager.reconfigure({ cache_ttl_seconds }, caller)),
    )
    expect(reports.map((report) => report.revision)).toEqual(ttls.map((_, i) => revision + 1 + i))
    expect(manager.config()?.document.cache_ttl_seconds).toBe(1019)
    expect(driver.opened.filter(({ backend }) => !backend.closed)).toHaveLength(1)
  })

  it('with If-Match has exactly one winner among 100', async () => {
    const manager = await running()
    const ifMatch = manager.config()?.etag ?? ''
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) => manager.reconfigure({ cache_ttl_seconds: 1000 + i }, caller, { ifMatch })),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'PreconditionFailed' })
    }
  })
})

describe('moving to another store', () => {
  it('keeps every envelope readable, across any number of moves, returns and restarts', async () => {
    let manager = await running()
    const envelopes: { ciphertext: Buffer; plaintext: Buffer }[] = []
    for (const name of ['a', 'b', 'c', 'a', 'b', 'a']) {
      await manager.reconfigure({ name }, caller)
      envelopes.push(await dataKey(manager))
      manager = await boot()
      for (const { ciphertext, plaintext } of envelopes) {
        expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
      }
    }
    expect(manager.status().retiredBackends).toHaveLength(2)
  })

  it('is not held up by a retired store that is down; its envelopes name it, others open', async () => {
    let manager = await running()
    const old = await dataKey(manager)
    await manager.reconfigure({ name: 'b' }, caller)
    const fresh = await dataKey(manager)
    store('a').faults.fail('open', kmsError('BackendUnavailable', { store: 'a', reason: 'down' }))
    manager = await boot()
    expect(manager.status().status).toBe('Running')
    await decrypt(manager, fresh.ciphertext)
    await expect(decrypt(manager, old.ciphertext)).rejects.toMatchObject({
      code: 'BackendUnavailable',
      message: expect.stringContaining(store('a').realm ?? '-'),
    })
    store('a').faults.recover('open')
    clock.advance(2000)
    await expect.poll(() => manager.retired()[0]?.healthy).toBe(true)
    expect((await decrypt(manager, old.ciphertext)).plaintext.equals(old.plaintext)).toBe(true)
  })

  it('recognises a store that was replaced, and one that is gone', async () => {
    const manager = await running()
    await manager.reconfigure({ name: 'b' }, caller)
    const kept = store('a')
    driver.stores.set('a', { ...createMemoryStore(), realm: 'ee'.repeat(16) })
    await expect(manager.reconfigure({ name: 'a' }, caller)).rejects.toMatchObject({ code: 'RealmConflict' })
    driver.stores.set('a', createMemoryStore())
    await expect(manager.reconfigure({ name: 'a' }, caller)).rejects.toMatchObject({ code: 'RealmMissing' })
    driver.stores.set('a', kept)
    expect(await manager.reconfigure({ name: 'a' }, caller)).toMatchObject({ status: 'Running' })
  })

  it('refuses a known store whose keys no longer open what they wrapped, or are gone', async () => {
    const manager = await running()
    await manager.reconfigure({ name: 'b' }, caller)
    const { keys: kept } = store('a')
    const master = kept.get('master')
    kept.delete('master')
    await expect(manager.reconfigure({ name: 'a', default_key_id: null }, caller)).rejects.toMatchObject({
      code: 'RealmConflict',
    })
    if (master === undefined || !('versions' in master)) return expect.fail('the key was there')
    const material = { material: randomBytes(32), materialId: 'ff'.repeat(16) }
    kept.set('master', { ...master, versions: new Map([[1, material]]) })
    await expect(manager.reconfigure({ name: 'a' }, caller)).rejects.toMatchObject({ code: 'RealmConflict' })
    kept.set('master', master)
    await manager.reconfigure({ name: 'a' }, caller)
  })

  it('takes what another server destroyed for destroyed, and what it made again for that', async () => {
    const manager = await running()
    for (const name of ['gone', 'again']) await manager.keys.create({ name, authorize: anyone, caller })
    await dataKey(manager, 'gone')
    const other = createMemoryBackend({ store: store('a'), clock })
    for (const name of ['gone', 'again', 'master']) await other.destroy(name, (await other.describe(name)).etag)
    await other.create({ keyId: 'again', aliases: [], description: '', tags: new Map() })
    const after = await boot()
    expect(after.status()).toMatchObject({ status: 'Running', lastError: expect.stringContaining('"master"') })
    await expect(dataKey(after, 'gone')).rejects.toMatchObject({ code: 'KeyDestroyed' })
    expect((await dataKey(after, 'again')).keyVersion).toBe(2)
    await expect(dataKey(after)).rejects.toMatchObject({ code: 'KeyDestroyed' })
    // A copy of the store from before does not bring it back.
    const copy = store('a').keys.get('again')
    if (copy === undefined || !('record' in copy)) return expect.fail('it was there')
    store('a').keys.set('gone', { ...copy, record: { ...copy.record, keyId: 'gone', currentVersion: 1 } })
    clock.advance(5001)
    await expect(dataKey(after, 'gone')).rejects.toMatchObject({ code: 'KeyUnavailable' })
  })

  it('does not know envelopes of stores it never used', async () => {
    const manager = await running()
    const { ciphertext } = await dataKey(manager)
    const foreign = Buffer.from(ciphertext)
    foreign.fill(0xee, 7, 23)
    await expect(decrypt(manager, foreign)).rejects.toMatchObject({ code: 'UnknownKeyStore' })
  })
})

describe('healing', () => {
  it('a start that failed at boot is tried again until it succeeds, then stands', async () => {
    await running()
    store('a').faults.fail('open', kmsError('BackendUnavailable', { store: 'a', reason: 'down' }))
    const manager = await boot()
    expect(manager.status().status).toEqual({ Error: expect.stringContaining('down') })
    for (let i = 0; i < 3; i++) {
      clock.advance(30_000)
      await new Promise(setImmediate)
    }
    expect(manager.status().status).toEqual({ Error: expect.stringContaining('down') })
    store('a').faults.recover('open')
    clock.advance(30_000)
    await expect.poll(() => manager.status().status).toBe('Running')
    expect(events.at(-1)).toMatchObject({ event: 'kms_started' })
  })

  it('is not tried again once it was stopped on purpose', async () => {
    await running()
    store('a').faults.fail('open', kmsError('BackendUnavailable', { store: 'a', reason: 'down' }))
    const manager = await boot()
    await manager.stop(caller)
    store('a').faults.recover('open')
    const opens = store('a').faults.calls('open')
    clock.advance(120_000)
    await new Promise(setImmediate)
    expect(manager.status().status).toBe('Configured')
    expect(store('a').faults.calls('open')).toBe(opens)
  })

  it('a slow backend does not hold up boot longer than one operation may take', async () => {
    await running({ ...local, timeout_seconds: 9 })
    store('a').faults.hang('open')
    const booting = boot()
    await expect.poll(() => store('a').faults.calls('open')).toBeGreaterThan(1)
    clock.advance(9000)
    expect((await booting).status().status).not.toBe('Running')
    store('a').faults.recover('open')
  })
})

describe('events', () => {
  it('tell who changed what, and hold no secret', async () => {
    const manager = await running({ ...local, token: 's3cret' })
    await manager.reconfigure({ cache_ttl_seconds: 600, token: 'n3w' }, caller)
    await expect(manager.reconfigure({ token: 'bad', name: '' }, caller)).rejects.toMatchObject({
      code: 'ValidationError',
    })
    await manager.stop(caller)
    expect(events.map(({ event }) => event)).toEqual([
      'kms_configured',
      'kms_started',
      'kms_reconfigured',
      'kms_change_failed',
      'kms_stopped',
    ])
    expect(events[2]).toMatchObject({
      outcome: 'success',
      caller,
      revisionBefore: 2,
      revision: 3,
      diff: [
        { path: 'cache_ttl_seconds', from: 300, to: 600 },
        { path: 'token', from: '***', to: '***' },
      ],
      backend: { backend_type: 'memory', name: 'a' },
    })
    expect(events[3]).toMatchObject({
      outcome: 'refused',
      attempted: 'kms_reconfigured',
      code: 'ValidationError',
      caller,
      revisionBefore: 3,
      revision: 3,
      backend: { backend_type: 'memory', name: 'a' },
    })
    expect(JSON.stringify(events)).not.toMatch(/s3cret|n3w|"bad"/)
    expect(JSON.stringify(manager.config())).not.toMatch(/s3cret|n3w/)
  })
})

it('a refused change is told of with what it would have changed, and how long it took', async () => {
  const manager = await running()
  driver.stores.set('slow', createMemoryStore())
  store('slow').faults.hang('open')
  const refused = manager.reconfigure({ name: 'slow', token: 'n3w' }, caller).catch((error: unknown) => error)
  await new Promise(setImmediate)
  clock.advance(30_000)
  expect(await refused).toMatchObject({ code: 'BackendTimeout' })
  expect(events.at(-1)).toMatchObject({
    event: 'kms_change_failed',
    outcome: 'refused',
    code: 'BackendTimeout',
    diff: [
      { path: 'name', from: 'a', to: 'slow' },
      { path: 'token', to: '***' },
    ],
    milliseconds: 30_000,
  })
  expect(JSON.stringify(events)).not.toContain('n3w')
  store('slow').faults.recover('open')
})

describe('a proof', () => {
  it('finds a backend that ignores the additional data', async () => {
    const manager = await running()
    const { open } = driver
    driver.open = async (config, options) => {
      const opened = await open(config, options)
      const { backend } = opened
      const fixed = Buffer.alloc(32)
      return {
        ...opened,
        backend: {
          ...backend,
          wrap: (request) => backend.wrap({ ...request, aad: fixed }),
          unwrap: (request) => backend.unwrap({ ...request, aad: fixed }),
        },
      }
    }
    await expect(manager.reconfigure({ name: 'old-vault' }, caller)).rejects.toMatchObject({
      code: 'ProofFailed',
      message: expect.stringContaining('negative canary'),
    })
    expect(manager.status().status).toBe('Running')
  })
})
