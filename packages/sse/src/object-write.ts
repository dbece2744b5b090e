import { Buffer } from 'node:buffer'
import type { Authorize, Random } from '@kms/core'
import { STREAM_SALT_BYTES } from '@kms/core/internal'
import { hasMd5Etag, streamEtag } from './etag.ts'
import { encodeObjectKeys, type KeyUse } from './keys/key-blob.ts'
import type { ObjectKeyring } from './keys/object-keys.ts'
import { type ObjectName, objectBinding, WRITE_ID_BYTES } from './keys/object-name.ts'
import { wrapRecordKey } from './keys/record-key.ts'
import { assembleObject, type NewObject } from './object-record.ts'
import type { RecordFields } from './record/record-fields.ts'
import type { Sealing } from './record/sealed-details.ts'
import { NO_TEXT, type TextMap } from './record/text-map.ts'
import type { UploadSecrets } from './record/upload-record.ts'
import type { WriteEncryption } from './request/write-encryption.ts'
import { type ByteSource, createSealingStream } from './stream/sealing-stream.ts'
import { type StreamSecrets, streamSecrets } from './stream/stream-header.ts'

export interface BeginWrite {
  readonly name: ObjectName
  readonly encryption: WriteEncryption
  /** Asked with the id of the KMS key before it wraps (SSE-KMS only). */
  readonly authorize: Authorize
  /** Told the id of the KMS key before the service uses it for itself, nobody's permission asked (SSE-S3); may refuse by throwing. */
  readonly ownUse?: Authorize | undefined
  /** Plaintext bytes, where known; another number is refused then. */
  readonly size?: number
  /** Whether {@link SealedBody.md5} is needed although the mode's ETag is not an MD5 (the client sent Content-MD5). */
  readonly md5?: boolean
}

/** A body being encrypted. */
export interface SealedBody {
  /**
   * The bytes to store. To be called once and read to the end; a source that fails, or a reader that stops, makes `finish` impossible.
   */
  seal(source: ByteSource): AsyncGenerator<Buffer, void, undefined>
  /** Plaintext bytes, and their MD5 if the mode or the request needs it, once all was sealed. Throws `TypeError` before. */
  result(): { readonly size: number; readonly md5: Buffer | undefined }
  /** Erases the keys; what was stored of the body will never open. To be called whenever `finish` is not; more than once does no harm. */
  abandon(): void
}

/** An object being written: it comes to be with the record `finish` returns, and not before. */
export interface ObjectWrite extends SealedBody {
  /**
   * The KMS key version the object needs, known from now on; `undefined` when it needs none. Its use is to be counted before the
   * first byte is taken of {@link SealedBody.seal}, which asks once more for the key's state: whoever destroys a key counts first what needs
   * it, so either finds the other.
   */
  readonly keyUse: KeyUse | undefined
  /** Once, after all was sealed. Throws `TypeError` otherwise. */
  finish(digests?: FinishWrite): NewObject
}

export interface FinishWrite {
  /** Content headers and user metadata, by lower-case name. */
  readonly headers?: TextMap
  /** Checksums of the plaintext, by any names the caller gives them. */
  readonly checksums?: TextMap
}

/** A key made for a new object or upload, and what is stored of it. */
export interface BegunObject {
  readonly fields: Omit<RecordFields, 'headers'>
  readonly secrets: UploadSecrets | undefined
  readonly use: KeyUse | undefined
  /** What `derive` made of the object's key; the key itself is erased already. */
  readonly stream: StreamSecrets | undefined
  readonly salt: Buffer
  /** Throws when the KMS key may not be used any more. */
  readonly confirm: () => Promise<void>
}

/**
 * Makes the keys of a new object. Its object key lives until they are derived, its record key until {@link UploadSecrets} is used up. With
 * `stream`, also those of its only stream.
 */
export async function beginObject(
  { name, encryption, authorize, ownUse }: Pick<BeginWrite, 'name' | 'encryption' | 'authorize' | 'ownUse'>,
  keyring: ObjectKeyring,
  random: Random,
  stream: boolean,
): Promise<BegunObject> {
  const writeId = random(WRITE_ID_BYTES)
  const { mode } = encryption
  const kms = mode === 'SSE-KMS'
  const common = { mode, writeId, context: kms ? encryption.context : NO_TEXT }
  if (mode === 'plain') {
    const fields = { ...common, keyName: '', bucketKey: false }
    return {
      fields,
      secrets: undefined,
      use: undefined,
      stream: undefined,
      salt: Buffer.alloc(0),
      confirm: async () => {},
    }
  }
  const binding = objectBinding(name, writeId)
  const { objectKey, keys, use } = await keyring.make({ name, binding, encryption, authorize, ownUse })
  const recordKey = random(32)
  try {
    const salt = stream ? random(STREAM_SALT_BYTES) : Buffer.alloc(0)
    return {
      fields: {
        ...common,
        keyName: kms ? (encryption.keyName ?? use?.keyId ?? '') : '',
        bucketKey: mode !== 'SSE-C' && encryption.bucketKey,
      },
      secrets: {
        keys: encodeObjectKeys(keys),
        wrappedRecordKey: wrapRecordKey(recordKey, objectKey, writeId),
        recordKey,
      },
      use,
      stream: stream ? streamSecrets(objectKey, binding, 0, salt) : undefined,
      salt,
      confirm: () => keyring.confirm(keys),
    }
  } finally {
    objectKey.fill(0)
  }
}

export async function beginWrite(request: BeginWrite, keyring: ObjectKeyring, sealing: Sealing): Promise<ObjectWrite> {
  const { name, encryption, size, md5 = false } = request
  const { fields, secrets, use, stream, salt, confirm } = await beginObject(request, keyring, sealing.random, true)
  let open = true
  const abandon = () => {
    open = false
    secrets?.recordKey.fill(0)
  }
  const wanted = md5 || hasMd5Etag(encryption.mode)
  const body = createSealingStream({ secrets: stream, size, md5: wanted, onBegin: confirm, onFailure: abandon })
  return {
    keyUse: use,
    seal: (source) => body.seal(source),
    result: () => body.result(),
    abandon,
    finish({ headers = NO_TEXT, checksums = NO_TEXT } = {}) {
      if (!open) throw new TypeError('the write was finished or abandoned')
      const sealed = body.result()
      const etag = streamEtag(encryption.mode, sealed.md5, sealing.random)
      const parts = [{ number: 0, size: sealed.size, salt }]
      const object = { name, fields: { ...fields, headers }, secrets, parts, partChecksums: [NO_TEXT] }
      const made = assembleObject({ ...object, digests: { etag, checksums } }, sealing)
      abandon()
      return made
    },
  }
}
