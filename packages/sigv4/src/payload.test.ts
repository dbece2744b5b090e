import { expect, test } from 'vitest'
import { checkPayload, EMPTY_SHA256, type Payload } from './payload.ts'

const hello = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'
const body = Buffer.from('hello')

test('a body that is not the one declared is refused, as bytes and as hash', () => {
  const payload: Payload = { kind: 'sha256', sha256: hello }
  checkPayload({ payload }, body)
  checkPayload({ payload }, { sha256: hello })
  for (const other of [Buffer.from('hellp'), Buffer.alloc(0), { sha256: EMPTY_SHA256 }]) {
    expect(() => checkPayload({ payload }, other)).toThrow(
      expect.objectContaining({ code: 'XAmzContentSHA256Mismatch', status: 400 }),
    )
  }
})

test.each(['body', 'unsigned'] as const)('nothing was declared: %s', (kind) => {
  expect(() => checkPayload({ payload: { kind } }, body)).not.toThrow()
})
