import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import {
  type AdmittedKey,
  type Authorize,
  type Clock,
  canonicalContext,
  type EncryptionContext,
  type Random,
} from '@kms/core'
import { lp, u32 } from '@kms/core/internal'
import { LRUCache } from 'lru-cache'
import type { KeyWrapping, WrappedKey } from './key-wrapping.ts'
import { bucketContext, type KmsMode } from './kms-context.ts'
import { SEALING_KEY_ID_BYTES, type SealingKey } from './seal.ts'

/** Bounds of the bucket keys kept in memory. */
export interface BucketKeyLimits {
  /** Seconds a bucket key wraps new objects, and stays known to reads; 300 unless given. */
  readonly ttlSeconds?: number
  /** Objects sealed under one bucket key; 100 000 unless given. */
  readonly maxUses?: number
  /** Bucket keys kept; 1000 unless given. */
  readonly maxKeys?: number
}

/** A bucket key, the caller's own copy, to be zeroed after use. */
export type BucketKey = SealingKey & { readonly kind: 'bucket key'; readonly key: Buffer }

export interface BucketKeyScope {
  readonly bucket: string
  readonly mode: KmsMode
  /** The client's pairs. */
  readonly context: EncryptionContext
}

/**
 * Keys that stand between a KMS key and many objects of a bucket, so that the KMS is asked once for many (formats §8). One belongs to
 * a bucket, realm, key id, version, mode and client context. They are kept in memory for a while; permission and the key's state
 * are checked through the KMS on every call, before anything kept is looked at.
 */
export interface BucketKeys {
  /** A bucket key for a new object, with its envelope. Throws as `KeyWrapping.admitWrap` and `wrap`. */
  forWriting(
    scope: BucketKeyScope,
    request: { readonly key?: string; readonly authorize: Authorize },
  ): Promise<{ readonly bucketKey: BucketKey; readonly wrapped: WrappedKey }>
  /** The bucket key of an envelope, whose Seal names `id`. Throws as `KeyWrapping.admitUnwrap` and `unwrap`. */
  forReading(
    scope: BucketKeyScope,
    request: { readonly envelope: Buffer; readonly id: Uint8Array; readonly authorize: Authorize },
  ): Promise<BucketKey>
  /** Forgets and zeroes every key. */
  clear(): void
  statistics(): BucketKeyStatistics
}

/** How often bucket keys kept in memory were of use, since the cipher was made. */
export interface BucketKeyStatistics {
  readonly hits: number
  readonly misses: number
  /** Bucket keys kept for new objects, and for reading. */
  readonly entries: number
}

interface Held {
  readonly id: Buffer
  readonly key: Buffer
  readonly wrapped: WrappedKey
  uses: number
}

export interface BucketKeysOptions extends BucketKeyLimits {
  readonly keys: KeyWrapping
  readonly clock: Clock
  readonly random: Random
}

export function createBucketKeys(options: BucketKeysOptions): BucketKeys {
  const { keys, clock, random, ttlSeconds = 300, maxUses = 100_000, maxKeys = 1000 } = options
  if (!(ttlSeconds >= 1 && maxUses >= 1 && maxKeys >= 1)) throw new RangeError('bucket keys: every limit is at least 1')
  const bounds = { max: maxKeys, ttl: ttlSeconds * 1000, ttlResolution: 0, perf: { now: () => clock.now() } }
  const writing = new LRUCache<string, Held>({ ...bounds, dispose: ({ key }) => key.fill(0) })
  const reading = new LRUCache<string, Buffer>({ ...bounds, dispose: (key) => key.fill(0) })
  const making = new Map<string, Promise<string>>()
  let sweeping = false
  let hits = 0
  let misses = 0

  /** A key nobody asks for any more is zeroed too: at most one lifetime after its own. */
  function sweepLater(): void {
    if (sweeping) return
    sweeping = true
    clock.after(bounds.ttl, () => {
      sweeping = false
      writing.purgeStale()
      reading.purgeStale()
      if (writing.size + reading.size > 0) sweepLater()
    })
  }

  function use(name: string): { readonly bucketKey: BucketKey; readonly wrapped: WrappedKey } | undefined {
    const held = writing.get(name)
    if (held === undefined) return undefined
    const bucketKey = copyOf(held.id, held.key)
    held.uses += 1
    if (held.uses >= maxUses) writing.delete(name)
    return { bucketKey, wrapped: held.wrapped }
  }

  /** Makes a bucket key; returns the name it is kept under: the KMS key may have been rotated since it was admitted. */
  async function make(scope: BucketKeyScope, keyId: string, authorize: Authorize): Promise<string> {
    const context = bucketContext(scope.mode, scope.bucket, scope.context)
    const key = random(32)
    // By the id: an alias may have moved since it was admitted.
    const wrapped = await keys.wrap({ key: keyId, authorize, context, plaintext: key })
    const name = writingName(scope, wrapped)
    writing.set(name, { id: random(SEALING_KEY_ID_BYTES), key, wrapped, uses: 0 })
    reading.set(readingName(wrapped.envelope, context), Buffer.from(key))
    sweepLater()
    return name
  }

  return {
    async forWriting(scope, request) {
      const admitted = await keys.admitWrap(request)
      const wanted = writingName(scope, admitted)
      // More than one round only when others used up or displaced a key between its making and this request's turn.
      let waited = false
      for (let name = wanted; ; ) {
        const found = use(name)
        if (found !== undefined) {
          if (!waited) hits += 1
          return found
        }
        if (!waited) misses += 1
        waited = true
        let underWay = making.get(wanted)
        if (underWay === undefined) {
          underWay = make(scope, admitted.keyId, request.authorize).finally(() => making.delete(wanted))
          making.set(wanted, underWay)
        }
        name = await underWay
      }
    },

    async forReading(scope, { envelope, id, authorize }) {
      await keys.admitUnwrap({ envelope, authorize })
      const context = bucketContext(scope.mode, scope.bucket, scope.context)
      const name = readingName(envelope, context)
      const held = reading.get(name)
      if (held !== undefined) {
        hits += 1
        return copyOf(id, held)
      }
      misses += 1
      const key = await keys.unwrap({ envelope, context, authorize })
      reading.set(name, Buffer.from(key))
      sweepLater()
      return { kind: 'bucket key', id, key }
    },

    clear() {
      writing.clear()
      reading.clear()
    },

    statistics: () => ({ hits, misses, entries: writing.size + reading.size }),
  }
}

function copyOf(id: Uint8Array, key: Buffer): BucketKey {
  return { kind: 'bucket key', id, key: Buffer.from(key) }
}

function readingName(envelope: Buffer, context: EncryptionContext): string {
  return hash('sha256', Buffer.concat([lp(envelope), canonicalContext(context)]), 'base64')
}

function writingName({ bucket, mode, context }: BucketKeyScope, { realm, keyId, keyVersion }: AdmittedKey): string {
  const parts = [lp(bucket), lp(mode), lp(realm), lp(keyId), u32(keyVersion), canonicalContext(context)]
  return hash('sha256', Buffer.concat(parts), 'base64')
}
