import { describe, expect, it } from 'vitest'
import { decodePercent, readQuery } from './read-query.ts'

describe('readQuery', () => {
  it.each([
    ['', []],
    ['&&', []],
    ['a', [['a', '']]],
    ['a=', [['a', '']]],
    ['=a', [['', 'a']]],
    ['a=b=c', [['a', 'b=c']]],
    ['a+b=c%2Bd+e', [['a b', 'c+d e']]],
    ['%C3%A9=%E2%82%AC', [['é', '€']]],
    ['X-Amz-Signature=a&b=c&X-Amz-Signature=d', [['b', 'c']]],
    ['x-amz-signature=a', [['x-amz-signature', 'a']]],
  ])('reads %j', (rawQuery, expected) => {
    expect([...readQuery(rawQuery)]).toEqual(expected)
  })

  it.each([
    ['a=1&a=2', 'ValidationError'],
    ['a=1&%61=2', 'ValidationError'],
    ['a=%', 'InvalidRequest'],
    ['a=%ff', 'InvalidRequest'],
    ['%zz=a', 'InvalidRequest'],
  ])('refuses %j', (rawQuery, code) => {
    expect(() => readQuery(rawQuery)).toThrow(expect.objectContaining({ code }))
  })
})

it('decodePercent leaves + alone', () => {
  expect(decodePercent('a+b%2F')).toBe('a+b/')
  expect(() => decodePercent('%')).toThrow(expect.objectContaining({ code: 'InvalidRequest' }))
})
