export { type ClientErrorFacts, isKmsClientError, KmsClientError } from './client-error.ts'
export {
  type Answered,
  type AnyRequest,
  type ArchiveUpload,
  createKmsClient,
  type KmsClient,
  type KmsClientOptions,
  type RestoreOptions,
} from './kms-client.ts'
export {
  createObjectsClient,
  type ListedObject,
  type ObjectHead,
  type ObjectName,
  type ObjectProtection,
  type ObjectsClient,
  type ObjectsClientOptions,
} from './objects/objects-client.ts'
export { type OperationName, type OperationSpec, operations } from './operations.ts'
export type { Transport, WireReply, WireRequest } from './transport.ts'
export type {
  ConfigChange,
  Done,
  EncryptionContext,
  JsonDocument,
  KeyMetadata,
  KmsStatus,
  OperationTypes,
  PolicyInfo,
  RestoreReply,
  RetiredStore,
  ServiceStatus,
  UserInfo,
} from './types.ts'
