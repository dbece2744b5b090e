import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { ReceivedRequest } from '../request/received-request.ts'
import type { Answer } from './answer.ts'
import { nodeListener } from './node-listener.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A connection to a server that answers so, and all it has received. */
async function open(answer: (request: ReceivedRequest) => Promise<Answer>, discardMs?: number) {
  const server = createServer(nodeListener(answer, discardMs))
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket: Socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')
  let text = ''
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  return {
    server,
    socket,
    closed: once(socket, 'close').then(() => text),
    async until(part: string): Promise<string> {
      while (!text.includes(part)) await once(socket, 'data')
      return text
    },
  }
}

const answered = (text: string): Answer => ({ status: 200, headers: ['x-a', '1', 'x-a', '2'], text })
const post = (length: number, body = ''): string =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${body}`

it.each(['', 'plain', 'é', 'naïve 密钥 🔑'])('writes %j as UTF-8, with its length in bytes', async (body) => {
  const client = await open(async () => answered(`<${body}>`))
  client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const text = await client.until(`<${body}>`)
  expect(text).toContain('x-a: 1\r\nx-a: 2\r\n')
  expect(text).toContain(`content-length: ${Buffer.byteLength(body) + 2}\r\n`)
})

it('answers HEAD with the length alone', async () => {
  const client = await open(async () => answered('body'))
  client.socket.write('HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(await client.closed).toMatch(/content-length: 4\r\n[^]*\r\n\r\n$/)
})

it('answers pipelined requests in order', async () => {
  const waiting: (() => void)[] = []
  const client = await open(async ({ rawPath }) => {
    if (rawPath === '/1') await new Promise<void>((resolve) => waiting.push(resolve))
    else waiting[0]?.()
    return answered(`<${rawPath}>`)
  })
  client.socket.write('GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n')
  const text = await client.until('</2>')
  expect(text.indexOf('</1>')).toBeGreaterThan(0)
  expect(text.indexOf('</1>')).toBeLessThan(text.indexOf('</2>'))
})

describe('a body nobody read', () => {
  it('that still arrives leaves the connection to the next request', async () => {
    const client = await open(async ({ rawPath }) => answered(`<${rawPath}>`))
    client.socket.write(post(3, 'a'))
    await client.until('</>')
    client.socket.write('bcGET /next HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await client.until('</next>')).toMatch(/200 OK[^]*200 OK/)
  })

  it('that was stopped in the middle, though all of it had arrived, does so too', async () => {
    const client = await open(async ({ rawPath, body }) => {
      if (rawPath === '/') {
        const incoming = body as NodeJS.ReadableStream
        await new Promise<void>((resolve) => {
          incoming.once('data', () => {
            incoming.pause()
            resolve()
          })
        })
      }
      return answered(`<${rawPath}>`)
    })
    client.socket.write(post(200_000, 'x'.repeat(200_000)))
    client.socket.write('GET /next HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await client.until('</next>')).toMatch(/200 OK[^]*200 OK/)
  })

  it('that does not come ends the connection, after the answer', async () => {
    const client = await open(async () => answered('<refused>'), 20)
    client.socket.write(post(3, 'a'))
    expect(await client.closed).toContain('<refused>')
  })
})

it('ends the connection should an answer fail, and serves on', async () => {
  const client = await open(() => Promise.reject(new Error('no answer')))
  client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  expect(await client.closed).toBe('')
  expect(client.server.listening).toBe(true)
})

it('takes no harm from a client that is gone when the answer is ready', async () => {
  let finish: (() => void) | undefined
  const client = await open(async ({ body }) => {
    await new Promise<void>((resolve) => {
      finish = resolve
      ;(body as NodeJS.ReadableStream).once('close', resolve)
    })
    return answered('late')
  })
  client.socket.write(post(3, 'a'))
  await expect.poll(() => finish).toBeDefined()
  client.socket.destroy()
  await client.closed
  const again = connect((client.server.address() as AddressInfo).port, '127.0.0.1')
  await once(again, 'connect')
  again.destroy()
})
