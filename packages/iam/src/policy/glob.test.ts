import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { coversPrefix, matchGlob, reachesPrefix, toGlob } from './glob.ts'

/** The definition, with no thought for speed. */
function naive(pattern: readonly string[], text: readonly string[]): boolean {
  const [head, ...rest] = pattern
  if (head === undefined) return text.length === 0
  if (head === '*') return naive(rest, text) || (text.length > 0 && naive(pattern, text.slice(1)))
  return text.length > 0 && (head === '?' || head === text[0]) && naive(rest, text.slice(1))
}

const letters = (...units: string[]) => fc.array(fc.constantFrom(...units), { maxLength: 9 })

describe('matchGlob', () => {
  it.each([
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*', 'anything: at/all', true],
    ['?', '', false],
    ['?', '😀', true],
    ['??', '😀', false],
    ['*??', '😀', false],
    ['*?', '😀', true],
    ['a*c', 'abbbc', true],
    ['a*c', 'abbbcd', false],
    ['a**c', 'ac', true],
    ['*ab', 'aab', true],
    ['*a?b*', 'xxaaab', true],
    ['arn:aws:s3:::b/*', 'arn:aws:s3:::b/x/y', true],
    ['arn:aws:s3:::b/*', 'arn:aws:s3:::B/x', false],
    ['arn:aws:s3:::b/*', 'arn:aws:s3:::b', false],
    ['a.c', 'abc', false],
  ])('%j on %j is %j', (pattern, text, expected) => {
    expect(matchGlob(toGlob(pattern), text)).toBe(expected)
  })

  it('agrees with the naive matcher', () => {
    fc.assert(
      fc.property(letters('a', 'b', '😀', '*', '?'), letters('a', 'b', '😀', '*', '?'), (pattern, text) => {
        expect(matchGlob(toGlob(pattern.join('')), text.join(''))).toBe(naive(pattern, text))
      }),
      { numRuns: 3000 },
    )
  })

  it('takes wildcards in the text for plain characters', () => {
    expect(matchGlob('*', 'x')).toBe(false)
    expect(matchGlob('*', '*')).toBe(true)
  })

  it.each([
    ['many stars', '*a'.repeat(2000), `${'a'.repeat(1999)}b`],
    ['many stars and question marks', `${'*?a'.repeat(1000)}b`, 'a'.repeat(4000)],
    ['a long part', `*${'a'.repeat(2000)}b`, 'a'.repeat(4000)],
  ])('does not explode on %s', (_name, pattern, text) => {
    const glob = toGlob(pattern)
    const started = performance.now()
    expect(matchGlob(glob, text)).toBe(false)
    // 8 million steps take some 20 ms; backtracking over every star would outlast the universe.
    expect(performance.now() - started).toBeLessThan(2000)
  })
})

describe('coversPrefix', () => {
  it.each([
    ['*', true],
    ['arn:*', true],
    ['arn:aws:kms:::*', true],
    ['arn:aws:kms:::key/*', true],
    ['arn:aws:kms:::key/a*', false],
    ['arn:aws:kms:::key/', false],
    ['arn:aws:s3:::*', false],
  ])('%s: %j', (pattern, expected) => {
    expect(coversPrefix(toGlob(pattern), 'arn:aws:kms:::key/')).toBe(expected)
  })

  it('never claims what some text denies', () => {
    fc.assert(
      fc.property(letters('a', 'b', '*'), letters('a', 'b'), letters('a', 'b'), (pattern, prefix, rest) => {
        const glob = toGlob(pattern.join(''))
        const matched = matchGlob(glob, prefix.join('') + rest.join(''))
        expect(coversPrefix(glob, prefix.join('')) && !matched).toBe(false)
      }),
    )
  })
})

describe('reachesPrefix', () => {
  it.each([
    ['*', true],
    ['arn:aws:kms:::*', true],
    ['arn:aws:kms:::key/*', true],
    ['arn:aws:kms:::key/one', true],
    ['arn:aws:kms:*:*:key/one', true],
    ['arn:aws:kms:::key/', false],
    ['arn:aws:kms:::key', false],
    ['arn:aws:kms:::ke??', false],
    ['arn:aws:kms:::ke???', true],
    ['arn:aws:s3:::*', false],
    ['arn:aws:kms:::alias/*', false],
  ])('%s: %j', (pattern, expected) => {
    expect(reachesPrefix(toGlob(pattern), 'arn:aws:kms:::key/')).toBe(expected)
  })

  it('is what searching every continuation finds', () => {
    const continuations: string[] = ['a', 'b']
    for (const rest of continuations) if (rest.length < 6) continuations.push(`${rest}a`, `${rest}b`)
    const short = fc.array(fc.constantFrom('a', 'b', '*', '?'), { maxLength: 5 })
    fc.assert(
      fc.property(short, fc.array(fc.constantFrom('a', 'b'), { minLength: 2, maxLength: 4 }), (pattern, prefix) => {
        const glob = toGlob(pattern.join(''))
        const found = continuations.some((rest) => matchGlob(glob, prefix.join('') + rest))
        expect(reachesPrefix(glob, prefix.join(''))).toBe(found)
      }),
      { numRuns: 1000 },
    )
  })
})
