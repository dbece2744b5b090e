import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { label, lp, u32 } from '../bytes/framing.ts'
import type { Random } from '../random.ts'

const LABEL = label('kms/testing/seeded-random')

/**
 * Bytes that look random and are the same for the same seed: SHA-256 in counter mode. For tests and golden files
 * only: whoever knows the seed knows every key made from it.
 */
export function createSeededRandom(seed: string | number): Random {
  const prefix = Buffer.concat([LABEL, lp(String(seed))])
  let counter = 0
  let pool: Buffer = Buffer.alloc(0)
  return (size) => {
    const bytes = Buffer.alloc(size)
    let filled = 0
    while (filled < size) {
      if (pool.length === 0) pool = createHash('sha256').update(prefix).update(u32(counter++)).digest()
      const taken = pool.copy(bytes, filled)
      pool = pool.subarray(taken)
      filled += taken
    }
    return bytes
  }
}
