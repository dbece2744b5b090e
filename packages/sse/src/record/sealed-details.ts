import type { Buffer } from 'node:buffer'
import { kmsError, type Random, type ServerKeys } from '@kms/core'
import { ByteWriter, digestOf, label, openSealedBytes, sealBytes } from '@kms/core/internal'

/** What is kept sealed under the server key beside a blob's clear part. */
export type DetailsKind =
  /** ETag and checksums of an object. */
  | 'object'
  /** Checksums of its parts. */
  | 'object-parts'
  /** ETag and checksums of a part of an open upload. */
  | 'upload-part'
  /** The record key of an open upload. */
  | 'upload'

/** What sealing needs of the server. */
export interface Sealing {
  readonly serverKeys: ServerKeys
  readonly random: Random
}

/** Where details belong: the object's binding, and the clear bytes they stand beside, which they authenticate. */
export interface DetailsPlace {
  readonly kind: DetailsKind
  readonly binding: Uint8Array
  readonly clear: Uint8Array
}

const LABELS: Readonly<Record<DetailsKind, Buffer>> = {
  object: label('kms/object-details/v1'),
  'object-parts': label('kms/object-parts-details/v1'),
  'upload-part': label('kms/upload-part-details/v1'),
  upload: label('kms/upload-details/v1'),
}

/**
 * A sealed value (formats §4) without base64 and JSON: purpose `upload` for an open upload's record key, else `metadata`; document
 * kind as {@link DetailsKind}, pointer empty, binding SHA-256(label ‖ object binding ‖ clear bytes).
 */
export function sealDetails(details: Uint8Array, place: DetailsPlace, { serverKeys, random }: Sealing): Buffer {
  return sealBytes(details, sealPlace(place), serverKeys, random)
}

/** Throws `ObjectDamaged` for another object's, or other clear bytes; `ServerKeyMismatch` when a server key is missing. */
export function openDetails(sealed: Buffer, place: DetailsPlace, serverKeys: ServerKeys): Buffer {
  const opened = openSealedBytes(sealed, sealPlace(place), serverKeys)
  if (opened.ok) return opened.plaintext
  if (opened.problem === 'server-key') {
    throw kmsError('ServerKeyMismatch', { expected: opened.keyId, actual: serverKeys.current.id })
  }
  throw kmsError('ObjectDamaged', { what: 'its record was changed, or belongs to another object' })
}

function sealPlace({ kind, binding, clear }: DetailsPlace): Parameters<typeof sealBytes>[1] {
  return {
    purpose: kind === 'upload' ? 'upload' : 'metadata',
    document: kind,
    pointer: '',
    binding: digestOf(new ByteWriter(512).raw(LABELS[kind]).raw(binding).raw(clear).written),
  }
}
