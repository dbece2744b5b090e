import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { expect } from 'vitest'
import { openXChaCha } from '../bytes/aead.ts'
import { MAX_PLAINTEXT_BYTES, XCHACHA20_POLY1305 } from '../envelope/envelope.ts'
import { isKmsError } from '../errors/kms-error.ts'
import type { UnwrapRequest } from '../keys/key-backend.ts'
import { aad, type ContractTest, newKey, refused, wrapUnder } from './contract-test.ts'

/** Property runs: cheap by default, because a backend may be a network away; `SLOW=1` looks harder. */
const RUNS = process.env['SLOW'] === '1' ? 500 : 25

const plaintexts: fc.Arbitrary<Uint8Array> = fc.uint8Array({ minLength: 1, maxLength: MAX_PLAINTEXT_BYTES })
const aads: fc.Arbitrary<Uint8Array> = fc.uint8Array({ minLength: 32, maxLength: 32 })

/** `wrap` and `unwrap`. */
export const wrappingContract: readonly ContractTest[] = [
  {
    name: 'what was wrapped unwraps, for any plaintext and additional data',
    async run({ backend }) {
      const record = await backend.create(newKey('a'))
      const property = fc.asyncProperty(plaintexts, aads, async (plaintext, additional) => {
        const copy = Buffer.from(plaintext)
        const sealed = await wrapUnder(backend, record, plaintext, additional)
        expect(Buffer.from(plaintext).equals(copy)).toBe(true)
        expect((await backend.unwrap(sealed)).equals(copy)).toBe(true)
      })
      await fc.assert(property, { numRuns: RUNS })
    },
  },
  {
    name: 'the smallest and the largest plaintext unwrap',
    async run({ backend }) {
      const record = await backend.create(newKey('a'))
      for (const size of [1, 2, 15, 16, 17, 31, 32, 33, 4095, MAX_PLAINTEXT_BYTES]) {
        const plaintext = Buffer.alloc(size, size)
        const sealed = await wrapUnder(backend, record, plaintext)
        expect((await backend.unwrap(sealed)).equals(plaintext)).toBe(true)
      }
    },
  },
  {
    name: 'a wrapped plaintext fits an envelope and never comes out the same twice',
    async run({ backend }) {
      const record = await backend.create(newKey('a'))
      const plaintext = Buffer.alloc(MAX_PLAINTEXT_BYTES, 7)
      const first = await wrapUnder(backend, record, plaintext)
      const second = await wrapUnder(backend, record, plaintext)
      expect(Buffer.from(first.wrapped).equals(Buffer.from(second.wrapped))).toBe(false)
      expect(first.wrapped.length).toBeGreaterThan(plaintext.length)
      expect(first.wrapped.length).toBeLessThan(6144 - 46 - 128)
      expect(Buffer.from(first.wrapped).includes(plaintext.subarray(0, 16))).toBe(false)
    },
  },
  {
    name: 'other additional data is InvalidCiphertext',
    async run({ backend }) {
      const record = await backend.create(newKey('a'))
      const sealed = await wrapUnder(backend, record, Buffer.from('secret'), aad(1))
      await refused(backend.unwrap({ ...sealed, aad: aad(2) }), 'InvalidCiphertext')
      for (let i = 0; i < 32; i++) {
        const changed = aad(1)
        changed[i] = 0
        await refused(backend.unwrap({ ...sealed, aad: changed }), 'InvalidCiphertext')
      }
    },
  },
  {
    name: 'every flipped byte, every cut and every extra byte is InvalidCiphertext',
    async run({ backend }) {
      const record = await backend.create(newKey('a'))
      const sealed = await wrapUnder(backend, record, Buffer.from('secret'))
      for (let i = 0; i < sealed.wrapped.length; i++) {
        const wrapped = Buffer.from(sealed.wrapped)
        wrapped[i] = (wrapped[i] ?? 0) ^ (1 << (i % 8))
        await refused(backend.unwrap({ ...sealed, wrapped }), 'InvalidCiphertext')
        await refused(backend.unwrap({ ...sealed, wrapped: sealed.wrapped.subarray(0, i) }), 'InvalidCiphertext')
      }
      const longer = Buffer.concat([sealed.wrapped, Buffer.alloc(1)])
      await refused(backend.unwrap({ ...sealed, wrapped: longer }), 'InvalidCiphertext')
    },
  },
  {
    name: 'another algorithm is InvalidCiphertext',
    async run({ backend }) {
      const record = await backend.create(newKey('a'))
      const sealed = await wrapUnder(backend, record, Buffer.from('secret'))
      await refused(backend.unwrap({ ...sealed, algorithm: 0x7f }), 'InvalidCiphertext')
    },
  },
  {
    name: 'the ciphertext of another key is refused',
    async run({ backend }) {
      const a = await backend.create(newKey('a'))
      const b = await backend.create(newKey('b'))
      const sealed = await wrapUnder(backend, a, Buffer.from('secret'))
      await refused(backend.unwrap({ ...sealed, keyId: 'b', materialId: b.materialId }), 'InvalidCiphertext')
      await refused(backend.unwrap({ ...sealed, keyId: 'b' }), 'KeyMaterialReplaced')
      await refused(backend.unwrap({ ...sealed, keyId: 'c' }), 'KeyNotFound')
    },
  },
  {
    name: 'a ciphertext named with another version is refused',
    async run({ backend }) {
      const created = await backend.create(newKey('a'))
      const sealed = await wrapUnder(backend, created, Buffer.from('secret'))
      const rotated = await backend.rotate('a', created.etag)
      await refused(backend.unwrap({ ...sealed, version: 2, materialId: rotated.materialId }), 'InvalidCiphertext')
      await refused(backend.unwrap({ ...sealed, version: 2 }), 'KeyMaterialReplaced')
      for (const version of [3, 0xffff_ffff]) {
        await refused(backend.unwrap({ ...sealed, version }), 'InvalidCiphertext', 'KeyMaterialReplaced')
      }
    },
  },
  {
    name: 'a material id never blocks what authenticates',
    async run({ backend }) {
      const record = await backend.create(newKey('a'))
      const sealed = await wrapUnder(backend, record, Buffer.from('secret'))
      const opened = await backend.unwrap({ ...sealed, materialId: '0'.repeat(32) })
      expect(opened.toString()).toBe('secret')
    },
  },
  {
    name: 'a material id that is not held explains what does not authenticate',
    async run({ backend }) {
      const record = await backend.create(newKey('a'))
      const sealed = await wrapUnder(backend, record, Buffer.from('secret'))
      const changed = { ...sealed, aad: aad(2), materialId: '0'.repeat(32) }
      await refused(backend.unwrap(changed), 'KeyMaterialReplaced')
    },
  },
  {
    name: 'wrap under any version but the current one is KeyVersionNotCurrent',
    async run({ backend }) {
      const created = await backend.create(newKey('a'))
      const request = { keyId: 'a', plaintext: Buffer.from('x'), aad: aad(1) }
      await refused(backend.wrap({ ...request, version: 2 }), 'KeyVersionNotCurrent')
      await backend.rotate('a', created.etag)
      await refused(backend.wrap({ ...request, version: 1 }), 'KeyVersionNotCurrent')
      await refused(backend.wrap({ ...request, version: 3 }), 'KeyVersionNotCurrent')
      expect((await backend.wrap({ ...request, version: 2 })).length).toBeGreaterThan(1)
    },
  },
  {
    name: 'wrap under an unknown key is KeyNotFound, an alias included',
    async run({ backend }) {
      await backend.create(newKey('a', { aliases: ['b'] }))
      for (const keyId of ['nobody', 'b', '../a', '__proto__']) {
        await refused(backend.wrap({ keyId, version: 1, plaintext: Buffer.from('x'), aad: aad(1) }), 'KeyNotFound')
      }
    },
  },
  {
    name: 'state gates nothing here: a disabled key and one pending deletion wrap and unwrap',
    async run({ backend }) {
      let record = await backend.create(newKey('a'))
      for (const state of ['Disabled', 'PendingDeletion', 'Enabled'] as const) {
        record = await backend.update('a', { state }, record.etag)
        const sealed = await wrapUnder(backend, record, Buffer.from(state))
        expect((await backend.unwrap(sealed)).toString()).toBe(state)
      }
    },
  },
  {
    name: 'what unwrap returns belongs to the caller',
    async run({ backend }) {
      const record = await backend.create(newKey('a'))
      const sealed = await wrapUnder(backend, record, Buffer.from('secret'))
      const opened = await backend.unwrap(sealed)
      opened.fill(0)
      expect((await backend.unwrap(sealed)).toString()).toBe('secret')
    },
  },
  {
    name: 'imported material wraps, or is UnsupportedCapability',
    async run({ backend }) {
      const material = Buffer.alloc(32, 5)
      if (!backend.capabilities.import) {
        await refused(backend.create(newKey('a', { material })), 'UnsupportedCapability')
        return refused(backend.describe('a'), 'KeyNotFound')
      }
      const a = await backend.create(newKey('a', { material }))
      const b = await backend.create(newKey('b', { material }))
      expect(material.equals(Buffer.alloc(32, 5))).toBe(true)
      expect(a).toMatchObject({ origin: 'EXTERNAL', currentVersion: 1, state: 'Enabled' })
      expect(a.adopted).toBeUndefined()
      expect(a.materialId).not.toBe(b.materialId)
      const sealed = await wrapUnder(backend, a, Buffer.from('secret'))
      expect((await backend.unwrap(sealed)).toString()).toBe('secret')
      if (backend.algorithm === XCHACHA20_POLY1305) {
        expect(openXChaCha(material, sealed.wrapped, sealed.aad)?.toString()).toBe('secret')
      }
      const rotated = await backend.rotate('a', a.etag)
      expect((await backend.unwrap(await wrapUnder(backend, rotated, Buffer.from('x')))).toString()).toBe('x')
      expect((await backend.unwrap(sealed)).toString()).toBe('secret')
    },
  },
  {
    name: 'where there are batches, each request has its own answer, in order',
    async run({ backend }) {
      if (backend.wrapMany === undefined || backend.unwrapMany === undefined) {
        return expect([backend.wrapMany, backend.unwrapMany]).toEqual([undefined, undefined])
      }
      const record = await backend.create(newKey('a'))
      const request = { keyId: 'a', version: 1, aad: aad(1) }
      const texts = ['one', 'two', 'three'].map((text) => Buffer.from(text))
      const wrapped = await backend.wrapMany(texts.map((plaintext) => ({ ...request, plaintext })))
      const { algorithm } = backend
      const sealed = wrapped.map((bytes) => ({
        ...request,
        algorithm,
        materialId: record.materialId,
        wrapped: bytes as Buffer,
      }))
      const opened = await backend.unwrapMany(sealed.map((each, i) => (i === 1 ? { ...each, aad: aad(2) } : each)))
      expect([opened[0], opened[2]].map(String)).toEqual(['one', 'three'])
      expect(isKmsError(opened[1], 'InvalidCiphertext')).toBe(true)
      expect((await backend.unwrap(sealed[1] as UnwrapRequest)).toString()).toBe('two')
      await backend.rotate('a', record.etag)
      const late = await backend.wrapMany(texts.map((plaintext) => ({ ...request, plaintext })))
      expect(late.map((outcome) => isKmsError(outcome, 'KeyVersionNotCurrent'))).toEqual([true, true, true])
    },
  },
]
