import type { EncryptionMode } from '../encryption-mode.ts'
import { SSE, SSE_BUCKET_KEY, SSE_C, SSE_CONTEXT, SSE_KMS_KEY_ID } from './header-names.ts'

/** The operations whose replies say how an object is encrypted. */
export type SseReplyOperation =
  | 'PutObject'
  | 'PostObject'
  | 'CopyObject'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'UploadPartCopy'
  | 'CompleteMultipartUpload'
  | 'GetObject'
  | 'HeadObject'

/** How an object is encrypted, as far as replies say it; an `ObjectInfo` is one. */
export interface AppliedEncryption {
  readonly mode: EncryptionMode
  /** SSE-KMS: the key as it was named when the object was written; the default key's id when none was. */
  readonly keyName?: string | undefined
  readonly bucketKey: boolean
}

export interface SseReply {
  readonly operation: SseReplyOperation
  readonly applied: AppliedEncryption
  /** SSE-C: `md5` of the key the request came with. */
  readonly customerKeyMd5?: string | undefined
  /** SSE-KMS: the context header of the request, repeated where S3 repeats it. */
  readonly contextHeader?: string | undefined
}

const REPEATS_CONTEXT: ReadonlySet<SseReplyOperation> = new Set(['PutObject', 'CopyObject', 'CreateMultipartUpload'])

/**
 * The headers of a reply, by lower-case name (S3 API reference, response syntax of each operation): the context only where it
 * was given, the bucket key only when there is one, of SSE-C never the key, and nothing of it on CompleteMultipartUpload.
 */
export function sseReplyHeaders({
  operation,
  applied,
  customerKeyMd5,
  contextHeader,
}: SseReply): readonly (readonly [name: string, value: string])[] {
  const headers: (readonly [string, string])[] = []
  switch (applied.mode) {
    case 'SSE-S3':
      headers.push([SSE, 'AES256'])
      break
    case 'SSE-KMS':
      headers.push([SSE, 'aws:kms'])
      if (applied.keyName !== undefined) headers.push([SSE_KMS_KEY_ID, applied.keyName])
      if (contextHeader !== undefined && REPEATS_CONTEXT.has(operation)) headers.push([SSE_CONTEXT, contextHeader])
      if (applied.bucketKey) headers.push([SSE_BUCKET_KEY, 'true'])
      break
    case 'SSE-C':
      if (operation === 'CompleteMultipartUpload') break
      headers.push([SSE_C.algorithm, 'AES256'])
      if (customerKeyMd5 !== undefined) headers.push([SSE_C.md5, customerKeyMd5])
      break
    case 'plain':
      break
  }
  return headers
}
