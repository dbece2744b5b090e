import { createManualClock, type ManualClock } from '@kms/core/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Breaker, createBreaker } from './breaker.ts'

describe('createBreaker', () => {
  let clock: ManualClock
  let breaker: Breaker
  beforeEach(() => {
    clock = createManualClock(0)
    breaker = createBreaker(clock)
  })
  const fail = (times: number): void => {
    for (let i = 0; i < times; i++) breaker.failed('it is sealed (503)')
  }

  it('opens after five failures in a row, and says why', () => {
    fail(4)
    expect(breaker.admit()).toBe(true)
    expect(breaker.open).toBe(false)
    fail(1)
    expect(breaker.admit()).toBe(false)
    expect(breaker).toMatchObject({ open: true, waitMs: 250, reason: 'it is sealed (503)' })
  })

  it('does not count failures with a success between them', () => {
    for (let i = 0; i < 10; i++) {
      fail(4)
      breaker.succeeded()
    }
    expect(breaker.admit()).toBe(true)
  })

  it('lets one probe through, and closes when it comes back', () => {
    fail(5)
    clock.advance(249)
    expect(breaker.admit()).toBe(false)
    clock.advance(1)
    expect([breaker.admit(), breaker.admit(), breaker.admit()]).toEqual([true, false, false])
    breaker.succeeded()
    expect([breaker.admit(), breaker.admit()]).toEqual([true, true])
    expect(breaker).toMatchObject({ open: false, waitMs: 0 })
  })

  it('probes ever more rarely, but never more than 4 s apart', () => {
    fail(5)
    const pauses: number[] = []
    for (let i = 0; i < 7; i++) {
      pauses.push(breaker.waitMs)
      clock.advance(breaker.waitMs)
      expect(breaker.admit()).toBe(true)
      fail(1)
    }
    expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 4000, 4000])
    breaker.succeeded()
    fail(5)
    expect(breaker.waitMs).toBe(250)
  })

  it('waits longer while what is under way goes on failing', () => {
    fail(5)
    clock.advance(200)
    fail(1)
    clock.advance(200)
    expect(breaker.admit()).toBe(false)
    clock.advance(50)
    expect(breaker.admit()).toBe(true)
  })

  it('sends another probe after one that never comes back', () => {
    fail(5)
    clock.advance(250)
    expect(breaker.admit()).toBe(true)
    clock.advance(250)
    expect(breaker.admit()).toBe(true)
  })

  it('has any answer of what is under way as proof', () => {
    fail(50)
    breaker.succeeded()
    expect(breaker.admit()).toBe(true)
  })
})
