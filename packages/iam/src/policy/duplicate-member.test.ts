import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findDuplicateMember } from './duplicate-member.ts'

describe('findDuplicateMember', () => {
  it.each([
    ['{"a":1,"a":2}', 'a'],
    ['{"a":1,"b":{"c":[{"d":1,"d":1}]}}', 'd'],
    ['{"a":{},"b":[],"a":1}', 'a'],
    ['{"a":1,"\\u0061":2}', 'a'],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
    ['{"":1,"":2}', ''],
    ['{"a":{"a":{"a":1}}}', undefined],
    ['[{"a":1},{"a":1}]', undefined],
    ['{"a":"a","b":["a","a"]}', undefined],
    ['{"a":"\\"a\\":{\\"a\\":","b":"\\\\"}', undefined],
    ['"a"', undefined],
    ['1', undefined],
  ])('%s: %j', (json, expected) => {
    expect(findDuplicateMember(json)).toBe(expected)
  })

  it('finds none in what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(findDuplicateMember(JSON.stringify(value))).toBeUndefined()
      }),
    )
  })
})
