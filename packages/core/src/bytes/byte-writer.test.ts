import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ByteWriter } from './byte-writer.ts'
import { lp, u32 } from './framing.ts'

const piece = fc.oneof(
  fc.record({ kind: fc.constant('u8' as const), value: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ kind: fc.constant('u32' as const), value: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }),
  fc.record({
    kind: fc.constant('u64' as const),
    value: fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER)),
  }),
  fc.record({ kind: fc.constant('raw' as const), value: fc.uint8Array({ maxLength: 100 }) }),
  fc.record({
    kind: fc.constant('framed' as const),
    value: fc.oneof(fc.string({ unit: 'binary', maxLength: 50 }), fc.uint8Array({ maxLength: 100 })),
  }),
)

function expected(of: typeof piece extends fc.Arbitrary<infer T> ? T : never): Buffer {
  switch (of.kind) {
    case 'u8':
      return Buffer.of(of.value)
    case 'u32':
      return u32(of.value)
    case 'u64': {
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64BE(BigInt(of.value))
      return bytes
    }
    case 'raw':
      return Buffer.from(of.value)
    case 'framed':
      return lp(of.value)
  }
}

it('writes what the pieces are, one behind the other, whatever room there was', () => {
  fc.assert(
    fc.property(fc.array(piece), fc.integer({ min: 0, max: 300 }), (pieces, room) => {
      const writer = new ByteWriter(room)
      for (const each of pieces) writer[each.kind](each.value as never)
      expect(writer.written).toEqual(Buffer.concat(pieces.map(expected)))
    }),
  )
})

it.each([-1, 0.5, 2 ** 53, Number.NaN])('refuses %d as a size', (value) => {
  expect(() => new ByteWriter(8).u64(value)).toThrow(RangeError)
})
