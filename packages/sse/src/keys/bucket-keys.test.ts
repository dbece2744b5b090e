import { Buffer } from 'node:buffer'
import { kmsError, systemRandom } from '@kms/core'
import { createManualClock } from '@kms/core/testing'
import { describe, expect, it } from 'vitest'
import { createMemoryKms } from '../../test/memory-kms.ts'
import { anyone } from '../../test/memory-store.ts'
import { type BucketKeyLimits, type BucketKeyScope, createBucketKeys } from './bucket-keys.ts'

const scope: BucketKeyScope = { bucket: 'photos', mode: 'SSE-KMS', context: new Map([['team', 'red']]) }

function setup(limits: BucketKeyLimits = {}) {
  const kms = createMemoryKms('master', 'second')
  const clock = createManualClock(Date.UTC(2026, 0, 1))
  const drawn: Buffer[] = []
  const random = (size: number) => {
    const bytes = systemRandom(size)
    drawn.push(bytes)
    return bytes
  }
  const bucketKeys = createBucketKeys({ ...limits, keys: kms, clock, random })
  const write = async (own: BucketKeyScope = scope, key = 'master') => {
    const { bucketKey, wrapped } = await bucketKeys.forWriting(own, { key, authorize: anyone })
    return { hex: bucketKey.key.toString('hex'), id: Buffer.from(bucketKey.id), envelope: wrapped.envelope, wrapped }
  }
  return { kms, clock, bucketKeys, write, drawn }
}

describe('bucket keys', () => {
  it('ask the KMS to wrap once for many writes, and for permission every time', async () => {
    const { kms, write } = setup()
    const seen = new Set<string>()
    for (let count = 0; count < 1000; count++) seen.add((await write()).hex)
    expect([seen.size, kms.calls.wrap, kms.calls.admitWrap]).toEqual([1, 1, 1000])
  })

  it('say how often they were of use', async () => {
    const { bucketKeys, write } = setup()
    expect(bucketKeys.statistics()).toEqual({ hits: 0, misses: 0, entries: 0 })
    const [{ envelope, id }] = await Promise.all([write(), write(), write()])
    await write()
    // Three that came at once waited for one.
    expect(bucketKeys.statistics()).toEqual({ hits: 1, misses: 3, entries: 2 })
    await bucketKeys.forReading(scope, { envelope, id, authorize: anyone })
    expect(bucketKeys.statistics()).toEqual({ hits: 2, misses: 3, entries: 2 })
    bucketKeys.clear()
    await bucketKeys.forReading(scope, { envelope, id, authorize: anyone })
    expect(bucketKeys.statistics()).toEqual({ hits: 2, misses: 4, entries: 1 })
  })

  it('ask once for writes that come all at once', async () => {
    const { kms, write } = setup()
    const all = await Promise.all(Array.from({ length: 100 }, () => write()))
    expect([new Set(all.map(({ hex }) => hex)).size, kms.calls.wrap]).toEqual([1, 1])
  })

  it.each<[string, (now: ReturnType<typeof setup>) => Promise<{ hex: string }>]>([
    ['bucket', ({ write }) => write({ ...scope, bucket: 'films' })],
    ['mode', ({ write }) => write({ ...scope, mode: 'SSE-S3' })],
    ['client context', ({ write }) => write({ ...scope, context: new Map() })],
    ['key', ({ write }) => write(scope, 'second')],
    [
      'key version',
      ({ kms, write }) => {
        kms.rotate('master')
        return write()
      },
    ],
    [
      'realm',
      ({ write, kms }) => {
        const admit = kms.admitWrap
        kms.admitWrap = async (request) => ({ ...(await admit(request)), realm: '0'.repeat(32) })
        return write()
      },
    ],
  ])('are not shared with another %s', async (_, other) => {
    const now = setup()
    const { hex } = await now.write()
    expect((await other(now)).hex).not.toBe(hex)
  })

  it('wrap for their lifetime and no longer', async () => {
    const { kms, clock, write } = setup({ ttlSeconds: 60 })
    const first = await write()
    clock.advance(59_999)
    expect((await write()).hex).toBe(first.hex)
    clock.advance(2)
    expect((await write()).hex).not.toBe(first.hex)
    expect(kms.calls.wrap).toBe(2)
  })

  it('wrap as many objects as they may and no more, also when those come all at once', async () => {
    const { kms, write } = setup({ maxUses: 10 })
    const uses = new Map<string, number>()
    for (const { hex } of await Promise.all(Array.from({ length: 95 }, () => write()))) {
      uses.set(hex, (uses.get(hex) ?? 0) + 1)
    }
    expect(Math.max(...uses.values())).toBe(10)
    expect(kms.calls.wrap).toBe(uses.size)
  })

  it('are bounded in number; what does not fit is made again', async () => {
    const { kms, write } = setup({ maxKeys: 2 })
    for (const bucket of ['a', 'b', 'c', 'b', 'a']) await write({ ...scope, bucket })
    expect(kms.calls.wrap).toBe(4)
  })

  it('are of no use to who may not use the KMS key, nor once it is disabled', async () => {
    const { kms, bucketKeys, write } = setup()
    const { envelope, id } = await write()
    const authorize = () => {
      throw kmsError('AccessDenied', { reason: 'no' })
    }
    const denied = { code: 'AccessDenied' }
    await expect(bucketKeys.forWriting(scope, { key: 'master', authorize })).rejects.toMatchObject(denied)
    await expect(bucketKeys.forReading(scope, { envelope, id, authorize })).rejects.toMatchObject(denied)
    const key = kms.keys.get('master') ?? expect.fail('the key is there')
    key.state = 'Disabled'
    await expect(write()).rejects.toMatchObject({ code: 'KeyDisabled' })
    await bucketKeys.forReading(scope, { envelope, id, authorize: anyone })
    key.state = 'PendingDeletion'
    const pending = bucketKeys.forReading(scope, { envelope, id, authorize: anyone })
    await expect(pending).rejects.toMatchObject({ code: 'KeyPendingDeletion' })
    kms.down = kmsError('NotRunning', { status: 'Configured' })
    const stopped = bucketKeys.forReading(scope, { envelope, id, authorize: anyone })
    await expect(stopped).rejects.toMatchObject({ code: 'NotRunning' })
  })

  it('open again what they sealed: from memory while it is kept, from the KMS after', async () => {
    const { kms, clock, bucketKeys, write } = setup({ ttlSeconds: 60 })
    const { hex, envelope, id } = await write()
    const read = async () => {
      const { key } = await bucketKeys.forReading(scope, { envelope, id, authorize: anyone })
      const text = key.toString('hex')
      key.fill(0)
      return text
    }
    expect([await read(), await read(), kms.calls.unwrap]).toEqual([hex, hex, 0])
    clock.advance(60_001)
    expect([await read(), await read(), kms.calls.unwrap]).toEqual([hex, hex, 1])
    kms.rotate('master')
    expect([await read(), kms.calls.unwrap]).toEqual([hex, 1])
  })

  it('do not open for another bucket, mode or client context', async () => {
    const { bucketKeys, write } = setup()
    const { envelope, id } = await write()
    for (const change of [{ bucket: 'films' }, { mode: 'SSE-S3' }, { context: new Map() }] as const) {
      const read = bucketKeys.forReading({ ...scope, ...change }, { envelope, id, authorize: anyone })
      await expect(read).rejects.toMatchObject({ code: 'InvalidCiphertext' })
    }
  })

  it('go on when the KMS key was rotated between its admission and the wrap', async () => {
    const { kms, write } = setup()
    const admit = kms.admitWrap
    // What a record that is five seconds old says.
    kms.admitWrap = async (request) => ({ ...(await admit(request)), keyVersion: 1 })
    kms.rotate('master')
    expect((await write()).wrapped.keyVersion).toBe(2)
  })

  it('tell everyone who waits when the KMS fails, and try again next time', async () => {
    const { kms, write } = setup()
    const { wrap } = kms
    kms.wrap = async () => {
      throw kmsError('BackendTimeout', { seconds: 1 })
    }
    const failed = await Promise.allSettled([write(), write()])
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    kms.wrap = wrap
    await write()
  })

  it.each<[string, (now: ReturnType<typeof setup>) => unknown]>([
    ['their lifetime is over and nobody asks', ({ clock }) => clock.advance(121_000)],
    ['they are cleared', ({ bucketKeys }) => bucketKeys.clear()],
  ])('are erased when %s', async (_, end) => {
    const now = setup({ ttlSeconds: 60 })
    await now.write()
    expect(now.drawn.some((bytes) => bytes.length === 32 && !bytes.equals(Buffer.alloc(32)))).toBe(true)
    end(now)
    expect(now.drawn.filter(({ length }) => length === 32).every((bytes) => bytes.equals(Buffer.alloc(32)))).toBe(true)
  })

  it.each([{ ttlSeconds: 0 }, { maxUses: 0 }, { maxKeys: 0 }, { ttlSeconds: Number.NaN }])('refuse %o', (limits) => {
    expect(() => setup(limits)).toThrow(RangeError)
  })
})
