import { Buffer } from 'node:buffer'
import { type KeyObject, timingSafeEqual } from 'node:crypto'
import { deriveStreamKeys, label, u32 } from '@kms/core/internal'

/** `KMSO` ‖ format u8 = 1 ‖ suite u8 = 1 ‖ flags u16 = 0 ‖ part number u32 ‖ salt 32 ‖ commitment 32 (formats §8). */
export const STREAM_HEADER_BYTES = 76

const PREFIX = Buffer.concat([Buffer.from('KMSO', 'latin1'), Buffer.of(1, 1, 0, 0)])
const LABEL = label('kms/object-stream/v1')

/** What one stream of an object is sealed with. */
export interface StreamSecrets {
  readonly cipherKey: KeyObject
  /** The 76 bytes the stream begins with: they follow from object key, binding, part number and salt. */
  readonly header: Buffer
}

/** HKDF(OK, salt, info label `kms/object-stream/v1` ‖ header[0..12) ‖ binding, 64 bytes): cipher key ‖ commitment. */
export function streamSecrets(
  objectKey: Uint8Array,
  binding: Uint8Array,
  partNumber: number,
  salt: Uint8Array,
): StreamSecrets {
  const head = Buffer.concat([PREFIX, u32(partNumber)])
  const { cipherKey, commitment } = deriveStreamKeys(objectKey, salt, Buffer.concat([LABEL, head, binding]))
  return { cipherKey, header: Buffer.concat([head, salt, commitment], STREAM_HEADER_BYTES) }
}

/** Whether a stored header is the one it must be, in constant time. */
export function isHeader(stored: Uint8Array, { header }: StreamSecrets): boolean {
  return stored.length === header.length && timingSafeEqual(stored, header)
}
