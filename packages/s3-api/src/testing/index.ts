export {
  type DescribeObjectStoreOptions,
  describeObjectStore,
  type ObjectStoreHarness,
} from './describe-object-store.ts'
export { createMemoryObjectStore, type MemoryObjectStoreOptions } from './memory-object-store.ts'
