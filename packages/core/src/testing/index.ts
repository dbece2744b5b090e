export { type DescribeKeyBackendOptions, describeKeyBackend, type KeyBackendHarness } from './describe-key-backend.ts'
export { type DescribeKeyLifeOptions, describeKeyLife, type KeyLifeHarness } from './describe-key-life.ts'
export { createFaults, type FaultGate, type Faults } from './faults.ts'
export { archiveOf, heldArchive, nothingSeen } from './held-archive.ts'
export { createManualClock, type ManualClock } from './manual-clock.ts'
export { createMemoryBackend, type MemoryBackend, type MemoryBackendOptions } from './memory-backend.ts'
export { createMemoryCanaryStore } from './memory-canary-store.ts'
export { type MemoryDriver, type MemoryDriverOptions, memoryDriver } from './memory-driver.ts'
export {
  copyMemoryStore,
  createMemoryStore,
  type MemoryKey,
  type MemoryStore,
  type MemoryStores,
  type MemoryVerb,
  type MemoryVersion,
} from './memory-store.ts'
export { createSeededRandom } from './seeded-random.ts'
