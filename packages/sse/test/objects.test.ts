import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createServerKey, kmsError, systemRandom } from '@kms/core'
import { describe, expect, it } from 'vitest'
import {
  CustomerKey,
  copyBody,
  createObjectCipher,
  keyUseOf,
  type ObjectCipher,
  type ObjectCipherOptions,
  type SealedBody,
  type WriteEncryption,
} from '../src/index.ts'
import { createMemoryKms } from './memory-kms.ts'
import { anyone, chunksOf, fetchFrom, get, joined, pattern, put, type StoredObject, upload } from './memory-store.ts'

const FRAME = 65_536
const name = { bucket: 'photos', key: 'holiday' }
const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex')
const customerKey = new CustomerKey(Buffer.alloc(32, 7))
const otherKey = new CustomerKey(Buffer.alloc(32, 8))
const none = new Map()
const modes = {
  plain: { mode: 'plain' },
  'SSE-S3': { mode: 'SSE-S3', bucketKey: false },
  'SSE-KMS': { mode: 'SSE-KMS', context: none, bucketKey: false },
  'SSE-C': { mode: 'SSE-C', customerKey },
} as const satisfies Record<string, WriteEncryption>
const kmsWithBucketKey: WriteEncryption = { mode: 'SSE-KMS', context: none, bucketKey: true }
const every: readonly WriteEncryption[] = Object.values(modes)
const keyFor = ({ mode }: WriteEncryption) => (mode === 'SSE-C' ? customerKey : undefined)

function setup(options: Partial<ObjectCipherOptions> = {}) {
  const kms = createMemoryKms('master', 'second')
  const serverKeys = { current: createServerKey(systemRandom(32)) }
  return { kms, serverKeys, cipher: createObjectCipher({ keys: kms, serverKeys, ...options }) }
}

function begin(cipher: ObjectCipher, encryption: WriteEncryption, more: { md5?: boolean; size?: number } = {}) {
  return cipher.beginWrite({ name, encryption, authorize: anyone, ...more })
}

describe('ETags', () => {
  it('are the MD5 of plain and SSE-S3 objects, and random ones of the others', async () => {
    const { cipher } = setup()
    for (const encryption of every) {
      const etags = new Set<string>()
      for (const sized of [true, false]) {
        const write = await begin(cipher, encryption, sized ? { size: 5 } : {})
        await joined(write.seal([Buffer.from('plain'.slice(0, 2)), Buffer.from('ain')]))
        etags.add(write.finish().info.etag)
      }
      const isMd5 = encryption.mode === 'plain' || encryption.mode === 'SSE-S3'
      expect(etags.size).toBe(isMd5 ? 1 : 2)
      expect(etags.has(md5(Buffer.from('plain')))).toBe(isMd5)
      for (const etag of etags) expect(etag).toMatch(/^[0-9a-f]{32}$/)
    }
  })

  it('of multipart objects say how many parts there are', async () => {
    const { cipher } = setup()
    const parts = new Map([1, 7].map((number) => [number, pattern(10, `${number}`)]))
    const digests = [...parts.values()].map(md5).join('')
    for (const encryption of every) {
      const { record } = await upload(cipher, { name, encryption, parts })
      const { etag } = cipher.inspect(name, record.metadata)
      expect(etag).toMatch(/^[0-9a-f]{32}-2$/)
      const isMd5 = encryption.mode === 'plain' || encryption.mode === 'SSE-S3'
      expect(etag === `${md5(Buffer.from(digests, 'hex'))}-2`).toBe(isMd5)
    }
  })

  it('do not keep a client from checking the MD5 it sent', async () => {
    const { cipher } = setup()
    for (const encryption of every) {
      const write = await begin(cipher, encryption, { md5: true })
      await joined(write.seal(chunksOf(pattern(100_000, 'x'), 999)))
      expect(write.result().md5?.toString('hex')).toBe(md5(pattern(100_000, 'x')))
    }
  })
})

describe('a customer key', () => {
  it('is needed for everything of its object, and must be the right one', async () => {
    const { cipher } = setup()
    const stored = await put(cipher, name, modes['SSE-C'], [pattern(10, 'x')])
    const open = (key: CustomerKey | undefined) =>
      cipher.openForRead({ name, record: stored.record, customerKey: key, authorize: anyone })
    await expect(open(undefined)).rejects.toMatchObject({ code: 'InvalidRequest' })
    await expect(open(otherKey)).rejects.toMatchObject({ code: 'AccessDenied' })
    expect((await open(customerKey)).info).toMatchObject({ mode: 'SSE-C', size: 10, keyName: undefined })
  })

  it.each(every.filter(({ mode }) => mode !== 'SSE-C'))('is refused for an object under $mode', async (encryption) => {
    const { cipher } = setup()
    const { record } = await put(cipher, name, encryption, [])
    const open = cipher.openForRead({ name, record, customerKey, authorize: anyone })
    await expect(open).rejects.toMatchObject({ code: 'InvalidRequest' })
    const begun = await cipher.beginUpload({ name, encryption, authorize: anyone })
    const request = { name, upload: begun.upload, customerKey, authorize: anyone }
    await expect(cipher.sealPart({ ...request, number: 1 })).rejects.toMatchObject({ code: 'InvalidRequest' })
    const complete = cipher.completeUpload({ ...request, parts: [] })
    await expect(complete).rejects.toMatchObject({ code: 'InvalidRequest' })
  })

  // Recorded answers of S3: 400 InvalidRequest for a part, where a read is 403 AccessDenied.
  it('of an upload is needed for each part; completing takes it, or none, but no other', async () => {
    const { cipher } = setup()
    const { upload: blob } = await cipher.beginUpload({ name, encryption: modes['SSE-C'], authorize: anyone })
    const request = { name, upload: blob, authorize: anyone }
    for (const wrong of [undefined, otherKey]) {
      const attempt = cipher.sealPart({ ...request, number: 1, customerKey: wrong })
      await expect(attempt).rejects.toMatchObject({ code: 'InvalidRequest' })
    }
    const part = await cipher.sealPart({ ...request, number: 1, customerKey })
    const body = await joined(part.seal([pattern(10, 'x')]))
    const parts = [part.finish().part]
    const wrong = cipher.completeUpload({ name, upload: blob, parts, customerKey: otherKey })
    await expect(wrong).rejects.toMatchObject({ code: 'InvalidRequest' })
    for (const right of [customerKey, undefined]) {
      const { record } = await cipher.completeUpload({ name, upload: blob, parts, customerKey: right })
      expect(await get(cipher, name, { record, body }, { customerKey })).toEqual(pattern(10, 'x'))
    }
  })

  it('is stored nowhere, nor is its MD5', async () => {
    const { cipher } = setup()
    const { record, body } = await put(cipher, name, modes['SSE-C'], [Buffer.alloc(100)])
    const begun = await cipher.beginUpload({ name, encryption: modes['SSE-C'], authorize: anyone })
    const stored = Buffer.concat([record.metadata, record.parts, record.keys, body, begun.upload])
    expect(stored.includes(customerKey.reveal())).toBe(false)
    expect(stored.includes(customerKey.md5)).toBe(false)
    expect(stored.includes(Buffer.from(customerKey.md5, 'base64'))).toBe(false)
  })
})

describe('what is stored', () => {
  it('of an encrypted object shows neither plaintext nor ETag nor checksums', async () => {
    const { cipher } = setup()
    const secret = Buffer.from('attack at dawn, '.repeat(8))
    const checksums = new Map([['sha256', 'a checksum of the plaintext']])
    for (const encryption of [modes['SSE-S3'], modes['SSE-KMS'], modes['SSE-C'], kmsWithBucketKey]) {
      const { record, body } = await put(cipher, name, encryption, [secret], { checksums })
      const begun = await cipher.beginUpload({ name, encryption, authorize: anyone })
      const request = { name, upload: begun.upload, number: 1, customerKey: keyFor(encryption), authorize: anyone }
      const part = await cipher.sealPart(request)
      const partBody = await joined(part.seal([secret]))
      const sealed = part.finish({ checksums })
      const whole = await cipher.completeUpload({ name, upload: begun.upload, parts: [sealed.part], checksums })
      const stored = [record, whole.record].flatMap((own) => [own.metadata, own.parts, own.keys])
      const all = Buffer.concat([...stored, body, partBody, begun.upload, sealed.part])
      for (const text of ['attack', 'a checksum of the', md5(secret), sealed.info.etag, whole.info.etag.slice(0, 32)]) {
        expect(all.includes(text), text).toBe(false)
      }
    }
  })

  it('of a plain object is the plaintext', async () => {
    const { cipher } = setup()
    expect((await put(cipher, name, modes.plain, [pattern(100, 'x')])).body).toEqual(pattern(100, 'x'))
  })
})

describe('multipart uploads', () => {
  it('complete while the KMS is down, and their parts do not begin then', async () => {
    const { cipher, kms } = setup()
    for (const encryption of [modes['SSE-KMS'], kmsWithBucketKey, modes['SSE-S3']]) {
      const { upload: blob, keyUse } = await cipher.beginUpload({ name, encryption, authorize: anyone })
      expect(keyUse).toMatchObject({ keyId: 'master', keyVersion: 1 })
      const request = { name, upload: blob, number: 2, authorize: anyone }
      const part = await cipher.sealPart(request)
      const body = await joined(part.seal([pattern(70_000, 'x')]))
      kms.down = kmsError('NotRunning', { status: 'Configured' })
      await expect(cipher.sealPart(request)).rejects.toMatchObject({ code: 'NotRunning' })
      const { record, info } = await cipher.completeUpload({ name, upload: blob, parts: [part.finish().part] })
      kms.down = undefined
      expect(info).toMatchObject({ size: 70_000, partCount: 1 })
      expect(await get(cipher, name, { record, body })).toEqual(pattern(70_000, 'x'))
    }
  })

  it('take the parts they are completed with, sent again or left out', async () => {
    const { cipher } = setup()
    const { upload: blob } = await cipher.beginUpload({ name, encryption: modes['SSE-KMS'], authorize: anyone })
    const sealed = async (number: number, seed: string) => {
      const part = await cipher.sealPart({ name, upload: blob, number, authorize: anyone })
      return { body: await joined(part.seal([pattern(10, seed)])), ...part.finish() }
    }
    const first = await sealed(1, 'first try')
    const again = await sealed(1, 'second try')
    await sealed(2, 'left out')
    const third = await sealed(3, 'third')
    expect(first.info.etag).not.toBe(again.info.etag)
    const complete = cipher.completeUpload({ name, upload: blob, parts: [again.part, third.part] })
    const { record } = await complete
    const read = await get(cipher, name, { record, body: Buffer.concat([again.body, third.body]) })
    expect(read.equals(Buffer.concat([pattern(10, 'second try'), pattern(10, 'third')]))).toBe(true)
    expect(cipher.inspectObjectParts(name, record)).toEqual([
      { number: 1, size: 10, offset: 0, checksums: none },
      { number: 3, size: 10, offset: 10, checksums: none },
    ])
    expect(cipher.inspectParts(name, blob, [first.part, third.part])).toEqual([first.info, third.info])
  })

  it.each(every)('under $mode are read by part, empty ones too', async (encryption) => {
    const { cipher } = setup()
    const parts = new Map([
      [2, pattern(FRAME + 1, '2')],
      [3, Buffer.alloc(0)],
      [9, pattern(3, '9')],
    ])
    const { record, body } = await upload(cipher, { name, encryption, parts })
    const open = (part: number, range?: { start: number; end: number }) =>
      cipher.openForRead({ name, record, customerKey: keyFor(encryption), authorize: anyone, part, range })
    for (const [number, bytes] of parts) {
      const object = await open(number)
      expect(object.length).toBe(bytes.length)
      expect((await joined(object.read(fetchFrom(body)))).equals(bytes)).toBe(true)
    }
    await expect(open(1)).rejects.toThrow(RangeError)
    await expect(open(2, { start: 0, end: 0 })).rejects.toThrow(TypeError)
  })

  it.each([0, 10_001, 1.5, Number.NaN])('have no part %d', async (number) => {
    const { cipher } = setup()
    const { upload: blob } = await cipher.beginUpload({ name, encryption: modes.plain, authorize: anyone })
    const part = cipher.sealPart({ name, upload: blob, number, authorize: anyone })
    await expect(part).rejects.toMatchObject({ code: 'ValidationError' })
  })

  it('may have 10 000 parts, whose checksums come back', async () => {
    const { cipher } = setup()
    const { upload: blob } = await cipher.beginUpload({ name, encryption: modes.plain, authorize: anyone })
    const parts: Buffer[] = []
    for (let number = 1; number <= 10_000; number++) {
      const part = await cipher.sealPart({ name, upload: blob, number, authorize: anyone })
      await joined(part.seal([Buffer.from('x')]))
      parts.push(part.finish({ checksums: new Map([['crc32', `${number}`]]) }).part)
    }
    const { record, info } = await cipher.completeUpload({ name, upload: blob, parts })
    expect(info).toMatchObject({ size: 10_000, partCount: 10_000 })
    expect(cipher.inspectObjectParts(name, record).at(-1)).toEqual({
      number: 10_000,
      size: 1,
      checksums: new Map([['crc32', '10000']]),
      offset: 9999,
    })
    const more = cipher.completeUpload({ name, upload: blob, parts: [...parts, parts[0] as Buffer] })
    await expect(more).rejects.toThrow(RangeError)
  })
})

describe('SSE-KMS', () => {
  it('asks for permission on the resolved key, to write, to read and for each part; SSE-S3 asks nobody', async () => {
    const { cipher, kms } = setup()
    kms.aliases.set('alias/mine', 'second')
    const asked: string[] = []
    const authorize = (keyId: string) => void asked.push(keyId)
    for (const bucketKey of [true, false]) {
      const encryption = { mode: 'SSE-KMS', context: none, bucketKey, keyName: 'alias/mine' } as const
      const write = await cipher.beginWrite({ name, encryption, authorize })
      const body = await joined(write.seal([]))
      const { record, info } = write.finish()
      expect(info.keyName).toBe('alias/mine')
      expect(new Set(asked)).toEqual(new Set(['second']))
      asked.length = 0
      await get(cipher, name, { record, body }, { authorize })
      expect(new Set(asked)).toEqual(new Set(['second']))
      asked.length = 0
      const { upload: blob } = await cipher.beginUpload({ name, encryption, authorize: anyone })
      await cipher.sealPart({ name, upload: blob, number: 1, authorize })
      expect(new Set(asked)).toEqual(new Set(['second']))
      asked.length = 0
    }
    for (const bucketKey of [true, false]) {
      const write = await cipher.beginWrite({ name, encryption: { mode: 'SSE-S3', bucketKey }, authorize })
      const body = await joined(write.seal([]))
      await get(cipher, name, { record: write.finish().record, body }, { authorize })
    }
    expect(asked).toEqual([])
  })

  it('is refused to who may not, with nothing made', async () => {
    const { cipher } = setup()
    const authorize = () => {
      throw kmsError('AccessDenied', { reason: 'no' })
    }
    const stored = await put(cipher, name, kmsWithBucketKey, [])
    const denied = { code: 'AccessDenied' }
    for (const encryption of [modes['SSE-KMS'], kmsWithBucketKey]) {
      await expect(cipher.beginWrite({ name, encryption, authorize })).rejects.toMatchObject(denied)
      await expect(cipher.beginUpload({ name, encryption, authorize })).rejects.toMatchObject(denied)
    }
    await expect(get(cipher, name, stored, { authorize })).rejects.toMatchObject(denied)
  })

  it('reports the default key by its id when none was named', async () => {
    const { cipher } = setup()
    const { record } = await put(cipher, name, modes['SSE-KMS'], [])
    expect(cipher.inspect(name, record.metadata).keyName).toBe('master')
  })

  it('with bucket keys makes at most one KMS call for a hundred small writes, or for reading them', async () => {
    const { cipher, kms } = setup()
    const stored: StoredObject[] = []
    for (let count = 0; count < 500; count++) {
      stored.push(await put(cipher, { bucket: 'photos', key: `${count}` }, kmsWithBucketKey, [pattern(10, `${count}`)]))
    }
    for (const [count, object] of stored.entries()) {
      const read = await get(cipher, { bucket: 'photos', key: `${count}` }, object)
      expect(read).toEqual(pattern(10, `${count}`))
    }
    expect([kms.calls.wrap, kms.calls.unwrap]).toEqual([1, 0])
    cipher.clear()
    await get(cipher, { bucket: 'photos', key: '0' }, stored[0] as StoredObject)
    expect(kms.calls.unwrap).toBe(1)
  })

  it('fails with the error of the KMS, and never with less protection', async () => {
    const { cipher, kms } = setup()
    for (const [error, code] of [
      [kmsError('KeyNotFound', { key: 'x' }), 'KeyNotFound'],
      [kmsError('KeyDisabled', { key: 'x' }), 'KeyDisabled'],
      [kmsError('BackendUnavailable', { store: 's', reason: 'r' }), 'BackendUnavailable'],
    ] as const) {
      kms.down = error
      for (const encryption of [modes['SSE-KMS'], modes['SSE-S3'], kmsWithBucketKey]) {
        await expect(begin(cipher, encryption)).rejects.toMatchObject({ code })
      }
    }
  })
})

describe('offline copies', () => {
  const offlineKey = { id: Buffer.alloc(16, 1), key: Buffer.alloc(32, 2) }
  function offlineSetup() {
    const state = { allowed: true, stopped: false, kept: true }
    const asked: unknown[] = []
    const offline = {
      forWriting: async (realm: string, keyId: string) => {
        asked.push([realm, keyId])
        return state.allowed ? offlineKey : undefined
      },
      forReading: async (_realm: string, _keyId: string, id: Uint8Array) =>
        state.stopped && state.kept && Buffer.from(id).equals(offlineKey.id) ? offlineKey : undefined,
    }
    return { ...setup({ offline }), state, asked }
  }

  it.each([modes['SSE-KMS'], modes['SSE-S3'], kmsWithBucketKey])(
    'open %o while the KMS is stopped, where allowed',
    async (encryption) => {
      const { cipher, kms, state, asked } = offlineSetup()
      const allowed = await put(cipher, name, encryption, [pattern(10, 'x')])
      const parts = new Map([[1, pattern(10, 'x')]])
      const multipart = await upload(cipher, { name, encryption, parts })
      state.allowed = false
      const not = await put(cipher, name, encryption, [pattern(10, 'x')])
      expect(asked[0]).toEqual([kms.realm, 'master'])
      kms.down = kmsError('NotRunning', { status: 'Configured' })
      state.stopped = true
      for (const stored of [allowed, multipart]) expect(await get(cipher, name, stored)).toEqual(pattern(10, 'x'))
      await expect(get(cipher, name, not)).rejects.toMatchObject({ code: 'NotRunning' })
      state.kept = false
      await expect(get(cipher, name, allowed)).rejects.toMatchObject({ code: 'NotRunning' })
    },
  )

  it('open for nobody who may not, and let no upload go on', async () => {
    const { cipher, kms, state } = offlineSetup()
    const stored = await put(cipher, name, modes['SSE-KMS'], [])
    const { upload: blob } = await cipher.beginUpload({ name, encryption: modes['SSE-KMS'], authorize: anyone })
    kms.down = kmsError('NotRunning', { status: 'Configured' })
    state.stopped = true
    const authorize = (keyId: string) => {
      throw kmsError('AccessDenied', { reason: keyId })
    }
    const denied = { code: 'AccessDenied', message: 'master' }
    await expect(get(cipher, name, stored, { authorize })).rejects.toMatchObject(denied)
    const part = cipher.sealPart({ name, upload: blob, number: 1, authorize: anyone })
    await expect(part).rejects.toMatchObject({ code: 'NotRunning' })
  })
})

describe('copies', () => {
  const plaintext = pattern(2 * FRAME + 9, 'x')

  async function copied(
    cipher: ObjectCipher,
    source: StoredObject,
    from: WriteEncryption,
    range: { start: number; end: number } | undefined,
    target: (size: number) => Promise<SealedBody>,
  ): Promise<Buffer> {
    const object = await cipher.openForRead({
      name,
      record: source.record,
      customerKey: keyFor(from),
      authorize: anyone,
      range,
    })
    const seen = createHash('sha256')
    const body = await joined(
      copyBody({
        source: object,
        fetch: fetchFrom(source.body),
        target: await target(object.length),
        observe: (chunk) => void seen.update(chunk),
      }),
    )
    const expected = plaintext.subarray(range?.start ?? 0, (range?.end ?? plaintext.length - 1) + 1)
    expect(seen.digest('hex')).toBe(createHash('sha256').update(expected).digest('hex'))
    return body
  }

  it.each(every.flatMap((from) => every.map((to) => ({ from, to }))))(
    'from $from.mode to $to.mode, whole and as parts of a range',
    async ({ from, to }) => {
      const { cipher } = setup()
      const source = await put(cipher, name, from, [plaintext])
      const as = { bucket: 'other', key: 'copy' }
      let write: Awaited<ReturnType<ObjectCipher['beginWrite']>> | undefined
      const body = await copied(cipher, source, from, undefined, async (size) => {
        write = await cipher.beginWrite({ name: as, encryption: to, authorize: anyone, size })
        return write
      })
      const { record } = write?.finish() ?? expect.fail('it was begun')
      expect(await get(cipher, as, { record, body }, { customerKey: keyFor(to) })).toEqual(plaintext)
      if (to.mode !== 'plain') expect(body.includes(plaintext.subarray(0, 64))).toBe(false)

      const { upload: blob } = await cipher.beginUpload({ name: as, encryption: to, authorize: anyone })
      const parts: Buffer[] = []
      const bodies: Buffer[] = []
      for (const [index, range] of [
        { start: 0, end: FRAME },
        { start: FRAME + 1, end: plaintext.length - 1 },
      ].entries()) {
        let part: Awaited<ReturnType<ObjectCipher['sealPart']>> | undefined
        bodies.push(
          await copied(cipher, source, from, range, async (size) => {
            const request = {
              name: as,
              upload: blob,
              number: index + 1,
              customerKey: keyFor(to),
              authorize: anyone,
              size,
            }
            part = await cipher.sealPart(request)
            return part
          }),
        )
        parts.push((part ?? expect.fail('it was begun')).finish().part)
      }
      const whole = await cipher.completeUpload({ name: as, upload: blob, parts })
      const stored = { record: whole.record, body: Buffer.concat(bodies) }
      expect(await get(cipher, as, stored, { customerKey: keyFor(to) })).toEqual(plaintext)
    },
  )
})

describe('re-wrapping', () => {
  it.each([modes['SSE-KMS'], modes['SSE-S3'], kmsWithBucketKey])(
    'moves %o to the current version, and nothing else',
    async (encryption) => {
      const { cipher, kms } = setup()
      const parts = new Map([
        [1, pattern(FRAME + 1, '1')],
        [2, pattern(7, '2')],
      ])
      const before = await upload(cipher, { name, encryption, parts })
      kms.rotate('master')
      const { keys, keyUse } = await cipher.rewrap({ name, record: before.record, authorize: anyone })
      const record = { ...before.record, keys }
      const use = { realm: kms.realm, keyId: 'master', keyVersion: 2 }
      expect([keyUse, keyUseOf(record.keys)]).toEqual([use, use])
      const versions = kms.keys.get('master')?.versions ?? []
      versions[0]?.fill(0)
      cipher.clear()
      const whole = Buffer.concat([...parts.values()])
      expect((await get(cipher, name, { record, body: before.body })).equals(whole)).toBe(true)
      await expect(get(cipher, name, before)).rejects.toMatchObject({ code: 'ObjectDamaged' })
    },
  )

  it('moves an object to another store, under the same key id', async () => {
    const { cipher, kms, serverKeys } = setup()
    const stored = await put(cipher, name, { ...modes['SSE-KMS'], keyName: 'second' }, [pattern(10, 'x')])
    const elsewhere = createMemoryKms('master', 'second')
    const both = { ...elsewhere, admitUnwrap: kms.admitUnwrap, unwrap: kms.unwrap }
    const moving = createObjectCipher({ keys: both, serverKeys })
    const { keys, keyUse } = await moving.rewrap({ name, record: stored.record, authorize: anyone })
    const record = { ...stored.record, keys }
    expect(keyUse).toEqual({ realm: elsewhere.realm, keyId: 'second', keyVersion: 1 })
    const moved = createObjectCipher({ keys: elsewhere, serverKeys })
    expect(await get(moved, name, { record, body: stored.body })).toEqual(pattern(10, 'x'))
  })

  it('is refused where there is nothing to wrap, where it may not, and for what is damaged', async () => {
    const { cipher } = setup()
    for (const encryption of [modes.plain, modes['SSE-C']]) {
      const { record } = await put(cipher, name, encryption, [])
      const attempt = cipher.rewrap({ name, record, authorize: anyone })
      await expect(attempt).rejects.toMatchObject({ code: 'InvalidRequest' })
    }
    const { record } = await put(cipher, name, modes['SSE-KMS'], [])
    const other = await put(cipher, name, modes['SSE-KMS'], [])
    const mixed = { ...record, keys: other.record.keys }
    const attempt = cipher.rewrap({ name, record: mixed, authorize: anyone })
    await expect(attempt).rejects.toMatchObject({ code: 'ObjectDamaged' })
    const authorize = () => {
      throw kmsError('AccessDenied', { reason: 'no' })
    }
    await expect(cipher.rewrap({ name, record, authorize })).rejects.toMatchObject({ code: 'AccessDenied' })
  })
})

describe('a change of the server key', () => {
  it.each(every)(
    'leaves objects under $mode readable while the old one is at hand; resealing ends that',
    async (encryption) => {
      const kms = createMemoryKms('master')
      const [old, current] = [createServerKey(systemRandom(32)), createServerKey(systemRandom(32))]
      const before = createObjectCipher({ keys: kms, serverKeys: { current: old } })
      const during = createObjectCipher({ keys: kms, serverKeys: { current, previous: old } })
      const after = createObjectCipher({ keys: kms, serverKeys: { current } })
      const key = keyFor(encryption)
      const { upload: blob } = await before.beginUpload({ name, encryption, authorize: anyone })
      const part = await before.sealPart({ name, upload: blob, number: 1, customerKey: key, authorize: anyone })
      const body = await joined(part.seal([pattern(10, 'x')]))
      const parts = [part.finish({ checksums: new Map([['crc32', 'AAAAAA==']]) }).part]
      const { record } = await during.completeUpload({ name, upload: blob, parts })
      const made = await before.completeUpload({ name, upload: blob, parts })
      for (const own of [record, made.record, during.reseal(name, made.record)]) {
        expect(await get(during, name, { record: own, body }, { customerKey: key })).toEqual(pattern(10, 'x'))
      }
      if (encryption.mode === 'plain') return
      expect(() => after.inspect(name, made.record.metadata)).toThrow(
        expect.objectContaining({ code: 'ServerKeyMismatch' }),
      )
      const resealed = during.reseal(name, made.record)
      expect(await get(after, name, { record: resealed, body }, { customerKey: key })).toEqual(pattern(10, 'x'))
      expect(after.inspectObjectParts(name, resealed)).toMatchObject([{ checksums: new Map([['crc32', 'AAAAAA==']]) }])
    },
  )
})

describe('streams', () => {
  it.each(every)('of $mode go byte by byte, and in one chunk', async (encryption) => {
    const { cipher } = setup()
    const plaintext = pattern(FRAME + 3, 'x')
    const customer = { customerKey: keyFor(encryption) }
    for (const size of [undefined, plaintext.length]) {
      const sized = size === undefined ? {} : { size }
      const bytewise = await put(cipher, name, encryption, chunksOf(plaintext, 1), sized)
      const whole = await put(cipher, name, encryption, [plaintext], sized)
      for (const stored of [bytewise, whole]) {
        expect((await get(cipher, name, stored, { ...customer, cut: 1 })).equals(plaintext)).toBe(true)
        expect((await get(cipher, name, stored, { ...customer, cut: 1 << 20 })).equals(plaintext)).toBe(true)
      }
    }
  })

  it.each(every)('of $mode take and give Node streams', async (encryption) => {
    const { cipher } = setup()
    const plaintext = pattern(5 * FRAME + 1, 'x')
    const write = await begin(cipher, encryption, { size: plaintext.length })
    const sink = new PassThrough({ highWaterMark: 16_384 })
    const collected = joined(sink)
    await pipeline(Readable.from(chunksOf(plaintext, 10_000)), (source) => write.seal(source), sink)
    const stored = { record: write.finish().record, body: await collected }
    const object = await cipher.openForRead({
      name,
      record: stored.record,
      customerKey: keyFor(encryption),
      authorize: anyone,
    })
    const readable = Readable.from(
      object.read(({ partOffset, start, end }) =>
        Readable.from([stored.body.subarray(partOffset + start, partOffset + end)]),
      ),
      { objectMode: false },
    )
    expect((await joined(readable)).equals(plaintext)).toBe(true)
  })

  it.each(every)('of $mode read nothing ahead of what is taken', async (encryption) => {
    const { cipher } = setup()
    let given = 0
    const source = (function* () {
      for (;;) {
        given += FRAME
        yield Buffer.alloc(FRAME)
      }
    })()
    const sealing = (await begin(cipher, encryption)).seal(source)
    for (let taken = 0; taken < 20 * FRAME; ) {
      const { value } = await sealing.next()
      taken += value?.length ?? expect.fail('it has no end')
      // One frame is being cut, one chunk was asked for.
      expect(given - taken).toBeLessThanOrEqual(3 * FRAME)
    }
    await sealing.return()

    const plaintext = pattern(20 * FRAME, 'x')
    const stored = await put(cipher, name, encryption, [plaintext])
    const object = await cipher.openForRead({
      name,
      record: stored.record,
      customerKey: keyFor(encryption),
      authorize: anyone,
    })
    let [fetched, taken, closed] = [0, 0, false]
    const reading = object.read(async function* ({ start, end }) {
      try {
        for (const chunk of chunksOf(stored.body.subarray(start, end), 10_000)) {
          fetched += chunk.length
          yield chunk
        }
      } finally {
        closed = true
      }
    })
    for await (const piece of reading) {
      taken += piece.length
      expect(fetched - taken).toBeLessThanOrEqual(2 * FRAME)
      if (taken > 5 * FRAME) break
    }
    expect(closed).toBe(true)
  })
})

describe('secrets', () => {
  it('are erased when a write, a part, a read or an upload is over, and when it fails', async () => {
    const drawn: Buffer[] = []
    const random = (size: number) => {
      const bytes = systemRandom(size)
      drawn.push(bytes)
      return bytes
    }
    const { cipher, kms } = setup({ random })
    const unwrapped: Buffer[] = []
    const { unwrap } = kms
    kms.unwrap = async (request) => {
      const bytes = await unwrap(request)
      unwrapped.push(bytes)
      return bytes
    }
    const erased = (bytes: Buffer) => bytes.every((byte) => byte === 0)
    /** Object key and record key are the second and third thing drawn that has 32 bytes and is no salt. */
    const keysOf = (list: readonly Buffer[], count: number) =>
      list.filter(({ length }) => length === 32).slice(0, count)

    const write = await begin(cipher, modes['SSE-KMS'])
    const [objectKey, recordKey] = keysOf(drawn, 2) as [Buffer, Buffer]
    expect([erased(objectKey), erased(recordKey)]).toEqual([true, false])
    const body = await joined(write.seal([pattern(10, 'x')]))
    const { record } = write.finish()
    expect(erased(recordKey)).toBe(true)

    const read = await cipher.openForRead({ name, record, authorize: anyone })
    expect(erased(unwrapped.at(-1) as Buffer)).toBe(false)
    await joined(read.read(fetchFrom(body)))
    expect(erased(unwrapped.at(-1) as Buffer)).toBe(true)
    const stopped = (await cipher.openForRead({ name, record, authorize: anyone })).read(fetchFrom(body))
    await stopped.next()
    await stopped.return()
    const discarded = await cipher.openForRead({ name, record, authorize: anyone })
    discarded.discard()
    const damaged = await cipher.openForRead({ name, record, authorize: anyone })
    await expect(joined(damaged.read(fetchFrom(Buffer.alloc(200))))).rejects.toMatchObject({ code: 'ObjectDamaged' })
    expect(unwrapped.every(erased)).toBe(true)

    drawn.length = 0
    const abandoned = await begin(cipher, modes['SSE-KMS'])
    abandoned.abandon()
    const { upload: blob } = await cipher.beginUpload({ name, encryption: modes['SSE-KMS'], authorize: anyone })
    await cipher.sealPart({ name, upload: blob, number: 1, authorize: anyone })
    expect(unwrapped.every(erased)).toBe(true)
    kms.down = kmsError('NotRunning', { status: 'x' })
    await expect(begin(cipher, modes['SSE-KMS'])).rejects.toMatchObject({ code: 'NotRunning' })
    // Of each: object key, record key; and salts, which are no secrets.
    const secrets = drawn.filter(({ length }) => length === 32)
    expect(secrets.filter((bytes) => !erased(bytes))).toHaveLength(2)
  })
})
