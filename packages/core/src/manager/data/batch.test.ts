import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  anyone,
  caller,
  createHarness,
  decrypt,
  type Harness,
  local,
  noContext,
} from '../../../test/manager-harness.ts'
import { isKmsError, type KmsError, kmsError } from '../../errors/kms-error.ts'
import {
  createManualClock,
  createMemoryBackend,
  createMemoryCanaryStore,
  createMemoryStore,
  type MemoryBackend,
} from '../../testing/index.ts'
import { openKeyServer } from '../../testing/key-server.ts'
import type { KmsManager } from '../manager-types.ts'
import type { BatchItem, BatchResult } from './batch.ts'

let harness: Harness
let manager: KmsManager

beforeEach(async () => {
  harness = await createHarness()
  manager = await harness.running()
  for (const name of ['a', 'b', 'off']) await manager.keys.create({ name, authorize: anyone, caller })
  await manager.keys.addAlias({ key: 'a', alias: 'alpha', authorize: anyone, caller })
  await manager.keys.disable({ key: 'off', authorize: anyone, caller })
})
afterEach(() => harness.close())

const shared = { context: noContext, authorize: anyone }
const generate = (key?: string): BatchItem => ({
  operation: 'generate_data_key',
  spec: 'AES_256',
  ...shared,
  ...(key === undefined ? {} : { key }),
})
const encrypt = (key: string, plaintext: Uint8Array = Buffer.from('secret')): BatchItem => ({
  operation: 'encrypt',
  plaintext,
  key,
  ...shared,
})
const open = (ciphertext: Buffer, more: object = {}): BatchItem => ({
  operation: 'decrypt',
  ciphertext,
  ...shared,
  ...more,
})

const made = (outcome: BatchResult | KmsError | undefined): BatchResult =>
  outcome === undefined || isKmsError(outcome) ? expect.fail(`no result: ${outcome?.message}`) : outcome
const sealed = (outcome: BatchResult | KmsError | undefined): Buffer =>
  made(outcome).ciphertext ?? expect.fail('no ciphertext')
const codes = (outcomes: readonly (BatchResult | KmsError)[]): readonly string[] =>
  outcomes.map((outcome) => (isKmsError(outcome) ? outcome.code : 'ok'))

/** How often the backend was asked during `work`. */
async function asked(work: () => Promise<unknown>): Promise<Record<'describe' | 'wrap' | 'unwrap', number>> {
  const { faults } = harness.store('a')
  const before = [faults.calls('describe'), faults.calls('wrap'), faults.calls('unwrap')]
  await work()
  const after = [faults.calls('describe'), faults.calls('wrap'), faults.calls('unwrap')]
  const [describes, wraps, unwraps] = after.map((count, i) => count - (before[i] as number)) as [number, number, number]
  return { describe: describes, wrap: wraps, unwrap: unwraps }
}

describe('a batch', () => {
  it('answers each item in its place, as its own call would', async () => {
    const outcomes = await manager.data.batch([
      generate(),
      encrypt('a'),
      generate('alias/alpha'),
      { operation: 'generate_data_key', spec: 'AES_128', key: 'b', ...shared },
    ])
    expect(outcomes.map((each) => made(each).keyId)).toEqual(['master', 'a', 'a', 'b'])
    expect(outcomes.map((each) => made(each).plaintext?.length)).toEqual([32, undefined, 32, 16])
    const opened = await manager.data.batch(outcomes.map((each) => open(sealed(each))))
    expect(opened.map((each) => made(each).keyId)).toEqual(['master', 'a', 'a', 'b'])
    for (const [i, each] of opened.entries()) {
      const expected = made(outcomes[i]).plaintext ?? Buffer.from('secret')
      expect(made(each).plaintext?.equals(expected)).toBe(true)
      expect((await decrypt(manager, sealed(outcomes[i]))).plaintext.equals(expected)).toBe(true)
    }
  })

  it('of nothing is nothing', async () => {
    expect(await manager.data.batch([])).toEqual([])
    await manager.stop(caller)
    await expect(manager.data.batch([generate()])).rejects.toMatchObject({ code: 'NotRunning' })
  })

  it.each([true, false])('goes to the backend once per key, with enable_cache %s', async (enable_cache) => {
    await manager.reconfigure({ enable_cache }, caller)
    manager.clearCache()
    const items = Array.from({ length: 300 }, (_, i) =>
      i % 2 === 0 ? encrypt(i % 4 === 0 ? 'a' : 'alpha') : generate('b'),
    )
    let outcomes: readonly (BatchResult | KmsError)[] = []
    const wrapping = await asked(async () => (outcomes = await manager.data.batch(items)))
    expect(wrapping).toEqual({ describe: 3, wrap: 2, unwrap: 0 })
    manager.clearCache()
    const unwrapping = await asked(() => manager.data.batch(outcomes.map((each) => open(sealed(each)))))
    expect(unwrapping).toEqual({ describe: 2, wrap: 0, unwrap: 2 })
    const again = await asked(() => manager.data.batch(outcomes.map((each) => open(sealed(each), { key: 'master' }))))
    expect(again.unwrap).toBe(0)
  })

  it('asks the cache of data keys first, and asks for one ciphertext once', async () => {
    const [first, second] = await manager.data.batch([generate('a'), generate('a')])
    await decrypt(manager, sealed(first))
    const before = manager.status().cache
    const items = [first, second, second, first, second].map((each) => open(sealed(each)))
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    const sizes: number[] = []
    const { unwrapMany, unwrap } = backend
    Object.assign(backend, {
      unwrap: (request: Parameters<typeof unwrap>[0]) => {
        sizes.push(1)
        return unwrap(request)
      },
      unwrapMany: (requests: Parameters<NonNullable<typeof unwrapMany>>[0]) => {
        sizes.push(requests.length)
        return unwrapMany?.(requests)
      },
    })
    const outcomes = await manager.data.batch(items)
    expect(codes(outcomes)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
    expect(sizes).toEqual([1])
    expect(manager.status().cache).toMatchObject({ hits: (before?.hits ?? 0) + 2, entries: 2 })
    for (const each of outcomes) made(each).plaintext?.fill(0)
    expect((await decrypt(manager, sealed(second))).plaintext.equals(made(second).plaintext ?? Buffer.alloc(0))).toBe(
      true,
    )
  })

  it('keeps what fails to itself', async () => {
    const [fine] = await manager.data.batch([encrypt('a')])
    const good = sealed(fine)
    const bad = Buffer.from(good)
    bad.writeUInt8(bad.readUInt8(bad.length - 1) ^ 1, bad.length - 1)
    const denied = kmsError('AccessDenied', { reason: 'no' })
    const refuse = (): void => {
      throw denied
    }
    const outcomes = await manager.data.batch([
      encrypt('a'),
      encrypt('nobody'),
      encrypt('off'),
      encrypt('a b'),
      encrypt('a', Buffer.alloc(0)),
      encrypt('a', Buffer.alloc(4097)),
      { ...encrypt('a'), authorize: refuse },
      { ...generate('nobody'), authorize: refuse },
      open(bad),
      open(Buffer.from('nonsense')),
      open(good, { context: new Map([['a', 'b']]) }),
      open(good, { key: 'b' }),
      open(good, { authorize: refuse }),
      open(good),
      generate(),
    ])
    expect(codes(outcomes)).toEqual([
      'ok',
      'KeyNotFound',
      'KeyDisabled',
      'ValidationError',
      'ValidationError',
      'ValidationError',
      'AccessDenied',
      'AccessDenied',
      'InvalidCiphertext',
      'InvalidCiphertext',
      'InvalidCiphertext',
      'IncorrectKey',
      'AccessDenied',
      'ok',
      'ok',
    ])
  })

  it('asks for permission on the resolved id, for every item', async () => {
    const seen: string[] = []
    const authorize = (keyId: string): void => void seen.push(keyId)
    await manager.data.batch([generate(), encrypt('alpha'), encrypt('nobody')].map((each) => ({ ...each, authorize })))
    expect(seen.sort()).toEqual(['a', 'master', 'nobody'])
  })

  it('starts over, once, with what met a rotation', async () => {
    const { faults } = harness.store('a')
    faults.hang('wrap')
    const before = faults.calls('wrap')
    const running = manager.data.batch([encrypt('a'), encrypt('alpha'), generate('a'), encrypt('b')])
    await expect.poll(() => faults.calls('wrap')).toBe(before + 2)
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    await backend.rotate('a', (await backend.describe('a')).etag)
    const counted = await asked(async () => {
      faults.recover('wrap')
      const outcomes = await running
      expect(outcomes.map((each) => made(each).keyVersion)).toEqual([2, 2, 2, 1])
    })
    // One more for the canary of the new version.
    expect(counted).toEqual({ describe: 2, wrap: 2, unwrap: 0 })
  })

  it('goes on where another configuration took over', async () => {
    await manager.reconfigure({ timeout_seconds: 1 }, caller)
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    const describes = backend.calls('describe')
    backend.hang('describe')
    manager.clearCache()
    const running = manager.data.batch([encrypt('a'), encrypt('nobody'), generate('b')])
    await expect.poll(() => backend.calls('describe')).toBe(describes + 3)
    harness.clock.advance(500)
    await manager.reconfigure({ cache_ttl_seconds: 100 }, caller)
    harness.clock.advance(400)
    const wraps = backend.calls('wrap')
    backend.hang('wrap')
    backend.recover('describe')
    await expect.poll(() => backend.calls('wrap')).toBeGreaterThanOrEqual(wraps + 2)
    // The store they were on is closed under them.
    harness.clock.advance(600)
    await expect.poll(() => backend.closed).toBe(true)
    backend.recover('wrap')
    expect(codes(await running)).toEqual(['ok', 'KeyNotFound', 'ok'])
  })

  it('unwraps what several stores wrapped', async () => {
    const [inA] = await manager.data.batch([generate('a')])
    await manager.reconfigure({ ...local, name: 'b', default_key_id: null }, caller)
    await manager.keys.create({ name: 'a', authorize: anyone, caller })
    const [inB] = await manager.data.batch([generate('a')])
    const opened = await manager.data.batch([inA, inB, inA].map((each) => open(sealed(each))))
    expect(opened.map((each, i) => made(each).plaintext?.equals(made([inA, inB, inA][i]).plaintext as Buffer))).toEqual(
      [true, true, true],
    )
  })

  it('says of a data key that was not given out nothing at all', async () => {
    const { faults } = harness.store('a')
    faults.fail('wrap', kmsError('BackendUnavailable', { store: 'a', reason: 'down' }))
    const outcomes = await manager.data.batch([generate('a'), generate('b')])
    expect(codes(outcomes)).toEqual(['BackendUnavailable', 'BackendUnavailable'])
    expect(JSON.stringify(outcomes)).not.toContain('plaintext')
  })
})

describe('a backend', () => {
  async function serve(adjust: (backend: MemoryBackend) => object) {
    const clock = createManualClock(1)
    const backend = createMemoryBackend({ store: createMemoryStore(), clock, random: randomBytes })
    const server = await openKeyServer({
      backend: Object.assign(Object.create(backend) as MemoryBackend, adjust(backend)),
      canaryStore: createMemoryCanaryStore(),
      clock,
      random: randomBytes,
    })
    for (const name of ['a', 'b']) await server.keys.create({ name, authorize: anyone, caller })
    return server
  }

  it('without batches is asked one by one, a bounded number at a time', async () => {
    let width = 0
    let widest = 0
    const server = await serve((backend) => ({
      wrapMany: undefined,
      unwrapMany: undefined,
      async wrap(request: Parameters<MemoryBackend['wrap']>[0]) {
        width++
        widest = Math.max(widest, width)
        await new Promise((resolve) => setImmediate(resolve))
        width--
        return backend.wrap(request)
      },
    }))
    const outcomes = await server.data.batch(Array.from({ length: 200 }, () => generate('a')))
    expect(new Set(codes(outcomes))).toEqual(new Set(['ok']))
    expect(widest).toBe(32)
    expect(codes(await server.data.batch(outcomes.map((each) => open(sealed(each)))))).toEqual(codes(outcomes))
    await server.close()
  })

  it('that fails for one key fails for no other', async () => {
    const down = kmsError('BackendTimeout', { seconds: 1 })
    const server = await serve((backend) => ({
      wrapMany: async (requests: Parameters<NonNullable<MemoryBackend['wrapMany']>>[0]) => {
        if (requests[0]?.keyId === 'a') throw down
        return backend.wrapMany?.(requests)
      },
    }))
    const outcomes = await server.data.batch(['a', 'b', 'a', 'b'].map((key) => encrypt(key)))
    expect(codes(outcomes)).toEqual(['BackendTimeout', 'ok', 'BackendTimeout', 'ok'])
    await server.close()
  })

  it('that gives too few answers, or throws what is not ours, is an internal error of those without one', async () => {
    const short = await serve((backend) => ({
      wrapMany: async (requests: Parameters<NonNullable<MemoryBackend['wrapMany']>>[0]) =>
        (await backend.wrapMany?.(requests))?.slice(0, 2),
    }))
    const outcomes = await short.data.batch([encrypt('a'), encrypt('a'), encrypt('a')])
    expect(codes(outcomes)).toEqual(['ok', 'ok', 'InternalError'])
    await short.close()
    const broken = await serve(() => ({ wrapMany: () => Promise.reject(new Error('secret')) }))
    const [failed] = await broken.data.batch([encrypt('a'), encrypt('a')])
    expect(failed).toMatchObject({ code: 'InternalError', message: expect.not.stringContaining('secret') })
    await broken.close()
  })
})

it('whatever is in a batch ends as it would alone', async () => {
  const before = await manager.data.batch([encrypt('a'), encrypt('b'), encrypt('master')])
  const ciphertexts = [...before.map(sealed), Buffer.from('KMSE'), Buffer.alloc(0)]
  const key = fc.constantFrom('a', 'alpha', 'alias/alpha', 'b', 'off', 'nobody', 'a b', 'arn:aws:kms:::key/a')
  const context = fc.constantFrom(noContext, new Map([['x', 'y']]))
  const item: fc.Arbitrary<BatchItem> = fc
    .oneof(
      fc.record({
        operation: fc.constant('generate_data_key' as const),
        spec: fc.constantFrom('AES_128' as const, 'AES_256' as const),
        key,
        context,
      }),
      fc.record({
        operation: fc.constant('encrypt' as const),
        plaintext: fc.uint8Array({ maxLength: 40 }),
        key,
        context,
      }),
      fc.record({ operation: fc.constant('decrypt' as const), ciphertext: fc.constantFrom(...ciphertexts), context }),
      fc.record({
        operation: fc.constant('decrypt' as const),
        ciphertext: fc.constantFrom(...ciphertexts),
        context,
        key,
      }),
    )
    .map((each) => ({ ...each, authorize: anyone }))
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 30 }), async (items) => {
      const together = await manager.data.batch(items)
      expect(together).toHaveLength(items.length)
      for (const [i, each] of items.entries()) {
        const [alone] = await manager.data.batch([each])
        const { keyId, keyVersion, plaintext } = (together[i] ?? {}) as Partial<BatchResult>
        expect(codes([together[i] as KmsError])).toEqual(codes([alone as KmsError]))
        if (isKmsError(alone)) continue
        expect([keyId, keyVersion]).toEqual([alone?.keyId, alone?.keyVersion])
        if (each.operation === 'decrypt') expect(plaintext?.equals(alone?.plaintext as Buffer)).toBe(true)
        else {
          const opened = await manager.data.decrypt({
            ciphertext: sealed(together[i]),
            ...shared,
            context: each.context,
          })
          expect(
            opened.plaintext.equals(Buffer.from(each.operation === 'encrypt' ? each.plaintext : (plaintext as Buffer))),
          ).toBe(true)
        }
      }
    }),
    { numRuns: 60 },
  )
})
