import type { Realm } from '../envelope/envelope.ts'

/** A random key that seals offline copies of object keys, one per store and KMS key (formats §8). */
export interface OfflineKey {
  /** 16 bytes. */
  readonly id: Uint8Array
  /** 32 bytes. */
  readonly key: Uint8Array
}

/** The keys of offline copies, for whoever stores objects: given out only when they may be used. */
export interface OfflineKeys {
  /**
   * The key for new copies, durable before it is returned; `undefined` where `allow_offline_decryption` is off, for a store
   * that is not the active one, and for a KMS key that is to be destroyed. Throws `StorageFailed`.
   */
  forWriting(realm: Realm, keyId: string): Promise<OfflineKey | undefined>
  /**
   * The key that opens existing copies; `undefined` unless the service is stopped on purpose, for a KMS key pending deletion or
   * destroyed, and when it is not kept here: the KMS is asked then.
   */
  forReading(realm: Realm, keyId: string, id: Uint8Array): Promise<OfflineKey | undefined>
}

/** Where the keys of offline copies are kept, sealed under the server key. */
export interface OfflineKeyStore {
  /** The key of a KMS key, made and durable when there is none; `undefined` while it is suspended and once it is removed. */
  provide(realm: Realm, keyId: string): Promise<OfflineKey | undefined>
  /** The key of that id, if it is kept here and may be used. */
  find(realm: Realm, keyId: string, id: Uint8Array): Promise<OfflineKey | undefined>
  /** Durably: its copies are not to be opened for the time being. Nothing to do where there is none. */
  suspend(realm: Realm, keyId: string): Promise<void>
  /** Ends a suspension. */
  resume(realm: Realm, keyId: string): Promise<void>
  /** Durably: the key is gone, its copies never open again, and none is made until `allow`. */
  remove(realm: Realm, keyId: string): Promise<void>
  /** A KMS key of this id is there again, or still: copies may be made, under a new key where the old one was removed. */
  allow(realm: Realm, keyId: string): Promise<void>
  /** Zeroes what is in memory. */
  close(): void
}
