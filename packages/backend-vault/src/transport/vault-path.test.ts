import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeVaultPath } from './vault-path.ts'

describe('encodeVaultPath', () => {
  it.each([
    [['transit/keys', 'orders'], 'transit/keys/orders'],
    [['secret', 'data', 'rustfs/kms/keys', '.realm'], 'secret/data/rustfs/kms/keys/.realm'],
    [['transit', 'a b?c#d%2f'], 'transit/a%20b%3Fc%23d%252f'],
    [['..a', 'a..'], '..a/a..'],
  ])('%j is %s', (pieces, path) => {
    expect(encodeVaultPath(pieces)).toBe(path)
  })

  it.each([[['a', '..', 'b']], [['a/../b']], [['a', '.']], [['a', '']], [['a//b']], [['/a']], [['a/']]])(
    'refuses %j',
    (pieces) => {
      expect(() => encodeVaultPath(pieces)).toThrow(RangeError)
    },
  )

  it('never leaves the path it was given, whatever the pieces hold', () => {
    const piece = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(
        fc.array(fc.oneof(piece, fc.constantFrom('..', '.', 'a/b', '%2e%2e', '\\..\\')), { minLength: 1 }),
        (pieces) => {
          let path: string
          try {
            path = encodeVaultPath(pieces)
          } catch (error) {
            expect(error instanceof RangeError || error instanceof URIError).toBe(true)
            return
          }
          const url = new URL(`https://vault.example.com/v1/${path}?list=true`)
          expect(url.search).toBe('?list=true')
          expect(url.hash).toBe('')
          expect(url.pathname).toBe(`/v1/${path}`)
          expect(decodeURIComponent(url.pathname)).toBe(`/v1/${pieces.join('/')}`)
        },
      ),
    )
  })
})
