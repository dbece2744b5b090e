import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSeededRandom } from './seeded-random.ts'

describe('createSeededRandom', () => {
  it('gives one stream per seed, however it is cut', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.nat(100), { maxLength: 10 }), (seed, sizes) => {
        const random = createSeededRandom(seed)
        const pieces = Buffer.concat(sizes.map((size) => random(size)))
        expect(pieces.equals(createSeededRandom(seed)(pieces.length))).toBe(true)
      }),
    )
  })

  it('gives other bytes for another seed, and other bytes each time', () => {
    const random = createSeededRandom(1)
    const first = random(32)
    expect(first.equals(random(32))).toBe(false)
    expect(first.equals(createSeededRandom(2)(32))).toBe(false)
    expect(first.toString('hex')).toBe(createSeededRandom('1')(32).toString('hex'))
  })
})
