import type { ServerResponse } from 'node:http'
import { expect, it } from 'vitest'
import { createReplyWatch } from './reply-watch.ts'

function reply(): ServerResponse & {
  socket: { bytesWritten: number; writableLength: number }
  writableNeedDrain: boolean
} {
  const state = { destroyed: false, writableNeedDrain: true, socket: { bytesWritten: 1000, writableLength: 1000 } }
  return state as unknown as ReturnType<typeof reply>
}

it('finds those that nobody takes, and no others', () => {
  let time = 0
  const watch = createReplyWatch({ now: () => time, windowMs: 100, leastBytes: 10 })
  const [stuck, slow, ready] = [reply(), reply(), reply()]
  ready.writableNeedDrain = false
  const look = () => watch.takeStalled([stuck, slow, ready])
  expect(look()).toEqual([])
  time = 60
  slow.socket.writableLength -= 10
  expect(look()).toEqual([])
  time = 120
  expect(look()).toEqual([stuck])
  time = 155
  expect(watch.takeStalled([slow, ready])).toEqual([])
  time = 160
  expect(watch.takeStalled([slow, ready])).toEqual([slow])
})

it('forgets those that are over', () => {
  let time = 0
  const watch = createReplyWatch({ now: () => time, windowMs: 100, leastBytes: 10 })
  const one = reply()
  watch.takeStalled([one])
  watch.takeStalled([])
  time = 200
  expect(watch.takeStalled([one])).toEqual([])
})
