export { type FsObjectStoreOptions, openFsObjectStore } from './fs-object-store.ts'
export type { StoreOwner } from './sessions.ts'
export type { StoreClock } from './store-clock.ts'
