export { type Clock, systemClock, timestamp } from './clock.ts'
export type {
  BackendDriver,
  CommonConfig,
  ConfigDocument,
  ConfigValue,
  OpenedBackend,
  OpenOptions,
} from './config/driver.ts'
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
export type {
  Capabilities,
  KeyBackend,
  KeyPage,
  KeyPatch,
  KeyRecord,
  KeyState,
  NewKey,
  UnwrapRequest,
  WrapRequest,
} from './keys/key-backend.ts'
export { isKeyName, type KeyReference, parseKeyReference } from './keys/key-name.ts'
export { type Random, systemRandom } from './random.ts'
