import type { IncomingMessage } from 'node:http'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { headerOf, receiveIncoming, receiveRequest } from './received-request.ts'

describe('from Node', () => {
  const incoming = (socket: object, url = '/a%2F/../b?c=%20?d'): IncomingMessage =>
    ({ method: 'PUT', url, rawHeaders: ['Host', 'h', 'A', '1', 'a', '2'], socket }) as unknown as IncomingMessage

  it('takes everything as it came', () => {
    const request = incoming({})
    expect(receiveIncoming(request)).toEqual({
      method: 'PUT',
      rawTarget: '/a%2F/../b?c=%20?d',
      rawPath: '/a%2F/../b',
      rawQuery: 'c=%20?d',
      rawHeaders: ['Host', 'h', 'A', '1', 'a', '2'],
      peer: { secure: false },
      body: request,
    })
    expect(receiveIncoming(incoming({}, '/a'))).toMatchObject({ rawPath: '/a', rawQuery: '' })
  })

  it.each([
    [{ remoteAddress: '10.0.0.1' }, { address: '10.0.0.1', secure: false }],
    [
      { remoteAddress: '::1', encrypted: true },
      { address: '::1', secure: true },
    ],
    [{}, { secure: false }],
  ])('reads the socket %j', (socket, peer) => {
    expect(receiveIncoming(incoming(socket)).peer).toEqual(peer)
  })
})

describe('from a Request', () => {
  async function receive(url: string, headers?: Record<string, string>) {
    const seen: unknown[] = []
    const app = new Hono().all('*', (c) => (seen.push(receiveRequest(c)), c.text('')))
    await app.request(url, { method: 'POST', ...(headers === undefined ? {} : { headers }) })
    return seen[0]
  }

  it.each([
    ['http://kms/a?b', false],
    ['https://kms/a?b', true],
  ])('goes by the URL %s', async (url, secure) => {
    expect(await receive(url)).toMatchObject({
      method: 'POST',
      rawTarget: '/a?b',
      rawHeaders: ['host', 'kms'],
      peer: { secure },
      body: null,
    })
  })

  it('keeps the Host that was sent', async () => {
    expect(await receive('http://kms/', { host: 'other' })).toMatchObject({ rawHeaders: ['host', 'other'] })
  })
})

it('headerOf finds the first of a name, in any case', () => {
  const request = {
    method: 'GET',
    rawTarget: '/',
    rawHeaders: ['Host', 'h', 'If-Match', 'a', 'if-match', 'b', 'X', ''],
  }
  expect([headerOf(request, 'if-match'), headerOf(request, 'x'), headerOf(request, 'y')]).toEqual(['a', '', undefined])
})
