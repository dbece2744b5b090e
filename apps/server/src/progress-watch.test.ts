import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createProgressWatch } from './progress-watch.ts'

/** What the watch looks at: a readable, its socket's count of bytes, whether it is complete. */
function fakeRequest() {
  const socket = { bytesRead: 1000 }
  const stream = new Readable({ read() {}, highWaterMark: 16 })
  const request = Object.assign(stream, { socket, complete: false })
  return { request: request as unknown as IncomingMessage, control: request, socket }
}

function watchOf() {
  const clock = { ms: 0 }
  return { clock, watch: createProgressWatch({ now: () => clock.ms, windowMs: 1000, leastBytes: 100 }) }
}

describe('createProgressWatch', () => {
  it('finds a body that stands still for a window, and again after another', () => {
    const { clock, watch } = watchOf()
    const { request } = fakeRequest()
    request.on('data', () => {})
    const look = (ms: number) => {
      clock.ms = ms
      return watch.takeStalled([request])
    }
    expect([look(0), look(999), look(1000), look(1001), look(2000)]).toEqual([[], [], [request], [], []])
    expect(look(2001)).toEqual([request])
  })

  it('counts from when it first saw a request', () => {
    const { clock, watch } = watchOf()
    const { request } = fakeRequest()
    request.on('data', () => {})
    clock.ms = 5000
    expect(watch.takeStalled([request])).toEqual([])
    clock.ms = 5999
    expect(watch.takeStalled([request])).toEqual([])
    clock.ms = 6000
    expect(watch.takeStalled([request])).toEqual([request])
  })

  it('leaves a body alone that keeps coming, and finds one that only trickles', () => {
    const { clock, watch } = watchOf()
    const steady = fakeRequest()
    const trickle = fakeRequest()
    const requests = [steady, trickle].map(({ request }) => request.on('data', () => {}))
    watch.takeStalled(requests)
    for (let i = 0; i < 20; i++) {
      clock.ms += 300
      steady.socket.bytesRead += 100
      trickle.socket.bytesRead += 1
      // Found after four looks, seen anew at the fifth.
      expect(watch.takeStalled(requests)).toEqual(i % 5 === 3 ? [trickle.request] : [])
    }
  })

  it('does not count time in which nobody reads', () => {
    const { clock, watch } = watchOf()
    const { request, control } = fakeRequest()
    const look = (ms: number) => {
      clock.ms = ms
      return watch.takeStalled([request])
    }
    expect([look(0), look(10_000)]).toEqual([[], []])
    control.on('data', () => {})
    control.pause()
    expect(look(20_000)).toEqual([])
    control.resume()
    expect([look(20_999), look(21_000)]).toEqual([[], [request]])
  })

  it('passes over requests that are complete or closed, and forgets those it is not shown', () => {
    const { clock, watch } = watchOf()
    const [complete, closed, gone] = [fakeRequest(), fakeRequest(), fakeRequest()]
    const requests = [complete, closed, gone].map(({ request }) => request.on('data', () => {}))
    watch.takeStalled(requests)
    complete.control.complete = true
    closed.control.destroy()
    clock.ms = 500
    watch.takeStalled(requests.slice(0, 2))
    clock.ms = 1400
    expect(watch.takeStalled(requests)).toEqual([])
    clock.ms = 2400
    expect(watch.takeStalled(requests)).toEqual([gone.request])
  })
})
