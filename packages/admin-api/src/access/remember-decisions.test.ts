import { expect, it } from 'vitest'
import { rememberDecisions } from './remember-decisions.ts'

it('decides on each key once, and refuses again what it refused', () => {
  const asked: string[] = []
  const refusal = new Error('no')
  const authorize = rememberDecisions((keyId) => {
    asked.push(keyId)
    if (keyId === 'b') throw refusal
  })
  for (let i = 0; i < 3; i++) {
    authorize('a')
    expect(() => authorize('b')).toThrow(refusal)
    authorize('__proto__')
  }
  expect(asked).toEqual(['a', 'b', '__proto__'])
})
