/**
 * What the S3 plane refuses on its own account: codes, statuses and messages of the Amazon S3 API reference, "Error responses".
 * Errors of signatures, users, the KMS and object encryption keep the codes their packages give them. `docs/errors.md` is kept
 * equal to this table by a test, both ways.
 */
export const s3ErrorCatalogue = {
  AccessControlListNotSupported: {
    status: 400,
    message:
      'Access control lists are not supported: every object belongs to the owner of its bucket. Leave the ACL out, or use a bucket policy.',
  },
  AccessDenied: { status: 403, message: 'Access Denied' },
  AccessForbidden: { status: 403, message: 'Cross-origin requests are not configured for this bucket.' },
  BadRequest: { status: 400, message: 'The request is invalid.' },
  BadDigest: { status: 400, message: 'The body is not the one the digest was computed from. Send it again.' },
  BucketAlreadyOwnedByYou: { status: 409, message: 'The bucket exists already, and is yours.' },
  BucketNotEmpty: { status: 409, message: 'The bucket is not empty. Delete its objects first.' },
  ConditionalRequestConflict: {
    status: 409,
    message: 'Another request changed the object while this one was under way. Try again.',
  },
  EntityTooLarge: { status: 400, message: 'The body is larger than is allowed.' },
  EntityTooSmall: { status: 400, message: 'A part is smaller than 5 MiB, and is not the last one.' },
  IllegalLocationConstraintException: { status: 400, message: 'This server has another region.' },
  IncompleteBody: { status: 400, message: 'The body ended before it was complete. Send the request again.' },
  InternalError: {
    status: 500,
    message: 'An internal error occurred. Quote the request id to the operator of this server.',
  },
  InvalidArgument: { status: 400, message: 'An argument is invalid.' },
  InvalidBucketName: { status: 400, message: 'This is not a name a bucket can have.' },
  InvalidDigest: { status: 400, message: 'Content-MD5 must be the MD5 of the body, 16 bytes in base64.' },
  InvalidPart: {
    status: 400,
    message: 'A part was not found, or is not the one that was named. Upload it again, or name the ETag it has.',
  },
  InvalidPartNumber: { status: 416, message: 'The object has no part of this number.' },
  InvalidPartOrder: { status: 400, message: 'Parts must be listed by ascending number.' },
  InvalidRange: { status: 416, message: 'The requested range lies outside the object.' },
  InvalidRequest: { status: 400, message: 'The request is invalid.' },
  InvalidStorageClass: { status: 400, message: 'The only storage class is STANDARD.' },
  InvalidTag: { status: 400, message: 'A tag is invalid.' },
  InvalidURI: { status: 400, message: 'The URL has a percent escape that is broken or is not UTF-8.' },
  KeyTooLongError: { status: 400, message: 'A key has at most 1024 bytes in UTF-8.' },
  MalformedPolicy: { status: 400, message: 'The policy is malformed.' },
  MalformedPOSTRequest: { status: 400, message: 'The body is not well-formed multipart/form-data.' },
  MalformedXML: { status: 400, message: 'The XML is not well-formed, or not what this operation takes.' },
  MaxMessageLengthExceeded: { status: 400, message: 'The body is too large for this operation.' },
  MetadataTooLarge: { status: 400, message: 'The user metadata exceeds 2 KB.' },
  MethodNotAllowed: { status: 405, message: 'The method is not allowed on this resource.' },
  MissingContentLength: { status: 411, message: 'The request needs a Content-Length.' },
  MissingContentSHA256: { status: 400, message: 'A body over 1 MiB must announce its hash in x-amz-content-sha256.' },
  MissingRequestBodyError: { status: 400, message: 'The request needs a body.' },
  NoSuchBucket: { status: 404, message: 'The bucket does not exist.' },
  NoSuchBucketPolicy: { status: 404, message: 'The bucket has no policy.' },
  NoSuchCORSConfiguration: { status: 404, message: 'The bucket has no CORS configuration.' },
  NoSuchKey: { status: 404, message: 'The key does not exist.' },
  NoSuchLifecycleConfiguration: { status: 404, message: 'The bucket has no lifecycle configuration.' },
  NoSuchUpload: { status: 404, message: 'The upload does not exist. It may have been completed or aborted.' },
  NoSuchVersion: { status: 404, message: 'The version does not exist. Objects here have the version null.' },
  NoSuchWebsiteConfiguration: { status: 404, message: 'The bucket has no website configuration.' },
  NotImplemented: { status: 501, message: 'This is not implemented here; nothing was changed.' },
  ObjectLockConfigurationNotFoundError: { status: 404, message: 'The bucket has no object lock configuration.' },
  PreconditionFailed: { status: 412, message: 'A condition of the request does not hold.' },
  ReplicationConfigurationNotFoundError: { status: 404, message: 'The bucket has no replication configuration.' },
  ServerSideEncryptionConfigurationNotFoundError: { status: 404, message: 'The bucket has no default encryption.' },
  ServiceUnavailable: { status: 503, message: 'The storage of this server fails. Try again later.' },
  SlowDown: {
    status: 503,
    message: 'Too many failed authentications. Correctly signed requests are not affected; try again later.',
  },
} as const

export type S3ErrorCode = keyof typeof s3ErrorCatalogue

export interface S3ErrorOptions {
  /** Instead of the catalogue's; public. */
  readonly message?: string
  /** Further elements of the reply, by their names; public. */
  readonly details?: Readonly<Record<string, string>>
  /** Private. */
  readonly cause?: unknown
  readonly retryAfterSeconds?: number
}

/** An error of the catalogue. */
export class S3Error extends Error {
  override readonly name = 'S3Error'
  readonly code: S3ErrorCode
  /** HTTP status. */
  readonly status: number
  readonly details: Readonly<Record<string, string>>
  readonly retryAfterSeconds: number | undefined

  constructor(code: S3ErrorCode, options: S3ErrorOptions = {}) {
    const { status, message } = s3ErrorCatalogue[code]
    super(options.message ?? message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = status
    this.details = options.details ?? {}
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

export function s3Error(code: S3ErrorCode, options: S3ErrorOptions | string = {}): S3Error {
  return new S3Error(code, typeof options === 'string' ? { message: options } : options)
}

/** `InvalidArgument` about one header or parameter. */
export function invalidArgument(name: string, message: string, value?: string): S3Error {
  const details = { ArgumentName: name, ...(value === undefined ? {} : { ArgumentValue: value.slice(0, 256) }) }
  return new S3Error('InvalidArgument', { message, details })
}

/** Whether `error` is one of ours, optionally with one of the given codes. */
export function isS3Error(error: unknown, ...codes: readonly S3ErrorCode[]): error is S3Error {
  return error instanceof S3Error && (codes.length === 0 || codes.includes(error.code))
}
