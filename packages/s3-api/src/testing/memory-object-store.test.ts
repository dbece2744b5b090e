import { describeObjectStore } from './describe-object-store.ts'
import { createMemoryObjectStore } from './memory-object-store.ts'

describeObjectStore('in memory', () => {
  const store = createMemoryObjectStore()
  return { open: async () => store, cleanup: () => store.close() }
})
