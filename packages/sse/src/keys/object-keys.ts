import type { Buffer } from 'node:buffer'
import { type Authorize, type EncryptionContext, isKmsError, kmsError, type Random } from '@kms/core'
import type { EncryptedMode } from '../encryption-mode.ts'
import type { CustomerKey } from '../request/customer-key.ts'
import type { WriteEncryption } from '../request/write-encryption.ts'
import type { BucketKeys } from './bucket-keys.ts'
import { envelopeUse, type KeyUse, type KmsObjectKeys, type ObjectKeys } from './key-blob.ts'
import type { KeyWrapping } from './key-wrapping.ts'
import { type KmsMode, objectContext } from './kms-context.ts'
import type { ObjectName } from './object-name.ts'
import type { OfflineKeys } from './offline-keys.ts'
import { NO_KEY_ID, openSeal, type SealingKey, sealingKeyId, sealObjectKey } from './seal.ts'

export interface ObjectKeyringOptions {
  readonly keys: KeyWrapping
  readonly bucketKeys: BucketKeys
  readonly offline: OfflineKeys | undefined
  readonly random: Random
}

/** Makes the keys of objects, and gets them back. */
export interface ObjectKeyring {
  /** A new object's key, and what is stored of it. Throws as the {@link KeyWrapping}. */
  make(request: MakeObjectKey): Promise<MadeObjectKey>
  /** Wraps an object's key anew, as `make` wraps a new one. `objectKey` stays the caller's. */
  protect(request: MakeObjectKey & { readonly objectKey: Buffer }): Promise<Omit<MadeObjectKey, 'objectKey'>>
  /** Whether keys that were just made may still be used. Throws as `KeyWrapping.admitUnwrap`. */
  confirm(keys: ObjectKeys): Promise<void>
  /**
   * An object's key, to be zeroed by the caller. Throws as the {@link KeyWrapping}, `ObjectDamaged`, and `wrongKey()` for a
   * customer's key that is not the one it was written with.
   */
  recover(request: RecoverObjectKey): Promise<Buffer>
}

export interface MakeObjectKey {
  readonly name: ObjectName
  readonly binding: Buffer
  readonly encryption: Exclude<WriteEncryption, { readonly mode: 'plain' }>
  readonly authorize: Authorize
  readonly ownUse?: Authorize | undefined
}

export interface MadeObjectKey {
  readonly objectKey: Buffer
  readonly keys: ObjectKeys
  /** The KMS key version used; `undefined` for SSE-C. */
  readonly use: KeyUse | undefined
}

export interface RecoverObjectKey {
  readonly name: ObjectName
  readonly binding: Buffer
  readonly mode: EncryptedMode
  readonly context: EncryptionContext
  readonly bucketKey: boolean
  readonly keys: ObjectKeys
  readonly customerKey: CustomerKey | undefined
  readonly authorize: Authorize
  readonly ownUse?: Authorize | undefined
  /** Whether an offline copy may be used: for reading, never to write more under the key. */
  readonly offline: boolean
  readonly wrongKey: () => Error
}

/** SSE-S3 is the service's own doing: nobody is asked for permission (contract §3). */
const nobodyAsks: Authorize = () => {}

export function createObjectKeyring({ keys, bucketKeys, offline, random }: ObjectKeyringOptions): ObjectKeyring {
  async function protect({
    name,
    binding,
    encryption,
    authorize,
    ownUse = nobodyAsks,
    objectKey,
  }: MakeObjectKey & { readonly objectKey: Buffer }): Promise<Omit<MadeObjectKey, 'objectKey'>> {
    if (encryption.mode === 'SSE-C') {
      const seal = sealObjectKey(objectKey, customerSealing(encryption.customerKey), binding, random)
      return { keys: { kind: 'customer key', seal }, use: undefined }
    }
    const { mode } = encryption
    const kms = mode === 'SSE-KMS'
    const context: EncryptionContext = kms ? encryption.context : new Map()
    const named = kms && encryption.keyName !== undefined ? { key: encryption.keyName } : {}
    const request = { ...named, authorize: kms ? authorize : ownUse }
    if (encryption.bucketKey) {
      const { bucketKey, wrapped } = await bucketKeys.forWriting({ bucket: name.bucket, mode, context }, request)
      const seal = sealObjectKey(objectKey, bucketKey, binding, random)
      bucketKey.key.fill(0)
      const { envelope, ...use } = wrapped
      return { keys: { kind: 'bucket key', envelope, seal, offline: await offlineCopy(objectKey, use, binding) }, use }
    }
    const { envelope, ...use } = await keys.wrap({
      ...request,
      context: objectContext(mode, name, context),
      plaintext: objectKey,
    })
    return { keys: { kind: 'envelope', envelope, offline: await offlineCopy(objectKey, use, binding) }, use }
  }

  async function offlineCopy(
    objectKey: Buffer,
    { realm, keyId }: KeyUse,
    binding: Buffer,
  ): Promise<Buffer | undefined> {
    const key = await offline?.forWriting(realm, keyId)
    return key === undefined ? undefined : sealObjectKey(objectKey, { kind: 'offline', ...key }, binding, random)
  }

  async function recoverFromKms(
    { name, binding, mode, context }: RecoverObjectKey,
    stored: KmsObjectKeys,
    authorize: Authorize,
  ): Promise<Buffer> {
    const { envelope } = stored
    const kmsMode = mode as KmsMode
    try {
      if (stored.kind === 'envelope') {
        const objectKey = await keys.unwrap({ envelope, context: objectContext(kmsMode, name, context), authorize })
        if (objectKey.length !== 32) throw damagedKeys()
        return objectKey
      }
      const scope = { bucket: name.bucket, mode: kmsMode, context }
      const id = sealingKeyId(stored.seal)
      const bucketKey = await bucketKeys.forReading(scope, { envelope, id, authorize })
      const opened = openSeal(stored.seal, bucketKey, binding)
      bucketKey.key.fill(0)
      if (!opened.ok) throw damagedKeys()
      return opened.objectKey
    } catch (error) {
      if (!isKmsError(error, 'InvalidCiphertext', 'UnsupportedFormat')) throw error
      throw damagedKeys(error)
    }
  }

  async function recoverOffline(
    { binding }: RecoverObjectKey,
    stored: KmsObjectKeys,
    authorize: Authorize,
  ): Promise<Buffer | undefined> {
    if (stored.offline === undefined || offline === undefined) return undefined
    const { realm, keyId } = envelopeUse(stored.envelope)
    authorize(keyId)
    const key = await offline.forReading(realm, keyId, sealingKeyId(stored.offline))
    if (key === undefined) return undefined
    const opened = openSeal(stored.offline, { kind: 'offline', ...key }, binding)
    if (!opened.ok) throw damagedKeys()
    return opened.objectKey
  }

  return {
    async make(request) {
      const objectKey = random(32)
      try {
        return { objectKey, ...(await protect({ ...request, objectKey })) }
      } catch (error) {
        objectKey.fill(0)
        throw error
      }
    },

    protect,

    async confirm(made) {
      if (made.kind !== 'customer key') await keys.admitUnwrap({ envelope: made.envelope, authorize: nobodyAsks })
    },

    async recover(request) {
      const { keys: stored, mode, customerKey, bucketKey, binding } = request
      if (mode === 'SSE-C') {
        if (stored.kind !== 'customer key' || customerKey === undefined) throw damagedKeys()
        const opened = openSeal(stored.seal, customerSealing(customerKey), binding)
        if (opened.ok) return opened.objectKey
        throw opened.problem === 'wrong-key' ? request.wrongKey() : damagedKeys()
      }
      if (stored.kind !== (bucketKey ? 'bucket key' : 'envelope')) throw damagedKeys()
      const authorize = mode === 'SSE-KMS' ? request.authorize : (request.ownUse ?? nobodyAsks)
      const objectKey = request.offline ? await recoverOffline(request, stored, authorize) : undefined
      return objectKey ?? recoverFromKms(request, stored, authorize)
    },
  }
}

function customerSealing(customerKey: CustomerKey): SealingKey {
  return { kind: 'customer key', id: NO_KEY_ID, key: customerKey.reveal() }
}

function damagedKeys(cause?: unknown): Error {
  return kmsError('ObjectDamaged', { what: 'its key does not open' }, { cause })
}
