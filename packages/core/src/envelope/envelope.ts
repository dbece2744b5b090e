import { Buffer } from 'node:buffer'
import { ByteWriter } from '../bytes/byte-writer.ts'
import { digestOf } from '../bytes/digest.ts'
import { label } from '../bytes/framing.ts'
import { kmsError } from '../errors/kms-error.ts'
import { isKeyName } from '../keys/key-name.ts'

/** 16 random bytes that identify one key store for life, as 32 lower-case hex digits. */
export type Realm = string

/** Wrapping algorithm of an envelope (formats §2). 0x80–0xFF belong to third-party drivers. */
export type WrapAlgorithm = number
export const XCHACHA20_POLY1305: WrapAlgorithm = 0x01
export const VAULT_TRANSIT: WrapAlgorithm = 0x40

/** What an envelope says about the key that made it; all of it is authenticated. */
export interface EnvelopeHeader {
  readonly algorithm: WrapAlgorithm
  readonly realm: Realm
  /** 16 bytes that tell key material apart where realm, id and version cannot; 32 hex digits. */
  readonly materialId: string
  /** ≥ 1. */
  readonly version: number
  readonly keyId: string
}

/** A decoded envelope. */
export interface Envelope extends EnvelopeHeader {
  /** The exact header bytes, as they enter the additional data of the wrap. */
  readonly headerBytes: Buffer
  readonly wrapped: Buffer
}

/** Largest plaintext a wrap takes, in bytes; the smallest is 1. */
export const MAX_PLAINTEXT_BYTES = 4096

const MAGIC = Buffer.from('KMSE', 'latin1')
const FORMAT = 1
const FIXED_BYTES = 44
const AAD_LABEL = label('kms/envelope-aad/v1')

/** The header as bytes 0 … 44+n−1 of the envelope. */
export function encodeEnvelopeHeader(header: EnvelopeHeader): Buffer {
  const bytes = Buffer.allocUnsafe(FIXED_BYTES + header.keyId.length)
  bytes.set(MAGIC)
  bytes[4] = FORMAT
  bytes[5] = header.algorithm
  bytes[6] = 0
  bytes.write(header.realm, 7, 16, 'hex')
  bytes.write(header.materialId, 23, 16, 'hex')
  bytes.writeUInt32BE(header.version, 39)
  bytes[43] = header.keyId.length
  bytes.write(header.keyId, FIXED_BYTES, 'latin1')
  return bytes
}

/** Header ‖ u16 length ‖ wrapped bytes. */
export function encodeEnvelope(headerBytes: Uint8Array, wrapped: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes.length + 2 + wrapped.length)
  bytes.set(headerBytes)
  bytes.writeUInt16BE(wrapped.length, headerBytes.length)
  bytes.set(wrapped, headerBytes.length + 2)
  return bytes
}

/**
 * Reads an envelope. Throws `UnsupportedFormat` for a format, algorithm or flag of another release, and
 * `InvalidCiphertext`, one error for every kind of damage, otherwise.
 */
export function decodeEnvelope(bytes: Buffer): Envelope {
  if (bytes.length < FIXED_BYTES || !bytes.subarray(0, 4).equals(MAGIC)) throw kmsError('InvalidCiphertext')
  const algorithm = bytes[5] as number
  if (bytes[4] !== FORMAT) throw kmsError('UnsupportedFormat', { what: `envelope format ${bytes[4]}` })
  if (algorithm !== XCHACHA20_POLY1305 && algorithm !== VAULT_TRANSIT && algorithm < 0x80) {
    throw kmsError('UnsupportedFormat', { what: `wrapping algorithm ${algorithm}` })
  }
  if (bytes[6] !== 0) throw kmsError('UnsupportedFormat', { what: `envelope flags ${bytes[6]}` })
  const keyIdEnd = FIXED_BYTES + (bytes[43] as number)
  if (bytes.length < keyIdEnd + 2) throw kmsError('InvalidCiphertext')
  const keyId = bytes.toString('latin1', FIXED_BYTES, keyIdEnd)
  const version = bytes.readUInt32BE(39)
  const wrapped = bytes.subarray(keyIdEnd + 2)
  if (!isKeyName(keyId) || version === 0 || wrapped.length === 0 || bytes.readUInt16BE(keyIdEnd) !== wrapped.length) {
    throw kmsError('InvalidCiphertext')
  }
  return {
    algorithm,
    realm: bytes.toString('hex', 7, 23),
    materialId: bytes.toString('hex', 23, 39),
    version,
    keyId,
    headerBytes: bytes.subarray(0, keyIdEnd),
    wrapped,
  }
}

/** Additional data of the wrap: SHA-256 over the header and the canonical encryption context, 32 bytes. */
export function envelopeAad(headerBytes: Uint8Array, canonicalContext: Uint8Array): Buffer {
  return digestOf(new ByteWriter(256).raw(AAD_LABEL).framed(headerBytes).raw(canonicalContext).written)
}
