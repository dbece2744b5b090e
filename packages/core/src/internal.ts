// Shared between the packages of this repository; not part of the public API.
export type { HeldEntry } from './archive/decide-restore.ts'
export { type RestoreStep, type RestoreTarget, surveyRestore } from './archive/restore-steps.ts'
export {
  createDecisions,
  type Decision,
  type DecisionOrigin,
  type Decisions,
  decisionRecord,
} from './audit/decisions.ts'
export { openXChaCha, sealXChaCha, XCHACHA_OVERHEAD } from './bytes/aead.ts'
export { decodeBase64 } from './bytes/base64.ts'
export { ByteWriter } from './bytes/byte-writer.ts'
export { digestOf } from './bytes/digest.ts'
export { label, lp, u32 } from './bytes/framing.ts'
export { parseStrictJson, type StrictJsonResult } from './bytes/strict-json.ts'
export { DEFAULT_SECRET_DIRS, isWithin, readSecretFile } from './config/read-secret-file.ts'
export { patchKey } from './keys/patch-key.ts'
export {
  type OpenSealedResult,
  openSealedBytes,
  type SealPlace,
  sealBytes,
} from './seal/sealed-value.ts'
export { type DurableWriteOptions, syncDirectory, TEMPORARY_PREFIX, writeDurably } from './state/durable-file.ts'
export { errnoOf, storageFailed, storageReason } from './state/storage-error.ts'
export {
  createFrameOpener,
  createFrameSealer,
  FRAME_BYTES,
  FRAME_TAG_BYTES,
  type FrameOpener,
  type FrameSealer,
  SEALED_FRAME_BYTES,
} from './stream/frame-cipher.ts'
export { type FrameRange, frameCount, frameRange, plaintextSize, sealedSize } from './stream/frame-size.ts'
export { type OpenFramesOptions, openFrames, sealFrames } from './stream/frame-stream.ts'
export {
  createSizedOpener,
  createSizedSealer,
  type SizedOpener,
  type SizedOpenerOptions,
  type SizedSealer,
  type SizedSealerOptions,
} from './stream/sized-stream.ts'
export { deriveStreamKeys, STREAM_SALT_BYTES, type StreamKeys } from './stream/stream-keys.ts'
