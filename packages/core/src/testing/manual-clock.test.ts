import { describe, expect, it } from 'vitest'
import { createManualClock } from './manual-clock.ts'

describe('createManualClock', () => {
  it('stands still until it is advanced', () => {
    const clock = createManualClock(1000)
    expect(clock.now()).toBe(1000)
    clock.advance(5)
    expect(clock.now()).toBe(1005)
  })

  it('runs what falls due in order of time, each at its own time, once', () => {
    const clock = createManualClock(0)
    const seen: string[] = []
    clock.after(20, () => seen.push(`b ${clock.now()}`))
    clock.after(10, () => {
      seen.push(`a ${clock.now()}`)
      clock.after(5, () => seen.push(`nested ${clock.now()}`))
    })
    clock.after(31, () => seen.push('too late'))
    clock.advance(30)
    expect(seen).toEqual(['a 10', 'nested 15', 'b 20'])
    clock.advance(0)
    expect(clock.now()).toBe(30)
    expect(seen).toHaveLength(3)
  })

  it('jumps: what fell due runs at the end, in order, with what that makes due', () => {
    const clock = createManualClock(0)
    const seen: string[] = []
    clock.after(20, () => seen.push(`b ${clock.now()}`))
    clock.after(10, () => {
      seen.push(`a ${clock.now()}`)
      clock.after(0, () => seen.push(`nested ${clock.now()}`))
      clock.after(1, () => seen.push('too late'))
    })
    clock.jump(100)
    expect(seen).toEqual(['a 100', 'b 100', 'nested 100'])
    expect(clock.next).toBe(101)
    expect(() => clock.jump(-1)).toThrow(RangeError)
  })

  it('forgets what was cancelled, and never goes back', () => {
    const clock = createManualClock(0)
    let ran = false
    const cancel = clock.after(10, () => {
      ran = true
    })
    cancel()
    clock.advance(100)
    expect(ran).toBe(false)
    expect(() => clock.advance(-1)).toThrow(RangeError)
    expect(() => clock.advance(Number.NaN)).toThrow(RangeError)
  })
})
