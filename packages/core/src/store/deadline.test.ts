import { describe, expect, it } from 'vitest'
import { createManualClock } from '../testing/index.ts'
import { createDeadline, withDeadline } from './deadline.ts'

const never = () => new Promise<never>(() => {})
const outcome = (work: Promise<unknown>) => work.catch((error: { code?: string }) => error.code)

describe('createDeadline', () => {
  it('lets work settle as it does', async () => {
    const deadline = createDeadline(5, createManualClock(1))
    expect(await deadline.bound(Promise.resolve(7))).toBe(7)
    await expect(deadline.bound(Promise.reject(new Error('no')))).rejects.toThrow('no')
  })

  it('ends each operation at its own time, on one timer', async () => {
    const clock = createManualClock(1)
    const deadline = createDeadline(5, clock)
    const ended: string[] = []
    const start = (name: string) =>
      void outcome(deadline.bound(never())).then((code) => ended.push(`${name} ${String(code)}`))
    start('first')
    clock.advance(2000)
    start('second')
    await deadline.bound(Promise.resolve())
    clock.advance(2999)
    await Promise.resolve()
    expect(ended).toEqual([])
    clock.advance(1)
    await new Promise(setImmediate)
    expect(ended).toEqual(['first BackendTimeout'])
    clock.advance(1999)
    await new Promise(setImmediate)
    expect(ended).toEqual(['first BackendTimeout'])
    clock.advance(1)
    await new Promise(setImmediate)
    expect(ended).toEqual(['first BackendTimeout', 'second BackendTimeout'])
  })

  it('starts over after a quiet time', async () => {
    const clock = createManualClock(1)
    const deadline = createDeadline(5, clock)
    await deadline.bound(Promise.resolve())
    clock.advance(60_000)
    const late = outcome(deadline.bound(never()))
    clock.advance(5000)
    expect(await late).toBe('BackendTimeout')
  })
})

describe('withDeadline', () => {
  it('tells when the time is up, and only then', async () => {
    const clock = createManualClock(1)
    let told = 0
    expect(await withDeadline(Promise.resolve(7), 5, clock, () => told++)).toBe(7)
    clock.advance(10_000)
    expect(told).toBe(0)
    const late = outcome(withDeadline(never(), 5, clock, () => told++))
    clock.advance(5000)
    expect(await late).toBe('BackendTimeout')
    expect(told).toBe(1)
  })
})
