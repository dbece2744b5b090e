import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
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

  it('are the XChaCha20-Poly1305 of the draft (A.3.1)', () => {
    const hex = (text: string): Buffer => Buffer.from(text, 'hex')
    const own = hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f')
    const nonce = hex('404142434445464748494a4b4c4d4e4f5051525354555657')
    const aad = hex('50515253c0c1c2c3c4c5c6c7')
    const plaintext = Buffer.from(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    )
    const sealed = hex(
      `${nonce.toString('hex')}bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39` +
        'ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9' +
        '768812f615c68b13b52ec0875924c1c7987947deafd8780acf49',
    )
    expect(sealXChaCha(own, plaintext, aad, () => Buffer.from(nonce))).toEqual(sealed)
    expect(openXChaCha(own, sealed, aad)).toEqual(plaintext)
  })

  it('are what noble has under that name, one message after another', () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
    const message = fc.record({
      key: bytes(32),
      nonce: bytes(24),
      aad: fc.uint8Array({ maxLength: 80 }),
      plaintext: fc.uint8Array({ maxLength: 300 }),
    })
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), (messages) => {
        for (const { key: own, nonce, aad, plaintext } of messages) {
          const sealed = sealXChaCha(own, plaintext, aad, () => Buffer.from(nonce))
          expect(sealed).toEqual(Buffer.concat([nonce, xchacha20poly1305(own, nonce, aad).encrypt(plaintext)]))
          expect(openXChaCha(own, sealed, aad)).toEqual(Buffer.from(plaintext))
        }
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

  it('refuse a source of randomness that gives another number of bytes', () => {
    for (const length of [0, 16, 23, 25, 32]) {
      expect(() => sealXChaCha(key, Buffer.of(1), Buffer.of(), () => Buffer.alloc(length))).toThrow(RangeError)
    }
  })

  it('refuse a key of another size', () => {
    expect(() => sealXChaCha(Buffer.alloc(16), Buffer.of(), Buffer.of(), randomBytes)).toThrow(RangeError)
    expect(() => openXChaCha(Buffer.alloc(33), Buffer.alloc(64), Buffer.of())).toThrow(RangeError)
  })
})
