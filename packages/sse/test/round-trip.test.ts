import { Buffer } from 'node:buffer'
import { createServerKey, systemRandom } from '@kms/core'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CustomerKey, createObjectCipher, type WriteEncryption } from '../src/index.ts'
import { createMemoryKms } from './memory-kms.ts'
import { chunksOf, get, pattern, put, upload } from './memory-store.ts'

const FRAME = 65_536
const name = { bucket: 'photos', key: 'a/ü//../\u0001' }
const customerKey = new CustomerKey(Buffer.alloc(32, 7))
const context = new Map([['team', 'red']])
const modes: readonly WriteEncryption[] = [
  { mode: 'plain' },
  { mode: 'SSE-S3', bucketKey: false },
  { mode: 'SSE-S3', bucketKey: true },
  { mode: 'SSE-KMS', context: new Map(), bucketKey: false },
  { mode: 'SSE-KMS', keyName: 'second', context, bucketKey: true },
  { mode: 'SSE-C', customerKey },
]
const anyMode = fc.constantFrom(...modes)
const sizes = fc.oneof(
  fc.constantFrom(0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 3 * FRAME - 1),
  fc.integer({ min: 0, max: 5 * FRAME }),
)
const cuts = fc.oneof(fc.constantFrom(1, 76, FRAME, FRAME + 16), fc.integer({ min: 1, max: 200_000 }))

function cipherOf() {
  const kms = createMemoryKms('master', 'second')
  const cipher = createObjectCipher({ keys: kms, serverKeys: { current: createServerKey(systemRandom(32)) } })
  return { kms, cipher }
}

const keyOf = (encryption: WriteEncryption) => (encryption.mode === 'SSE-C' ? encryption.customerKey : undefined)

describe('objects written at once', () => {
  it('read back as they were written, however they are cut', async () => {
    const { cipher } = cipherOf()
    await fc.assert(
      fc.asyncProperty(anyMode, sizes, fc.boolean(), cuts, cuts, async (encryption, size, sized, writeCut, readCut) => {
        const plaintext = pattern(size, 'object')
        const source = chunksOf(plaintext, Math.max(writeCut, size >> 9))
        const stored = await put(cipher, name, encryption, source, sized ? { size } : {})
        const cut = Math.max(readCut, size >> 9)
        const read = await get(cipher, name, stored, { customerKey: keyOf(encryption), cut })
        expect(read.equals(plaintext)).toBe(true)
        expect(stored.body.equals(plaintext)).toBe(encryption.mode === 'plain')
      }),
      { numRuns: 150 },
    )
  })
})

describe('multipart objects', () => {
  it('read back as the parts one behind the other, any range of them', async () => {
    const { cipher } = cipherOf()
    const parts = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 10_000 }), sizes), {
      selector: ([number]) => number,
      minLength: 1,
      maxLength: 5,
    })
    const point = fc.double({ min: 0, max: 0.999_999, noNaN: true })
    await fc.assert(
      fc.asyncProperty(anyMode, parts, fc.boolean(), point, point, cuts, async (encryption, list, sized, a, b, cut) => {
        const bytes = new Map(
          list.sort(([x], [y]) => x - y).map(([number, size]) => [number, pattern(size, `part ${number}`)] as const),
        )
        const oracle = Buffer.concat([...bytes.values()])
        const stored = await upload(cipher, { name, encryption, parts: bytes, cut: Math.max(cut, 500), sized })
        const options = { customerKey: keyOf(encryption), cut: Math.max(cut, 500) }
        expect((await get(cipher, name, stored, options)).equals(oracle)).toBe(true)
        if (oracle.length === 0) return
        const [start, end] = [Math.floor(a * oracle.length), Math.floor(b * oracle.length)].sort((x, y) => x - y)
        const range = { start: start as number, end: end as number }
        const read = await get(cipher, name, stored, { ...options, range })
        expect(read.equals(oracle.subarray(range.start, range.end + 1))).toBe(true)
      }),
      { numRuns: 120 },
    )
  })
})
