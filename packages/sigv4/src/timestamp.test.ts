import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatTimestamp, parseHttpDate, parseTimestamp } from './timestamp.ts'

const seconds = fc.integer({ min: 0, max: 4_102_444_799 }).map((value) => value * 1000)

test('both forms come back as they went', () => {
  fc.assert(
    fc.property(seconds, (epochMs) => {
      expect(parseTimestamp(formatTimestamp(epochMs))).toBe(epochMs)
      expect(parseHttpDate(new Date(epochMs).toUTCString())).toBe(epochMs)
    }),
  )
})

test('what was read before has no say', () => {
  for (const [text, epochMs] of [
    ['20130524T000000Z', 1_369_353_600_000],
    ['20130524T000000', undefined],
    ['20130524T000001Z', 1_369_353_601_000],
    ['20130524T000000Z', 1_369_353_600_000],
    ['', undefined],
  ] as const) {
    expect([parseTimestamp(text), parseTimestamp(text)]).toEqual([epochMs, epochMs])
  }
})

test.each([
  '',
  '20130524T000000',
  '20130524T000000z',
  '20130524 000000Z',
  '2013-05-24T00:00:00Z',
  '20130230T000000Z',
  '20131301T000000Z',
  '20130524T240000Z',
  '20130524T006000Z',
  ' 0130524T000000Z',
  '+0130524T000000Z',
])('"%s" is not a timestamp', (text) => expect(parseTimestamp(text)).toBeUndefined())

test.each([
  '',
  'Fri, 24 May 2013 00:00:00 UTC',
  'Thu, 24 May 2013 00:00:00 GMT',
  'Fri, 24 May 2013 00:00:60 GMT',
  '2013-05-24T00:00:00.000000000',
])('"%s" is not an HTTP date', (text) => expect(parseHttpDate(text)).toBeUndefined())

test('years beyond 9999 are refused', () => expect(() => formatTimestamp(8.64e15)).toThrow(RangeError))
