import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PartTable } from '../record/part-table.ts'
import { plainSize, planPart, planRead, storedSize } from './object-layout.ts'

const FRAME = 65_536
const salt = Buffer.alloc(32)
const sizes = fc.oneof(
  fc.constantFrom(0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME),
  fc.integer({ min: 0, max: 6 * FRAME }),
  fc.integer({ min: 5 * 1024 ** 3 - 2 * FRAME, max: 5 * 1024 ** 3 }),
)
const table = (list: readonly number[], own = salt): PartTable =>
  list.map((size, index) => ({ number: index + 1, size, salt: own }))

describe('sizes', () => {
  it('of what is stored follow from those of the plaintext, and back', () => {
    fc.assert(
      fc.property(sizes, (size) => {
        expect(plainSize(storedSize(size))).toBe(size)
      }),
    )
    expect([0, 1, FRAME, FRAME + 1].map(storedSize)).toEqual([92, 93, FRAME + 92, FRAME + 109])
    for (const none of [0, 75, 76, 91, 92 + FRAME + 1]) expect(plainSize(none)).toBeUndefined()
  })
})

describe('what is read for a range', () => {
  it('covers it, whole frames of it, and no frame more; each part in order', () => {
    const lists = fc.array(sizes, { minLength: 1, maxLength: 6 })
    const point = fc.double({ min: 0, max: 0.999_999_9, noNaN: true })
    fc.assert(
      fc.property(lists, point, point, (list, a, b) => {
        const total = list.reduce((sum, size) => sum + size, 0)
        fc.pre(total > 0)
        const [start, end] = [Math.floor(a * total), Math.floor(b * total)].sort((x, y) => x - y) as [number, number]
        const reads = planRead(table(list), { start, end })
        expect(reads.reduce((sum, { take }) => sum + take, 0)).toBe(end - start + 1)
        let at = start
        for (const { partIndex, firstFrame, skip, take, frameBytes, segments, endsStream } of reads) {
          const before = list.slice(0, partIndex).reduce((sum, size) => sum + size, 0)
          // The plaintext begins where the one before ended, in the first frame read, and ends in the last one.
          expect(before + firstFrame * FRAME + skip).toBe(at)
          expect(skip).toBeLessThan(FRAME)
          const frames = Math.ceil(frameBytes / (FRAME + 16))
          expect(Math.ceil((skip + take) / FRAME)).toBe(frames)
          at += take
          // The header is always read, and the frames are where sizes say.
          const size = list[partIndex] as number
          expect(segments[0]?.start).toBe(0)
          expect(segments.reduce((sum, segment) => sum + segment.end - segment.start, 0)).toBe(76 + frameBytes)
          expect(segments.at(-1)?.end).toBe(endsStream ? storedSize(size) : 76 + (firstFrame + frames) * (FRAME + 16))
          const offset = list.slice(0, partIndex).reduce((sum, own) => sum + storedSize(own), 0)
          expect(
            segments.every(({ partOffset, partNumber }) => partOffset === offset && partNumber === partIndex + 1),
          ).toBe(true)
        }
        expect(at).toBe(end + 1)
      }),
    )
  })

  it('is everything without a range, empty parts included', () => {
    const reads = planRead(table([0, 5, 0]))
    expect(reads.map(({ take, frameBytes, endsStream }) => [take, frameBytes, endsStream])).toEqual([
      [0, 16, true],
      [5, 21, true],
      [0, 16, true],
    ])
    expect(planRead(table([0, 5, 0]), { start: 0, end: 4 })).toHaveLength(1)
  })

  it('is the range itself in a plain object', () => {
    const plain = table([10, 20], Buffer.alloc(0))
    expect(planRead(plain, { start: 8, end: 12 }).flatMap(({ segments }) => segments)).toEqual([
      { partIndex: 0, partNumber: 1, partOffset: 0, start: 8, end: 10 },
      { partIndex: 1, partNumber: 2, partOffset: 10, start: 0, end: 3 },
    ])
    expect(planRead(table([0], Buffer.alloc(0)))).toMatchObject([{ segments: [], take: 0 }])
  })

  it.each([
    [0, 10],
    [-1, 2],
    [3, 2],
    [0.5, 2],
    [Number.NaN, 2],
  ])('is refused outside the object: %d-%d', (start, end) => {
    expect(() => planRead(table([4, 6]), { start, end })).toThrow(RangeError)
  })
})

describe('what is read for a part', () => {
  it('is all of it and nothing else, also when it is empty', () => {
    const parts = table([4, 0, 6]).map((part, index) => ({ ...part, number: 10 * (index + 1) }))
    const all = planRead(parts)
    for (const [index, number] of [10, 20, 30].entries()) expect(planPart(parts, number)).toEqual([all[index]])
    for (const none of [0, 1, 11, 40]) expect(() => planPart(parts, none)).toThrow(RangeError)
  })
})
