import { Buffer } from 'node:buffer'
import { randomFillSync } from 'node:crypto'

/** Source of `size` unpredictable bytes; a test may pass a deterministic one. */
export type Random = (size: number) => Buffer

const POOL_BYTES = 4096
const pool = Buffer.alloc(POOL_BYTES)
let used = POOL_BYTES

/**
 * The operating system's generator, through node:crypto. Small requests are served from a pool, because a call costs more
 * than the bytes; what was handed out is erased from it.
 */
export const systemRandom: Random = (size) => {
  if (size > POOL_BYTES / 16) return randomFillSync(Buffer.alloc(size))
  if (used + size > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  const bytes = Buffer.from(pool.subarray(used, used + size))
  pool.fill(0, used, used + size)
  used += size
  return bytes
}
