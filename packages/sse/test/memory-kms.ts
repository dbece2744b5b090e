import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import {
  type AdmittedKey,
  canonicalContext,
  decodeEnvelope,
  encodeEnvelope,
  encodeEnvelopeHeader,
  envelopeAad,
  type KeyState,
  kmsError,
} from '@kms/core'
import type { AdmitWrapRequest, KeyWrapping } from '../src/index.ts'

interface MemoryKey {
  state: KeyState
  readonly versions: Buffer[]
}

/** A KMS of a few lines, with its calls counted: what a test wants to see of one. */
export interface MemoryKms extends KeyWrapping {
  readonly realm: string
  readonly keys: Map<string, MemoryKey>
  readonly aliases: Map<string, string>
  readonly calls: { wrap: number; unwrap: number; admitWrap: number; admitUnwrap: number }
  /** Thrown by every call while set. */
  down: Error | undefined
  rotate(keyId: string): void
}

/** Algorithm of a third-party driver: nonce 12 ‖ ciphertext ‖ tag 16, AES-256-GCM. */
const ALGORITHM = 0x80

export function createMemoryKms(...keyIds: readonly string[]): MemoryKms {
  const realm = randomBytes(16).toString('hex')
  const keys = new Map<string, MemoryKey>(keyIds.map((id) => [id, { state: 'Enabled', versions: [randomBytes(32)] }]))
  const aliases = new Map<string, string>()
  const calls = { wrap: 0, unwrap: 0, admitWrap: 0, admitUnwrap: 0 }

  function find(name: string): MemoryKey {
    return keys.get(name) ?? raise(kmsError('KeyNotFound', { key: name }))
  }

  function admit({ key = keyIds[0] ?? 'none', authorize }: AdmitWrapRequest): AdmittedKey {
    if (kms.down !== undefined) throw kms.down
    const keyId = aliases.get(key) ?? key
    authorize(keyId)
    const { state, versions } = find(keyId)
    if (state === 'Disabled') throw kmsError('KeyDisabled', { key: keyId })
    if (state === 'PendingDeletion') throw kmsError('KeyPendingDeletion', { key: keyId })
    return { realm, keyId, keyVersion: versions.length }
  }

  const kms: MemoryKms = {
    realm,
    keys,
    aliases,
    calls,
    down: undefined,
    rotate: (keyId) => void find(keyId).versions.push(randomBytes(32)),
    async admitWrap(request) {
      calls.admitWrap += 1
      return admit(request)
    },
    async admitUnwrap({ envelope, authorize }) {
      calls.admitUnwrap += 1
      if (kms.down !== undefined) throw kms.down
      const { realm: made, keyId, version: keyVersion } = decodeEnvelope(envelope)
      authorize(keyId)
      if (made !== realm) throw kmsError('UnknownKeyStore', { realm: made })
      if (find(keyId).state === 'PendingDeletion') throw kmsError('KeyPendingDeletion', { key: keyId })
      return { realm, keyId, keyVersion }
    },
    async wrap({ context, plaintext, ...request }) {
      calls.wrap += 1
      const { keyId, keyVersion } = admit(request)
      const version = { algorithm: ALGORITHM, realm, materialId: '00'.repeat(16), version: keyVersion, keyId }
      const header = encodeEnvelopeHeader(version)
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', find(keyId).versions[keyVersion - 1] as Buffer, nonce)
      cipher.setAAD(envelopeAad(header, canonicalContext(context)))
      const wrapped = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
      return { realm, keyId, keyVersion, envelope: encodeEnvelope(header, wrapped) }
    },
    async unwrap({ envelope, context, authorize }) {
      calls.unwrap += 1
      await kms.admitUnwrap({ envelope, authorize })
      calls.admitUnwrap -= 1
      const { keyId, version, headerBytes, wrapped } = decodeEnvelope(envelope)
      const material = find(keyId).versions[version - 1]
      if (material === undefined || wrapped.length < 28) throw kmsError('InvalidCiphertext')
      const decipher = createDecipheriv('aes-256-gcm', material, wrapped.subarray(0, 12))
      decipher.setAAD(envelopeAad(headerBytes, canonicalContext(context)))
      decipher.setAuthTag(wrapped.subarray(-16))
      try {
        return Buffer.concat([decipher.update(wrapped.subarray(12, -16)), decipher.final()])
      } catch {
        throw kmsError('InvalidCiphertext')
      }
    },
  }
  return kms
}

function raise(error: Error): never {
  throw error
}
