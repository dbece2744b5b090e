import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { bodyProgress, replyProgress } from './transfer-progress.ts'

/** What is looked at of a request: a readable, its socket's count of bytes, whether it is complete. */
function fakeRequest() {
  const stream = new Readable({ read() {}, highWaterMark: 16 })
  return Object.assign(stream, { socket: { bytesRead: 1000 }, complete: false })
}

const bodyOf = (request: ReturnType<typeof fakeRequest>) => bodyProgress(request as unknown as IncomingMessage)

describe('the progress of a body', () => {
  it('is what came over its connection while somebody reads', () => {
    const request = fakeRequest()
    request.on('data', () => {})
    expect(bodyOf(request)).toBe(1000)
    request.socket.bytesRead += 24
    expect(bodyOf(request)).toBe(1024)
  })

  it.each<[string, (request: ReturnType<typeof fakeRequest>) => void]>([
    ['nobody reads', (request) => request.removeAllListeners('data')],
    ['the reader paused', (request) => request.pause()],
    ['as much waits to be read as may', (request) => request.pause().unshift(Buffer.alloc(16))],
    ['the body is there', (request) => Object.assign(request, { complete: true })],
    ['the connection is closed', (request) => request.destroy()],
  ])('is not what is waited for where %s', (_, change) => {
    const request = fakeRequest()
    request.on('data', () => {})
    change(request)
    expect(bodyOf(request)).toBeUndefined()
  })
})

function fakeReply() {
  return { destroyed: false, writableNeedDrain: true, socket: { bytesWritten: 1000, writableLength: 300 } }
}

const takenOf = (reply: object) => replyProgress(reply as unknown as ServerResponse)

describe('the progress of a reply', () => {
  it('is what the system has taken over, of all that was written', () => {
    expect(takenOf(fakeReply())).toBe(700)
  })

  it.each<[string, object]>([
    ['nothing waits for the client', { writableNeedDrain: false }],
    ['the reply is given up', { destroyed: true }],
    ['it has no connection any more', { socket: null }],
  ])('is not what is waited for where %s', (_, change) => {
    expect(takenOf({ ...fakeReply(), ...change })).toBeUndefined()
  })
})
