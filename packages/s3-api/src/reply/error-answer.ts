import { type CatalogueEntry, errorCatalogue, isKmsError } from '@kms/core'
import { isIamError, isPolicyError } from '@kms/iam'
import { isSigV4Error } from '@kms/sigv4'
import { isS3Error, type S3ErrorCode, s3Error } from '../s3-error.ts'
import { isObjectStoreError, type ObjectStoreErrorCode } from '../store/object-store-error.ts'
import { type Answer, answerOf } from './answer.ts'
import { bareDocument, element } from './xml-writer.ts'

/** What may be told of an error. */
export interface PublicS3Error {
  readonly code: string
  readonly status: number
  readonly message: string
  readonly details: Readonly<Record<string, string>>
  readonly retryAfterSeconds: number | undefined
}

const STORE_CODES: Readonly<Record<ObjectStoreErrorCode, S3ErrorCode>> = {
  BucketAlreadyExists: 'BucketAlreadyOwnedByYou',
  BucketNotEmpty: 'BucketNotEmpty',
  Conflict: 'ConditionalRequestConflict',
  Damaged: 'InternalError',
  NewerFormat: 'InternalError',
  NoSuchBucket: 'NoSuchBucket',
  NoSuchKey: 'NoSuchKey',
  NoSuchUpload: 'NoSuchUpload',
  PartChanged: 'InvalidPart',
  StorageFailed: 'ServiceUnavailable',
}

/** The public side of any error; of one that is not ours `InternalError`, with nothing of its own text. */
export function publicS3Error(error: unknown): PublicS3Error {
  if (isS3Error(error)) {
    const { code, status, message, details, retryAfterSeconds } = error
    return { code, status, message, details, retryAfterSeconds }
  }
  if (isKmsError(error)) {
    const { s3, s3Status, status }: CatalogueEntry = errorCatalogue[error.code]
    const { message, retryAfterSeconds } = error
    return { code: s3, status: s3Status ?? status, message, details: {}, retryAfterSeconds }
  }
  if (isSigV4Error(error)) return plain(error.code, error.status, error.message)
  // Errors about what is stored are not the caller's.
  if (isIamError(error, 'ExpiredToken')) return plain(error.code, 400, error.message)
  if (isIamError(error, 'InvalidTokenId') || isIamError(error, 'AccessDenied'))
    return plain(error.code, 403, error.message)
  if (isPolicyError(error)) return plain('MalformedPolicy', 400, error.message)
  if (isObjectStoreError(error)) return publicS3Error(s3Error(STORE_CODES[error.code]))
  return publicS3Error(s3Error('InternalError'))
}

function plain(code: string, status: number, message: string): PublicS3Error {
  return { code, status, message, details: {}, retryAfterSeconds: undefined }
}

/** The reply to an error (Amazon S3 API reference, "REST error responses"); `resource` is the path as it was sent. */
export function errorAnswer(told: PublicS3Error, requestId: string, resource: string, head: boolean): Answer {
  const { code, status, message, details, retryAfterSeconds } = told
  const headers: [string, string | undefined][] = [
    ['retry-after', retryAfterSeconds === undefined ? undefined : String(retryAfterSeconds)],
    ['allow', details['AllowedMethods']],
  ]
  if (head || status === 304) return answerOf(requestId, { status, headers }, head)
  const text = bareDocument('Error', [
    element('Code', code),
    element('Message', message),
    ...Object.entries(details).map(([name, value]) => element(name, value)),
    element('Resource', resource.slice(0, 1024)),
    element('RequestId', requestId),
    element('HostId', requestId),
  ])
  return answerOf(requestId, { status, headers, text }, false)
}
