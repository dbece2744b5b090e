import type { Buffer } from 'node:buffer'
import type { EncryptionContext } from '../../context/encryption-context.ts'
import { decodeEnvelope, type Realm } from '../../envelope/envelope.ts'
import type { KmsError } from '../../errors/kms-error.ts'
import { requireState } from '../../keys/key-states.ts'
import type { Random } from '../../random.ts'
import { decided, type EndingKeys } from '../keys/ending-keys.ts'
import { type Authorize, resolveKey } from '../resolve-key.ts'
import { onSnapshot, type SnapshotSource } from '../snapshot.ts'
import { type BatchItem, type BatchResult, runBatch } from './batch.ts'
import { createBatchAccess } from './batch-access.ts'
import { directAccess } from './key-access.ts'
import { createDataOperations, exactly, storeOf } from './operations.ts'

/** Lengths of data keys, in bytes. */
export type DataKeySpec = 'AES_128' | 'AES_256'

export interface WrapInput {
  /** Any spelling of a key; absent: the default key. */
  readonly key?: string
  readonly context: EncryptionContext
  readonly authorize: Authorize
}

export interface Wrapped {
  readonly keyId: string
  readonly keyVersion: number
  /** The envelope. */
  readonly ciphertext: Buffer
}

export interface Unwrapped {
  readonly keyId: string
  readonly keyVersion: number
  /** Owned by the caller, who zeroes it after use. */
  readonly plaintext: Buffer
}

/** A key version that may be used now. */
export interface AdmittedKey {
  readonly realm: Realm
  readonly keyId: string
  readonly keyVersion: number
}

/**
 * Wraps and unwraps. Every call works on the snapshot it began with. Throws `NotRunning`, `KeyNotFound`, `KeyDisabled`,
 * `KeyPendingDeletion`, `KeyUnavailable`, `KeyDestroyed`, `UnsupportedCapability`, `BackendUnavailable`,
 * `BackendTimeout`, and what is named below.
 */
export interface DataPlane {
  /** A fresh data key, in plaintext and wrapped. Throws `InvalidRequest` when no key is named and there is no default. */
  generateDataKey(input: WrapInput & { readonly spec: DataKeySpec }): Promise<Wrapped & Unwrapped>
  /** Wraps 1–4096 bytes. Throws `ValidationError` for other sizes, and as `generateDataKey`. */
  encrypt(input: WrapInput & { readonly plaintext: Uint8Array }): Promise<Wrapped>
  /**
   * Unwraps an envelope of the active store or a retired one. Throws `InvalidCiphertext`, `UnsupportedFormat`,
   * `UnknownKeyStore`, `KeyMaterialReplaced`, and `IncorrectKey` when `key` names another key.
   */
  decrypt(input: WrapInput & { readonly ciphertext: Buffer }): Promise<Unwrapped>
  /**
   * Many operations at once: the outcome of each, in order, as its own call would have ended. Each record is read once,
   * and what goes to one key goes in one round trip where the backend has `wrapMany` and `unwrapMany`. Throws
   * `NotRunning` alone.
   */
  batch(items: readonly BatchItem[]): Promise<readonly (BatchResult | KmsError)[]>
  /**
   * What `encrypt` checks before it wraps, without wrapping: for a caller that keeps keys of its own under a KMS key, and
   * may use none of them before permission and state were checked. Returns the version a wrap would get now.
   */
  admitWrap(input: Pick<WrapInput, 'key' | 'authorize'>): Promise<AdmittedKey>
  /** What `decrypt` checks before it unwraps, without unwrapping. */
  admitUnwrap(input: Pick<WrapInput, 'authorize'> & { readonly ciphertext: Buffer }): Promise<AdmittedKey>
}

/** What is asked about a key whose end is being decided (`ending`) waits until that is over. */
export function createDataPlane(source: SnapshotSource, random: Random, ending: EndingKeys): DataPlane {
  return {
    ...createDataOperations(source, random, directAccess, ending),

    async batch(items) {
      source.current()
      return runBatch(items, createDataOperations(source, random, createBatchAccess(), ending))
    },

    admitWrap: ({ key, authorize }) =>
      onSnapshot(source, (snapshot) =>
        snapshot.active.use(async () => {
          const record = await decided(ending, snapshot.active, () => resolveKey(snapshot, key, authorize))
          requireState('wrap', record)
          return { realm: snapshot.active.realm, keyId: record.keyId, keyVersion: record.currentVersion }
        }),
      ),

    async admitUnwrap({ ciphertext, authorize }) {
      const envelope = decodeEnvelope(ciphertext)
      const { realm, keyId, version: keyVersion } = envelope
      authorize(keyId)
      return onSnapshot(source, async (snapshot) => {
        const store = await storeOf(snapshot, envelope)
        return store.use(async () => {
          const read = () => exactly(keyId, (name) => store.describe(name, snapshot.config.enable_cache))
          requireState('unwrap', await decided(ending, store, read))
          return { realm, keyId, keyVersion }
        })
      })
    },
  }
}
