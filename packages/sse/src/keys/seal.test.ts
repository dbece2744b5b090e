import { Buffer } from 'node:buffer'
import { systemRandom } from '@kms/core'
import { describe, expect, it } from 'vitest'
import { NO_KEY_ID, openSeal, SEAL_BYTES, type SealingKey, sealingKeyId, sealObjectKey } from './seal.ts'

const objectKey = Buffer.alloc(32, 9)
const binding = Buffer.alloc(32, 3)
const key = Buffer.alloc(32, 7)
const kinds: readonly SealingKey[] = [
  { kind: 'bucket key', id: Buffer.alloc(16, 1), key },
  { kind: 'customer key', id: NO_KEY_ID, key },
  { kind: 'offline', id: Buffer.alloc(16, 2), key },
]

describe.each(kinds)('a Seal of kind $kind', (under) => {
  const seal = sealObjectKey(objectKey, under, binding, systemRandom)

  it('opens under its key, and says which that is', () => {
    expect(seal).toHaveLength(SEAL_BYTES)
    expect(sealingKeyId(seal).equals(under.id)).toBe(true)
    expect(openSeal(seal, under, binding)).toEqual({ ok: true, objectKey })
  })

  it('is the wrong key under any other key, for another object, and with another id', () => {
    const wrong = { ok: false, problem: 'wrong-key' }
    expect(openSeal(seal, { ...under, key: Buffer.alloc(32, 8) }, binding)).toEqual(wrong)
    expect(openSeal(seal, under, Buffer.alloc(32, 4))).toEqual(wrong)
    expect(openSeal(seal, { ...under, id: Buffer.alloc(16, 5) }, binding)).toEqual(wrong)
  })

  it('opens as no other kind', () => {
    for (const other of kinds.filter(({ kind }) => kind !== under.kind)) {
      expect(openSeal(seal, { ...other, id: under.id }, binding).ok).toBe(false)
      const relabelled = Buffer.from(seal)
      relabelled.writeUInt8({ 'bucket key': 1, 'customer key': 2, offline: 3 }[other.kind], 1)
      expect(openSeal(relabelled, { ...other, id: under.id }, binding)).toEqual({ ok: false, problem: 'wrong-key' })
    }
  })

  it('does not open when any bit flips, or a byte is missing', () => {
    for (let bit = 0; bit < SEAL_BYTES * 8; bit++) {
      const changed = Buffer.from(seal)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(openSeal(changed, under, binding).ok, `bit ${bit}`).toBe(false)
    }
    expect(openSeal(seal.subarray(1), under, binding).ok).toBe(false)
    expect(openSeal(Buffer.concat([seal, Buffer.alloc(1)]), under, binding).ok).toBe(false)
  })
})

describe('sealing', () => {
  it('never makes the same Seal twice', () => {
    const under = kinds[0] as SealingKey
    const seals = Array.from({ length: 20 }, () =>
      sealObjectKey(objectKey, under, binding, systemRandom).toString('hex'),
    )
    expect(new Set(seals).size).toBe(20)
  })

  it('demands keys and ids of their size', () => {
    const under = kinds[0] as SealingKey
    expect(() => sealObjectKey(Buffer.alloc(31), under, binding, systemRandom)).toThrow(RangeError)
    expect(() => sealObjectKey(objectKey, { ...under, id: Buffer.alloc(15) }, binding, systemRandom)).toThrow(
      RangeError,
    )
    expect(() => sealObjectKey(objectKey, { ...under, key: Buffer.alloc(16) }, binding, systemRandom)).toThrow(
      RangeError,
    )
  })
})
