import { createHash } from 'node:crypto'
import { canonicalContext } from '../context/encryption-context.ts'
import { decodeEnvelope, encodeEnvelope, encodeEnvelopeHeader, envelopeAad, type Realm } from '../envelope/envelope.ts'
import { isKmsError } from '../errors/kms-error.ts'
import type { KeyBackend, KeyRecord } from '../keys/key-backend.ts'
import type { Random } from '../random.ts'
import type { Canary } from './canary-store.ts'

const CANARY_BYTES = 32

/** Wraps a fresh canary under the current version of a key. */
export async function makeCanary(backend: KeyBackend, record: KeyRecord, random: Random): Promise<Canary> {
  const { keyId, currentVersion: version, materialId } = record
  const { realm, algorithm } = backend
  const header = encodeEnvelopeHeader({ algorithm, realm, materialId, version, keyId })
  const plaintext = random(CANARY_BYTES)
  const aad = envelopeAad(header, canaryContext(realm))
  const wrapped = await backend.wrap({ keyId, version, plaintext, aad })
  const digest = createHash('sha256').update(plaintext).digest()
  plaintext.fill(0)
  return { keyId, version, envelope: encodeEnvelope(header, wrapped), digest }
}

/** Whether the backend opens a canary to what was wrapped; throws what `unwrap` throws. */
export async function opensCanary(backend: KeyBackend, canary: Canary): Promise<boolean> {
  const { keyId, version, algorithm, materialId, wrapped, headerBytes } = decodeEnvelope(canary.envelope)
  const aad = envelopeAad(headerBytes, canaryContext(backend.realm))
  const plaintext = await backend.unwrap({ keyId, version, algorithm, materialId, wrapped, aad })
  const same = createHash('sha256').update(plaintext).digest().equals(canary.digest)
  plaintext.fill(0)
  return same
}

/** Whether the backend refuses a canary whose additional data was altered; old Vaults ignore `associated_data`. */
export async function refusesForeignAad(backend: KeyBackend, canary: Canary): Promise<boolean> {
  const { keyId, version, algorithm, materialId, wrapped, headerBytes } = decodeEnvelope(canary.envelope)
  const aad = envelopeAad(headerBytes, canaryContext('another context'))
  try {
    ;(await backend.unwrap({ keyId, version, algorithm, materialId, wrapped, aad })).fill(0)
    return false
  } catch (error) {
    if (isKmsError(error, 'InvalidCiphertext', 'KeyMaterialReplaced')) return true
    throw error
  }
}

function canaryContext(realm: Realm): Buffer {
  return canonicalContext(new Map([['kms:canary', realm]]))
}
