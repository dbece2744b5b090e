/** One row of the catalogue. */
export interface CatalogueEntry {
  /** HTTP status on the admin plane. */
  readonly status: number
  /** Error code on the S3 plane (S3 API reference, "Error responses"; AWS KMS codes carry the `KMS.` prefix S3 gives them). */
  readonly s3: string
  /** HTTP status on the S3 plane where it differs from `status`. */
  readonly s3Status?: number
  /** Public message; `{name}` is filled from the parameters, which are public too. */
  readonly template: string
}

/**
 * Every error a caller can meet, on either plane. `docs/errors.md` is kept equal to this table by a test, both ways.
 * The template says what to do next; nothing in it, nor in its parameters, may be secret.
 */
export const errorCatalogue = {
  // 400: the request itself is wrong.
  InvalidRequest: { status: 400, s3: 'InvalidRequest', template: '{reason}' },
  ValidationError: { status: 400, s3: 'InvalidArgument', template: '{path}: {reason}' },
  InvalidCiphertext: {
    status: 400,
    s3: 'InvalidRequest',
    template:
      'The ciphertext could not be opened: it is damaged, or the encryption context is not the one it was made with.',
  },
  UnsupportedFormat: {
    status: 400,
    s3: 'InvalidRequest',
    template:
      'The ciphertext uses {what}, which this release does not know. Use the release that wrote it, or a newer one.',
  },
  KeyMaterialReplaced: {
    status: 400,
    s3: 'InvalidRequest',
    template:
      'Key "{key}" no longer holds the material this ciphertext was wrapped with (version {version}): the key was destroyed and made again, or restored from elsewhere.',
  },
  UnknownKeyStore: {
    status: 400,
    s3: 'InvalidRequest',
    template:
      'The ciphertext was made by key store {realm}, which this server does not know. Send it to the server that made it.',
  },
  IncorrectKey: {
    status: 400,
    s3: 'KMS.IncorrectKeyException',
    template: 'The ciphertext was made with key "{actual}", not with "{expected}".',
  },
  InvalidEncryptionAlgorithm: {
    status: 400,
    s3: 'InvalidEncryptionAlgorithmError',
    template: '{header}: this encryption algorithm is not supported. The only one is AES256.',
  },
  InvalidImportToken: {
    status: 400,
    s3: 'KMS.InvalidImportTokenException',
    template:
      'The import token cannot be used: {reason}. GET /rustfs/admin/v3/kms/keys/import-parameters gives another one.',
  },
  SecretRequired: {
    status: 400,
    s3: 'InvalidRequest',
    template:
      '{path}: the stored secret belongs to the connection it was given for, and this change alters it. Supply the secret again.',
  },
  RootKeyMismatch: {
    status: 400,
    s3: 'InvalidRequest',
    template:
      'The root key given does not open the key store at {path}. Supply the one it is sealed under; rotate-root changes it.',
  },
  CredentialsRefused: {
    status: 400,
    s3: 'ServiceUnavailable',
    s3Status: 503,
    template: '{path}: the key store {store} does not accept these credentials: {reason}. Supply others.',
  },
  ArchiveKeyMismatch: {
    status: 400,
    s3: 'InvalidRequest',
    template:
      'What was given does not open this archive: it needs {needed}, the one it was made with. If that was given, its header is damaged; use another copy.',
  },
  ArchiveDamaged: {
    status: 400,
    s3: 'InvalidRequest',
    template: 'The archive cannot be used: {reason}. Nothing was changed; use another copy of it.',
  },
  UnsupportedArchive: {
    status: 400,
    s3: 'InvalidRequest',
    template:
      'The archive uses {what}, which this release does not know. Use the release that wrote it, or a newer one.',
  },
  PolicyViolation: { status: 400, s3: 'InvalidRequest', template: '{path}: refused by server policy. {hint}' },
  MissingContentSHA256: {
    status: 400,
    s3: 'MissingContentSHA256',
    template: 'A body over {limit} bytes must announce its hash in x-amz-content-sha256.',
  },
  XAmzContentSHA256Mismatch: {
    status: 400,
    s3: 'XAmzContentSHA256Mismatch',
    template: 'The body received does not match x-amz-content-sha256.',
  },
  AuthorizationHeaderMalformed: { status: 400, s3: 'AuthorizationHeaderMalformed', template: '{reason}' },
  AuthorizationQueryParametersError: { status: 400, s3: 'AuthorizationQueryParametersError', template: '{reason}' },
  ExpiredToken: { status: 400, s3: 'ExpiredToken', template: 'The session has expired. Ask for a new one.' },
  MalformedPolicyDocument: { status: 400, s3: 'MalformedPolicy', template: '{reason}' },

  // 403: who is asking.
  AccessDenied: { status: 403, s3: 'AccessDenied', template: '{reason}' },
  SignatureDoesNotMatch: {
    status: 403,
    s3: 'SignatureDoesNotMatch',
    template:
      'The signature does not match. Check the secret key, and that nothing between you and the server rewrites the request.',
  },
  InvalidAccessKeyId: {
    status: 403,
    s3: 'InvalidAccessKeyId',
    template: 'The access key is not known here.',
  },
  RequestTimeTooSkewed: {
    status: 403,
    s3: 'RequestTimeTooSkewed',
    template: 'The request was signed more than {minutes} minutes away from the time here ({now}). Set your clock.',
  },
  InvalidTokenId: {
    status: 403,
    s3: 'InvalidTokenId',
    template: 'The session token is not valid for this access key. Ask for a new session.',
  },

  // 404, 405
  KeyNotFound: {
    status: 404,
    s3: 'KMS.NotFoundException',
    s3Status: 400,
    template: 'Key "{key}" does not exist. GET /rustfs/admin/v3/kms/keys lists the keys.',
  },
  KeyDestroyed: {
    status: 404,
    s3: 'KMS.NotFoundException',
    s3Status: 400,
    template: 'Key "{key}" was destroyed on purpose. What it wrapped cannot be opened any more; name another key.',
  },
  NoSuchRoute: {
    status: 404,
    s3: 'NoSuchKey',
    template: 'There is nothing at {path}. GET /rustfs/admin/v3/openapi.json lists the routes.',
  },
  NoSuchUser: {
    status: 404,
    s3: 'InvalidRequest',
    s3Status: 400,
    template: 'There is no user of this access key. GET /rustfs/admin/v3/list-users lists the users.',
  },
  NoSuchPolicy: {
    status: 404,
    s3: 'InvalidRequest',
    s3Status: 400,
    template: 'There is no such policy. GET /rustfs/admin/v3/list-canned-policies lists the policies.',
  },
  NoSuchRevision: {
    status: 404,
    s3: 'InvalidRequest',
    s3Status: 400,
    template:
      'Revision {revision} is not kept here. GET /rustfs/admin/v3/kms/config/history lists those that can be returned to.',
  },
  NoSuchKeyStore: {
    status: 404,
    s3: 'InvalidRequest',
    s3Status: 400,
    template: 'There is no retired key store {realm}. GET /rustfs/admin/v3/kms/retired lists them.',
  },
  MethodNotAllowed: {
    status: 405,
    s3: 'MethodNotAllowed',
    template: '{method} is not allowed on {path}. Allowed: {allow}.',
  },

  // 409: the request is right, the state is not.
  NoConfiguration: {
    status: 409,
    s3: 'ServiceUnavailable',
    s3Status: 503,
    template: 'There is no configuration. POST one to /rustfs/admin/v3/kms/configure first.',
  },
  AlreadyRunning: {
    status: 409,
    s3: 'InvalidRequest',
    template:
      'The service is running. Change it with POST /rustfs/admin/v3/kms/reconfigure, which does not interrupt it.',
  },
  NothingToConfirm: {
    status: 409,
    s3: 'InvalidRequest',
    s3Status: 400,
    template: 'No change can be confirmed: {reason}.',
  },
  KeyAlreadyExists: {
    status: 409,
    s3: 'InvalidRequest',
    template: 'The name "{key}" is already taken by a key or an alias. Choose another one.',
  },
  KeyIdRetired: {
    status: 409,
    s3: 'InvalidRequest',
    template:
      'The key id "{key}" belonged to a destroyed key and cannot be used again on this backend. Choose another one.',
  },
  KeyAdopted: {
    status: 409,
    s3: 'InvalidRequest',
    s3Status: 400,
    template:
      'Key "{key}" was made in the key store by somebody else, who alone may destroy it. Disable it here, or delete it there.',
  },
  KeyDisabled: {
    status: 409,
    s3: 'KMS.DisabledException',
    s3Status: 400,
    template: 'Key "{key}" is disabled: it still decrypts, but wraps nothing new. Enable it or name another key.',
  },
  KeyPendingDeletion: {
    status: 409,
    s3: 'KMS.KMSInvalidStateException',
    s3Status: 400,
    template: 'Key "{key}" is scheduled for deletion. Cancel the deletion to use or change it.',
  },
  KeyUnavailable: {
    status: 409,
    s3: 'KMS.KMSInvalidStateException',
    s3Status: 400,
    template: 'Key "{key}" cannot be used: {reason}.',
  },
  KeyIsDefault: {
    status: 409,
    s3: 'InvalidRequest',
    s3Status: 400,
    template:
      'Key "{key}" is the default key. Make another key the default first: POST /rustfs/admin/v3/kms/reconfigure with default_key_id.',
  },
  KeyInUse: {
    status: 409,
    s3: 'KMS.KMSInvalidStateException',
    s3Status: 400,
    template:
      'Key "{key}" is needed to read {count} objects stored here. Delete them or move them to another key first.',
  },
  DefaultKeyMissing: {
    status: 409,
    s3: 'InvalidRequest',
    template:
      'The default key "{key}" does not exist in this key store. Name an existing key, or create it before making it the default.',
  },
  StoreNotInitialised: {
    status: 409,
    s3: 'ServiceUnavailable',
    s3Status: 503,
    template: 'There is no key store at {place} yet, and this call makes none. Start or reconfigure does.',
  },
  StoreNotOurs: {
    status: 409,
    s3: 'ServiceUnavailable',
    s3Status: 503,
    template:
      '{path} is neither empty nor a key store of this product ({reason}). It was left untouched; choose another place.',
  },
  StoreUnwritable: {
    status: 409,
    s3: 'ServiceUnavailable',
    s3Status: 503,
    template: '{path} cannot be used: {reason}.',
  },
  StoreDamaged: {
    status: 409,
    s3: 'ServiceUnavailable',
    s3Status: 503,
    template: '{path} is damaged: {reason}. Restore it from a backup; nothing was changed.',
  },
  RootKeyMissing: {
    status: 409,
    s3: 'ServiceUnavailable',
    s3Status: 503,
    template:
      'The key store at {path} is sealed by a root key that is not here ({expected}). Bring it back; a key store never gets a new one.',
  },
  RealmMissing: {
    status: 409,
    s3: 'ServiceUnavailable',
    s3Status: 503,
    template:
      'Key store {realm} is expected at {place} but is not there. If a volume is not mounted, mount it; nothing was created in its place.',
  },
  RealmConflict: {
    status: 409,
    s3: 'ServiceUnavailable',
    s3Status: 503,
    template: 'What is at {place} is not key store {realm} as this server knows it: {reason}. Nothing was changed.',
  },
  StoreCopied: {
    status: 409,
    s3: 'ServiceUnavailable',
    s3Status: 503,
    template:
      '{place} seems to hold a copy of key store {realm}, which serves from another place ({reason}). Stop the service first, so that nothing more is written to the one left behind, and configure the copy then.',
  },
  KeyStoreInUse: {
    status: 409,
    s3: 'InvalidRequest',
    s3Status: 400,
    template: 'Key store {realm} is still needed: {reason}.',
  },
  RestoreConflict: {
    status: 409,
    s3: 'InvalidRequest',
    s3Status: 400,
    template:
      'The archive and the key store do not agree about {count} keys, the first of them "{key}": {reason}. Nothing was changed. dry_run=true tells of all; conflict=skip goes on without them{more}.',
  },
  ForeignArchive: {
    status: 409,
    s3: 'InvalidRequest',
    s3Status: 400,
    template:
      'The archive is of key store {archived}, and {place} belongs to key store {realm}. Nothing was changed; restore it into the key store it was made of, or into an empty place.',
  },
  StoreChanged: {
    status: 409,
    s3: 'InvalidRequest',
    s3Status: 400,
    template: 'The key store was changed while the archive was being prepared for it ({what}). Restore it again.',
  },
  PolicyInUse: { status: 409, s3: 'InvalidRequest', s3Status: 400, template: '{reason}' },
  ManagedByFile: { status: 409, s3: 'InvalidRequest', s3Status: 400, template: '{reason}' },
  ReservedName: { status: 409, s3: 'InvalidRequest', s3Status: 400, template: '{reason}' },

  ProofFailed: {
    status: 409,
    s3: 'ServiceUnavailable',
    s3Status: 503,
    template: 'The key store did not pass the check "{step}": {reason}. Nothing was changed.',
  },

  // 412, 413, 429
  PreconditionFailed: {
    status: 412,
    s3: 'PreconditionFailed',
    template: 'Another change came first: this is at {actual}, not at {expected}. Read it again and retry.',
  },
  EntityTooLarge: {
    status: 413,
    s3: 'EntityTooLarge',
    s3Status: 400,
    template: 'The body is larger than {limit} bytes.',
  },
  TooManyRequests: {
    status: 429,
    s3: 'SlowDown',
    s3Status: 503,
    template: 'Too many failed authentications. Correctly signed requests are not affected; retry later.',
  },

  // 5xx
  InternalError: {
    status: 500,
    s3: 'InternalError',
    template: 'An internal error occurred. Quote the request id to the operator of this server.',
  },
  ObjectDamaged: {
    status: 500,
    s3: 'InternalError',
    template:
      'The stored object is damaged: {what}. Nothing of what is damaged was released. Restore the object from a copy.',
  },
  UnsupportedCapability: {
    status: 501,
    s3: 'NotImplemented',
    template: 'The {backend} backend cannot {capability}.',
  },
  UnsupportedOperation: { status: 501, s3: 'NotImplemented', template: '{reason}' },
  NotRunning: {
    status: 503,
    s3: 'ServiceUnavailable',
    template: 'The KMS is not running (status: {status}). POST /rustfs/admin/v3/kms/start starts a configured service.',
  },
  BackendUnavailable: {
    status: 503,
    s3: 'ServiceUnavailable',
    template: 'The key store {store} cannot be reached: {reason}. Retry later.',
  },
  BackendDenied: {
    status: 503,
    s3: 'ServiceUnavailable',
    template: 'The key store {store} refuses to {what}: {reason}. The operator of the key store can permit it.',
  },
  AuditUnavailable: {
    status: 503,
    s3: 'ServiceUnavailable',
    template:
      'No audit record can be kept ({reason}), and this server does nothing without one. {consequence} Retry when the operator has mended it.',
  },
  StorageFailed: {
    status: 503,
    s3: 'ServiceUnavailable',
    template: 'Writing {what} failed: {reason}. Nothing was changed; mend the storage and retry.',
  },
  KeyUseUnknown: {
    status: 503,
    s3: 'ServiceUnavailable',
    template: 'Whether anything needs key "{key}" could not be found out: {reason}. Nothing was changed; retry later.',
  },
  KeyVersionNotCurrent: {
    status: 503,
    s3: 'ServiceUnavailable',
    template: 'Key "{key}" was rotated while it was being used. Retry.',
  },
  BackendTimeout: {
    status: 504,
    s3: 'ServiceUnavailable',
    s3Status: 503,
    template: 'The key store did not answer within {seconds} s. Retry, or raise timeout_seconds.',
  },

  // Start of the process: seen on the terminal, never on the wire.
  ServerKeyMissing: {
    status: 503,
    s3: 'ServiceUnavailable',
    template:
      'What is stored is sealed under server key {expected}, and no server key was found. Restore {path}, or set KMS_SERVER_KEY or KMS_SERVER_KEY_FILE.',
  },
  ServerKeyMismatch: {
    status: 503,
    s3: 'ServiceUnavailable',
    template:
      'What is stored is sealed under server key {expected}; the one supplied is {actual}. Supply the right one, or the old one as KMS_SERVER_KEY_PREVIOUS.',
  },
  NewerFormat: {
    status: 503,
    s3: 'ServiceUnavailable',
    template:
      '{path} has format {found}; this release knows formats up to {known}. Use the release that wrote it, or a newer one.',
  },
} as const

/** A code of the catalogue. */
export type ErrorCode = keyof typeof errorCatalogue
