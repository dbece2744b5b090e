import { expect, test } from 'vitest'
import { parseSignedHeaders } from './authorization-header.ts'

const parse = (list: string): readonly string[] => parseSignedHeaders(list, 'AuthorizationHeaderMalformed')

test('a list read again is the same list, however many others came between', () => {
  for (let turn = 0; turn < 3; turn++) {
    for (let index = 0; index < 150; index++) {
      expect(parse(`host;x-amz-date;x-${index}`)).toEqual(['host', 'x-amz-date', `x-${index}`])
    }
  }
})

test('nobody can change a list for the requests that follow', () => {
  const names = parse('host;x-amz-date') as string[]
  expect(() => names.push('x')).toThrow(TypeError)
  expect(parse('host;x-amz-date')).toEqual(['host', 'x-amz-date'])
})

test.each(['', 'x', 'host;', ';host', 'host;host', 'Host', 'host; x', 'host;x:'])(
  '%j is refused every time',
  (list) => {
    for (let turn = 0; turn < 2; turn++) {
      expect(() => parse(list)).toThrow(expect.objectContaining({ code: 'AuthorizationHeaderMalformed' }))
    }
  },
)
