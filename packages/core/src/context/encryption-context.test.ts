import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalContext, parseEncryptionContext } from './encryption-context.ts'

interface Vector {
  readonly name: string
  readonly pairs: [string, string][]
  readonly canonical: string
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/contexts.json', import.meta.url), 'utf8')) as Vector[]

describe('canonicalContext', () => {
  it.each(vectors)('writes the golden bytes: $name', ({ pairs, canonical }) => {
    expect(canonicalContext(new Map(pairs)).toString('hex')).toBe(canonical)
    expect(canonicalContext(new Map(pairs.toReversed())).toString('hex')).toBe(canonical)
  })

  it('is injective: different contexts have different bytes', () => {
    const context = fc
      .dictionary(
        fc.string({ minLength: 1, unit: 'binary', maxLength: 6 }),
        fc.string({ unit: 'binary', maxLength: 6 }),
      )
      .map((pairs) => new Map(Object.entries(pairs)))
    fc.assert(
      fc.property(context, context, (a, b) => {
        const same = a.size === b.size && [...a].every(([key, value]) => b.get(key) === value)
        expect(canonicalContext(a).equals(canonicalContext(b))).toBe(same)
      }),
    )
  })
})

describe('parseEncryptionContext', () => {
  it.each([undefined, null, {}])('takes %j as empty', (input) => {
    expect(canonicalContext(parseEncryptionContext(input)).toString('hex')).toBe('00000000')
  })

  it('keeps names a plain object would lose', () => {
    const context = parseEncryptionContext(JSON.parse('{"__proto__":"x","constructor":"y"}'))
    expect([...context]).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
  })

  it.each([
    ['a string', 'a'],
    ['an array', ['a']],
    ['a number as value', { a: 1 }],
    ['null as value', { a: null }],
    ['an object as value', { a: {} }],
    ['an empty key', { '': 'a' }],
    ['a key reserved for aws:', { 'aws:s3:arn': 'x' }],
    ['a key reserved for kms:', { 'kms:sse': 'KMS' }],
    ['a lone surrogate in a key', { '\ud800': 'a' }],
    ['a lone surrogate in a value', { a: '\udc00' }],
    ['65 pairs', Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, '']))],
    ['more than 8 KiB', { a: 'x'.repeat(8192) }],
    ['more than 8 KiB in UTF-8 only', { a: 'é'.repeat(4096) }],
  ])('refuses %s', (_, input) => {
    expect(() => parseEncryptionContext(input)).toThrow(expect.objectContaining({ code: 'ValidationError' }))
  })

  it('takes exactly 64 pairs and exactly 8 KiB', () => {
    const pairs = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`k${i}`, '']))
    expect(parseEncryptionContext(pairs).size).toBe(64)
    expect(parseEncryptionContext({ a: 'x'.repeat(8191) }).size).toBe(1)
  })
})
