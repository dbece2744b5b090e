import { Buffer } from 'node:buffer'
import { createHmac, hkdfSync } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { hkdfOnce, hmacOnce } from './hkdf.ts'

const bytes = (maxLength: number) => fc.uint8Array({ maxLength })

it("HMAC is OpenSSL's, for keys of 0 to 64 bytes and messages of any length", () => {
  const message = fc.oneof(
    bytes(300),
    fc.constantFrom(0, 55, 56, 63, 64, 65, 100_000).map((size) => new Uint8Array(size)),
  )
  fc.assert(
    fc.property(bytes(64), message, (key, text) => {
      expect(hmacOnce(key, text)).toEqual(createHmac('sha256', key).update(text).digest())
    }),
  )
  expect(() => hmacOnce(new Uint8Array(65), new Uint8Array(0))).toThrow(RangeError)
})

it("HKDF is OpenSSL's, of 32 and 64 bytes", () => {
  fc.assert(
    fc.property(bytes(100), bytes(64), bytes(200), fc.constantFrom(32, 64), (key, salt, info, length) => {
      expect(hkdfOnce(key, salt, info, length)).toEqual(Buffer.from(hkdfSync('sha256', key, salt, info, length)))
    }),
  )
})

it('leaves its inputs as they were', () => {
  const [key, salt, info] = [1, 2, 3].map((fill) => new Uint8Array(32).fill(fill)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  hkdfOnce(key, salt, info, 64)
  expect([key, salt, info].map((each) => [...new Set(each)])).toEqual([[1], [2], [3]])
})
