import { Buffer } from 'node:buffer'
import { createServerKey, isKmsError, systemRandom } from '@kms/core'
import { lp, u32 } from '@kms/core/internal'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeObjectKeys, encodeObjectKeys, envelopeUse, keyUseOf, type ObjectKeys } from '../src/keys/key-blob.ts'
import { ByteReader, MalformedBytes, u64 } from '../src/record/byte-reader.ts'
import { decodeObjectMetadata, encodeObjectMetadata, type ObjectMetadata } from '../src/record/object-metadata.ts'
import { decodePartChecksums, encodePartChecksums } from '../src/record/part-checksums.ts'
import { decodePartRecord, encodePartRecord } from '../src/record/part-record.ts'
import { decodePartTable, encodePartTable, type PartTable } from '../src/record/part-table.ts'
import { encodeTextMap, readTextMap } from '../src/record/text-map.ts'
import { decodeUploadRecord, encodeUploadRecord } from '../src/record/upload-record.ts'

const name = { bucket: 'b', key: 'k' }
const binding = Buffer.alloc(32, 1)
const serverKeys = { current: createServerKey(systemRandom(32)) }
const sealing = { serverKeys, random: systemRandom }
const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size }).map((own) => Buffer.from(own))
const unicode = fc.string({ unit: 'grapheme', maxLength: 12 })
const textMap = fc
  .uniqueArray(fc.tuple(unicode, unicode), { selector: ([own]) => own, maxLength: 5 })
  .map((own) => new Map(own))
const context = fc
  .dictionary(fc.string({ minLength: 1, maxLength: 5 }), unicode, { maxKeys: 3 })
  .map((own) => new Map(Object.entries(own)))
const size = fc.oneof(fc.constantFrom(0, 1, 65_536, 5 * 1024 ** 4), fc.maxSafeNat())
const fields = fc.record({
  mode: fc.constantFrom('plain', 'SSE-S3', 'SSE-KMS', 'SSE-C'),
  bucketKey: fc.boolean(),
  writeId: bytes(16),
  keyName: unicode,
  context,
  headers: textMap,
})

describe('metadata', () => {
  it('comes back as it was stored', () => {
    const anyMetadata = fc.record({
      fields,
      own: fc.record({ size, partCount: fc.nat(10_000), partsDigest: bytes(32), etag: unicode, checksums: textMap }),
      recordKey: bytes(48),
      mac: bytes(32),
    })
    fc.assert(
      fc.property(anyMetadata, ({ fields: common, own, recordKey, mac }) => {
        const protection = common.mode === 'plain' ? undefined : { recordKey, mac }
        const metadata = { ...common, ...own, protection } as ObjectMetadata
        expect(decodeObjectMetadata(encodeObjectMetadata(metadata, name, sealing), name, serverKeys)).toEqual(metadata)
      }),
    )
  })
})

describe('uploads and parts', () => {
  it('come back as they were stored', () => {
    fc.assert(
      fc.property(
        fields,
        fc.uint8Array({ maxLength: 300 }),
        bytes(48),
        bytes(32),
        (common, keys, wrapped, recordKey) => {
          const secrets =
            common.mode === 'plain' ? undefined : { keys: Buffer.from(keys), wrappedRecordKey: wrapped, recordKey }
          const upload = { ...common, secrets } as Parameters<typeof encodeUploadRecord>[0]
          expect(decodeUploadRecord(encodeUploadRecord(upload, name, sealing), name, serverKeys)).toEqual(upload)
        },
      ),
    )
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.integer({ min: 1, max: 10_000 }),
        size,
        bytes(32),
        unicode,
        textMap,
        (encrypted, number, own, salt, etag, checksums) => {
          const part = { number, size: own, salt: encrypted ? salt : Buffer.alloc(0), etag, checksums }
          const blob = encodePartRecord(part, binding, sealing)
          expect(decodePartRecord(blob, encrypted, binding, serverKeys)).toEqual(part)
          expect(() => decodePartRecord(blob, !encrypted, binding, serverKeys)).toThrow(
            expect.objectContaining({ code: 'ObjectDamaged' }),
          )
        },
      ),
    )
  })
})

describe('keys', () => {
  it('come back as they were stored', () => {
    const offline = fc.option(bytes(130), { nil: undefined })
    const envelope = fc.uint8Array({ maxLength: 200 }).map((own) => Buffer.from(own))
    const keys: fc.Arbitrary<ObjectKeys> = fc.oneof(
      fc.record({ kind: fc.constant('envelope' as const), envelope, offline }),
      fc.record({ kind: fc.constant('bucket key' as const), envelope, seal: bytes(130), offline }),
      fc.record({ kind: fc.constant('customer key' as const), seal: bytes(130) }),
    )
    fc.assert(
      fc.property(keys, (own) => {
        expect(decodeObjectKeys(encodeObjectKeys(own))).toEqual(own)
      }),
    )
  })

  it('name no KMS key when there is none, and say so when they are damaged', () => {
    expect(keyUseOf(Buffer.alloc(0))).toBeUndefined()
    expect(keyUseOf(encodeObjectKeys({ kind: 'customer key', seal: Buffer.alloc(130) }))).toBeUndefined()
    const damaged = expect.objectContaining({ code: 'ObjectDamaged' })
    expect(() => envelopeUse(Buffer.alloc(50))).toThrow(damaged)
    expect(() =>
      keyUseOf(encodeObjectKeys({ kind: 'envelope', envelope: Buffer.alloc(3), offline: undefined })),
    ).toThrow(damaged)
  })
})

describe('part tables', () => {
  const salt = Buffer.alloc(32, 1)

  it('come back as they were stored', () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 20 })
    const list = fc.oneof(
      fc.constant([0]),
      numbers.map((own) => own.sort((a, b) => a - b)),
    )
    const checksums = fc.option(
      fc.uint8Array({ maxLength: 50 }).map((own) => Buffer.from(own)),
      { nil: undefined },
    )
    fc.assert(
      fc.property(list, fc.boolean(), fc.nat(2 ** 40), checksums, (own, salted, each, extra) => {
        const parts = own.map((number) => ({ number, size: each, salt: salted ? salt : Buffer.alloc(0) }))
        const table = { parts, checksums: extra }
        expect(decodePartTable(encodePartTable(table))).toEqual(table)
      }),
    )
  })

  it('take less than 1 MiB, with 10 000 parts and a SHA-256 of each', () => {
    const parts = Array.from({ length: 10_000 }, (_, index) => ({ number: index + 1, size: 5 << 20, salt }))
    const sums = parts.map(() => new Map([['x-amz-checksum-sha256', Buffer.alloc(32).toString('base64')]]))
    const checksums = encodePartChecksums(sums, parts, binding, sealing)
    const table = { parts, checksums }
    expect(encodePartTable(table).length).toBeLessThan(1 << 20)
    expect(decodePartChecksums(table, binding, serverKeys)).toEqual(sums)
  })

  it('give each part its own checksums, and no two forms for them', () => {
    const plain = [1, 2].map((number) => ({ number, size: 1, salt: Buffer.alloc(0) }))
    const maps = fc.array(textMap, { minLength: 2, maxLength: 2 })
    fc.assert(
      fc.property(maps, fc.boolean(), (own, sealed) => {
        const parts = sealed ? plain.map((part) => ({ ...part, salt })) : plain
        const checksums = encodePartChecksums(own, parts, binding, sealing)
        expect(decodePartChecksums({ parts, checksums }, binding, serverKeys)).toEqual(own)
      }),
    )
    const column = (title: string) => Buffer.concat([lp(title), Buffer.of(0, 0)])
    for (const wrong of [
      Buffer.concat([u32(2), column('b'), column('a')]),
      Buffer.concat([u32(2), column('a'), column('a')]),
      Buffer.concat([u32(1), lp('a'), Buffer.of(0, 2)]),
      Buffer.concat([u32(1), column('a'), Buffer.of(0)]),
      u32(1),
    ]) {
      expect(() => decodePartChecksums({ parts: plain, checksums: wrong }, binding, serverKeys)).toThrow(
        expect.objectContaining({ code: 'ObjectDamaged' }),
      )
    }
  })

  it.each<[string, PartTable]>([
    ['no part', []],
    ['two parts of number 0', [0, 0].map((number) => ({ number, size: 1, salt }))],
    ['number 0 beside others', [0, 1].map((number) => ({ number, size: 1, salt }))],
    ['numbers not ascending', [2, 1].map((number) => ({ number, size: 1, salt }))],
    ['a number twice', [1, 1].map((number) => ({ number, size: 1, salt }))],
    ['a number beyond 10 000', [{ number: 10_001, size: 1, salt }]],
    [
      'salts here and there',
      [
        { number: 1, size: 1, salt },
        { number: 2, size: 1, salt: Buffer.alloc(0) },
      ],
    ],
    ['sizes beyond all measure', [1, 2].map((number) => ({ number, size: 2 ** 52, salt }))],
    ['a salt of another length', [{ number: 1, size: 1, salt: salt.subarray(1) }]],
  ])('with %s are neither written nor read', (_, parts) => {
    expect(() => encodePartTable({ parts, checksums: undefined })).toThrow(RangeError)
    const entries = parts.map(({ number, size: own, salt: ownSalt }) => Buffer.concat([u32(number), u64(own), ownSalt]))
    const flags = parts.every((part) => part.salt.length === 0) ? 0 : 1
    const blob = Buffer.concat([Buffer.from('KMSP'), Buffer.of(1, flags), u32(parts.length), ...entries])
    expect(() => decodePartTable(blob)).toThrow(expect.objectContaining({ code: 'ObjectDamaged' }))
  })
})

describe('text maps', () => {
  it('are read in one form only', () => {
    fc.assert(
      fc.property(textMap, (map) => {
        const reader = new ByteReader(encodeTextMap(map))
        expect(readTextMap(reader)).toEqual(map)
        reader.end()
      }),
    )
    const pair = (own: string | Buffer) => Buffer.concat([lp(own), lp('')])
    for (const wrong of [
      Buffer.concat([u32(2), pair('b'), pair('a')]),
      Buffer.concat([u32(2), pair('a'), pair('a')]),
      // UTF-8 order, not UTF-16: U+FFFF before U+10000.
      Buffer.concat([u32(2), pair('\u{10000}'), pair('\uffff')]),
      Buffer.concat([u32(1), pair(Buffer.from([0xff]))]),
      u32(0xffff_ffff),
    ]) {
      expect(() => readTextMap(new ByteReader(wrong))).toThrow(MalformedBytes)
    }
    expect(() => encodeTextMap(new Map([['\ud800', '']]))).toThrow(RangeError)
  })
})

const decoders: readonly [string, string, (blob: Buffer) => unknown][] = [
  ['metadata', 'KMSM', (blob) => decodeObjectMetadata(blob, name, serverKeys)],
  ['a part table', 'KMSP', decodePartTable],
  ['keys', 'KMSK', decodeObjectKeys],
  ['an upload', 'KMSU', (blob) => decodeUploadRecord(blob, name, serverKeys)],
  ['a part', 'KMSQ', (blob) => decodePartRecord(blob, true, binding, serverKeys)],
]

describe.each(decoders)('whatever is read as %s', (_, magic, decode) => {
  const code = (blob: Buffer): string => {
    try {
      decode(blob)
    } catch (error) {
      if (isKmsError(error)) return error.code
      throw error
    }
    return 'read'
  }

  it('is either read or refused as damaged, never an internal error', () => {
    const prefixed = fc.tuple(fc.constantFrom('', magic, `${magic}\u0001`), fc.uint8Array({ maxLength: 200 }))
    const allowed = ['read', 'ObjectDamaged', 'NewerFormat', 'ServerKeyMismatch']
    fc.assert(
      fc.property(prefixed, ([start, rest]) => {
        expect(allowed).toContain(code(Buffer.concat([Buffer.from(start, 'latin1'), rest])))
      }),
      { numRuns: 2000 },
    )
  })

  it('is refused by name when a later release wrote it', () => {
    expect(code(Buffer.concat([Buffer.from(magic), Buffer.of(2), Buffer.alloc(100)]))).toBe('NewerFormat')
    expect(code(Buffer.concat([Buffer.from(magic), Buffer.of(0), Buffer.alloc(100)]))).toBe('ObjectDamaged')
  })
})
