import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import { XCHACHA20_POLY1305 } from '@kms/core'
import { createSeededRandom } from '@kms/core/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { kekNamedBy, UNKNOWN_KEK } from './authenticated-file.ts'
import { createKek, createKeyRing, openKek, sealKek } from './key-ring.ts'
import { createMaterial, decodeVersionFile, encodeVersionFile, materialIdOf } from './version-file.ts'

const realm = '00112233445566778899aabbccddeeff'
const random = createSeededRandom('version-file')
const kek = createKek('0f'.repeat(16), random(32), realm)
const ring = createKeyRing(realm, kek.id, [kek])
const name = { keyId: 'orders', version: 3 }

const u32 = (n: number): Buffer => Buffer.from(n.toString(16).padStart(8, '0'), 'hex')
const lp = (text: string | Buffer): Buffer => Buffer.concat([u32(Buffer.byteLength(text)), Buffer.from(text as string)])

describe('a version file', () => {
  const made = createMaterial(realm, name, random(32))
  const bytes = encodeVersionFile(name, made, { ring, createdAt: 5, random })

  it('opens to what was sealed, for any name and version', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z0-9_]{1,40}$/),
        fc.integer({ min: 1, max: 0xffff_ffff }),
        (keyId, version) => {
          const any = { keyId, version }
          const material = createMaterial(realm, any, random(32))
          const file = encodeVersionFile(any, material, { ring, createdAt: 0, random })
          expect(decodeVersionFile(file, any, ring)).toEqual({ ...material, createdAt: 0 })
        },
      ),
    )
  })

  it('opens under no other name, version, realm or KEK', () => {
    expect(decodeVersionFile(bytes, name, ring)).toEqual({ ...made, createdAt: 5 })
    expect(decodeVersionFile(bytes, { ...name, version: 4 }, ring)).toBe('is damaged')
    expect(decodeVersionFile(bytes, { ...name, keyId: 'other' }, ring)).toBe('is damaged')
    const otherKek = createKek(kek.id, Buffer.alloc(32, 1), realm)
    expect(decodeVersionFile(bytes, name, createKeyRing(realm, otherKek.id, [otherKek]))).toBe('is damaged')
    const otherRealm = 'ff'.repeat(16)
    const moved = createKek(kek.id, kek.key, otherRealm)
    expect(decodeVersionFile(bytes, name, createKeyRing(otherRealm, moved.id, [moved]))).toBe('is damaged')
  })

  it('is damaged by any bit flipped and any byte missing or added', () => {
    for (let i = 0; i < bytes.length; i++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(bytes)
        flipped[i] = (flipped[i] ?? 0) ^ (1 << bit)
        expect(decodeVersionFile(flipped, name, ring)).toBe(problemOf(flipped))
      }
      expect(decodeVersionFile(bytes.subarray(0, i), name, ring)).toBe('is damaged')
    }
    expect(decodeVersionFile(Buffer.concat([bytes, Buffer.from('\n')]), name, ring)).toBe('is damaged')
  })

  /** A digit of `format` may turn into that of a newer release, the id of the KEK into another one. */
  function problemOf(flipped: Buffer): string {
    const text = flipped.toString('latin1')
    if (/^{"format":[2-9],/.test(text)) return 'was written by a newer release'
    return kekNamedBy(flipped) === kek.id || kekNamedBy(flipped) === undefined ? 'is damaged' : UNKNOWN_KEK
  }

  it('is built as formats §6 says, byte for byte', () => {
    const [line = '', mac = '', rest] = bytes.toString('utf8').split('\n')
    expect(rest).toBe('')
    const macKey = Buffer.from(hkdfSync('sha256', kek.key, Buffer.from(realm, 'hex'), 'kms/local-mac/v1', 32))
    expect(mac).toBe(createHmac('sha256', macKey).update(lp('version')).update(lp(line)).digest('hex'))

    const file = JSON.parse(line) as { sealed: string; material_id: string }
    const sealed = Buffer.from(file.sealed, 'base64')
    expect(sealed.length).toBe(16 + 24 + 32 + 16)
    expect(sealed.toString('hex', 0, 16)).toBe(kek.id)
    const aad = createHash('sha256')
      .update('kms/local-seal/v1\0')
      .update(Buffer.from(realm + kek.id, 'hex'))
      .update(lp('orders'))
      .update(u32(3))
      .update(Buffer.of(XCHACHA20_POLY1305))
      .update(Buffer.from(file.material_id, 'hex'))
      .digest()
    expect(xchachaSeal(kek.key, sealed.subarray(16, 40), made.material, aad)).toEqual(sealed.subarray(40))
  })

  it('has the material id of formats §2', () => {
    const expected = createHmac('sha256', made.material)
      .update('kms/material-id/v1\0')
      .update(Buffer.from(realm, 'hex'))
      .update(lp('orders'))
      .update(u32(3))
      .digest('hex')
      .slice(0, 32)
    expect(materialIdOf(made.material, realm, name)).toBe(expected)
    expect(made.materialId).toBe(expected)
  })
})

describe('a sealed KEK', () => {
  it('is built as formats §6 says and opens under its root key, realm and id alone', () => {
    const root = Buffer.alloc(32, 9)
    const sealed = sealKek(root, realm, kek, random)
    const aad = Buffer.concat([Buffer.from('kms/local-kek/v1\0'), Buffer.from(realm + kek.id, 'hex')])
    expect(xchachaSeal(root, sealed.subarray(0, 24), kek.key, aad)).toEqual(sealed.subarray(24))
    expect(openKek(root, realm, kek.id, sealed)?.key).toEqual(kek.key)
    expect(openKek(Buffer.alloc(32), realm, kek.id, sealed)).toBeUndefined()
    expect(openKek(root, 'ff'.repeat(16), kek.id, sealed)).toBeUndefined()
    expect(openKek(root, realm, 'ff'.repeat(16), sealed)).toBeUndefined()
  })

  it('is zeroed when its ring is closed', () => {
    const closing = createKek('0e'.repeat(16), Buffer.alloc(32, 3), realm)
    const closed = createKeyRing(realm, closing.id, [closing])
    expect(closed.find(closing.id)).toBe(closing)
    closed.close()
    expect(closing.key.equals(Buffer.alloc(32))).toBe(true)
    expect(closed.find(closing.id)).toBeUndefined()
  })
})

/** XChaCha20-Poly1305 by way of OpenSSL: HChaCha20 for the subkey (draft-irtf-cfrg-xchacha-03 §2.2), then RFC 8439. */
function xchachaSeal(key: Buffer, nonce: Buffer, plaintext: Buffer, aad: Buffer): Buffer {
  const inner = Buffer.concat([Buffer.alloc(4), nonce.subarray(16)])
  const cipher = createCipheriv('chacha20-poly1305', hchacha20(key, nonce.subarray(0, 16)), inner, {
    authTagLength: 16,
  })
  cipher.setAAD(aad, { plaintextLength: plaintext.length })
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function hchacha20(key: Buffer, nonce: Buffer): Buffer {
  const words = new Uint32Array(16)
  words.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574])
  for (let i = 0; i < 8; i++) words[4 + i] = key.readUInt32LE(4 * i)
  for (let i = 0; i < 4; i++) words[12 + i] = nonce.readUInt32LE(4 * i)
  const at = (i: number): number => words[i] as number
  const mix = (target: number, from: number, into: number, bits: number): void => {
    words[target] = at(target) + at(from)
    const x = at(into) ^ at(target)
    words[into] = (x << bits) | (x >>> (32 - bits))
  }
  const quarter = (a: number, b: number, c: number, d: number): void => {
    mix(a, b, d, 16)
    mix(c, d, b, 12)
    mix(a, b, d, 8)
    mix(c, d, b, 7)
  }
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 4; i++) quarter(i, 4 + i, 8 + i, 12 + i)
    for (let i = 0; i < 4; i++) quarter(i, 4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4))
  }
  const subkey = Buffer.alloc(32)
  for (let i = 0; i < 4; i++) {
    subkey.writeUInt32LE(at(i), 4 * i)
    subkey.writeUInt32LE(at(12 + i), 16 + 4 * i)
  }
  return subkey
}
