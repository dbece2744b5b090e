import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openXChaCha, sealXChaCha } from '../bytes/aead.ts'
import { canonicalContext } from '../context/encryption-context.ts'
import {
  decodeEnvelope,
  type EnvelopeHeader,
  encodeEnvelope,
  encodeEnvelopeHeader,
  envelopeAad,
  MAX_PLAINTEXT_BYTES,
  VAULT_TRANSIT,
  XCHACHA20_POLY1305,
} from './envelope.ts'

interface Vector {
  readonly name: string
  readonly key: string
  readonly nonce: string
  readonly plaintext: string
  readonly context: [string, string][]
  readonly realm: string
  readonly material_id: string
  readonly version: number
  readonly key_id: string
  readonly aad: string
  readonly envelope: string
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/envelopes.json', import.meta.url), 'utf8')) as Vector[]

function headerOf(vector: Vector): EnvelopeHeader {
  return {
    algorithm: XCHACHA20_POLY1305,
    realm: vector.realm,
    materialId: vector.material_id,
    version: vector.version,
    keyId: vector.key_id,
  }
}

const header: EnvelopeHeader = {
  algorithm: XCHACHA20_POLY1305,
  realm: '00112233445566778899aabbccddeeff',
  materialId: 'ffeeddccbbaa99887766554433221100',
  version: 3,
  keyId: 'rustfs-master',
}
const good = encodeEnvelope(encodeEnvelopeHeader(header), Buffer.alloc(72, 7))

describe('golden envelopes', () => {
  it.each(vectors)('are written to the byte: $name', (vector) => {
    const bytes = encodeEnvelopeHeader(headerOf(vector))
    const aad = envelopeAad(bytes, canonicalContext(new Map(vector.context)))
    expect(aad.toString('hex')).toBe(vector.aad)
    const wrapped = sealXChaCha(Buffer.from(vector.key, 'hex'), Buffer.from(vector.plaintext, 'base64'), aad, () =>
      Buffer.from(vector.nonce, 'hex'),
    )
    expect(encodeEnvelope(bytes, wrapped).toString('base64')).toBe(vector.envelope)
  })

  it.each(vectors)('are read and opened: $name', (vector) => {
    const envelope = decodeEnvelope(Buffer.from(vector.envelope, 'base64'))
    expect(envelope).toMatchObject(headerOf(vector))
    const aad = envelopeAad(envelope.headerBytes, canonicalContext(new Map(vector.context)))
    const plaintext = openXChaCha(Buffer.from(vector.key, 'hex'), envelope.wrapped, aad)
    expect(plaintext?.toString('base64')).toBe(vector.plaintext)
  })

  it('stay under the 6144 bytes AWS allows a ciphertext', () => {
    const longest = encodeEnvelopeHeader({ ...header, keyId: 'k'.repeat(128) })
    expect(encodeEnvelope(longest, Buffer.alloc(MAX_PLAINTEXT_BYTES + 40)).length).toBeLessThan(6144)
  })
})

describe('decodeEnvelope', () => {
  it('gives back what was encoded', () => {
    const keyId = fc
      .stringMatching(/^[A-Za-z0-9_]([A-Za-z0-9_-]{0,126}[A-Za-z0-9_])?$/)
      .filter((id) => id.length <= 128)
    const hex16 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'))
    fc.assert(
      fc.property(
        fc.record({
          algorithm: fc.constantFrom(XCHACHA20_POLY1305, VAULT_TRANSIT, 0x80, 0xff),
          realm: hex16,
          materialId: hex16,
          version: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
          keyId: keyId.filter(
            (id) => !['delete', 'enable', 'disable', 'rotate', 'tag', 'untag', 'alias', 'import'].includes(id),
          ),
        }),
        fc.uint8Array({ minLength: 1, maxLength: 5000 }),
        (fields, wrapped) => {
          const decoded = decodeEnvelope(encodeEnvelope(encodeEnvelopeHeader(fields), wrapped))
          expect(decoded).toMatchObject(fields)
          expect(decoded.wrapped.equals(wrapped)).toBe(true)
        },
      ),
    )
  })

  const edited = (edit: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(good)
    edit(bytes)
    return bytes
  }

  it.each([
    ['format 2', edited((b) => b.writeUInt8(2, 4))],
    ['format 0', edited((b) => b.writeUInt8(0, 4))],
    ['algorithm 0', edited((b) => b.writeUInt8(0, 5))],
    ['the reserved algorithm 2', edited((b) => b.writeUInt8(2, 5))],
    ['algorithm 0x7f', edited((b) => b.writeUInt8(0x7f, 5))],
    ['a flag', edited((b) => b.writeUInt8(1, 6))],
  ])('answers UnsupportedFormat to %s', (_, bytes) => {
    expect(() => decodeEnvelope(bytes)).toThrow(expect.objectContaining({ code: 'UnsupportedFormat' }))
  })

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['another magic', edited((b) => b.write('KMSX'))],
    ['version 0', edited((b) => b.writeUInt32BE(0, 39))],
    ['an empty key id', edited((b) => b.writeUInt8(0, 43))],
    ['a key id with a slash', edited((b) => b.write('/', 44))],
    ['a key id that runs past the end', edited((b) => b.writeUInt8(255, 43))],
    ['a wrapped length too small', edited((b) => b.writeUInt16BE(71, 57))],
    ['a wrapped length too large', edited((b) => b.writeUInt16BE(73, 57))],
    ['a trailing byte', Buffer.concat([good, Buffer.of(0)])],
    ['no wrapped bytes', encodeEnvelope(encodeEnvelopeHeader(header), Buffer.alloc(0))],
  ])('answers InvalidCiphertext to %s', (_, bytes) => {
    expect(() => decodeEnvelope(bytes)).toThrow(expect.objectContaining({ code: 'InvalidCiphertext' }))
  })

  it('answers every truncation and every random input with one of the two', () => {
    for (let length = 0; length < good.length; length++) {
      expect(() => decodeEnvelope(good.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'InvalidCiphertext' }),
      )
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const input = Buffer.concat([Buffer.from('KMSE'), bytes])
        try {
          decodeEnvelope(input)
        } catch (error) {
          expect(['InvalidCiphertext', 'UnsupportedFormat']).toContain((error as { code: string }).code)
        }
      }),
    )
  })
})
