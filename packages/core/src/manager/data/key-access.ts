import type { Buffer } from 'node:buffer'
import type { KeyRecord, UnwrapRequest, WrapRequest } from '../../keys/key-backend.ts'
import type { OpenStore } from '../../store/open-store.ts'

/** How the operations of the data path reach a store: each by itself, or those of a batch together. */
export interface KeyAccess {
  /** As {@link OpenStore.describe}. */
  describe(store: OpenStore, name: string, cached: boolean): Promise<KeyRecord>
  /** Reads a record anew next time, because this one turned out to be old. */
  outdated(store: OpenStore, record: KeyRecord): void
  wrap(store: OpenStore, request: WrapRequest): Promise<Buffer>
  unwrap(store: OpenStore, request: UnwrapRequest): Promise<Buffer>
}

/** Each operation by itself. */
export const directAccess: KeyAccess = {
  describe: (store, name, cached) => store.describe(name, cached),
  outdated: (store, { keyId }) => store.forget(keyId),
  wrap: (store, request) => store.call((backend) => backend.wrap(request)),
  unwrap: (store, request) => store.call((backend) => backend.unwrap(request)),
}
