import type { Realm } from '@kms/core'

/** A random key that seals offline copies of object keys, one per store and KMS key. */
export interface OfflineKey {
  /** 16 bytes. */
  readonly id: Uint8Array
  /** 32 bytes, the port's own: they are read at once and not kept. */
  readonly key: Uint8Array
}

/**
 * Keeps the keys of offline copies, sealed under the server key (formats §8). It removes the key of a KMS key durably **before** that key
 * is destroyed: afterwards its objects do not open offline either.
 */
export interface OfflineKeys {
  /** The key for new copies, durable before it is returned; `undefined` where `allow_offline_decryption` is off. */
  forWriting(realm: Realm, keyId: string): Promise<OfflineKey | undefined>
  /**
   * The key that opens existing copies; `undefined` while the service is meant to run, for a KMS key pending deletion or
   * destroyed, and when it is not kept here: the KMS is asked then.
   */
  forReading(realm: Realm, keyId: string, id: Uint8Array): Promise<OfflineKey | undefined>
}
