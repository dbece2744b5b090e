import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fileStem } from './file-name.ts'

describe('fileStem', () => {
  it.each([
    ['orders', 'orders'],
    ['a.b-c_0', 'a.b-c_0'],
    // SHA-256("Key") begins 99a52df3ff3d4994…
    ['Key', 'key~99a52df3ff3d4994'],
  ])('of %s is %s', (name, stem) => {
    expect(fileStem(name)).toBe(stem)
  })

  it('keeps names apart on a file system that folds case', () => {
    const names = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}[A-Za-z0-9_]$/)
    fc.assert(
      fc.property(names, names, (a, b) => {
        expect(fileStem(a).toLowerCase() === fileStem(b).toLowerCase()).toBe(a === b)
        expect(fileStem(a)).toBe(fileStem(a).toLowerCase())
      }),
    )
  })
})
