import { Buffer } from 'node:buffer'
import { type Authorize, kmsError } from '@kms/core'
import { STREAM_SALT_BYTES } from '@kms/core/internal'
import type { EncryptionMode } from './encryption-mode.ts'
import { hasMd5Etag, multipartEtag, streamEtag } from './etag.ts'
import { decodeObjectKeys, type KeyUse } from './keys/key-blob.ts'
import type { ObjectKeyring } from './keys/object-keys.ts'
import { type ObjectName, objectBinding } from './keys/object-name.ts'
import { unwrapRecordKey } from './keys/record-key.ts'
import { assembleObject, type NewObject } from './object-record.ts'
import { type BeginWrite, beginObject, type FinishWrite, type SealedBody } from './object-write.ts'
import { decodePartRecord, encodePartRecord, type PartRecord } from './record/part-record.ts'
import { MAX_PARTS } from './record/part-table.ts'
import type { Sealing } from './record/sealed-details.ts'
import { NO_TEXT, type TextMap } from './record/text-map.ts'
import { decodeUploadRecord, encodeUploadRecord, type UploadRecord } from './record/upload-record.ts'
import type { CustomerKey } from './request/customer-key.ts'
import { requireFittingKey } from './request/presented-key.ts'
import { createSealingStream } from './stream/sealing-stream.ts'
import { type StreamSecrets, streamSecrets } from './stream/stream-header.ts'

export interface BeginUpload extends Pick<BeginWrite, 'name' | 'encryption' | 'authorize' | 'ownUse'> {
  /** Content headers and user metadata, by lower-case name. */
  readonly headers?: TextMap
}

/** A new multipart upload: what to store, and what to reply. */
export interface NewUpload {
  /** An opaque blob. */
  readonly upload: Buffer
  /** The KMS key version the upload needs from now on; `undefined` when it needs none. */
  readonly keyUse: KeyUse | undefined
  readonly info: UploadInfo
}

/** What there is to say about an open upload; fits `sseReplyHeaders`. */
export interface UploadInfo {
  readonly mode: EncryptionMode
  readonly keyName: string | undefined
  readonly bucketKey: boolean
  readonly headers: TextMap
}

export interface SealPart {
  readonly name: ObjectName
  /** The upload's blob. */
  readonly upload: Buffer
  /** 1–10 000. */
  readonly number: number
  readonly customerKey?: CustomerKey | undefined
  /** Asked with the id of the KMS key before it unwraps (SSE-KMS only). */
  readonly authorize: Authorize
  /** Told the id of the KMS key before the service uses it for itself, nobody's permission asked (SSE-S3); may refuse by throwing. */
  readonly ownUse?: Authorize | undefined
  readonly size?: number
  readonly md5?: boolean
}

/** A part being uploaded: it comes to be with the record `finish` returns. */
export interface PartWrite extends SealedBody {
  /** Of the upload, for the reply. */
  readonly info: UploadInfo
  /** Once, after all was sealed. Throws `TypeError` otherwise. */
  finish(digests?: Pick<FinishWrite, 'checksums'>): NewPart
}

export interface NewPart {
  /** An opaque blob. */
  readonly part: Buffer
  readonly info: PartInfo
}

export interface PartInfo {
  readonly number: number
  readonly size: number
  /** Without quotes. */
  readonly etag: string
  readonly checksums: TextMap
}

export interface CompleteUpload {
  readonly name: ObjectName
  readonly upload: Buffer
  /** The parts' blobs, by ascending number. That they are those the client listed is the caller's to check (`inspectPart`). */
  readonly parts: readonly Buffer[]
  /** If the request came with one: it must be the upload's. */
  readonly customerKey?: CustomerKey | undefined
  /** Of the whole object. */
  readonly checksums?: TextMap
}

export async function beginUpload(request: BeginUpload, keyring: ObjectKeyring, sealing: Sealing): Promise<NewUpload> {
  const { fields, secrets, use } = await beginObject(request, keyring, sealing.random, false)
  try {
    const upload = { ...fields, headers: request.headers ?? NO_TEXT, secrets }
    return { upload: encodeUploadRecord(upload, request.name, sealing), keyUse: use, info: uploadInfo(upload) }
  } finally {
    secrets?.recordKey.fill(0)
  }
}

export async function sealPart(request: SealPart, keyring: ObjectKeyring, sealing: Sealing): Promise<PartWrite> {
  const { name, number, size, md5 = false } = request
  if (!Number.isInteger(number) || number < 1 || number > MAX_PARTS) {
    throw kmsError('ValidationError', { path: 'partNumber', reason: `must be 1 to ${MAX_PARTS}` })
  }
  const upload = decodeUploadRecord(request.upload, name, sealing.serverKeys)
  upload.secrets?.recordKey.fill(0)
  const binding = objectBinding(name, upload.writeId)
  const salt = upload.secrets === undefined ? Buffer.alloc(0) : sealing.random(STREAM_SALT_BYTES)
  const secrets = await partSecrets(request, upload, binding, salt, keyring)
  let open = true
  const abandon = () => {
    open = false
  }
  const body = createSealingStream({ secrets, size, md5: md5 || hasMd5Etag(upload.mode), onFailure: abandon })
  return {
    info: uploadInfo(upload),
    seal: (source) => body.seal(source),
    result: () => body.result(),
    abandon,
    finish({ checksums = NO_TEXT } = {}) {
      if (!open) throw new TypeError('the part was finished or abandoned')
      const sealed = body.result()
      const etag = streamEtag(upload.mode, sealed.md5, sealing.random)
      const info = { number, size: sealed.size, etag, checksums }
      const part = encodePartRecord({ ...info, salt }, binding, sealing)
      open = false
      return { part, info }
    },
  }
}

async function partSecrets(
  { name, number, customerKey, authorize, ownUse }: SealPart,
  upload: UploadRecord,
  binding: Buffer,
  salt: Buffer,
  keyring: ObjectKeyring,
): Promise<StreamSecrets | undefined> {
  requireFittingKey(upload.mode, customerKey)
  const objectKey = await uploadKey({ name, customerKey, authorize, ownUse }, upload, binding, keyring)
  if (objectKey === undefined) return undefined
  try {
    return streamSecrets(objectKey, binding, number, salt)
  } finally {
    objectKey.fill(0)
  }
}

async function uploadKey(
  request: Pick<SealPart, 'name' | 'customerKey' | 'authorize' | 'ownUse'>,
  { mode, context, bucketKey, secrets, writeId }: UploadRecord,
  binding: Buffer,
  keyring: ObjectKeyring,
): Promise<Buffer | undefined> {
  if (mode === 'plain' || secrets === undefined) return undefined
  const { name, customerKey, authorize, ownUse } = request
  const keys = decodeObjectKeys(secrets.keys)
  const wrongKey = () =>
    kmsError('InvalidRequest', { reason: 'This is not the key the multipart upload was begun with. Send that key.' })
  const object = { name, binding, mode, context, bucketKey, keys, offline: false }
  const objectKey = await keyring.recover({ ...object, customerKey, authorize, ownUse, wrongKey })
  // The right object's key opens the record key; whatever else a swapped blob may have led to does not.
  const recordKey = unwrapRecordKey(secrets.wrappedRecordKey, objectKey, writeId)
  if (recordKey === undefined) {
    objectKey.fill(0)
    throw kmsError('ObjectDamaged', { what: 'the key of the upload does not open its record' })
  }
  recordKey.fill(0)
  return objectKey
}

export async function completeUpload(
  { name, upload: blob, parts: blobs, customerKey, checksums = NO_TEXT }: CompleteUpload,
  keyring: ObjectKeyring,
  sealing: Sealing,
): Promise<NewObject> {
  const upload = decodeUploadRecord(blob, name, sealing.serverKeys)
  try {
    const binding = objectBinding(name, upload.writeId)
    if (customerKey !== undefined) {
      requireFittingKey(upload.mode, customerKey)
      const opened = await uploadKey({ name, customerKey, authorize: () => {} }, upload, binding, keyring)
      opened?.fill(0)
    }
    const parts = blobs.map((part) => decodePartRecord(part, upload.secrets !== undefined, binding, sealing.serverKeys))
    requireAscending(parts)
    const etags = parts.map(({ etag }) => etag)
    return assembleObject(
      {
        name,
        fields: upload,
        secrets: upload.secrets,
        parts,
        partChecksums: parts.map((part) => part.checksums),
        digests: { etag: multipartEtag(upload.mode, etags, sealing.random), checksums },
      },
      sealing,
    )
  } finally {
    upload.secrets?.recordKey.fill(0)
  }
}

function requireAscending(parts: readonly PartRecord[]): void {
  if (parts.length < 1 || parts.length > MAX_PARTS) throw new RangeError(`there must be 1 to ${MAX_PARTS} parts`)
  for (const [index, { number }] of parts.entries()) {
    if (number <= (parts[index - 1]?.number ?? 0)) throw new RangeError('parts must come by ascending number')
  }
}

/** An upload's info, authenticated under the server key. Throws as `decodeUploadRecord`. */
export function inspectUpload(name: ObjectName, blob: Buffer, { serverKeys }: Sealing): UploadInfo {
  const upload = decodeUploadRecord(blob, name, serverKeys)
  upload.secrets?.recordKey.fill(0)
  return uploadInfo(upload)
}

/** A part's info, authenticated under the server key. Throws as `decodePartRecord`. */
export function inspectParts(
  name: ObjectName,
  blob: Buffer,
  parts: readonly Buffer[],
  { serverKeys }: Sealing,
): readonly PartInfo[] {
  const upload = decodeUploadRecord(blob, name, serverKeys)
  upload.secrets?.recordKey.fill(0)
  const binding = objectBinding(name, upload.writeId)
  return parts.map((part) => {
    const { number, size, etag, checksums } = decodePartRecord(part, upload.secrets !== undefined, binding, serverKeys)
    return { number, size, etag, checksums }
  })
}

function uploadInfo({ mode, keyName, bucketKey, headers }: Omit<UploadRecord, 'secrets'>): UploadInfo {
  return { mode, keyName: mode === 'SSE-KMS' ? keyName : undefined, bucketKey, headers }
}
