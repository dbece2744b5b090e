export type {
  ArchivedGap,
  ArchivedKey,
  ArchivedRuin,
  ArchivedTombstone,
  ArchivedVersion,
  ArchiveEntry,
} from './archive/archive-entry.ts'
export type { ArchiveHeader, ArchiveKdf, ArchiveKeyOrigin } from './archive/archive-header.ts'
export type { ArchiveSecret } from './archive/archive-key.ts'
export type { ArchiveSource } from './archive/archive-source.ts'
export type {
  ConflictPolicy,
  RestoreConflict,
  RestoreOptions,
  RestoreReport,
  SeenKeys,
} from './archive/restore-types.ts'
export type { AuditRecord, AuditSink } from './audit/audit-sink.ts'
export type { Canary, CanarySet, CanaryStore, KeyMemory } from './canary/canary-store.ts'
export { createFileCanaryStore, type FileCanaryStoreOptions } from './canary/file-canary-store.ts'
export { type Clock, systemClock, timestamp } from './clock.ts'
export type { ConfigChange } from './config/compare.ts'
export type {
  BackendDriver,
  CommonConfig,
  ConfigDocument,
  ConfigValue,
  Notice,
  OpenedBackend,
  OpenOptions,
} from './config/driver.ts'
export { nearest } from './config/nearest.ts'
export { REDACTED, Secret } from './config/secret.ts'
export { secretField } from './config/secret-field.ts'
export { canonicalContext, type EncryptionContext, parseEncryptionContext } from './context/encryption-context.ts'
export {
  decodeEnvelope,
  type Envelope,
  type EnvelopeHeader,
  encodeEnvelope,
  encodeEnvelopeHeader,
  envelopeAad,
  MAX_PLAINTEXT_BYTES,
  type Realm,
  VAULT_TRANSIT,
  type WrapAlgorithm,
  XCHACHA20_POLY1305,
} from './envelope/envelope.ts'
export { type CatalogueEntry, type ErrorCode, errorCatalogue } from './errors/catalogue.ts'
export { type ErrorParams, isKmsError, KmsError, type KmsErrorOptions, kmsError } from './errors/kms-error.ts'
export { createFileImportStore, type FileImportStoreOptions } from './imports/file-import-store.ts'
export type { ImportStore, ImportTicket } from './imports/import-store.ts'
export type { WrappingKeyPair } from './imports/wrapping-key.ts'
export { EVERY_CAPABILITY } from './keys/every-capability.ts'
export type {
  Capabilities,
  KeyBackend,
  KeyPage,
  KeyPatch,
  KeyRecord,
  KeyState,
  NewKey,
  ResealProgress,
  RootRotation,
  UnwrapRequest,
  WrapRequest,
} from './keys/key-backend.ts'
export { isKeyName, type KeyReference, parseKeyReference } from './keys/key-name.ts'
export type { KeyUse } from './keys/key-use.ts'
export { nextRotationAt } from './keys/rotation-schedule.ts'
export type { BatchItem, BatchResult } from './manager/data/batch.ts'
export type { AdmittedKey, DataKeySpec, DataPlane, Unwrapped, WrapInput, Wrapped } from './manager/data/data-plane.ts'
export type { ChangedKey, KeyRequest } from './manager/keys/change-key.ts'
export type { CreatedKey, CreateKeyInput } from './manager/keys/create-key.ts'
export type { ImportKeyInput, ImportParameters } from './manager/keys/import-key.ts'
export type { DestroyedKey, KeyService } from './manager/keys/key-service.ts'
export type { KeyListing, ListKeysInput } from './manager/keys/list-keys.ts'
export { createKmsManager } from './manager/kms-manager.ts'
export type {
  Caller,
  HistoryEntry,
  KeyStoreArchive,
  KmsManager,
  KmsManagerOptions,
  LifecycleReport,
  ManagerEvent,
  ManagerStatus,
  Precondition,
  ReconfigureOptions,
  RehearsalReport,
  RestoreCallOptions,
  RestoreOutcome,
  RetiredStoreStatus,
  RootRotationReport,
  WireStatus,
} from './manager/manager-types.ts'
export type { Authorize } from './manager/resolve-key.ts'
export {
  type BackendCall,
  type BackendObserver,
  type BackendOperation,
  backendOperations,
  observeDriver,
} from './observe/observe-driver.ts'
export type { PeerTelemetry } from './observe/peer-telemetry.ts'
export { createFileOfflineKeyStore, type FileOfflineKeyStoreOptions } from './offline/file-offline-key-store.ts'
export type { OfflineKey, OfflineKeyStore, OfflineKeys } from './offline/offline-keys.ts'
export { type Random, systemRandom } from './random.ts'
export { createServerKey, type ServerKey, type ServerKeyPurpose, type ServerKeys } from './seal/server-key.ts'
export { type DurableWriteOptions, syncDirectory, writeDurably } from './state/durable-file.ts'
export { createFileConfigStore, type FileConfigStoreOptions } from './state/file-config-store.ts'
export { lookForProcess, ownIdentity, type ProcessIdentity } from './state/process-identity.ts'
export {
  createSealedFileStore,
  type SealedDocument,
  type SealedFileStore,
  type SealedFileStoreOptions,
} from './state/sealed-file-store.ts'
export type {
  ConfigStore,
  RevisionEntry,
  StateChange,
  StateCodecOptions,
  StateDocument,
  StoreEntry,
  Unconfirmed,
} from './state/state-document.ts'
export type { CacheStatistics } from './store/data-key-cache.ts'
export type { ProofStep } from './store/prove.ts'
