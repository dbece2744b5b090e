export { type CopyBody, copyBody } from './copy-body.ts'
export type { EncryptedMode, EncryptionMode } from './encryption-mode.ts'
export type { BucketKeyLimits, BucketKeyStatistics } from './keys/bucket-keys.ts'
export { type KeyUse, keyUseOf } from './keys/key-blob.ts'
export {
  type AdmitUnwrapRequest,
  type AdmitWrapRequest,
  dataPlaneKeyWrapping,
  type KeyWrapping,
  type WrappedKey,
} from './keys/key-wrapping.ts'
export type { ObjectName } from './keys/object-name.ts'
export type { OfflineKey, OfflineKeys } from './keys/offline-keys.ts'
export { createObjectCipher, type ObjectCipher, type ObjectCipherOptions } from './object-cipher.ts'
export type { ObjectPartInfo, OpenForRead, ReadableObject } from './object-read.ts'
export type { NewObject, ObjectInfo, ObjectRecord } from './object-record.ts'
export type {
  BeginUpload,
  CompleteUpload,
  NewPart,
  NewUpload,
  PartInfo,
  PartWrite,
  SealPart,
  UploadInfo,
} from './object-upload.ts'
export type { BeginWrite, FinishWrite, ObjectWrite, SealedBody } from './object-write.ts'
export type { TextMap } from './record/text-map.ts'
export {
  type BucketEncryption,
  type BucketEncryptionRule,
  parseBucketEncryption,
} from './request/bucket-encryption.ts'
export { CustomerKey } from './request/customer-key.ts'
export type { SseTransport } from './request/customer-key-headers.ts'
export type { HeaderLookup } from './request/header-names.ts'
export { copySourceCustomerKey, presentedCustomerKey, requireFittingKey } from './request/presented-key.ts'
export {
  type AppliedEncryption,
  type SseReply,
  type SseReplyOperation,
  sseReplyHeaders,
} from './request/reply-headers.ts'
export { decideWriteEncryption, type WriteEncryption, type WriteRequest } from './request/write-encryption.ts'
export type { Rewrap, Rewrapped } from './rewrap.ts'
export {
  type ByteRange,
  plainSize,
  type StoredSegment,
  storedSize,
} from './stream/object-layout.ts'
export type { FetchSegment } from './stream/open-parts.ts'
export type { ByteSource } from './stream/sealing-stream.ts'
