import type { Operation } from '../operation.ts'
import { document } from '../reply/xml-writer.ts'
import { type S3ErrorCode, s3Error } from '../s3-error.ts'

/** Configurations no bucket has here; reading them says so, as S3 does. */
function absent(name: string, action: string, code: S3ErrorCode): Operation {
  return {
    name,
    action,
    handle() {
      throw s3Error(code)
    },
  }
}

/** The same, of those S3 always answers. */
function empty(name: string, action: string, root: string): Operation {
  return { name, action, handle: () => ({ text: document(root, '') }) }
}

export const absentConfigurations: readonly (readonly [subresource: string, operation: Operation])[] = [
  ['cors', absent('GetBucketCors', 's3:GetBucketCORS', 'NoSuchCORSConfiguration')],
  ['lifecycle', absent('GetBucketLifecycle', 's3:GetLifecycleConfiguration', 'NoSuchLifecycleConfiguration')],
  [
    'object-lock',
    absent('GetObjectLockConfiguration', 's3:GetBucketObjectLockConfiguration', 'ObjectLockConfigurationNotFoundError'),
  ],
  ['website', absent('GetBucketWebsite', 's3:GetBucketWebsite', 'NoSuchWebsiteConfiguration')],
  [
    'replication',
    absent('GetBucketReplication', 's3:GetReplicationConfiguration', 'ReplicationConfigurationNotFoundError'),
  ],
  ['logging', empty('GetBucketLogging', 's3:GetBucketLogging', 'BucketLoggingStatus')],
  ['notification', empty('GetBucketNotification', 's3:GetBucketNotification', 'NotificationConfiguration')],
]

/** Nothing may be asked across origins, since nobody can allow it. */
export const preflight: Operation = {
  name: 'Preflight',
  handle() {
    throw s3Error('AccessForbidden')
  },
}
