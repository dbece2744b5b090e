import { constants, createDecipheriv, generateKeyPairSync, privateDecrypt } from 'node:crypto'
import { createSeededRandom } from '@kms/core/testing'
import { expect, it } from 'vitest'
import { readWrappingKey, wrapForImport } from './import-material.ts'

it('material is wrapped as Transit unwraps it: RSA-OAEP of a key, AES-KWP of the material under it', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string
  const material = Buffer.alloc(32, 7)
  const random = createSeededRandom('import')
  const wrappingKey = readWrappingKey(pem) ?? expect.fail('it is an RSA key')
  const wrapped = Buffer.from(wrapForImport(wrappingKey, material, random), 'base64')
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const ephemeral = privateDecrypt({ key: privateKey, padding, oaepHash: 'sha256' }, wrapped.subarray(0, 256))
  expect(ephemeral.equals(createSeededRandom('import')(32))).toBe(true)
  const decipher = createDecipheriv('id-aes256-wrap-pad', ephemeral, Buffer.from('A65959A6', 'hex'))
  expect(Buffer.concat([decipher.update(wrapped.subarray(256)), decipher.final()]).equals(material)).toBe(true)
  expect(material.equals(Buffer.alloc(32, 7))).toBe(true)
})

it('only an RSA key is a wrapping key', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ec = publicKey.export({ type: 'spki', format: 'pem' })
  for (const pem of [undefined, 7, '', 'AAAA', ec]) expect(readWrappingKey(pem)).toBeUndefined()
})
