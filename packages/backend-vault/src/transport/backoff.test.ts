import { createSeededRandom } from '@kms/core/testing'
import { describe, expect, it } from 'vitest'
import { createBackoff } from './backoff.ts'

const highest = (size: number): Buffer => Buffer.alloc(size, 0xff)
const lowest = (size: number): Buffer => Buffer.alloc(size)

describe('createBackoff', () => {
  it.each([
    [3, 30_000, [100, 1225, 15_000]],
    [5, 60_000, [100, 416, 1732, 7208, 30_000]],
    [1, 30_000, [100]],
    [10, 1000, [100, 120, 143, 171, 204, 245, 292, 350, 418, 500]],
  ])('%i retries within %i ms have these ceilings', (attempts, timeoutMs, ceilings) => {
    const backoff = createBackoff({ attempts, timeoutMs, random: highest })
    expect(ceilings.map((_, retry) => backoff(retry))).toEqual(ceilings)
    const floor = createBackoff({ attempts, timeoutMs, random: lowest })
    expect(ceilings.map((_, retry) => floor(retry))).toEqual(ceilings.map(() => 0))
  })

  it('has full jitter: anything below the ceiling', () => {
    const backoff = createBackoff({ attempts: 3, timeoutMs: 30_000, random: createSeededRandom('jitter') })
    const pauses = Array.from({ length: 1000 }, () => backoff(2))
    expect(Math.min(...pauses)).toBeLessThan(1000)
    expect(Math.max(...pauses)).toBeGreaterThan(14_000)
    expect(pauses.reduce((sum, ms) => sum + ms) / pauses.length / 15_000).toBeCloseTo(0.5, 1)
  })
})
