import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import type { Random } from '@kms/core'
import type { EncryptionMode } from './encryption-mode.ts'

/** Whether ETags of a mode are MD5s of the plaintext (S3 API reference, Object: not under SSE-KMS and SSE-C). */
export function hasMd5Etag(mode: EncryptionMode): boolean {
  return mode === 'plain' || mode === 'SSE-S3'
}

/** The ETag of an object written at once, or of a part: the MD5 if there is to be one, else 16 random bytes. */
export function streamEtag(mode: EncryptionMode, md5: Buffer | undefined, random: Random): string {
  if (!hasMd5Etag(mode)) return random(16).toString('hex')
  if (md5 === undefined) throw new TypeError(`${mode} needs the MD5 of the plaintext`)
  return md5.toString('hex')
}

/** The ETag of a multipart object: MD5 of the parts' MD5s, or 16 random bytes; then `-` and the number of parts. */
export function multipartEtag(mode: EncryptionMode, partEtags: readonly string[], random: Random): string {
  const digest = hasMd5Etag(mode)
    ? hash('md5', Buffer.from(partEtags.join(''), 'hex'), 'hex')
    : random(16).toString('hex')
  return `${digest}-${partEtags.length}`
}
