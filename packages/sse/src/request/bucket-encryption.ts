import { kmsError } from '@kms/core'

/**
 * The encryption configuration of a bucket, one rule, as plain data (S3 API reference, ServerSideEncryptionRule): what new
 * objects get whose request names no encryption.
 */
export interface BucketEncryption {
  readonly algorithm: 'AES256' | 'aws:kms'
  /** Any spelling of a key, only with `aws:kms`; absent: the service's default key. S3 does not check that it exists. */
  readonly kmsKeyId?: string
  readonly bucketKeyEnabled: boolean
  /** Whether new objects under customer-provided keys are refused (`BlockedEncryptionTypes`: `SSE-C`). */
  readonly blocksSseC: boolean
}

/** One rule of a configuration as a request sent it, fields by their names on the wire, absent ones `undefined`. */
export interface BucketEncryptionRule {
  readonly SSEAlgorithm?: string | undefined
  readonly KMSMasterKeyID?: string | undefined
  readonly BucketKeyEnabled?: string | undefined
  readonly BlockedEncryptionTypes?: readonly string[] | undefined
}

/**
 * Checks a rule. A rule that names no algorithm keeps AES256, S3's base level; one that names no blocked types keeps those
 * of `before`, as S3 does. Throws `ValidationError` for what S3 answers with InvalidArgument (a key without `aws:kms`), and
 * for values it does not know; `UnsupportedOperation` for `aws:kms:dsse`.
 */
export function parseBucketEncryption(rule: BucketEncryptionRule, before?: BucketEncryption): BucketEncryption {
  const { SSEAlgorithm: algorithm = 'AES256', KMSMasterKeyID: kmsKeyId } = rule
  if (algorithm === 'aws:kms:dsse') throw dualLayerRefused()
  if (algorithm !== 'AES256' && algorithm !== 'aws:kms') throw invalid('SSEAlgorithm', 'must be AES256 or aws:kms')
  if (kmsKeyId !== undefined) {
    if (algorithm !== 'aws:kms') throw invalid('KMSMasterKeyID', 'is only possible when SSEAlgorithm is aws:kms')
    checkKeyName(kmsKeyId, 'KMSMasterKeyID')
  }
  return {
    algorithm,
    ...(kmsKeyId === undefined ? {} : { kmsKeyId }),
    bucketKeyEnabled: rule.BucketKeyEnabled !== undefined && parseFlag(rule.BucketKeyEnabled, 'BucketKeyEnabled'),
    blocksSseC: blocked(rule.BlockedEncryptionTypes) ?? before?.blocksSseC ?? false,
  }
}

function blocked(types: readonly string[] | undefined): boolean | undefined {
  if (types === undefined) return undefined
  if (types.length !== 1 || !['NONE', 'SSE-C'].includes(types[0] as string)) {
    throw invalid('BlockedEncryptionTypes', 'must hold one EncryptionType, SSE-C or NONE')
  }
  return types[0] === 'SSE-C'
}

/** `true` or `false`, in any case. Throws `ValidationError` at `path` otherwise. */
export function parseFlag(value: string, path: string): boolean {
  const folded = value.toLowerCase()
  if (folded !== 'true' && folded !== 'false') throw invalid(path, 'must be true or false')
  return folded === 'true'
}

/**
 * A key's name must fit into the reply header that repeats it: 1 to 2048 visible characters of ASCII (AWS KMS API reference,
 * GenerateDataKey, KeyId). Which key it names is the KMS's to say. Throws `ValidationError` at `path` otherwise.
 */
export function checkKeyName(name: string, path: string): void {
  if (!/^[\x21-\x7e]{1,2048}$/.test(name)) throw invalid(path, 'must be a key id, an alias or a KMS ARN')
}

/** Two layers are asked for: one is less, so it is refused. */
export function dualLayerRefused(): Error {
  return kmsError('UnsupportedOperation', {
    reason: 'Dual-layer encryption (aws:kms:dsse) is not available here. Ask for aws:kms.',
  })
}

function invalid(path: string, reason: string): Error {
  return kmsError('ValidationError', { path, reason })
}
