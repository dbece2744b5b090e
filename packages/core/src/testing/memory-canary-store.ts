import type { Canary, CanarySet, CanaryStore, KeyMemory } from '../canary/canary-store.ts'
import type { Realm } from '../envelope/envelope.ts'

/** A {@link CanaryStore} in memory: what one server remembers, for as long as the object lives. */
export function createMemoryCanaryStore(): CanaryStore {
  const sets = new Map<Realm, CanarySet>()
  return {
    async open(realm) {
      const set = sets.get(realm) ?? createSet()
      sets.set(realm, set)
      return set
    },
    async close() {},
  }
}

interface Memory {
  seen: number
  destroyed: number
}

function told({ seen, destroyed }: Memory): KeyMemory {
  return { highestVersion: Math.max(seen, destroyed), destroyed: destroyed >= seen }
}

function createSet(): CanarySet {
  const canaries: Canary[] = []
  const memories = new Map<string, Memory>()
  const memoryOf = (keyId: string) => {
    const memory = memories.get(keyId) ?? { seen: 0, destroyed: 0 }
    memories.set(keyId, memory)
    return memory
  }
  return {
    get isEmpty() {
      return memories.size === 0
    },
    get keyVersions() {
      return canaries.filter(({ keyId, version }) => version > memoryOf(keyId).destroyed).length
    },
    memory(keyId): KeyMemory | undefined {
      const memory = memories.get(keyId)
      return memory && told(memory)
    },
    async *known() {
      for (const [keyId, memory] of memories) yield [keyId, told(memory)]
    },
    async add(canary) {
      const memory = memoryOf(canary.keyId)
      memory.seen = Math.max(memory.seen, canary.version)
      canaries.push(canary)
    },
    async markDestroyed(keyId, version) {
      const memory = memoryOf(keyId)
      memory.destroyed = Math.max(memory.destroyed, version)
    },
    async sample(limit) {
      return canaries.filter(({ keyId, version }) => version > memoryOf(keyId).destroyed).slice(-limit)
    },
  }
}
