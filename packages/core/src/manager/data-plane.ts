import type { Buffer } from 'node:buffer'
import { canonicalContext, type EncryptionContext } from '../context/encryption-context.ts'
import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  encodeEnvelopeHeader,
  envelopeAad,
  MAX_PLAINTEXT_BYTES,
  type Realm,
} from '../envelope/envelope.ts'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import type { KeyRecord } from '../keys/key-backend.ts'
import { requireState } from '../keys/key-states.ts'
import type { Random } from '../random.ts'
import type { OpenStore } from '../store/open-store.ts'
import { type Authorize, resolveKey } from './resolve-key.ts'
import { onSnapshot, type Snapshot, type SnapshotSource } from './snapshot.ts'

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
 * `KeyPendingDeletion`, `KeyUnavailable`, `BackendUnavailable`, `BackendTimeout`, and what is named below.
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
   * What `encrypt` checks before it wraps, without wrapping: for a caller that keeps keys of its own under a KMS key, and
   * may use none of them before permission and state were checked. Returns the version a wrap would get now.
   */
  admitWrap(input: Pick<WrapInput, 'key' | 'authorize'>): Promise<AdmittedKey>
  /** What `decrypt` checks before it unwraps, without unwrapping. */
  admitUnwrap(input: Pick<WrapInput, 'authorize'> & { readonly ciphertext: Buffer }): Promise<AdmittedKey>
}

const DATA_KEY_BYTES: Readonly<Record<DataKeySpec, number>> = { AES_128: 16, AES_256: 32 }

export function createDataPlane(source: SnapshotSource, random: Random): DataPlane {
  function wrap(input: WrapInput, plaintext: Uint8Array): Promise<Wrapped> {
    const context = canonicalContext(input.context)
    return onSnapshot(source, (snapshot) => wrapOn(snapshot, input, plaintext, context))
  }

  async function wrapOn(
    snapshot: Snapshot,
    input: WrapInput,
    plaintext: Uint8Array,
    context: Buffer,
  ): Promise<Wrapped> {
    const { active } = snapshot
    active.enter()
    try {
      for (let attempt = 1; ; attempt++) {
        const record = await resolveKey(snapshot, input.key, input.authorize)
        requireState('wrap', record)
        try {
          return await wrapUnder(active, record, plaintext, context)
        } catch (error) {
          if (attempt > 1 || !isKmsError(error, 'KeyVersionNotCurrent')) throw error
          active.forget(record.keyId)
        }
      }
    } finally {
      active.leave()
    }
  }

  async function unwrapOn(snapshot: Snapshot, input: WrapInput, envelope: Envelope, aad: Buffer): Promise<Unwrapped> {
    const { keyId, version, algorithm, materialId, wrapped } = envelope
    const store = await storeOf(snapshot, envelope)
    store.enter()
    try {
      const record = await describeExactly(store, keyId, snapshot.config.enable_cache)
      if (input.key !== undefined) {
        const named = await resolveKey({ ...snapshot, active: store }, input.key, input.authorize)
        if (named.keyId !== keyId) throw kmsError('IncorrectKey', { actual: keyId, expected: named.keyId })
      }
      requireState('unwrap', record)
      const unwrap = () =>
        store.call((backend) => backend.unwrap({ keyId, version, algorithm, materialId, wrapped, aad }))
      const plaintext = await (snapshot.cache?.get(envelope, aad, unwrap) ?? unwrap())
      return { keyId, keyVersion: version, plaintext }
    } finally {
      store.leave()
    }
  }

  return {
    async generateDataKey(input) {
      const plaintext = random(DATA_KEY_BYTES[input.spec])
      try {
        const { keyId, keyVersion, ciphertext } = await wrap(input, plaintext)
        return { keyId, keyVersion, ciphertext, plaintext }
      } catch (error) {
        plaintext.fill(0)
        throw error
      }
    },

    async encrypt(input) {
      const { length } = input.plaintext
      if (length < 1 || length > MAX_PLAINTEXT_BYTES) {
        const reason = `must have 1 to ${MAX_PLAINTEXT_BYTES} bytes; use a data key for more`
        throw kmsError('ValidationError', { path: 'plaintext', reason })
      }
      return await wrap(input, input.plaintext)
    },

    async decrypt(input) {
      const envelope = decodeEnvelope(input.ciphertext)
      input.authorize(envelope.keyId)
      const aad = envelopeAad(envelope.headerBytes, canonicalContext(input.context))
      return await onSnapshot(source, (snapshot) => unwrapOn(snapshot, input, envelope, aad))
    },

    admitWrap: ({ key, authorize }) =>
      onSnapshot(source, (snapshot) =>
        snapshot.active.use(async () => {
          const record = await resolveKey(snapshot, key, authorize)
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
          requireState('unwrap', await describeExactly(store, keyId, snapshot.config.enable_cache))
          return { realm, keyId, keyVersion }
        })
      })
    },
  }
}

/** The record of a key id as an envelope names it: an alias of that name is another key. */
async function describeExactly(store: OpenStore, keyId: string, cached: boolean): Promise<KeyRecord> {
  const record = await store.describe(keyId, cached)
  if (record.keyId !== keyId) throw kmsError('KeyNotFound', { key: keyId })
  return record
}

function storeOf(snapshot: Snapshot, { realm }: Envelope): OpenStore | Promise<OpenStore> {
  if (realm === snapshot.active.realm) return snapshot.active
  const retired = snapshot.retired.get(realm)
  if (retired === undefined) throw kmsError('UnknownKeyStore', { realm })
  return retired.get()
}

async function wrapUnder(
  store: OpenStore,
  record: KeyRecord,
  plaintext: Uint8Array,
  context: Buffer,
): Promise<Wrapped> {
  const { keyId, currentVersion: version } = record
  const header = headerOf(store, record)
  const aad = envelopeAad(header, context)
  const wrapped = await store.call((backend) => backend.wrap({ keyId, version, plaintext, aad }))
  return { keyId, keyVersion: version, ciphertext: encodeEnvelope(header, wrapped) }
}

/** Envelope headers by record: they are the same until the record changes. */
const headers = new WeakMap<KeyRecord, Buffer>()

function headerOf({ backend: { realm, algorithm } }: OpenStore, record: KeyRecord): Buffer {
  const known = headers.get(record)
  if (known !== undefined) return known
  const { keyId, currentVersion: version, materialId } = record
  const header = encodeEnvelopeHeader({ algorithm, realm, materialId, version, keyId })
  headers.set(record, header)
  return header
}
