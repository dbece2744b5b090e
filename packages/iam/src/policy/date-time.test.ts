import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDateTime } from './date-time.ts'

describe('parseDateTime', () => {
  it.each([
    ['2026', '2026-01-01T00:00:00Z'],
    ['2026-02', '2026-02-01T00:00:00Z'],
    ['2026-02-28', '2026-02-28T00:00:00Z'],
    ['2024-02-29', '2024-02-29T00:00:00Z'],
    ['2026-02-28T23:59Z', '2026-02-28T23:59:00Z'],
    ['2026-02-28T23:59:58Z', '2026-02-28T23:59:58Z'],
    ['2026-02-28T23:59:58.5Z', '2026-02-28T23:59:58.500Z'],
    ['2026-02-28T23:59:58.123456789Z', '2026-02-28T23:59:58.123Z'],
    ['2026-02-28T23:59:58+02:00', '2026-02-28T21:59:58Z'],
    ['2026-02-28T23:59:58-00:30', '2026-03-01T00:29:58Z'],
    ['1700000000', '2023-11-14T22:13:20Z'],
    ['0', '1970-01-01T00:00:00Z'],
  ])('%s is %s', (text, expected) => {
    expect(parseDateTime(text)).toBe(Date.parse(expected))
  })

  it.each([
    '',
    'now',
    '2026-13',
    '2026-00',
    '2026-02-29',
    '2026-02-30T00:00Z',
    '2026-01-01T24:00Z',
    '2026-01-01T00:60Z',
    '2026-01-01T00:00:60Z',
    '2026-01-01T00:00',
    '2026-01-01 00:00Z',
    '2026-01-01T00:00+24:00',
    '2026-01-01T00:00+2:00',
    '-1',
    '1.5',
    '1234567890123',
    'Thu, 01 Jan 1970 00:00:00 GMT',
  ])('refuses %j', (text) => {
    expect(parseDateTime(text)).toBeUndefined()
  })

  it('reads back what Date writes', () => {
    const year = {
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    }
    fc.assert(
      fc.property(fc.date(year), (date) => {
        expect(parseDateTime(date.toISOString())).toBe(date.getTime())
      }),
    )
  })
})
