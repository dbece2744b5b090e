import { Buffer } from 'node:buffer'
import { openXChaCha, sealXChaCha } from '../bytes/aead.ts'
import { decodeBase64 } from '../bytes/base64.ts'
import { ByteWriter } from '../bytes/byte-writer.ts'
import { label } from '../bytes/framing.ts'
import { isJsonObject } from '../config/json.ts'
import type { Random } from '../random.ts'
import type { ServerKeyPurpose, ServerKeys } from './server-key.ts'

/** A secret inside a stored JSON document (formats §4). */
export interface SealedValue {
  /** base64(0x01 ‖ server-key id 8 ‖ nonce 24 ‖ ciphertext ‖ tag 16). */
  readonly $sealed: string
}

/** Where a sealed value stands; all of it is authenticated, so that it opens nowhere else. */
export interface SealPlace {
  readonly purpose: ServerKeyPurpose
  /** Kind of the document. */
  readonly document: string
  /** JSON pointer (RFC 6901) of the value in it. */
  readonly pointer: string
  /** What else must be unchanged for the value to open, e.g. the address a credential is for. */
  readonly binding: string | Uint8Array
}

export type OpenSealedResult =
  /** `keyId`: of the server key it is sealed under. */
  | { readonly ok: true; readonly plaintext: Buffer; readonly keyId: string }
  /** `server-key`: sealed under a key not at hand (`keyId`). `damaged`: under ours, but it does not open here. */
  | { readonly ok: false; readonly problem: 'server-key'; readonly keyId: string }
  | { readonly ok: false; readonly problem: 'damaged' }

const FORMAT = 0x01
const HEADER_BYTES = 9
const LABEL = label('kms/seal/v1')

export function isSealedValue(value: unknown): value is SealedValue {
  return isJsonObject(value) && Object.keys(value).length === 1 && typeof value['$sealed'] === 'string'
}

/** Seals under the current server key. */
export function sealValue(plaintext: Uint8Array, place: SealPlace, keys: ServerKeys, random: Random): SealedValue {
  return { $sealed: sealBytes(plaintext, place, keys, random).toString('base64') }
}

/** {@link sealValue} for binary files: the same bytes, without base64 and JSON around them. */
export function sealBytes(plaintext: Uint8Array, place: SealPlace, keys: ServerKeys, random: Random): Buffer {
  const { current } = keys
  const sealed = sealXChaCha(current.subkey(place.purpose), plaintext, aadOf(place), random)
  return Buffer.concat([Buffer.of(FORMAT), Buffer.from(current.id, 'hex'), sealed])
}

/** Opens a sealed value with the current or the previous server key. */
export function openSealed(value: SealedValue, place: SealPlace, keys: ServerKeys): OpenSealedResult {
  const bytes = decodeBase64(value.$sealed)
  return bytes === undefined ? { ok: false, problem: 'damaged' } : openSealedBytes(bytes, place, keys)
}

/** {@link openSealed} for what {@link sealBytes} made. */
export function openSealedBytes(bytes: Buffer, place: SealPlace, keys: ServerKeys): OpenSealedResult {
  if (bytes.length < HEADER_BYTES || bytes[0] !== FORMAT) return { ok: false, problem: 'damaged' }
  const keyId = bytes.toString('hex', 1, HEADER_BYTES)
  const key = [keys.current, keys.previous].find((candidate) => candidate?.id === keyId)
  if (key === undefined) return { ok: false, problem: 'server-key', keyId }
  const plaintext = openXChaCha(key.subkey(place.purpose), bytes.subarray(HEADER_BYTES), aadOf(place))
  return plaintext === undefined ? { ok: false, problem: 'damaged' } : { ok: true, plaintext, keyId }
}

function aadOf({ document, pointer, binding }: SealPlace): Buffer {
  return new ByteWriter(128).raw(LABEL).framed(document).framed(pointer).framed(binding).written
}
