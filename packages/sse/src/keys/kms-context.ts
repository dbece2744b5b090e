import type { EncryptionContext } from '@kms/core'
import type { EncryptedMode } from '../encryption-mode.ts'
import type { ObjectName } from './object-name.ts'

/** The modes whose object keys the KMS wraps. */
export type KmsMode = Exclude<EncryptedMode, 'SSE-C'>

/** What an object's key is wrapped with: the client's pairs, the object, and the mode, so that relabelling it does not open. */
export function objectContext(
  mode: KmsMode,
  { bucket, key }: ObjectName,
  client: EncryptionContext,
): EncryptionContext {
  return withOwn(mode, `arn:aws:s3:::${bucket}/${key}`, client)
}

/** What a bucket's key is wrapped with (S3 User Guide, "Encryption context": the bucket's ARN with S3 Bucket Keys). */
export function bucketContext(mode: KmsMode, bucket: string, client: EncryptionContext): EncryptionContext {
  return withOwn(mode, `arn:aws:s3:::${bucket}`, client)
}

function withOwn(mode: KmsMode, arn: string, client: EncryptionContext): EncryptionContext {
  return new Map([...client, ['aws:s3:arn', arn], ['kms:sse', mode === 'SSE-KMS' ? 'KMS' : 'S3']])
}
