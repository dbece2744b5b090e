import { Buffer } from 'node:buffer'
import { expect, it } from 'vitest'
import type { ConfigDocument, OpenOptions } from '../config/driver.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { KeyBackend } from '../keys/key-backend.ts'
import { systemRandom } from '../random.ts'
import { createManualClock, createMemoryStore, describeKeyBackend, memoryDriver } from '../testing/index.ts'
import { type BackendCall, type BackendObserver, backendOperations, observeDriver } from './observe-driver.ts'
import type { PeerTelemetry } from './peer-telemetry.ts'

const config: ConfigDocument = {
  backend_type: 'memory',
  name: 'a',
  timeout_seconds: 30,
  retry_attempts: 3,
  enable_cache: true,
  max_cached_keys: 1000,
  cache_ttl_seconds: 300,
  allow_offline_decryption: false,
}
const options: OpenOptions = {
  clock: createManualClock(Date.UTC(2026, 0, 1)),
  random: systemRandom,
  mayInitialise: true,
  signal: new AbortController().signal,
}

/** Remembers what passed, and how it ended. */
function createWitness() {
  const calls: { readonly call: BackendCall; readonly ended: unknown }[] = []
  const telemetry: PeerTelemetry = { headers: () => ({}), attempted: () => {} }
  const observer: BackendObserver = {
    async around(call, work) {
      const result = work()
      await result.then(
        () => calls.push({ call, ended: 'ok' }),
        (error: unknown) => calls.push({ call, ended: error }),
      )
      return result
    },
    peer: () => telemetry,
  }
  return { calls, telemetry, observer }
}

async function openObserved(observer: BackendObserver, stores = new Map([['a', createMemoryStore()]])) {
  return (await observeDriver(memoryDriver({ stores }), observer).open(config, options)).backend
}

describeKeyBackend('memory, observed', () => {
  const stores = new Map([['a', createMemoryStore()]])
  return { open: () => openObserved(createWitness().observer, stores), cleanup: async () => {} }
})

it('every operation of the port passes through the observer, once', async () => {
  const { calls, observer } = createWitness()
  const backend = await openObserved(observer)
  expect(calls).toEqual([{ call: { backend: 'memory', operation: 'open' }, ended: 'ok' }])
  for (const operation of backendOperations) {
    if (operation === 'open' || backend[operation] === undefined) continue
    calls.length = 0
    // Whatever it makes of such arguments: it is the passing that counts.
    await (backend[operation] as (...args: unknown[]) => Promise<unknown>)({}).catch(() => {})
    expect(calls.map(({ call }) => call)).toEqual([{ backend: 'memory', realm: backend.realm, operation }])
  }
  const functions = new Set<string>()
  for (let level: object = backend; level !== Object.prototype; level = Object.getPrototypeOf(level) as object) {
    for (const name of Object.keys(level)) {
      if (typeof backend[name as keyof KeyBackend] === 'function') functions.add(name)
    }
  }
  // Of the fake alone.
  for (const own of ['fail', 'hang', 'recover', 'calls']) functions.delete(own)
  expect([...functions].filter((name) => !(backendOperations as readonly string[]).includes(name))).toEqual([])
})

it('results and errors pass as they are, and so does what a backend is', async () => {
  const { calls, observer } = createWitness()
  const store = createMemoryStore()
  const backend = await openObserved(observer, new Map([['a', store]]))
  expect([backend.realm, backend.capabilities.rotate]).toEqual([store.realm, true])
  await backend.create({ keyId: 'k', aliases: [], description: '', tags: new Map() })
  const plaintext = Buffer.from('plaintext')
  const aad = Buffer.alloc(32)
  const wrapped = await backend.wrap({ keyId: 'k', version: 1, plaintext, aad })
  const { algorithm } = backend
  const { materialId } = await backend.describe('k')
  expect(await backend.unwrap({ keyId: 'k', version: 1, algorithm, materialId, wrapped, aad })).toEqual(plaintext)
  const down = kmsError('BackendUnavailable', { store: 'a', reason: 'it is down' })
  store.faults.fail('health', down)
  await expect(backend.health()).rejects.toBe(down)
  expect(calls.at(-1)).toEqual({ call: { backend: 'memory', realm: store.realm, operation: 'health' }, ended: down })
})

it('the driver is handed the telemetry for peers, and an open that fails is seen', async () => {
  const { calls, telemetry, observer } = createWitness()
  const driver = memoryDriver()
  const given: OpenOptions[] = []
  const failing = observeDriver(
    {
      ...driver,
      open: (_, opened) => {
        given.push(opened)
        throw kmsError('RealmMissing', { realm: '0'.repeat(32), place: 'a' })
      },
    },
    observer,
  )
  await expect(failing.open(config, options)).rejects.toMatchObject({ code: 'RealmMissing' })
  expect(given.map(({ peer }) => peer)).toEqual([telemetry])
  expect(calls).toMatchObject([{ call: { operation: 'open' }, ended: { code: 'RealmMissing' } }])
})
