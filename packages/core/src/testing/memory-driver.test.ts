import { describe, expect, it } from 'vitest'
import { systemClock } from '../clock.ts'
import type { ConfigDocument, OpenOptions } from '../config/driver.ts'
import { Secret } from '../config/secret.ts'
import { kmsError } from '../errors/kms-error.ts'
import { systemRandom } from '../random.ts'
import { newKey, refused } from './contract-test.ts'
import { memoryDriver } from './memory-driver.ts'
import { createMemoryStore } from './memory-store.ts'

function config(fields: Record<string, string | Secret>): ConfigDocument {
  return {
    backend_type: 'memory',
    timeout_seconds: 30,
    retry_attempts: 3,
    enable_cache: true,
    max_cached_keys: 1000,
    cache_ttl_seconds: 300,
    allow_offline_decryption: false,
    ...fields,
  }
}

function options(rest: Partial<OpenOptions> = {}): OpenOptions {
  return {
    clock: systemClock,
    random: systemRandom,
    mayInitialise: true,
    signal: new AbortController().signal,
    ...rest,
  }
}

describe('memoryDriver', () => {
  const here = config({ name: 'here' })
  const realm = 'ab'.repeat(16)

  it('makes a store once and keeps its realm and keys across opens', async () => {
    const driver = memoryDriver()
    const first = await driver.open(here, options())
    expect(first.initialised).toBe(true)
    await first.backend.create(newKey('a'))
    await first.backend.close()
    const second = await driver.open(here, options({ expectedRealm: first.backend.realm, mayInitialise: false }))
    expect(second).toMatchObject({ initialised: false, backend: { realm: first.backend.realm } })
    expect((await second.backend.describe('a')).keyId).toBe('a')
    expect(driver.opened.map(({ backend }) => backend.closed)).toEqual([true, false])
  })

  it.each([
    ['an expected realm in an empty place', {}, { expectedRealm: realm }, 'RealmMissing'],
    ['an expected realm among other things', { foreign: true }, { expectedRealm: realm }, 'RealmMissing'],
    ['another realm', { realm: 'cd'.repeat(16) }, { expectedRealm: realm }, 'RealmConflict'],
    ['other things', { foreign: true }, {}, 'StoreNotOurs'],
    ['an empty place that may not become a store', {}, { mayInitialise: false }, 'StoreNotInitialised'],
    ['a wrong token', { realm, requiredToken: 'right' }, {}, 'BackendUnavailable'],
  ] as const)('refuses %s', async (_, place, rest, code) => {
    const stores = new Map([['here', Object.assign(createMemoryStore(), place)]])
    const driver = memoryDriver({ stores })
    await refused(driver.open(config({ name: 'here', token: new Secret('wrong') }), options(rest)), code)
    expect(stores.get('here')?.realm).toBe('realm' in place ? place.realm : undefined)
    expect(driver.opened).toEqual([])
  })

  it('opens with the right token, and not while its place is made to fail', async () => {
    const store = Object.assign(createMemoryStore(), { realm, requiredToken: 'right' })
    const driver = memoryDriver({ stores: new Map([['here', store]]) })
    const right = config({ name: 'here', token: new Secret('right') })
    store.faults.fail('open', kmsError('BackendTimeout', { seconds: 1 }))
    await refused(driver.open(right, options()), 'BackendTimeout')
    store.faults.recover('open')
    expect((await driver.open(right, options())).backend.realm).toBe(realm)
  })

  it('makes nothing when the caller no longer waits', async () => {
    const driver = memoryDriver()
    const signal = AbortSignal.abort()
    await expect(driver.open(here, options({ signal }))).rejects.toBe(signal.reason)
    expect(driver.stores.size).toBe(0)
  })

  it('canonicalises variants and leaves the unknown alone', () => {
    const { canonicalise } = memoryDriver()
    expect(canonicalise?.('auth', { Password: { user: 'u' } })).toEqual({ password: { user: 'u' } })
    expect(canonicalise?.('auth', { other: 1 })).toEqual({ other: 1 })
    expect(canonicalise?.('auth', 7)).toBe(7)
    expect(canonicalise?.('name', 'x')).toBe('x')
  })

  it('names its place and binds its secrets to the endpoint', () => {
    const driver = memoryDriver()
    expect(driver.identity({ name: 'x', endpoint: 'memory://a' })).toBe('x')
    expect(driver.identity({})).toBeUndefined()
    expect(driver.secretBinding({ name: 'x', token: 'a' })).toBe(driver.secretBinding({ name: 'y', token: 'b' }))
    expect(driver.secretBinding({ endpoint: 'memory://a' })).not.toBe(driver.secretBinding({ endpoint: 'memory://b' }))
    expect(driver.check?.(config({ name: 'x', token_file: '/t' }))?.path).toBe('token_file')
    expect(driver.check?.(config({ name: 'x', token_file: '/t', endpoint: 'memory://a' }))).toBeUndefined()
    expect(JSON.stringify(driver.summary(config({ name: 'x', token: new Secret('hidden') })))).not.toContain('hidden')
  })
})
