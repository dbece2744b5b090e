import { accessControlPolicy, grantsOnlyTheOwner, refuseAccessControlLists } from '../access/owner.ts'
import type { Operation } from '../operation.ts'
import type { Reply } from '../reply/answer.ts'
import { document } from '../reply/xml-writer.ts'
import { readSmallBody } from '../request/request-body.ts'
import { readXml } from '../request/xml-reader.ts'
import type { S3Call } from '../s3-call.ts'
import { s3Error } from '../s3-error.ts'

export const getBucketAcl: Operation = {
  name: 'GetBucketAcl',
  action: 's3:GetBucketAcl',
  handle: () => ({ text: document('AccessControlPolicy', accessControlPolicy()) }),
}

export const putBucketAcl: Operation = {
  name: 'PutBucketAcl',
  action: 's3:PutBucketAcl',
  handle: acceptUnchanged,
}

const LARGEST_BYTES = 65_536

/** An ACL that changes nothing is accepted, as the name of a canned one or as the document that `?acl` answers. */
export async function acceptUnchanged(call: S3Call): Promise<Reply> {
  refuseAccessControlLists(call.header)
  const bytes = await readSmallBody(call.body, LARGEST_BYTES, call.digests)
  const unchanged =
    bytes.length > 0
      ? grantsOnlyTheOwner(readXml(bytes, 'AccessControlPolicy'))
      : call.header('x-amz-acl') !== undefined
  if (!unchanged) throw s3Error('AccessControlListNotSupported')
  return {}
}
