import type { Context } from 'hono'
import { expect, it } from 'vitest'
import { socketPeer } from './peer.ts'

it.each([
  [{ remoteAddress: '10.0.0.1' }, { address: '10.0.0.1', secure: false }],
  [
    { remoteAddress: '::1', encrypted: true },
    { address: '::1', secure: true },
  ],
  [{}, { secure: false }],
])('reads the socket %j', (socket, expected) => {
  expect(socketPeer({ env: { incoming: { socket } } } as unknown as Context)).toEqual(expected)
})

it.each([
  ['http://kms/', false],
  ['https://kms/', true],
])('goes by the URL %s where there is no socket', (url, secure) => {
  expect(socketPeer({ env: undefined, req: { raw: { url } } } as unknown as Context)).toEqual({ secure })
})
