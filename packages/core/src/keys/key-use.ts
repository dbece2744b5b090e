import type { Realm } from '../envelope/envelope.ts'

/** What is known, outside the key store, of what needs its keys. Whoever stores things under keys implements it. */
export interface KeyUse {
  /**
   * How many things known need this key to be read, or any key of the realm when none is named. A rejection means that it
   * can't be told, and keeps the key, or the store.
   */
  count(realm: Realm, keyId?: string): Promise<number>
  /**
   * Called when a key is about to be destroyed: removes, durably, what is kept because of it. A rejection keeps the key.
   * The key may survive all the same, when its deletion is cancelled meanwhile.
   */
  beforeDestroy(realm: Realm, keyId: string): Promise<void>
}
