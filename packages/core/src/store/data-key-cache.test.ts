import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { decodeEnvelope, type Envelope, encodeEnvelope, encodeEnvelopeHeader } from '../envelope/envelope.ts'
import { createManualClock, type ManualClock } from '../testing/index.ts'
import { createDataKeyCache, type DataKeyCache } from './data-key-cache.ts'

const aad = Buffer.alloc(32, 1)

function envelope(keyId: string, content: string): Envelope {
  const header = encodeEnvelopeHeader({
    algorithm: 1,
    realm: '0'.repeat(32),
    materialId: '0'.repeat(32),
    version: 1,
    keyId,
  })
  return decodeEnvelope(encodeEnvelope(header, Buffer.from(content)))
}

let clock: ManualClock
let cache: DataKeyCache
let unwraps: number

beforeEach(() => {
  clock = createManualClock(1)
  cache = createDataKeyCache({ maxEntries: 3, ttlSeconds: 10, clock })
  unwraps = 0
})

const unwrap = async () => Buffer.alloc(32, ++unwraps)

describe('the data-key cache', () => {
  it('unwraps once until the time is up', async () => {
    expect(await cache.get(envelope('a', 'x'), aad, unwrap)).toEqual(Buffer.alloc(32, 1))
    clock.advance(9_999)
    expect(await cache.get(envelope('a', 'x'), aad, unwrap)).toEqual(Buffer.alloc(32, 1))
    clock.advance(2)
    expect(await cache.get(envelope('a', 'x'), aad, unwrap)).toEqual(Buffer.alloc(32, 2))
    expect(cache.statistics()).toEqual({ hits: 1, misses: 2, entries: 1, evictions: 0 })
  })

  it('gives copies: what one caller does to its key does not reach another', async () => {
    const first = await cache.get(envelope('a', 'x'), aad, unwrap)
    first.fill(0)
    const second = await cache.get(envelope('a', 'x'), aad, unwrap)
    second.fill(0)
    expect(await cache.get(envelope('a', 'x'), aad, unwrap)).toEqual(Buffer.alloc(32, 1))
  })

  it('tells envelopes and contexts apart', async () => {
    await cache.get(envelope('a', 'x'), aad, unwrap)
    await cache.get(envelope('a', 'y'), aad, unwrap)
    await cache.get(envelope('a', 'x'), Buffer.alloc(32, 2), unwrap)
    expect(unwraps).toBe(3)
  })

  it('asks once for many callers at the same time, and gives each the same bytes', async () => {
    let finish = (_: Buffer) => {}
    const slow = () => {
      unwraps++
      return new Promise<Buffer>((resolve) => {
        finish = resolve
      })
    }
    const callers = Array.from({ length: 20 }, () => cache.get(envelope('a', 'x'), aad, slow))
    finish(Buffer.alloc(32, 9))
    for (const plaintext of await Promise.all(callers)) expect(plaintext).toEqual(Buffer.alloc(32, 9))
    expect(unwraps).toBe(1)
  })

  it('zeroes what it was given and what it drops', async () => {
    const given = Buffer.alloc(32, 7)
    await cache.get(envelope('a', 'x'), aad, async () => given)
    expect(given).toEqual(Buffer.alloc(32))
  })

  it('zeroes what has expired, though nobody asks for it', async () => {
    const kept: Buffer[] = []
    const from = Buffer.from.bind(Buffer)
    const spy = vi.spyOn(Buffer, 'from').mockImplementation((...args: Parameters<typeof from>) => {
      const made = from(...args)
      if (Buffer.isBuffer(args[0])) kept.push(made)
      return made
    })
    const mine = await cache.get(envelope('a', 'x'), aad, async () => Buffer.alloc(32, 7))
    spy.mockRestore()
    const held = kept.filter((each) => each !== mine && each.length === 32)
    expect(held).toEqual([Buffer.alloc(32, 7)])
    clock.advance(9_999)
    expect(held).toEqual([Buffer.alloc(32, 7)])
    clock.advance(10_001)
    expect(held).toEqual([Buffer.alloc(32)])
    expect(cache.statistics()).toMatchObject({ entries: 0 })
    expect(clock.next).toBeUndefined()
  })

  it('keeps no failure', async () => {
    await expect(cache.get(envelope('a', 'x'), aad, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await cache.get(envelope('a', 'x'), aad, unwrap)).toEqual(Buffer.alloc(32, 1))
  })

  it('stays within its bound, least recently used first', async () => {
    for (const content of ['1', '2', '3']) await cache.get(envelope('a', content), aad, unwrap)
    await cache.get(envelope('a', '1'), aad, unwrap)
    await cache.get(envelope('a', '4'), aad, unwrap)
    expect(cache.statistics()).toMatchObject({ entries: 3, evictions: 1 })
    await cache.get(envelope('a', '1'), aad, unwrap)
    expect(unwraps).toBe(4)
  })

  it('keeps nothing longer than a data key', async () => {
    const long = async () => Buffer.alloc(33, ++unwraps)
    await cache.get(envelope('a', 'x'), aad, long)
    await cache.get(envelope('a', 'x'), aad, long)
    expect(unwraps).toBe(2)
    expect(cache.statistics().entries).toBe(0)
  })

  it('forgets one key, or all', async () => {
    await cache.get(envelope('a', 'x'), aad, unwrap)
    await cache.get(envelope('b', 'y'), aad, unwrap)
    cache.clear('a')
    expect(cache.statistics().entries).toBe(1)
    cache.clear()
    expect(cache.statistics().entries).toBe(0)
  })

  it('is what a list of entries is, whatever is asked, dropped and waited for', async () => {
    const step = fc.oneof(
      fc.record({ key: fc.constantFrom('a', 'b', 'c'), content: fc.constantFrom('1', '2', '3') }),
      fc.record({ clear: fc.constantFrom('a', 'b', 'c', undefined) }),
      fc.record({ wait: fc.nat(12_000) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const time = createManualClock(1)
        const tested = createDataKeyCache({ maxEntries: 3, ttlSeconds: 10, clock: time })
        // Oldest use first.
        let model: { readonly key: string; readonly content: string; readonly at: number }[] = []
        for (const each of steps) {
          if ('clear' in each) {
            tested.clear(each.clear)
            model = each.clear === undefined ? [] : model.filter(({ key }) => key !== each.clear)
          } else if ('wait' in each) time.advance(each.wait)
          else {
            const { key, content } = each
            model = model.filter(({ at }) => time.now() - at <= 10_000)
            const held = model.find((one) => one.key === key && one.content === content)
            let asked = false
            const plaintext = await tested.get(envelope(key, content), Buffer.alloc(32, key), async () => {
              asked = true
              return Buffer.from(`${key}${content}`.padEnd(32))
            })
            expect(plaintext.toString().trim()).toBe(`${key}${content}`)
            expect(asked).toBe(held === undefined)
            const at = held?.at ?? time.now()
            model = [...model.filter((one) => one !== held), { key, content, at }].slice(-3)
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  it('does not keep what was being unwrapped when it was cleared', async () => {
    let finish = (_: Buffer) => {}
    const slow = cache.get(envelope('a', 'x'), aad, () => new Promise<Buffer>((resolve) => (finish = resolve)))
    cache.clear('a')
    finish(Buffer.alloc(32, 5))
    expect(await slow).toEqual(Buffer.alloc(32, 5))
    expect(cache.statistics().entries).toBe(0)
  })
})
