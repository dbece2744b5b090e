import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { caller, createHarness, dataKey, decrypt, type Harness, idle, local } from '../../test/manager-harness.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { KmsManager } from '../manager/manager-types.ts'

const DOWN = kmsError('BackendUnavailable', { store: 'a', reason: 'down' })

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

type Envelope = Awaited<ReturnType<typeof dataKey>>

async function moved(): Promise<[KmsManager, Envelope]> {
  const manager = await harness.running()
  const old = await dataKey(manager)
  await manager.reconfigure({ name: 'b' }, caller)
  return [manager, old]
}

const [healthOf, errorOf] = [
  (manager: KmsManager) => manager.retired()[0]?.healthy,
  (manager: KmsManager) => manager.retired()[0]?.lastError,
]

describe('a retired store', () => {
  it('is opened in the background, before anybody needs it', async () => {
    await moved()
    const opens = harness.store('a').faults.calls('open')
    const manager = await harness.boot()
    expect(healthOf(manager)).toBeUndefined()
    harness.clock.advance(0)
    await expect.poll(() => healthOf(manager)).toBe(true)
    expect(harness.store('a').faults.calls('open')).toBe(opens + 1)
  })

  it('that is down is tried with growing waits; who needs it meanwhile is told at once, and when to come back', async () => {
    const [, old] = await moved()
    harness.store('a').faults.fail('open', DOWN)
    const manager = await harness.boot()
    await expect(decrypt(manager, old.ciphertext)).rejects.toMatchObject({
      code: 'BackendUnavailable',
      message: expect.stringContaining(`key store ${harness.store('a').realm} cannot be reached`),
      retryAfterSeconds: 1,
    })
    expect([healthOf(manager), errorOf(manager)]).toEqual([false, expect.stringContaining('down')])
    const calls = harness.store('a').faults.calls('open')
    for (let i = 0; i < 100; i++) await expect(decrypt(manager, old.ciphertext)).rejects.toThrow('down')
    expect(harness.store('a').faults.calls('open')).toBe(calls)
    await harness.pass(120)
    const attempts = harness.store('a').faults.calls('open') - calls
    expect(attempts).toBeGreaterThanOrEqual(5)
    expect(attempts).toBeLessThanOrEqual(9)
    // One warning when it went, one when it is back.
    harness.store('a').faults.recover('open')
    await harness.pass(75)
    await expect.poll(() => healthOf(manager)).toBe(true)
    await decrypt(manager, old.ciphertext)
    const warnings = harness.events.filter(({ message }) => message.includes('Retired key store'))
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/set aside: .*down/),
      expect.stringMatching(/answers again/),
    ])
  })

  it('that goes down later is noticed and set aside, and comes back by itself', async () => {
    const [manager, old] = await moved()
    await harness.pass(10)
    harness.store('a').faults.fail('health', DOWN)
    await harness.pass(75)
    expect(healthOf(manager)).toBe(false)
    const unwraps = harness.store('a').faults.calls('unwrap')
    await expect(decrypt(manager, old.ciphertext)).rejects.toMatchObject({ code: 'BackendUnavailable' })
    expect(harness.store('a').faults.calls('unwrap')).toBe(unwraps)
    harness.store('a').faults.recover('health')
    await harness.pass(20)
    expect(healthOf(manager)).toBe(true)
    await decrypt(manager, old.ciphertext)
  })

  it('that was the active one is looked at soon, and at once when a request finds it out of reach; both name the realm', async () => {
    const [manager, old] = await moved()
    await manager.reconfigure({ enable_cache: false }, caller)
    const health = harness.store('a').faults.calls('health')
    harness.store('a').faults.fail('unwrap', DOWN)
    harness.store('a').faults.fail('health', DOWN)
    const refused = expect.objectContaining({
      code: 'BackendUnavailable',
      message: expect.stringContaining(harness.store('a').realm ?? '-'),
    })
    await expect(decrypt(manager, old.ciphertext)).rejects.toEqual(refused)
    expect(healthOf(manager)).toBe(true)
    harness.clock.advance(1)
    await idle()
    expect(healthOf(manager)).toBe(false)
    expect(harness.store('a').faults.calls('health')).toBe(health + 1)
    await expect(decrypt(manager, old.ciphertext)).rejects.toEqual(refused)
    harness.store('a').faults.recover()
    await harness.pass(2)
    await decrypt(manager, old.ciphertext)

    harness.store('b').faults.fail('health', kmsError('BackendUnavailable', { store: 'b', reason: 'down' }))
    await manager.reconfigure({ name: 'c' }, caller)
    await harness.pass(7)
    expect(manager.retired().find(({ realm }) => realm === harness.store('b').realm)?.healthy).toBe(false)
  })

  it('that hangs holds up nothing: boot, readiness, changes, stop; and costs who needs it ten seconds at most', async () => {
    const [before, old] = await moved()
    await before.reconfigure({ timeout_seconds: 300 }, caller)
    await before.reconfigure({ name: 'c' }, caller)
    for (const place of ['a', 'b']) harness.store(place).faults.hang('open')
    const earlier = harness.driver.opened.length
    const manager = await harness.boot()
    expect(manager.status()).toMatchObject({ status: 'Running', healthy: true })
    const waiting = decrypt(manager, old.ciphertext).catch((error: unknown) => error)
    await idle()
    await dataKey(manager)
    await manager.reconfigure({ cache_ttl_seconds: 5 }, caller)
    await manager.start({ force: true }, caller)
    await manager.stop(caller)
    await manager.start({ force: false }, caller)
    harness.clock.advance(10_000)
    expect(await waiting).toMatchObject({ code: expect.stringMatching(/^(?:BackendUnavailable|NotRunning)$/) })
    await manager.close()
    for (const place of ['a', 'b']) harness.store(place).faults.recover('open')
    // What was still being opened never was.
    const opened = () => harness.driver.opened.slice(earlier)
    await expect.poll(() => opened().every(({ backend }) => backend.closed)).toBe(true)
    expect(opened()).toHaveLength(4)
  })

  it('that hangs in a probe is given up after ten seconds', async () => {
    const [manager] = await moved()
    harness.store('a').faults.hang('health')
    await harness.pass(10)
    expect(healthOf(manager)).toBe(true)
    await harness.pass(8)
    // The active store is another one.
    expect(manager.status().healthy).toBe(true)
    expect([healthOf(manager), errorOf(manager)]).toEqual([false, expect.stringContaining('10 s')])
    harness.store('a').faults.recover('health')
  })

  it('that is returned to is closed as a retired one, and requests that began on it are served by what took over', async () => {
    const [manager, old] = await moved()
    const retired = harness.driver.opened[0]?.backend
    retired?.hang('unwrap')
    await manager.reconfigure({ enable_cache: false }, caller)
    const slow = decrypt(manager, old.ciphertext)
    await idle()
    await manager.reconfigure({ name: 'a' }, caller)
    expect(retired?.closed).toBe(false)
    await retired?.close()
    retired?.recover('unwrap')
    expect((await slow).plaintext.equals(old.plaintext)).toBe(true)
  })

  it('of which another store took the place says so', async () => {
    const [, old] = await moved()
    harness.driver.stores.set('a', { ...harness.store('a'), realm: 'ee'.repeat(16) })
    const manager = await harness.boot()
    await expect(decrypt(manager, old.ciphertext)).rejects.toMatchObject({
      code: 'BackendUnavailable',
      message: expect.stringContaining('another store is there'),
    })
    await dataKey(manager)
  })
})

it('many retired stores, half of them down, leave the service as it is', async () => {
  let manager = await harness.running({ ...local, name: 'p0' })
  const envelopes: Envelope[] = [await dataKey(manager)]
  for (let i = 1; i < 12; i++) {
    await manager.reconfigure({ name: `p${i}` }, caller)
    envelopes.push(await dataKey(manager))
  }
  for (let i = 0; i < 11; i += 2) harness.store(`p${i}`).faults.fail('open', DOWN)
  manager = await harness.boot()
  for (const [i, { ciphertext, plaintext }] of envelopes.entries()) {
    if (i % 2 === 0) await expect(decrypt(manager, ciphertext)).rejects.toMatchObject({ code: 'BackendUnavailable' })
    else expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
  }
  expect(manager.retired().filter(({ healthy }) => healthy === false)).toHaveLength(6)
})
