import { expect, it } from 'vitest'
import { laterIndex } from './storage-index.ts'

const index = (value: unknown, cluster: unknown = 'c'): string =>
  Buffer.from(JSON.stringify({ cluster, value })).toString('base64')

it.each([
  [undefined, index('5'), index('5')],
  [index('5'), index('6'), index('6')],
  [index('6'), index('5'), index('6')],
  [index('9'), index('10'), index('10')],
  [index('6', 'before'), index('5', 'after'), index('5', 'after')],
  ['opaque', index('5'), index('5')],
  [index('5'), 'opaque', 'opaque'],
  [index('5'), index(6), index(6)],
])('of %s and %s it is %s', (known, seen, later) => {
  expect(laterIndex(known, seen)).toBe(later)
})
