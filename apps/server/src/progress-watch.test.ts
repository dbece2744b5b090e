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
  it('finds a body that stands still for a window, once', () => {
    const { clock, watch } = watchOf()
    const { request } = fakeRequest()
    request.on('data', () => {})
    watch.add(request)
    clock.ms = 999
    expect(watch.takeStalled()).toEqual([])
    clock.ms = 1000
    expect(watch.takeStalled()).toEqual([request])
    clock.ms = 5000
    expect(watch.takeStalled()).toEqual([])
  })

  it('leaves a body alone that keeps coming, and finds one that only trickles', () => {
    const { clock, watch } = watchOf()
    const steady = fakeRequest()
    const trickle = fakeRequest()
    for (const { request } of [steady, trickle]) {
      request.on('data', () => {})
      watch.add(request)
    }
    for (let i = 0; i < 20; i++) {
      clock.ms += 300
      steady.socket.bytesRead += 100
      trickle.socket.bytesRead += 1
      expect(watch.takeStalled()).toEqual(i === 3 ? [trickle.request] : [])
    }
  })

  it('does not count time in which nobody reads', () => {
    const { clock, watch } = watchOf()
    const { request, control } = fakeRequest()
    watch.add(request)
    clock.ms = 10_000
    expect(watch.takeStalled()).toEqual([])
    control.on('data', () => {})
    control.pause()
    clock.ms = 20_000
    expect(watch.takeStalled()).toEqual([])
    control.resume()
    clock.ms = 20_999
    expect(watch.takeStalled()).toEqual([])
    clock.ms = 21_000
    expect(watch.takeStalled()).toEqual([request])
  })

  it('forgets requests that are complete, closed or broken', async () => {
    const { clock, watch } = watchOf()
    const [early, complete, closed] = [fakeRequest(), fakeRequest(), fakeRequest()]
    early.control.complete = true
    for (const { request } of [early, complete, closed]) {
      request.on('data', () => {})
      watch.add(request)
    }
    complete.control.complete = true
    closed.control.destroy()
    clock.ms = 5000
    expect(watch.takeStalled()).toEqual([])
  })
})
