import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createHttpServer, type HttpServer } from './http-server.ts'

const servers: HttpServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) if (!server.draining) await server.drain(0)
})

async function start(handler: RequestListener, bodyStallMs?: number): Promise<{ server: HttpServer; port: number }> {
  const server = createHttpServer({ handler, ...(bodyStallMs === undefined ? {} : { bodyStallMs }) })
  servers.push(server)
  return { server, port: await server.listen({ host: '127.0.0.1', port: 0 }) }
}

/** A connection, with everything it has received. */
async function open(port: number) {
  const socket: Socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  let text = ''
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part
  })
  const closed = once(socket, 'close').then(() => text)
  return {
    socket,
    closed,
    received: () => text,
    async until(part: string): Promise<string> {
      while (!text.includes(part)) await once(socket, 'data')
      return text
    },
  }
}

/** Answers when the whole body is there, with its length. */
const echoLength: RequestListener = (request, response) => {
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  request.on('end', () => response.end(`got ${bytes}`))
}

const POST = (headers: string): string => `POST / HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`

/** A request that is complete. */
const FIRST = `${POST('Content-Length: 1')}x`

describe('Expect: 100-continue', () => {
  it('invites the body when the handler begins to read, and keeps the connection', async () => {
    const { port } = await start(echoLength)
    const client = await open(port)
    client.socket.write(POST('Content-Length: 3\r\nExpect: 100-continue'))
    expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 100 Continue/)
    client.socket.write('abc')
    expect(await client.until('got 3')).toContain('Connection: keep-alive')
    client.socket.write(`${POST('Content-Length: 2')}ab`)
    await client.until('got 2')
    client.socket.destroy()
  })

  it('invites nothing when the handler refuses, and closes', async () => {
    const { port } = await start((request, response) => {
      response.statusCode = 403
      response.end('no')
      // What a handler does to rid itself of a body must not invite it afterwards.
      response.once('finish', () => request.on('data', () => {}))
    })
    const client = await open(port)
    client.socket.write(POST('Content-Length: 3\r\nExpect: 100-continue'))
    const text = await client.closed
    expect(text).toMatch(/^HTTP\/1\.1 403 /)
    expect(text).toContain('Connection: close')
    expect(text).not.toContain('100 Continue')
  })
})

describe('what is not a request', () => {
  it.each([
    ['garbage', 'hello\r\n\r\n', '400 Bad Request'],
    [
      'headers too large',
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(33_000)}\r\n\r\n`,
      '431 Request Header Fields Too Large',
    ],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', '400 Bad Request'],
    [
      'smuggling',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      '400 Bad Request',
    ],
  ])('%s is answered in JSON with a request id, and the connection ends', async (_, text, status) => {
    const { port } = await start(echoLength)
    const client = await open(port)
    client.socket.write(text)
    const reply = await client.closed
    expect(reply).toContain(`HTTP/1.1 ${status}\r\n`)
    expect(reply).toMatch(/x-request-id: [0-9a-f-]{36}\r\n/)
    expect(JSON.parse(reply.split('\r\n\r\n')[1] as string)).toMatchObject({ success: false, code: 'InvalidRequest' })
    expect(reply).not.toMatch(/^server:/im)
  })

  it('an expectation that cannot be met is 417', async () => {
    const { port } = await start(echoLength)
    const client = await open(port)
    client.socket.write(POST('Content-Length: 0\r\nExpect: tea\r\nConnection: close'))
    const reply = await client.closed
    expect(reply).toMatch(/^HTTP\/1\.1 417 /)
    expect(reply).toMatch(/x-request-id: /)
  })
})

it('a body that stops arriving is answered 408 and the connection closed', async () => {
  const { port } = await start(echoLength, 80)
  const client = await open(port)
  client.socket.write(`${POST('Content-Length: 10')}abc`)
  const reply = await client.closed
  expect(reply).toMatch(/^HTTP\/1\.1 408 /)
  expect(reply).toContain('"message":"The body stopped arriving')
})

describe('drain', () => {
  it('lets requests under way finish, closes idle connections, accepts nothing', async () => {
    const { server, port } = await start(echoLength)
    const [idle, busy, unfinished] = await Promise.all([open(port), open(port), open(port)])
    idle.socket.write(FIRST)
    // What stands behind the first request in one write has been read when the first is answered.
    busy.socket.write(`${FIRST}${POST('Content-Length: 4')}ab`)
    unfinished.socket.write(`${FIRST}POST / HTTP/1.1\r\nHost: x\r\n`)
    await Promise.all([idle, busy, unfinished].map((client) => client.until('got 1')))

    let drained = false
    const end = server.drain(20).then(() => {
      drained = true
    })
    expect(await idle.closed).toContain('got 1')
    const late = connect(port, '127.0.0.1')
    const [error] = await once(late, 'error')
    expect(error.code).toBe('ECONNREFUSED')
    expect(drained).toBe(false)

    busy.socket.write('cd')
    expect(await busy.closed).toMatch(/Connection: close[\s\S]*got 4/)
    expect(drained).toBe(false)
    unfinished.socket.write('Content-Length: 0\r\n\r\n')
    expect(await unfinished.closed).toMatch(/Connection: close[\s\S]*got 0/)
    await end
    expect(server.draining).toBe(true)
  })

  it('cuts off what is left when the time is over', async () => {
    const { server, port } = await start(echoLength)
    const client = await open(port)
    client.socket.write(`${FIRST}${POST('Content-Length: 4')}ab`)
    await client.until('got 1')
    await server.drain(0.05)
    expect(await client.closed).not.toContain('got 4')
  })

  it('ends keep-alive connections whose reply had begun before', async () => {
    let finish = (): void => {}
    const { server, port } = await start((_, response) => {
      response.write('begun ')
      finish = () => response.end('done')
    })
    const client = await open(port)
    client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.until('begun')
    const end = server.drain(20)
    finish()
    expect(await client.closed).toContain('done')
    await end
  })
})

it('rejects with the reason when the address is taken', async () => {
  const { port } = await start(echoLength)
  const second = createHttpServer({ handler: echoLength })
  await expect(second.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
})
