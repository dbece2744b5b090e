import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openXChaCha, sealXChaCha, XCHACHA_OVERHEAD } from './aead.ts'

const key = randomBytes(32)

describe('sealXChaCha and openXChaCha', () => {
  it('round-trip any plaintext and additional data', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), fc.uint8Array({ maxLength: 64 }), (plaintext, aad) => {
        const sealed = sealXChaCha(key, plaintext, aad, randomBytes)
        expect(sealed.length).toBe(plaintext.length + XCHACHA_OVERHEAD)
        expect(openXChaCha(key, sealed, aad)?.equals(plaintext)).toBe(true)
      }),
    )
  })

  it('never seal twice to the same bytes', () => {
    const sealed = Array.from({ length: 100 }, () =>
      sealXChaCha(key, Buffer.of(1), Buffer.of(), randomBytes).toString('hex'),
    )
    expect(new Set(sealed).size).toBe(100)
  })

  it('refuse every changed byte, other additional data, another key and every truncation', () => {
    const aad = Buffer.from('aad')
    const sealed = sealXChaCha(key, Buffer.from('secret'), aad, randomBytes)
    for (let i = 0; i < sealed.length; i++) {
      const changed = Buffer.from(sealed)
      changed.writeUInt8(changed.readUInt8(i) ^ 1, i)
      expect(openXChaCha(key, changed, aad)).toBeUndefined()
      expect(openXChaCha(key, sealed.subarray(0, i), aad)).toBeUndefined()
    }
    expect(openXChaCha(key, sealed, Buffer.from('aae'))).toBeUndefined()
    expect(openXChaCha(randomBytes(32), sealed, aad)).toBeUndefined()
  })

  it('refuse a key of another size', () => {
    expect(() => sealXChaCha(Buffer.alloc(16), Buffer.of(), Buffer.of(), randomBytes)).toThrow(RangeError)
    expect(() => openXChaCha(Buffer.alloc(33), Buffer.alloc(64), Buffer.of())).toThrow(RangeError)
  })
})
