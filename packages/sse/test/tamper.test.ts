import { Buffer } from 'node:buffer'
import { createServerKey, isKmsError, systemRandom } from '@kms/core'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  CustomerKey,
  createObjectCipher,
  type ObjectCipher,
  type ObjectRecord,
  type WriteEncryption,
} from '../src/index.ts'
import { decodeObjectMetadata, encodeObjectMetadata } from '../src/record/object-metadata.ts'
import { decodeUploadRecord, encodeUploadRecord } from '../src/record/upload-record.ts'
import { createMemoryKms } from './memory-kms.ts'
import { anyone, fetchFrom, get, joined, pattern, put, type StoredObject, storedOf, upload } from './memory-store.ts'

const FRAME = 65_536
const SEALED = FRAME + 16
const HEADER = 76
const name = { bucket: 'photos', key: 'holiday' }
const customerKey = new CustomerKey(Buffer.alloc(32, 7))
const offlineKey = { id: Buffer.alloc(16, 1), key: Buffer.alloc(32, 2) }
const encrypted: readonly [string, Exclude<WriteEncryption, { mode: 'plain' }>][] = [
  ['SSE-S3', { mode: 'SSE-S3', bucketKey: false }],
  ['SSE-S3 with a bucket key', { mode: 'SSE-S3', bucketKey: true }],
  ['SSE-KMS', { mode: 'SSE-KMS', context: new Map([['a', 'b']]), bucketKey: false }],
  ['SSE-KMS with a bucket key', { mode: 'SSE-KMS', context: new Map(), bucketKey: true }],
  ['SSE-C', { mode: 'SSE-C', customerKey }],
]
const serverKeys = { current: createServerKey(systemRandom(32)) }
const sealing = { serverKeys, random: systemRandom }
const plaintext = pattern(2 * FRAME + 100, 'plaintext')

let stopped = false
const offline = {
  forWriting: async () => offlineKey,
  forReading: async () => (stopped ? offlineKey : undefined),
}

function newCipher(): ObjectCipher {
  return createObjectCipher({ keys: createMemoryKms('master'), serverKeys, offline })
}

const keyFor = ({ mode }: WriteEncryption) => (mode === 'SSE-C' ? customerKey : undefined)

/** What was given out before the error; fails the test when there is none, or none of ours. */
async function released(read: () => Promise<AsyncIterable<Buffer>>): Promise<Buffer> {
  const out: Buffer[] = []
  try {
    for await (const piece of await read()) out.push(piece)
  } catch (error) {
    if (!isKmsError(error)) throw error
    return Buffer.concat(out)
  }
  return expect.fail('what was changed was opened')
}

async function openAs(
  cipher: ObjectCipher,
  { record, body }: StoredObject,
  encryption: WriteEncryption,
  as = name,
): Promise<AsyncIterable<Buffer>> {
  const open = () => cipher.openForRead({ name: as, record, customerKey: keyFor(encryption), authorize: anyone })
  const object = await open()
  const whole = await open()
  expect(() => whole.open(storedOf(whole, body))).toThrow(expect.objectContaining({ code: 'ObjectDamaged' }))
  return object.read(fetchFrom(body))
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes)
  changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return changed
}

const bits = (bytes: Buffer) => Array.from({ length: bytes.length * 8 }, (_, bit) => bit)

describe.each(encrypted)('an object under %s', (_, encryption) => {
  const cipher = newCipher()
  let single: StoredObject
  let multipart: StoredObject

  beforeAll(async () => {
    single = await put(cipher, name, encryption, [plaintext], {
      headers: new Map([['content-type', 'x']]),
      checksums: new Map([['crc32', 'AAAAAA==']]),
    })
    const parts = new Map([
      [1, pattern(FRAME + 5, 'one')],
      [2, pattern(FRAME + 5, 'two')],
    ])
    multipart = await upload(cipher, { name, encryption, parts })
  })

  it.each(['metadata', 'parts', 'keys'] as const)('does not open when any bit of its %s blob flips', async (blob) => {
    for (const stored of [single, multipart]) {
      // The offline copy, at the end, is not looked at while the KMS runs; it has a test of its own.
      const copy = blob === 'keys' && encryption.mode !== 'SSE-C' ? 130 : 0
      for (const bit of bits(stored.record[blob].subarray(0, stored.record[blob].length - copy))) {
        const record = { ...stored.record, [blob]: flipped(stored.record[blob], bit) }
        const out = await released(() => openAs(cipher, { ...stored, record }, encryption))
        expect(out, `bit ${bit}`).toHaveLength(0)
      }
    }
  })

  it('says nothing of its parts when any bit of them or of its metadata flips', () => {
    const { metadata, parts } = multipart.record
    expect(cipher.inspectObjectParts(name, { metadata, parts })).toHaveLength(2)
    const damaged = (record: Pick<ObjectRecord, 'metadata' | 'parts'>) => {
      try {
        cipher.inspectObjectParts(name, record)
      } catch (error) {
        return isKmsError(error)
      }
      return false
    }
    for (const bit of bits(parts)) expect(damaged({ metadata, parts: flipped(parts, bit) }), `bit ${bit}`).toBe(true)
    for (const bit of bits(metadata)) expect(damaged({ metadata: flipped(metadata, bit), parts })).toBe(true)
  })

  it.each(['metadata', 'parts', 'keys'] as const)('does not open when its %s blob is cut or longer', async (blob) => {
    const bytes = single.record[blob]
    const lengths = Array.from({ length: bytes.length }, (__, length) => bytes.subarray(0, length))
    for (const changed of [...lengths, Buffer.concat([bytes, Buffer.alloc(1)]), Buffer.concat([bytes, bytes])]) {
      const record = { ...single.record, [blob]: changed }
      expect(await released(() => openAs(cipher, { ...single, record }, encryption))).toHaveLength(0)
    }
  })

  it('gives out nothing from the frame on in which a bit flips', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(single.body.length * 8 - 1), fc.boolean(), async (any, inHeader) => {
        const bit = inHeader ? any % (HEADER * 8) : any
        const body = flipped(single.body, bit)
        const out = await released(() => openAs(cipher, { ...single, body }, encryption))
        const frame = Math.max(0, Math.floor(((bit >> 3) - HEADER) / SEALED))
        expect(out.equals(plaintext.subarray(0, frame * FRAME))).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('does not open when its body is cut, longer or in another order', async () => {
    const { body } = single
    const [first, second, last] = [0, 1, 2].map((i) => body.subarray(HEADER + i * SEALED, HEADER + (i + 1) * SEALED))
    const header = body.subarray(0, HEADER)
    for (const [changed, whole] of [
      [Buffer.alloc(0), 0],
      [header.subarray(1), 0],
      [header, 0],
      [Buffer.concat([header, first as Buffer]), 1],
      [Buffer.concat([header, first as Buffer, second as Buffer]), 2],
      [body.subarray(0, -1), 2],
      [Buffer.concat([header, second as Buffer, first as Buffer, last as Buffer]), 0],
      [Buffer.concat([header, first as Buffer, first as Buffer, last as Buffer]), 1],
      [Buffer.concat([header, first as Buffer, last as Buffer]), 1],
      [Buffer.concat([first as Buffer, header]), 0],
    ] as const) {
      const out = await released(() => openAs(cipher, { ...single, body: changed }, encryption))
      expect(out.equals(plaintext.subarray(0, whole * FRAME))).toBe(true)
    }
  })

  it('does not open with what belongs to another version of itself', async () => {
    const other = await put(cipher, name, encryption, [plaintext], {
      headers: new Map([['content-type', 'x']]),
      checksums: new Map([['crc32', 'AAAAAA==']]),
    })
    for (const blob of ['metadata', 'parts', 'keys'] as const) {
      const record: ObjectRecord = { ...single.record, [blob]: other.record[blob] }
      expect(await released(() => openAs(cipher, { ...single, record }, encryption))).toHaveLength(0)
    }
    expect(await released(() => openAs(cipher, { ...single, body: other.body }, encryption))).toHaveLength(0)
    const frames = Buffer.concat([single.body.subarray(0, HEADER), other.body.subarray(HEADER)])
    expect(await released(() => openAs(cipher, { ...single, body: frames }, encryption))).toHaveLength(0)
  })

  it('does not open with its parts swapped, or with a part of another upload', async () => {
    const size = multipart.body.length / 2
    const [one, two] = [multipart.body.subarray(0, size), multipart.body.subarray(size)]
    const other = await upload(cipher, {
      name,
      encryption,
      parts: new Map([
        [1, pattern(FRAME + 5, 'one')],
        [2, pattern(FRAME + 5, 'two')],
      ]),
    })
    for (const [body, whole] of [
      [Buffer.concat([two, one]), 0],
      [Buffer.concat([one, one]), 1],
      [Buffer.concat([other.body.subarray(0, size), two]), 0],
      [Buffer.concat([one, other.body.subarray(size)]), 1],
    ] as const) {
      const out = await released(() => openAs(cipher, { ...multipart, body }, encryption))
      expect(out.equals(pattern(FRAME + 5, 'one').subarray(0, whole * (FRAME + 5)))).toBe(true)
    }
  })

  it('opens under no other name, even for who has the server key', async () => {
    for (const as of [
      { bucket: 'photos', key: 'holidaz' },
      { bucket: 'photoz', key: 'holiday' },
      // The same letters, cut elsewhere.
      { bucket: 'photosh', key: 'oliday' },
      { bucket: 'photos/holiday', key: '' },
    ]) {
      expect(await released(() => openAs(cipher, single, encryption, as))).toHaveLength(0)
      const metadata = decodeObjectMetadata(single.record.metadata, name, serverKeys)
      const record = { ...single.record, metadata: encodeObjectMetadata(metadata, as, sealing) }
      expect(await released(() => openAs(cipher, { ...single, record }, encryption, as))).toHaveLength(0)
    }
  })

  it('opens with nothing of its record changed, even for who has the server key', async () => {
    const metadata = decodeObjectMetadata(single.record.metadata, name, serverKeys)
    const own = metadata.protection ?? expect.fail('it is encrypted')
    const others = (['SSE-S3', 'SSE-KMS', 'SSE-C', 'plain'] as const).filter((mode) => mode !== metadata.mode)
    const changes = [
      ...others.filter((mode) => mode !== 'plain').map((mode) => ({ mode })),
      { bucketKey: !metadata.bucketKey },
      { keyName: 'other' },
      { context: new Map([['a', 'c']]) },
      { headers: new Map([['content-type', 'y']]) },
      { etag: '0'.repeat(32) },
      { checksums: new Map() },
      { writeId: Buffer.alloc(16) },
      { size: metadata.size + 1 },
      { partCount: 1 },
      { protection: { ...own, mac: flipped(own.mac, 0) } },
    ]
    for (const change of changes) {
      const changed = { ...metadata, ...change }
      const record = { ...single.record, metadata: encodeObjectMetadata(changed, name, sealing) }
      for (const key of [undefined, customerKey]) {
        const out = await released(async () => {
          const object = await cipher.openForRead({ name, record, customerKey: key, authorize: anyone })
          return object.read(fetchFrom(single.body))
        })
        expect(out, JSON.stringify(change)).toHaveLength(0)
      }
    }
    // Called plain, it gives out what is stored, which is no plaintext; with its own part table it is refused.
    const plain = { ...metadata, mode: 'plain' as const, protection: undefined }
    const record = { ...single.record, metadata: encodeObjectMetadata(plain, name, sealing) }
    await expect(cipher.openForRead({ name, record, authorize: anyone })).rejects.toMatchObject({
      code: 'ObjectDamaged',
    })
  })

  it('has an offline copy that opens it only as it was written', async () => {
    if (encryption.mode === 'SSE-C') return
    stopped = true
    try {
      expect((await get(cipher, name, single)).equals(plaintext)).toBe(true)
      const { keys } = single.record
      for (const bit of bits(keys).slice(-130 * 8)) {
        const record = { ...single.record, keys: flipped(keys, bit) }
        expect(await released(() => openAs(cipher, { ...single, record }, encryption))).toHaveLength(0)
      }
      const other = await put(cipher, name, encryption, [plaintext])
      const swapped = Buffer.concat([keys.subarray(0, -130), other.record.keys.subarray(-130)])
      const record = { ...single.record, keys: swapped }
      expect(await released(() => openAs(cipher, { ...single, record }, encryption))).toHaveLength(0)
    } finally {
      stopped = false
    }
  })
})

describe.each([...encrypted, ['plain', { mode: 'plain' }] as const])('an upload under %s', (_, encryption) => {
  const cipher = newCipher()
  const begin = () => cipher.beginUpload({ name, encryption, authorize: anyone })

  async function part(blob: Buffer, number: number, bytes: Buffer): Promise<Buffer> {
    const write = await cipher.sealPart({
      name,
      upload: blob,
      number,
      customerKey: keyFor(encryption),
      authorize: anyone,
    })
    await joined(write.seal([bytes]))
    return write.finish().part
  }

  it('takes no part and does not complete when any bit of its blob flips, or under another name', async () => {
    const begun = await begin()
    const one = await part(begun.upload, 1, Buffer.from('x'))
    for (const bit of bits(begun.upload)) {
      const changed = flipped(begun.upload, bit)
      await expect(part(changed, 1, Buffer.from('x')), `bit ${bit}`).rejects.toSatisfy((error) => isKmsError(error))
      const complete = cipher.completeUpload({ name, upload: changed, parts: [one] })
      await expect(complete).rejects.toSatisfy((error) => isKmsError(error))
    }
    const elsewhere = { name: { ...name, key: 'other' }, upload: begun.upload, parts: [one] }
    await expect(cipher.completeUpload(elsewhere)).rejects.toMatchObject({ code: 'ObjectDamaged' })
  })

  it('cannot be made a plain one, or one of another mode, without the server key; nor be read as one with it', async () => {
    const begun = await begin()
    const record = decodeUploadRecord(begun.upload, name, serverKeys)
    const forger = { serverKeys: { current: createServerKey(systemRandom(32)) }, random: systemRandom }
    const plain = encodeUploadRecord({ ...record, mode: 'plain', secrets: undefined }, name, forger)
    await expect(part(plain, 1, Buffer.from('x'))).rejects.toMatchObject({ code: 'ServerKeyMismatch' })
    if (record.secrets === undefined || encryption.mode === 'SSE-C') return
    const mode = encryption.mode === 'SSE-S3' ? ('SSE-KMS' as const) : ('SSE-S3' as const)
    const relabelled = encodeUploadRecord({ ...record, mode }, name, sealing)
    await expect(part(relabelled, 1, Buffer.from('x'))).rejects.toMatchObject({ code: 'ObjectDamaged' })
  })
})

describe.each(encrypted)('a part of an upload under %s', (_, encryption) => {
  const cipher = newCipher()

  it('completes no other upload, not under another number, and not with a bit changed', async () => {
    const [begun, other] = [
      await cipher.beginUpload({ name, encryption, authorize: anyone }),
      await cipher.beginUpload({ name, encryption, authorize: anyone }),
    ]
    const request = { name, upload: begun.upload, customerKey: keyFor(encryption), authorize: anyone }
    const write = await cipher.sealPart({ ...request, number: 1 })
    await joined(write.seal([pattern(100, 'x')]))
    const { part } = write.finish()
    const complete = (blob: Buffer, parts: readonly Buffer[]) => cipher.completeUpload({ name, upload: blob, parts })
    await expect(complete(other.upload, [part])).rejects.toMatchObject({ code: 'ObjectDamaged' })
    for (const bit of bits(part)) {
      await expect(complete(begun.upload, [flipped(part, bit)])).rejects.toSatisfy((error) => isKmsError(error))
    }
    await expect(complete(begun.upload, [part, part])).rejects.toThrow(RangeError)
    await expect(complete(begun.upload, [])).rejects.toThrow(RangeError)
    await expect(complete(begun.upload, [part])).resolves.toMatchObject({ info: { size: 100, partCount: 1 } })
  })
})
