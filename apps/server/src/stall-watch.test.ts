import { describe, expect, it } from 'vitest'
import { createStallWatch } from './stall-watch.ts'

interface Transfer {
  bytes?: number
}

function watchOf() {
  const clock = { ms: 0 }
  const watch = createStallWatch<Transfer>({
    now: () => clock.ms,
    windowMs: 1000,
    leastBytes: 100,
    progress: ({ bytes }) => bytes,
  })
  const lookAt = (ms: number, ...transfers: Transfer[]) => {
    clock.ms = ms
    return watch.takeStalled(transfers)
  }
  return { clock, watch, lookAt }
}

describe('the watch for stalled transfers', () => {
  it('finds one that stands still for a window, and again after another', () => {
    const { lookAt } = watchOf()
    const one = { bytes: 7 }
    expect([lookAt(0, one), lookAt(999, one), lookAt(1000, one)]).toEqual([[], [], [one]])
    expect([lookAt(1001, one), lookAt(2000, one), lookAt(2001, one)]).toEqual([[], [], [one]])
  })

  it('counts from when it first saw one', () => {
    const { lookAt } = watchOf()
    const one = { bytes: 7 }
    expect([lookAt(5000, one), lookAt(5999, one), lookAt(6000, one)]).toEqual([[], [], [one]])
  })

  it('leaves one alone that keeps moving, and finds one that only trickles', () => {
    const { lookAt } = watchOf()
    const [steady, trickle] = [{ bytes: 0 }, { bytes: 0 }]
    lookAt(0, steady, trickle)
    for (let i = 0; i < 20; i++) {
      steady.bytes += 100
      trickle.bytes += 1
      // Found after four looks, seen anew at the fifth.
      expect(lookAt((i + 1) * 300, steady, trickle)).toEqual(i % 5 === 3 ? [trickle] : [])
    }
  })

  it('does not count time in which we do not wait for the other end', () => {
    const { lookAt } = watchOf()
    const one: Transfer = { bytes: 7 }
    lookAt(0, one)
    delete one.bytes
    expect(lookAt(10_000, one)).toEqual([])
    one.bytes = 7
    expect([lookAt(20_000, one), lookAt(20_999, one), lookAt(21_000, one)]).toEqual([[], [], [one]])
  })

  it('forgets those it is not shown', () => {
    const { lookAt } = watchOf()
    const one = { bytes: 7 }
    lookAt(0, one)
    lookAt(500)
    expect([lookAt(1400, one), lookAt(2400, one)]).toEqual([[], [one]])
  })
})
