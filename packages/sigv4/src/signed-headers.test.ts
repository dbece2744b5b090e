import { expect, test } from 'vitest'
import { mustBeSigned, parseSignedHeaders } from './signed-headers.ts'

const parse = (list: string) => parseSignedHeaders(list, 'AuthorizationHeaderMalformed')

test('names in the order listed, and how many had to be', () => {
  expect(parse('x-amz-date;host;x-amz-content-sha256;date')).toEqual({
    list: 'x-amz-date;host;x-amz-content-sha256;date',
    names: ['x-amz-date', 'host', 'x-amz-content-sha256', 'date'],
    obligatory: 1,
  })
})

test('the names cannot be changed', () => {
  expect(() => (parse('host;x-amz-date').names as string[]).push('x')).toThrow(TypeError)
})

test.each(['', 'x', 'host;', ';host', 'host;host', 'Host', 'host; x', 'host;x:'])('%j is refused', (list) => {
  expect(() => parse(list)).toThrow(expect.objectContaining({ code: 'AuthorizationHeaderMalformed' }))
})

test.each([
  ['x-amz-date', true],
  ['x-amz-meta-a', true],
  ['x-amz-content-sha256', false],
  ['x-amzn-trace-id', false],
  ['host', false],
])('%s must be signed: %s', (name, expected) => {
  expect(mustBeSigned(name)).toBe(expected)
})
