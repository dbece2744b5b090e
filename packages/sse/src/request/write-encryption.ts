import { type EncryptionContext, kmsError } from '@kms/core'
import { type BucketEncryption, checkKeyName, dualLayerRefused, parseFlag } from './bucket-encryption.ts'
import { parseContextHeader } from './context-header.ts'
import type { CustomerKey } from './customer-key.ts'
import { namesCustomerKey, readCustomerKey, type SseTransport } from './customer-key-headers.ts'
import { type HeaderLookup, SSE, SSE_BUCKET_KEY, SSE_C, SSE_CONTEXT, SSE_KMS_KEY_ID } from './header-names.ts'

/** How a new object (or multipart upload) is to be encrypted. */
export type WriteEncryption =
  | { readonly mode: 'plain' }
  | {
      readonly mode: 'SSE-S3'
      /** Whether a bucket key stands between the KMS key and the object; replies do not mention it in this mode. */
      readonly bucketKey: boolean
    }
  | {
      readonly mode: 'SSE-KMS'
      /** The key as the request or the bucket named it; absent: the service's default key. */
      readonly keyName?: string
      /** The client's pairs. */
      readonly context: EncryptionContext
      /** The context header as it came, for the reply. */
      readonly contextHeader?: string
      readonly bucketKey: boolean
    }
  | { readonly mode: 'SSE-C'; readonly customerKey: CustomerKey }

/** A request that makes an object: PutObject, PostObject (its form fields), CopyObject, CreateMultipartUpload. */
export interface WriteRequest {
  readonly header: HeaderLookup
  /** The configuration of the bucket written to, if it has one. */
  readonly bucket?: BucketEncryption | undefined
  readonly transport: SseTransport
}

/**
 * Decides how a new object is encrypted: what the request names, else what its bucket does, else not at all. Never less than what was
 * asked for: what S3 refuses is refused with S3's code. Throws `ValidationError` (InvalidArgument), `InvalidEncryptionAlgorithm`,
 * `InvalidRequest`, `AccessDenied` when the bucket refuses SSE-C, `UnsupportedOperation` for `aws:kms:dsse`.
 */
export function decideWriteEncryption({ header, bucket, transport }: WriteRequest): WriteEncryption {
  const algorithm = header(SSE)
  if (namesCustomerKey(header, SSE_C)) return customerKeyEncryption(header, bucket, transport)
  if (algorithm === 'aws:kms:dsse') throw dualLayerRefused()
  if (algorithm !== undefined && algorithm !== 'AES256' && algorithm !== 'aws:kms') {
    throw invalid(SSE, 'must be AES256 or aws:kms')
  }
  if (algorithm !== 'aws:kms') {
    const stray = [SSE_KMS_KEY_ID, SSE_CONTEXT].find((name) => header(name) !== undefined)
    if (stray !== undefined) throw invalid(stray, `needs the header ${SSE}: aws:kms`)
  }
  const flag = header(SSE_BUCKET_KEY)
  const asked = flag === undefined ? undefined : parseFlag(flag, SSE_BUCKET_KEY)
  switch (algorithm ?? bucket?.algorithm) {
    case 'aws:kms':
      return kmsEncryption(header, bucket, asked)
    case 'AES256':
      return { mode: 'SSE-S3', bucketKey: bucket?.algorithm === 'AES256' && bucket.bucketKeyEnabled }
    default:
      return { mode: 'plain' }
  }
}

function kmsEncryption(
  header: HeaderLookup,
  bucket: BucketEncryption | undefined,
  bucketKey: boolean | undefined,
): WriteEncryption {
  const contextHeader = header(SSE_CONTEXT)
  const keyName = header(SSE_KMS_KEY_ID) ?? bucket?.kmsKeyId
  if (keyName !== undefined) checkKeyName(keyName, SSE_KMS_KEY_ID)
  return {
    mode: 'SSE-KMS',
    ...(keyName === undefined ? {} : { keyName }),
    context: parseContextHeader(contextHeader),
    ...(contextHeader === undefined ? {} : { contextHeader }),
    bucketKey: bucketKey ?? bucket?.bucketKeyEnabled ?? false,
  }
}

function customerKeyEncryption(
  header: HeaderLookup,
  bucket: BucketEncryption | undefined,
  transport: SseTransport,
): WriteEncryption {
  const other = [SSE, SSE_KMS_KEY_ID, SSE_CONTEXT].find((name) => header(name) !== undefined)
  if (other !== undefined)
    throw invalid(other, 'cannot be combined with a customer-provided key. Send one or the other')
  const customerKey = readCustomerKey(header, SSE_C, transport)
  if (customerKey === undefined) throw new TypeError('the lookup of headers answers differently each time')
  if (bucket?.blocksSseC === true) {
    customerKey.destroy()
    throw kmsError('AccessDenied', {
      reason: 'This bucket takes no new objects under customer-provided keys. Choose another kind of encryption.',
    })
  }
  return { mode: 'SSE-C', customerKey }
}

function invalid(path: string, reason: string): Error {
  return kmsError('ValidationError', { path, reason })
}
