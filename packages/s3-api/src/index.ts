export type { FailureThrottle, Guard } from './access/authenticate.ts'
export type { S3LogEntry } from './log-entry.ts'
export { bucketOfHost } from './request/address.ts'
export type { Peer, ReceivedRequest } from './request/received-request.ts'
export { createS3Api, type S3Api, type S3ApiOptions, type S3ApiSettings } from './s3-api.ts'
export type {
  Bucket,
  BucketPage,
  CompleteUploadRequest,
  Expected,
  KeyUse,
  KeyUseCount,
  ListEntry,
  ListMarker,
  ListRequest,
  NewObject,
  NewUpload,
  ObjectBlobs,
  ObjectName,
  ObjectPage,
  ObjectStore,
  OpenedObject,
  PartPage,
  PutObjectRequest,
  PutPartRequest,
  StoredObject,
  StoredPart,
  StoredUpload,
  UploadMarker,
  UploadName,
  UploadPage,
  WrittenObject,
} from './store/object-store.ts'
export { isObjectStoreError, type ObjectStoreError, type ObjectStoreErrorCode } from './store/object-store-error.ts'
