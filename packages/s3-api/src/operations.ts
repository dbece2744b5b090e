import { absentConfigurations, preflight } from './buckets/absent-configurations.ts'
import { getBucketAcl, putBucketAcl } from './buckets/acl.ts'
import { deleteBucket, getBucketLocation, getBucketVersioning, headBucket, listBuckets } from './buckets/bucket-info.ts'
import { createBucket } from './buckets/create-bucket.ts'
import { deleteBucketEncryption, getBucketEncryption, putBucketEncryption } from './buckets/encryption.ts'
import { deleteBucketPolicy, getBucketPolicy, getBucketPolicyStatus, putBucketPolicy } from './buckets/policy.ts'
import { listObjectsV1, listObjectsV2, listObjectVersions } from './listing/list-objects.ts'
import { copyObject } from './objects/copy-object.ts'
import { deleteObject, deleteObjects } from './objects/delete-object.ts'
import { getObject, headObject } from './objects/get-object.ts'
import { getObjectAttributes } from './objects/get-object-attributes.ts'
import { getObjectAcl, putObjectAcl } from './objects/object-acl.ts'
import { postObject } from './objects/post-object.ts'
import { putObject } from './objects/put-object.ts'
import { deleteObjectTagging, getObjectTagging, putObjectTagging } from './objects/tagging.ts'
import type { Operation, OperationTable } from './operation.ts'
import type { S3Call } from './s3-call.ts'
import { invalidArgument } from './s3-error.ts'
import { completeMultipartUpload } from './uploads/complete-upload.ts'
import { createMultipartUpload } from './uploads/create-upload.ts'
import { abortMultipartUpload, listMultipartUploads, listParts } from './uploads/list-uploads.ts'
import { uploadPart, uploadPartCopy } from './uploads/upload-part.ts'

type Rows = readonly (readonly [
  method: string,
  operations: readonly (readonly [subresource: string, operation: Operation])[],
])[]

function table(rows: Rows): OperationTable {
  return new Map(rows.map(([method, operations]) => [method, new Map(operations)]))
}

const listObjects: Operation = {
  ...listObjectsV1,
  variant({ query }) {
    const type = query.get('list-type')
    if (type === undefined) return undefined
    if (type === '2') return listObjectsV2
    throw invalidArgument('list-type', 'Invalid List Type specified in Request', type)
  },
}

const isCopy = ({ header }: Pick<S3Call, 'header'>): boolean => header('x-amz-copy-source') !== undefined
const putOrCopyObject: Operation = { ...putObject, variant: (call) => (isCopy(call) ? copyObject : undefined) }
const uploadOrCopyPart: Operation = { ...uploadPart, variant: (call) => (isCopy(call) ? uploadPartCopy : undefined) }

export const serviceOperations: OperationTable = table([['GET', [['', listBuckets]]]])

export const bucketOperations: OperationTable = table([
  [
    'GET',
    [
      ['', listObjects],
      ['acl', getBucketAcl],
      ['encryption', getBucketEncryption],
      ['location', getBucketLocation],
      ['policy', getBucketPolicy],
      ['policyStatus', getBucketPolicyStatus],
      ['uploads', listMultipartUploads],
      ['versioning', getBucketVersioning],
      ['versions', listObjectVersions],
      ...absentConfigurations,
    ],
  ],
  ['HEAD', [['', headBucket]]],
  [
    'PUT',
    [
      ['', createBucket],
      ['acl', putBucketAcl],
      ['encryption', putBucketEncryption],
      ['policy', putBucketPolicy],
    ],
  ],
  [
    'POST',
    [
      ['', postObject],
      ['delete', deleteObjects],
    ],
  ],
  [
    'DELETE',
    [
      ['', deleteBucket],
      ['encryption', deleteBucketEncryption],
      ['policy', deleteBucketPolicy],
    ],
  ],
  ['OPTIONS', [['', preflight]]],
])

export const objectOperations: OperationTable = table([
  [
    'GET',
    [
      ['', getObject],
      ['acl', getObjectAcl],
      ['attributes', getObjectAttributes],
      ['tagging', getObjectTagging],
      ['uploadId', listParts],
    ],
  ],
  ['HEAD', [['', headObject]]],
  [
    'PUT',
    [
      ['', putOrCopyObject],
      ['acl', putObjectAcl],
      ['tagging', putObjectTagging],
      ['uploadId', uploadOrCopyPart],
    ],
  ],
  [
    'POST',
    [
      ['uploadId', completeMultipartUpload],
      ['uploads', createMultipartUpload],
    ],
  ],
  [
    'DELETE',
    [
      ['', deleteObject],
      ['tagging', deleteObjectTagging],
      ['uploadId', abortMultipartUpload],
    ],
  ],
  ['OPTIONS', [['', preflight]]],
])
