import { Buffer } from 'node:buffer'
import { constants, generateKeyPairSync, publicEncrypt, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { openWrapped } from './wrapping-key.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const der = privateKey.export({ type: 'pkcs8', format: 'der' })

function wrap(material: Uint8Array): Buffer {
  return publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, material)
}

/** About one ciphertext in 256 begins with a zero octet, and is the same number without it. */
function wrapWithLeadingZero(material: Uint8Array): Buffer {
  for (;;) {
    const wrapped = wrap(material)
    if (wrapped[0] === 0) return wrapped
  }
}

describe('opening wrapped material', () => {
  it('gives what was wrapped', () => {
    const material = randomBytes(32)
    expect(openWrapped(wrap(material), der)).toEqual(material)
  })

  it('refuses a ciphertext that is not as long as the modulus, even where it is the same number', () => {
    const wrapped = wrapWithLeadingZero(randomBytes(32))
    expect(openWrapped(wrapped, der)).toBeDefined()
    expect(openWrapped(wrapped.subarray(1), der)).toBeUndefined()
    expect(openWrapped(Buffer.concat([Buffer.alloc(1), wrapped]), der)).toBeUndefined()
  })
})
