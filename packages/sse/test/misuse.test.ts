import { Buffer } from 'node:buffer'
import { createServerKey, kmsError, systemRandom } from '@kms/core'
import { describe, expect, it } from 'vitest'
import { copyBody, createObjectCipher, keyUseOf, type WriteEncryption } from '../src/index.ts'
import { createMemoryKms } from './memory-kms.ts'
import { anyone, fetchFrom, get, joined, pattern, put } from './memory-store.ts'

const name = { bucket: 'b', key: 'k' }
const kmsMode: WriteEncryption = { mode: 'SSE-KMS', context: new Map(), bucketKey: false }

function setup() {
  const kms = createMemoryKms('master')
  return { kms, cipher: createObjectCipher({ keys: kms, serverKeys: { current: createServerKey(systemRandom(32)) } }) }
}

const begin = (cipher: ReturnType<typeof setup>['cipher'], size?: number) =>
  cipher.beginWrite({ name, encryption: kmsMode, authorize: anyone, ...(size === undefined ? {} : { size }) })

describe('a write', () => {
  it('has no record before all of its body was sealed', async () => {
    const { cipher } = setup()
    const write = await begin(cipher)
    expect(() => write.finish()).toThrow(TypeError)
    const chunks = write.seal([pattern(100_000, 'x')])
    expect(() => write.finish()).toThrow(TypeError)
    await chunks.next()
    expect(() => write.finish()).toThrow(TypeError)
    for await (const chunk of chunks) expect(chunk.length).toBeGreaterThan(0)
    expect(write.result()).toEqual({ size: 100_000, md5: undefined })
    write.finish()
  })

  it('ends once, and its body is sealed once', async () => {
    const { cipher } = setup()
    const write = await begin(cipher)
    await joined(write.seal([]))
    expect(() => write.seal([])).toThrow(TypeError)
    write.finish()
    expect(() => write.finish()).toThrow(TypeError)
    const abandoned = await begin(cipher)
    await joined(abandoned.seal([]))
    abandoned.abandon()
    expect(() => abandoned.finish()).toThrow(TypeError)
  })

  it('whose source fails, or whose reader stops, has no record', async () => {
    const { cipher } = setup()
    const failing = await begin(cipher)
    const broken = (function* () {
      yield Buffer.from('x')
      throw new Error('the client went away')
    })()
    await expect(joined(failing.seal(broken))).rejects.toThrow('went away')
    expect(() => failing.finish()).toThrow(TypeError)
    const stopped = await begin(cipher)
    let closed = false
    const endless = (function* () {
      try {
        for (;;) yield Buffer.alloc(70_000)
      } finally {
        closed = true
      }
    })()
    for await (const chunk of stopped.seal(endless)) if (chunk.length > 1000) break
    expect(closed).toBe(true)
    expect(() => stopped.finish()).toThrow(TypeError)
  })

  it.each([0, 1, 65_535, 65_537])('of another size than the %i bytes announced is refused', async (size) => {
    const { cipher } = setup()
    for (const encryption of [kmsMode, { mode: 'plain' } as const]) {
      for (const actual of [size + 1, ...(size > 0 ? [size - 1] : [])]) {
        const write = await cipher.beginWrite({ name, encryption, authorize: anyone, size })
        await expect(joined(write.seal([pattern(actual, 'x')]))).rejects.toMatchObject({ code: 'InvalidRequest' })
        expect(() => write.finish()).toThrow(TypeError)
      }
    }
  })

  it('says which key version it needs from its beginning, as its record does later', async () => {
    const { cipher, kms } = setup()
    kms.rotate('master')
    const write = await begin(cipher)
    const use = { realm: kms.realm, keyId: 'master', keyVersion: 2 }
    expect(write.keyUse).toEqual(use)
    await joined(write.seal([]))
    expect(keyUseOf(write.finish().record.keys)).toEqual(use)
  })

  it.each([false, true])(
    'takes nothing of its body when its key is to go meanwhile, bucket key: %s',
    async (bucketKey) => {
      const { cipher, kms } = setup()
      const encryption = { ...kmsMode, bucketKey }
      const write = await cipher.beginWrite({ name, encryption, authorize: anyone })
      const key = kms.keys.get('master') ?? expect.fail('there is one')
      key.state = 'PendingDeletion'
      let taken = 0
      const source = (function* () {
        taken += 1
        yield Buffer.from('x')
      })()
      await expect(joined(write.seal(source))).rejects.toMatchObject({ code: 'KeyPendingDeletion' })
      expect(taken).toBe(0)
      expect(() => write.finish()).toThrow(TypeError)
      // A key that is disabled still opens what it wraps.
      key.state = 'Enabled'
      const other = await cipher.beginWrite({ name, encryption, authorize: anyone })
      key.state = 'Disabled'
      await joined(other.seal([Buffer.from('x')]))
      other.finish()
    },
  )

  it('asks the KMS for nothing when it is plain', async () => {
    const { cipher, kms } = setup()
    kms.down = kmsError('NotRunning', { status: 'Configured' })
    const stored = await put(cipher, name, { mode: 'plain' }, [Buffer.from('x')])
    expect((await get(cipher, name, stored)).toString()).toBe('x')
    await expect(begin(cipher)).rejects.toMatchObject({ code: 'NotRunning' })
    expect(keyUseOf(stored.record.keys)).toBeUndefined()
  })
})

describe('a read', () => {
  it('happens once, and not after it was discarded', async () => {
    const { cipher } = setup()
    const { record, body } = await put(cipher, name, kmsMode, [Buffer.from('x')])
    const object = await cipher.openForRead({ name, record, authorize: anyone })
    await joined(object.read(fetchFrom(body)))
    expect(() => object.read(fetchFrom(body))).toThrow(TypeError)
    const other = await cipher.openForRead({ name, record, authorize: anyone })
    other.discard()
    expect(() => other.read(fetchFrom(body))).toThrow(TypeError)
  })
})

describe('a copy', () => {
  it('whose source turns out damaged leaves a target that cannot be finished', async () => {
    const { cipher } = setup()
    const { record, body } = await put(cipher, name, kmsMode, [pattern(200_000, 'x')])
    body.writeUInt8(body.readUInt8(150_000) ^ 1, 150_000)
    const source = await cipher.openForRead({ name, record, authorize: anyone })
    const target = await begin(cipher, source.length)
    const copied = copyBody({ source, fetch: fetchFrom(body), target })
    await expect(joined(copied)).rejects.toMatchObject({ code: 'ObjectDamaged' })
    expect(() => target.finish()).toThrow(TypeError)
  })
})

describe('what was said of an object', () => {
  it('spares nothing to who says it of another one', async () => {
    const { cipher } = setup()
    const other = { bucket: 'b', key: 'other' }
    const [one, two] = [
      await put(cipher, name, kmsMode, ['one'].map(Buffer.from)),
      await put(cipher, other, kmsMode, []),
    ]
    const infos = [
      cipher.inspect(name, one.record.metadata),
      cipher.inspect(other, two.record.metadata),
      cipher.inspect(name, Buffer.from(one.record.metadata)),
      { ...cipher.inspect(name, one.record.metadata) },
    ]
    for (const info of infos) {
      const object = await cipher.openForRead({ name, record: one.record, info, authorize: anyone })
      expect([object.info, object.open(one.body).toString()]).toEqual([infos[0], 'one'])
      await expect(
        cipher.openForRead({ name: other, record: one.record, info, authorize: anyone }),
      ).rejects.toMatchObject({ code: 'ObjectDamaged' })
    }
  })

  it('an object is opened once, by either way, and not after it was discarded', async () => {
    const { cipher } = setup()
    const { record, body } = await put(cipher, name, kmsMode, [Buffer.from('x')])
    const open = () => cipher.openForRead({ name, record, authorize: anyone })
    const [first, second, third] = [await open(), await open(), await open()]
    first.open(body)
    expect(() => first.open(body)).toThrow(TypeError)
    expect(() => first.read(fetchFrom(body))).toThrow(TypeError)
    second.read(fetchFrom(body))
    expect(() => second.open(body)).toThrow(TypeError)
    third.discard()
    expect(() => third.open(body)).toThrow(TypeError)
  })
})
