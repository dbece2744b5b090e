import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBase64 } from './base64.ts'

describe('decodeBase64', () => {
  it('reads what was encoded', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodeBase64(Buffer.from(bytes).toString('base64'))?.equals(bytes)).toBe(true)
      }),
    )
  })

  it.each([
    ['no padding', 'AA'],
    ['the URL alphabet', '-_8='],
    ['line breaks', 'AAAA\nAAAA'],
    ['trailing bits', 'AB=='],
    ['text after the padding', 'AA==AA=='],
    ['a foreign character', 'A*AA'],
    ['one character', 'A'],
  ])('refuses %s', (_, text) => {
    expect(decodeBase64(text)).toBeUndefined()
  })
})
