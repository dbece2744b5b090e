import { describe, expect, it } from 'vitest'
import { systemRandom } from './random.ts'

describe('systemRandom', () => {
  it.each([0, 1, 16, 24, 32, 255, 256, 257, 5000])('gives %i bytes of the caller’s own', (size) => {
    const bytes = systemRandom(size)
    expect(bytes).toHaveLength(size)
    bytes.fill(0)
  })

  it('never gives the same bytes twice, across refills of its pool', () => {
    const seen = new Set(Array.from({ length: 2000 }, () => systemRandom(32).toString('hex')))
    expect(seen.size).toBe(2000)
    expect([...seen].every((hex) => !hex.includes('0'.repeat(16)))).toBe(true)
  })

  it('keeps what it gave out when the caller erases it, and gives it to nobody else', () => {
    const first = systemRandom(32)
    const copy = Buffer.from(first)
    systemRandom(32).fill(0)
    expect(first.equals(copy)).toBe(true)
  })
})
