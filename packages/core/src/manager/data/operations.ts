import type { Buffer } from 'node:buffer'
import { canonicalContext } from '../../context/encryption-context.ts'
import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  encodeEnvelopeHeader,
  envelopeAad,
  MAX_PLAINTEXT_BYTES,
} from '../../envelope/envelope.ts'
import { isKmsError, kmsError } from '../../errors/kms-error.ts'
import type { KeyRecord } from '../../keys/key-backend.ts'
import { requireState } from '../../keys/key-states.ts'
import { requireCapability } from '../../keys/require-capability.ts'
import type { Random } from '../../random.ts'
import type { OpenStore } from '../../store/open-store.ts'
import { decided, type EndingKeys } from '../keys/ending-keys.ts'
import { type ReadRecord, resolveKey } from '../resolve-key.ts'
import { onSnapshot, type Snapshot, type SnapshotSource } from '../snapshot.ts'
import type { DataKeySpec, DataPlane, Unwrapped, WrapInput, Wrapped } from './data-plane.ts'
import type { KeyAccess } from './key-access.ts'

/** What a data plane does with keys; the same for one request and for a batch. */
export type DataOperations = Pick<DataPlane, 'generateDataKey' | 'encrypt' | 'decrypt'>

const DATA_KEY_BYTES: Readonly<Record<DataKeySpec, number>> = { AES_128: 16, AES_256: 32 }

export function createDataOperations(
  source: SnapshotSource,
  random: Random,
  access: KeyAccess,
  ending: EndingKeys,
): DataOperations {
  function wrap(
    input: WrapInput,
    plaintext: Uint8Array,
    capability: 'encrypt' | 'generate_data_key',
  ): Promise<Wrapped> {
    const context = canonicalContext(input.context)
    return onSnapshot(source, (snapshot) => wrapOn(snapshot, input, plaintext, context, capability))
  }

  async function wrapOn(
    snapshot: Snapshot,
    { key, authorize }: WrapInput,
    plaintext: Uint8Array,
    context: Buffer,
    capability: 'encrypt' | 'generate_data_key',
  ): Promise<Wrapped> {
    const { active, config } = snapshot
    const read = (name: string): Promise<KeyRecord> => access.describe(active, name, config.enable_cache)
    active.enter()
    try {
      for (let attempt = 1; ; attempt++) {
        const record = await decided(ending, active, () => resolveKey(snapshot, key, authorize, read))
        requireCapability(active.backend, capability, config.backend_type)
        requireState('wrap', record)
        try {
          return await wrapUnder(active, record, plaintext, context)
        } catch (error) {
          if (attempt > 1 || !isKmsError(error, 'KeyVersionNotCurrent')) throw error
          access.outdated(active, record)
        }
      }
    } finally {
      active.leave()
    }
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
    const wrapped = await access.wrap(store, { keyId, version, plaintext, aad })
    return { keyId, keyVersion: version, ciphertext: encodeEnvelope(header, wrapped) }
  }

  async function unwrapOn(snapshot: Snapshot, input: WrapInput, envelope: Envelope, aad: Buffer): Promise<Unwrapped> {
    const { keyId, version, algorithm, materialId, wrapped } = envelope
    const { active, config, cache } = snapshot
    const store = await storeOf(snapshot, envelope)
    const read = (name: string): Promise<KeyRecord> => access.describe(store, name, config.enable_cache)
    store.enter()
    try {
      requireCapability(store.backend, 'decrypt', store === active ? config.backend_type : 'retired')
      const record = await exactly(keyId, read)
      if (input.key !== undefined) {
        const named = await resolveKey({ ...snapshot, active: store }, input.key, input.authorize, read)
        if (named.keyId !== keyId) throw kmsError('IncorrectKey', { actual: keyId, expected: named.keyId })
      }
      requireState('unwrap', record)
      const unwrap = () => access.unwrap(store, { keyId, version, algorithm, materialId, wrapped, aad })
      const plaintext = await (cache?.get(envelope, aad, unwrap) ?? unwrap())
      return { keyId, keyVersion: version, plaintext }
    } finally {
      store.leave()
    }
  }

  return {
    async generateDataKey(input) {
      const plaintext = random(DATA_KEY_BYTES[input.spec])
      try {
        const { keyId, keyVersion, ciphertext } = await wrap(input, plaintext, 'generate_data_key')
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
      return await wrap(input, input.plaintext, 'encrypt')
    },

    async decrypt(input) {
      const envelope = decodeEnvelope(input.ciphertext)
      input.authorize(envelope.keyId)
      const aad = envelopeAad(envelope.headerBytes, canonicalContext(input.context))
      return await onSnapshot(source, (snapshot) => unwrapOn(snapshot, input, envelope, aad))
    },
  }
}

/** The store an envelope names. Throws `UnknownKeyStore`. */
export function storeOf(snapshot: Snapshot, { realm }: Envelope): OpenStore | Promise<OpenStore> {
  if (realm === snapshot.active.realm) return snapshot.active
  const retired = snapshot.retired.get(realm)
  if (retired === undefined) throw kmsError('UnknownKeyStore', { realm })
  return retired.get()
}

/** The record of a key id as an envelope names it: an alias of that name is another key. */
export async function exactly(keyId: string, read: ReadRecord): Promise<KeyRecord> {
  const record = await read(keyId)
  if (record.keyId !== keyId) throw kmsError('KeyNotFound', { key: keyId })
  return record
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
