import { Buffer } from 'node:buffer'
import { canonicalContext, type EncryptionContext } from '@kms/core'
import { lp } from '@kms/core/internal'
import type { EncryptionMode } from '../encryption-mode.ts'
import { WRITE_ID_BYTES } from '../keys/object-name.ts'
import { type ByteReader, MalformedBytes } from './byte-reader.ts'
import { encodeTextMap, readTextMap, type TextMap } from './text-map.ts'

/** What an object and the upload that makes it have in common. */
export interface RecordFields {
  readonly mode: EncryptionMode
  readonly bucketKey: boolean
  readonly writeId: Buffer
  /** The key as named; empty where no key is named to anyone. */
  readonly keyName: string
  /** The client's pairs. */
  readonly context: EncryptionContext
  /** Content headers and user metadata. */
  readonly headers: TextMap
}

const MODES: readonly EncryptionMode[] = ['plain', 'SSE-S3', 'SSE-KMS', 'SSE-C']

/** mode u8 (0 plain, 1 SSE-S3, 2 SSE-KMS, 3 SSE-C) ‖ bucket key u8 ‖ write id 16 ‖ lp(key as named) ‖ canonical context ‖ headers. */
export function encodeRecordFields(fields: RecordFields): Buffer {
  return Buffer.concat([
    Buffer.of(MODES.indexOf(fields.mode), fields.bucketKey ? 1 : 0),
    fields.writeId,
    lp(fields.keyName),
    canonicalContext(fields.context),
    encodeTextMap(fields.headers),
  ])
}

export function readRecordFields(reader: ByteReader): RecordFields {
  const [mode, bucketKey] = [MODES[reader.u8()], reader.u8()]
  if (mode === undefined || bucketKey > 1) throw new MalformedBytes('unknown mode or flag')
  return {
    mode,
    bucketKey: bucketKey === 1,
    writeId: reader.take(WRITE_ID_BYTES),
    keyName: reader.text(),
    context: readTextMap(reader),
    headers: readTextMap(reader),
  }
}

/** ETag and checksums: lp(ETag) ‖ checksums. */
export interface Digests {
  /** Without quotes. */
  readonly etag: string
  readonly checksums: TextMap
}

export function encodeDigests({ etag, checksums }: Digests): Buffer {
  return Buffer.concat([lp(etag), encodeTextMap(checksums)])
}

export function readDigests(reader: ByteReader): Digests {
  return { etag: reader.text(), checksums: readTextMap(reader) }
}
