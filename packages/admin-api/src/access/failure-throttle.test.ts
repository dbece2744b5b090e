import { createManualClock } from '@kms/core/testing'
import { expect, it } from 'vitest'
import { createFailureThrottle } from './failure-throttle.ts'

const MINUTE = 60_000
const START = Date.UTC(2026, 10, 23, 12)

it('lets so many failures pass in a minute, then says how long to wait', () => {
  const clock = createManualClock(START)
  const throttle = createFailureThrottle({ salt: 'test', perMinute: 3, clock })
  const fail = (): number | undefined => throttle.fail('10.0.0.1', 'ann')
  expect([fail(), fail(), fail(), fail(), fail()]).toEqual([undefined, undefined, undefined, 60, 60])
  clock.advance(59_500)
  expect(fail()).toBe(1)
  clock.advance(500)
  expect([fail(), fail(), fail(), fail()]).toEqual([undefined, undefined, undefined, 60])
})

it('counts addresses and access keys apart', () => {
  const throttle = createFailureThrottle({ salt: 'test', perMinute: 1, clock: createManualClock(START) })
  expect(throttle.fail('10.0.0.1', 'ann')).toBeUndefined()
  expect(throttle.fail('10.0.0.1', 'ann')).toBe(60)
  expect(throttle.fail('10.0.0.2', 'ann')).toBeUndefined()
  expect(throttle.fail('10.0.0.1', 'bob')).toBeUndefined()
  expect(throttle.fail(undefined, 'ann')).toBeUndefined()
  expect(throttle.fail(undefined, 'ann')).toBe(60)
})

it('forgets nobody because others fail as well', () => {
  const throttle = createFailureThrottle({ salt: 'test', perMinute: 2, clock: createManualClock(START) })
  throttle.fail('10.0.0.1', 'ann')
  throttle.fail('10.0.0.1', 'ann')
  for (let i = 0; i < 20_000; i++) throttle.fail('10.0.0.1', `stranger-${i}`)
  expect(throttle.fail('10.0.0.1', 'ann')).toBe(60)
})

it('is off with a limit of 0', () => {
  const clock = createManualClock(START + MINUTE)
  const throttle = createFailureThrottle({ salt: 'test', perMinute: 0, clock })
  for (let i = 0; i < 1000; i++) expect(throttle.fail('10.0.0.1', 'ann')).toBeUndefined()
})
