import { Buffer } from 'node:buffer'
import { generateKeyPairSync } from 'node:crypto'
import type { WrappingKeyPair } from '../src/imports/wrapping-key.ts'

let pair: WrappingKeyPair | undefined

/** A smaller key than the real ones, made once: what is tested does not depend on its size. */
export async function generateForTests(): Promise<WrappingKeyPair> {
  pair ??= generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  })
  return { publicKey: pair.publicKey, privateKey: Buffer.from(pair.privateKey) }
}
