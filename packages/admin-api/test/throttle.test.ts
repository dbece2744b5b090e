import { afterEach, beforeEach, expect, it } from 'vitest'
import { createHarness, type Harness, root, sendSts, type User } from './harness.ts'

let harness: Harness
let address: string
beforeEach(async () => {
  address = '10.0.0.1'
  harness = await createHarness({ settings: { authFailuresPerMinute: 3 }, peer: () => ({ address, secure: true }) })
})
afterEach(() => harness.close())

const guess: User = { ...root, secretAccessKey: 'guessed' }
const code = async (as: User): Promise<unknown> => {
  const { json, status } = await harness.send('GET', '/kms/status', { as })
  return status === 200 ? 200 : json['code']
}

it('answers failures 429 once there were too many, and correct signatures always', async () => {
  const codes = []
  for (let i = 0; i < 4; i++) codes.push(await code(guess), await code(root))
  const failure = 'SignatureDoesNotMatch'
  expect(codes).toEqual([failure, 200, failure, 200, failure, 200, 'TooManyRequests', 200])
  const { status, headers, json } = await harness.send('GET', '/kms/status', { as: guess })
  expect([status, headers.get('retry-after')]).toEqual([429, '60'])
  expect(json['message']).not.toContain('guessed')
  harness.clock.advance(60_000)
  expect(await code(guess)).toBe(failure)
})

it('throttles unknown keys and wrong tokens alike', async () => {
  const unknown = { accessKeyId: 'who', secretAccessKey: 'is-this' }
  const token = { ...root, sessionToken: 'none' }
  for (const [as, failure] of [
    [unknown, 'InvalidAccessKeyId'],
    [token, 'InvalidTokenId'],
  ] as const) {
    expect([await code(as), await code(as), await code(as), await code(as)]).toEqual([
      failure,
      failure,
      failure,
      'TooManyRequests',
    ])
  }
})

it('counts addresses apart, and STS together with the admin plane', async () => {
  for (let i = 0; i < 3; i++) await code(guess)
  const reply = await sendSts(harness, { Action: 'GetCallerIdentity' }, { as: guess })
  expect([reply.status, reply.text('Code'), reply.headers.get('retry-after')]).toEqual([429, 'TooManyRequests', '60'])
  address = '10.0.0.2'
  expect(await code(guess)).toBe('SignatureDoesNotMatch')
})

it('does not count what is no guess', async () => {
  for (let i = 0; i < 5; i++) {
    await harness.send('GET', '/kms/status', { as: undefined })
    await harness.send('GET', '/kms/status', { sign: { now: () => 0 } })
    await harness.send('GET', '/kms/nothing')
    const nobody = harness.user('nobody')
    expect(await code(nobody)).toBe('AccessDenied')
  }
  expect(await code(guess)).toBe('SignatureDoesNotMatch')
})
