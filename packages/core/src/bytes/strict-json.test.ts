import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseStrictJson } from './strict-json.ts'

describe('parseStrictJson', () => {
  it('agrees with JSON.parse on everything JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }), fc.nat(2), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        expect(parseStrictJson(text)).toEqual({ ok: true, value: JSON.parse(text) })
      }),
    )
  })

  it.each([
    ['broken', '{"a":', 'not valid JSON'],
    ['empty', '', 'not valid JSON'],
    ['with a comment', '{} // x', 'not valid JSON'],
    ['with a name twice', '{"a":1,"a":2}', '"a" stands twice'],
    ['with a name twice, once escaped', '{"a":1,"\\u0061":2}', '"a" stands twice'],
    ['with a name twice, deep inside', '[{"x":{"b":1,"c":[{}],"b":{}}}]', '"b" stands twice'],
    ['with __proto__ twice', '{"__proto__":1,"__proto__":2}', 'stands twice'],
    ['with a lone surrogate in a value', '{"a":"\\ud800"}', 'not well-formed'],
    ['with a lone surrogate in a name', '{"\\udc00":1}', 'not well-formed'],
    ['nested too deep', '['.repeat(17) + ']'.repeat(17), 'nested deeper than 16'],
    ['nested far too deep', '['.repeat(100_000) + ']'.repeat(100_000), 'nested deeper than 16'],
  ])('refuses a text %s', (_, text, reason) => {
    expect(parseStrictJson(text)).toEqual({ ok: false, reason: expect.stringContaining(reason) })
  })

  it.each([
    ['the same name in two objects', '[{"a":1},{"a":2}]'],
    ['a value equal to a name', '{"a":"a","b":"a"}'],
    ['braces and quotes inside strings', '{"a":"}{\\"[","b":"\\\\"}'],
    ['the deepest allowed nesting', '['.repeat(16) + ']'.repeat(16)],
  ])('takes %s', (_, text) => {
    expect(parseStrictJson(text)).toEqual({ ok: true, value: JSON.parse(text) })
  })
})
