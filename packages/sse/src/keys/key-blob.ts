import { Buffer } from 'node:buffer'
import { decodeEnvelope, isKmsError, kmsError, type Realm } from '@kms/core'
import { lp } from '@kms/core/internal'
import { checkFormat } from '../record/blob-format.ts'
import { ByteReader, MalformedBytes } from '../record/byte-reader.ts'
import { SEAL_BYTES } from './seal.ts'

/** How an object's key can be had: by the KMS, by a bucket key, by the customer; and offline, where that is allowed. */
export type ObjectKeys = KmsObjectKeys | { readonly kind: 'customer key'; readonly seal: Buffer }

export type KmsObjectKeys =
  | { readonly kind: 'envelope'; readonly envelope: Buffer; readonly offline: Buffer | undefined }
  | {
      readonly kind: 'bucket key'
      /** Of the bucket key. */
      readonly envelope: Buffer
      /** Of the object's key under it. */
      readonly seal: Buffer
      readonly offline: Buffer | undefined
    }

/** A KMS key version an object (or an open upload) needs to be read. */
export interface KeyUse {
  readonly realm: Realm
  readonly keyId: string
  readonly keyVersion: number
}

const MAGIC = Buffer.from('KMSK', 'latin1')
const KIND = { envelope: 0, 'bucket key': 1, 'customer key': 2 } as const
const OFFLINE = 1

/**
 * `KMSK` ‖ format u8 = 1 ‖ kind u8 (0 envelope, 1 bucket key, 2 customer key) ‖ flags u8 (1: offline copy) ‖ lp(envelope) of kinds 0 and 1 ‖ Seal
 * of kinds 1 and 2 ‖ Seal of the offline copy, if any.
 */
export function encodeObjectKeys(keys: ObjectKeys): Buffer {
  const offline = keys.kind === 'customer key' ? undefined : keys.offline
  const head = Buffer.of(1, KIND[keys.kind], offline === undefined ? 0 : OFFLINE)
  const envelope = keys.kind === 'customer key' ? [] : [lp(keys.envelope)]
  const seal = keys.kind === 'envelope' ? [] : [keys.seal]
  return Buffer.concat([MAGIC, head, ...envelope, ...seal, ...(offline === undefined ? [] : [offline])])
}

/** Reads what {@link encodeObjectKeys} wrote. Throws `ObjectDamaged`, and `NewerFormat`. */
export function decodeObjectKeys(bytes: Buffer): ObjectKeys {
  try {
    const reader = new ByteReader(bytes)
    checkFormat(reader, MAGIC, 'the keys of an object')
    const [kind, flags] = [reader.u8(), reader.u8()]
    if (flags > OFFLINE) throw new MalformedBytes('unknown flags')
    const keys = readKind(reader, kind, () => (flags === OFFLINE ? reader.take(SEAL_BYTES) : undefined))
    if (keys.kind === 'customer key' && flags !== 0) throw new MalformedBytes('an offline copy where none can be')
    reader.end()
    return keys
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    throw kmsError('ObjectDamaged', { what: 'its keys are malformed' }, { cause: error })
  }
}

function readKind(reader: ByteReader, kind: number, offline: () => Buffer | undefined): ObjectKeys {
  switch (kind) {
    case KIND.envelope:
      return { kind: 'envelope', envelope: reader.framed(), offline: offline() }
    case KIND['bucket key']:
      return { kind: 'bucket key', envelope: reader.framed(), seal: reader.take(SEAL_BYTES), offline: offline() }
    case KIND['customer key']:
      return { kind: 'customer key', seal: reader.take(SEAL_BYTES) }
    default:
      throw new MalformedBytes('unknown kind')
  }
}

/**
 * The KMS key version without which an object (or open upload) cannot be read, from the blob of its keys: for stores that count
 * uses. `undefined` when it needs none (plain: an empty blob; SSE-C). Throws `ObjectDamaged`.
 */
export function keyUseOf(keys: Buffer): KeyUse | undefined {
  if (keys.length === 0) return undefined
  const decoded = decodeObjectKeys(keys)
  return decoded.kind === 'customer key' ? undefined : envelopeUse(decoded.envelope)
}

/** The key version an envelope names. Throws `ObjectDamaged`. */
export function envelopeUse(bytes: Buffer): KeyUse {
  try {
    const { realm, keyId, version: keyVersion } = decodeEnvelope(bytes)
    return { realm, keyId, keyVersion }
  } catch (error) {
    if (!isKmsError(error, 'InvalidCiphertext', 'UnsupportedFormat')) throw error
    throw kmsError('ObjectDamaged', { what: 'the envelope of its key is malformed' }, { cause: error })
  }
}
