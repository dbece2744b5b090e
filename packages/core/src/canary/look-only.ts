import type { CanarySet } from './canary-store.ts'

/** A canary set that remembers nothing new: for looking at a store without leaving a trace. */
export function lookOnly(canaries: CanarySet): CanarySet {
  return {
    get isEmpty() {
      return canaries.isEmpty
    },
    get keyVersions() {
      return canaries.keyVersions
    },
    memory: (keyId) => canaries.memory(keyId),
    known: () => canaries.known(),
    sample: (limit, keyId) => canaries.sample(limit, keyId),
    add: async () => {},
    markDestroyed: async () => {},
  }
}
