import { expect, test } from 'vitest'
import { canonicalQuery, parseQuery } from './canonical-query.ts'

test.each([
  ['', ''],
  ['acl', 'acl='],
  ['acl=', 'acl='],
  ['b=2&a=1', 'a=1&b=2'],
  ['a=2&a=1&a', 'a=&a=1&a=2'],
  ['a=x&a-=y', 'a=x&a-=y'],
  ['a1=x&a=y&A=z', 'A=z&a=y&a1=x'],
  ['&&a=1&', 'a=1'],
  ['=x', '=x'],
  ['a=b=c', 'a=b%3Dc'],
  ['prefix=photos/2024', 'prefix=photos%2F2024'],
  ['a=x+y', 'a=x%20y'],
  ['a=x%20y', 'a=x%20y'],
  ['a=x%2By', 'a=x%2By'],
  ['a=%7e%c3%a9', 'a=~%C3%A9'],
  ["a=!'()*~", 'a=%21%27%28%29%2A~'],
  // ':' sorts after '1' raw, but '%3A' before it: the encoded names decide.
  ['a1=&a:=', 'a%3A=&a1='],
])('%s → %s', (raw, canonical) => expect(canonicalQuery(parseQuery(raw))).toBe(canonical))

test('one parameter can be left out', () => {
  expect(canonicalQuery(parseQuery('b=2&X-Amz-Signature=ab&a=1'), 'X-Amz-Signature')).toBe('a=1&b=2')
})

test.each(['a=%', 'a=%4', '%zz', 'a=%ff', 'a=%ed%a0%80'])('%s is refused', (raw) => {
  expect(() => parseQuery(raw)).toThrow(expect.objectContaining({ code: 'InvalidURI', status: 400 }))
})
