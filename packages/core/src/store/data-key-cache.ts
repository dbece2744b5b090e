import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import type { Envelope } from '../envelope/envelope.ts'

/** What `/kms/status` shows of the cache; counters since the cache was made. */
export interface CacheStatistics {
  readonly hits: number
  readonly misses: number
  readonly entries: number
  readonly evictions: number
}

/**
 * Unwrapped data keys. Whether a caller may have one, and whether its key may be used, is decided before this is asked.
 */
export interface DataKeyCache {
  /**
   * The plaintext of an envelope under the additional data `aad`, a copy the caller owns; `unwrap` is called when it is
   * not held, once for all callers that ask meanwhile.
   */
  get(envelope: Envelope, aad: Uint8Array, unwrap: () => Promise<Buffer>): Promise<Buffer>
  /** Drops what belongs to a key, or everything; a lookup under way will not be kept either. */
  clear(keyId?: string): void
  statistics(): CacheStatistics
}

export interface DataKeyCacheOptions {
  readonly maxEntries: number
  readonly ttlSeconds: number
  readonly clock: Clock
}

/** Data keys have 16 or 32 bytes; longer plaintexts belong to `encrypt` and are not kept. */
const MAX_CACHED_BYTES = 32

interface Entry {
  readonly keyId: string
  readonly plaintext: Buffer
}

/** What has expired is looked for at least this often, and zeroed, whether somebody asks for it or not. */
const LONGEST_SWEEP_SECONDS = 60

/** Least recently used goes first; every plaintext is zeroed when it leaves. */
export function createDataKeyCache({ maxEntries, ttlSeconds, clock }: DataKeyCacheOptions): DataKeyCache {
  let hits = 0
  let misses = 0
  let evictions = 0
  let generation = 0
  const underWay = new Map<string, { readonly plaintext: Promise<Buffer>; waiting: number }>()
  /** The entries of each key, so that a change of one key does not look through those of all. */
  const ofKey = new Map<string, Set<string>>()
  let sweeping = false
  const entries = new LRUCache<string, Entry>({
    max: maxEntries,
    ttl: ttlSeconds * 1000,
    ttlResolution: 0,
    perf: { now: () => clock.now() },
    dispose: ({ plaintext, keyId }, id, reason) => {
      plaintext.fill(0)
      const ids = ofKey.get(keyId)
      ids?.delete(id)
      if (ids?.size === 0) ofKey.delete(keyId)
      if (reason === 'evict') evictions++
    },
  })

  function keep(id: string, entry: Entry): void {
    entries.set(id, entry)
    const ids = ofKey.get(entry.keyId)
    if (ids === undefined) ofKey.set(entry.keyId, new Set([id]))
    else ids.add(id)
    sweepLater()
  }

  function sweepLater(): void {
    if (sweeping) return
    sweeping = true
    clock.after(Math.min(ttlSeconds, LONGEST_SWEEP_SECONDS) * 1000, () => {
      sweeping = false
      entries.purgeStale()
      if (entries.size > 0) sweepLater()
    })
  }

  return {
    async get(envelope, aad, unwrap) {
      // Keyed on decoded bytes: the additional data covers header and context, the wrapped bytes the rest.
      const id = hash('sha256', Buffer.concat([aad, envelope.wrapped]), 'binary')
      const held = entries.get(id)
      if (held !== undefined) {
        hits++
        return Buffer.from(held.plaintext)
      }
      misses++
      const startedIn = generation
      let lookup = underWay.get(id)
      if (lookup === undefined) {
        lookup = { plaintext: unwrap(), waiting: 0 }
        underWay.set(id, lookup)
      }
      lookup.waiting++
      try {
        const plaintext = await lookup.plaintext
        const copy = Buffer.from(plaintext)
        if (plaintext.length <= MAX_CACHED_BYTES && startedIn === generation && !entries.has(id)) {
          keep(id, { keyId: envelope.keyId, plaintext: Buffer.from(plaintext) })
        }
        if (lookup.waiting === 1) plaintext.fill(0)
        return copy
      } finally {
        lookup.waiting--
        if (underWay.get(id) === lookup) underWay.delete(id)
      }
    },

    clear(keyId) {
      generation++
      underWay.clear()
      if (keyId === undefined) entries.clear()
      else for (const id of ofKey.get(keyId) ?? []) entries.delete(id)
    },

    statistics: () => ({ hits, misses, entries: entries.size, evictions }),
  }
}
