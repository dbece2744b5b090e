import { createServer, type RequestListener, type Server } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { createHttpSender, type HttpRequest, type HttpSender } from './http-sender.ts'
import { type HostAddress, type Resolve } from './pinned-lookup.ts'

describe('createHttpSender', () => {
  const servers: Server[] = []
  const senders: HttpSender[] = []
  afterEach(async () => {
    for (const each of senders.splice(0)) each.close()
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  async function serve(handler: RequestListener, host = '127.0.0.1', port = 0): Promise<number> {
    const server = createServer(handler)
    servers.push(server)
    await new Promise<void>((resolve) => {
      server.listen(port, host, resolve)
    })
    return (server.address() as { port: number }).port
  }

  function sender(resolve: Resolve = async () => [v4('127.0.0.1')], policy = {}): HttpSender {
    const made = createHttpSender({ protocol: 'http:', policy, resolve, tls: undefined })
    senders.push(made)
    return made
  }

  const v4 = (address: string): HostAddress => ({ address, family: 4 })
  const get = (url: string, rest: Partial<HttpRequest> = {}): HttpRequest => ({
    method: 'GET',
    url,
    headers: {},
    body: undefined,
    signal: new AbortController().signal,
    fresh: false,
    ...rest,
  })

  it('sends a request as it is, and returns the answer as it is', async () => {
    const port = await serve((request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        response.writeHead(404, { 'x-answer': 'yes' })
        response.end(`${request.method} ${request.url} ${String(request.headers['x-vault-token'])} ${body}`)
      })
    })
    const reply = await sender().send(
      get(`http://vault.test:${port}/v1/a?list=true`, {
        method: 'POST',
        headers: { 'x-vault-token': 't' },
        body: '{"ä":1}',
      }),
    )
    expect(reply).toMatchObject({ status: 404, headers: { 'x-answer': 'yes' } })
    expect(reply.text).toBe('POST /v1/a?list=true t {"ä":1}')
  })

  it('follows no redirect', async () => {
    let asked = 0
    const port = await serve((_, response) => {
      asked += 1
      response.writeHead(307, { location: 'http://127.0.0.1:1/elsewhere' }).end()
    })
    expect(await sender().send(get(`http://vault.test:${port}/`))).toMatchObject({ status: 307 })
    expect(asked).toBe(1)
  })

  it('keeps connections, except for what must be fresh', async () => {
    const sockets = new Set<unknown>()
    const port = await serve((request, response) => {
      sockets.add(request.socket)
      response.end('x')
    })
    const one = sender()
    for (let i = 0; i < 5; i++) await one.send(get(`http://vault.test:${port}/`))
    expect(sockets.size).toBe(1)
    for (let i = 0; i < 3; i++) await one.send(get(`http://vault.test:${port}/`, { fresh: true }))
    expect(sockets.size).toBe(4)
  })

  it('dials the address that was checked, and checks it for every connection', async () => {
    const port = await serve((_, response) => void response.end('here'))
    let answers: readonly HostAddress[] = [v4('127.0.0.1')]
    let asked = 0
    const one = sender(async (host) => {
      asked += 1
      expect(host).toBe('rebinding.test')
      return answers
    })
    const request = get(`http://rebinding.test:${port}/`, { fresh: true })
    expect((await one.send(request)).text).toBe('here')
    for (const [address, reason] of [
      ['169.254.169.254', 'metadata'],
      ['10.0.0.1', 'plain http'],
    ] as const) {
      answers = [v4('127.0.0.1'), v4(address)]
      await expect(one.send(request)).rejects.toMatchObject({
        name: 'TransportFailure',
        reason: expect.stringMatching(new RegExp(`rebinding.test leads to ${address}.*${reason}`)),
        reached: false,
        passing: false,
      })
    }
    expect(asked).toBe(3)
  })

  it('takes the next address when the first one does not answer', async () => {
    const port = await serve((_, response) => void response.end('second'), '127.0.0.2')
    const one = sender(async () => [v4('127.0.0.3'), v4('127.0.0.2')])
    expect((await one.send(get(`http://vault.test:${port}/`))).text).toBe('second')
  })

  it('turns to the next address when it is told to', async () => {
    const port = await serve((_, response) => void response.end('first'), '127.0.0.1')
    await serve((_, response) => void response.end('second'), '127.0.0.2', port)
    const one = sender(async () => [v4('127.0.0.1'), v4('127.0.0.2')])
    const ask = async (): Promise<string> => (await one.send(get(`http://vault.test:${port}/`))).text
    const asked = [await ask(), await ask()]
    one.rotate()
    asked.push(await ask(), await ask())
    one.rotate()
    asked.push(await ask())
    expect(asked).toEqual(['first', 'first', 'second', 'second', 'first'])
  })

  it('ends when the signal says so, and says whether it was seen', async () => {
    const port = await serve(() => {})
    const controller = new AbortController()
    const pending = sender().send(get(`http://vault.test:${port}/`, { signal: controller.signal }))
    setTimeout(() => controller.abort(), 50)
    await expect(pending).rejects.toMatchObject({ reason: 'it did not answer in time', reached: true, passing: true })
  })

  it.each([
    ['a connection nobody takes', undefined, { reason: 'the connection was refused', reached: false }],
    [
      'a connection that is reset',
      (request, response) => {
        response.socket?.resetAndDestroy()
        request.resume()
      },
      { reason: 'the connection was reset', reached: true },
    ],
    [
      'an answer that is cut off',
      (_, response) => {
        response.writeHead(200, { 'content-length': '100' })
        response.write('half')
        setTimeout(() => response.socket?.destroy(), 20)
      },
      { reached: true, passing: true },
    ],
    [
      'no HTTP',
      (_, response) => void response.socket?.end('SSH-2.0-OpenSSH\r\n'),
      { reason: 'what answers does not speak HTTP', reached: true },
    ],
  ] as [string, RequestListener | undefined, object][])('names %s', async (_, handler, expected) => {
    const port = handler === undefined ? 1 : await serve(handler)
    const secret = 'hvs.do-not-tell'
    const failure = await sender()
      .send(get(`http://vault.test:${port}/`, { headers: { 'x-vault-token': secret }, body: secret, method: 'POST' }))
      .catch((error: Error) => error)
    expect(failure).toMatchObject({ name: 'TransportFailure', ...expected })
    expect(inspectAll(failure)).not.toContain(secret)
  })

  it('names a name that does not resolve', async () => {
    const one = sender(async () => {
      throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })
    })
    await expect(one.send(get('http://vault.test/'))).rejects.toMatchObject({ reason: 'its name does not resolve' })
    await expect(sender(async () => []).send(get('http://vault.test/'))).rejects.toMatchObject({
      reason: 'its name does not resolve',
    })
  })

  it('does not read more than there can be to read', async () => {
    const port = await serve((_, response) => {
      const chunk = Buffer.alloc(1024 * 1024)
      const write = (): void => {
        while (response.writable && response.write(chunk)) {}
        response.once('drain', write)
      }
      write()
    })
    await expect(sender().send(get(`http://vault.test:${port}/`))).rejects.toMatchObject({
      reason: 'its answer is too long',
      passing: false,
    })
  })
})

/** Everything that printing an error could show. */
function inspectAll(error: unknown): string {
  const { stack, ...own } = error as Error
  return [String(error), stack, JSON.stringify(error), JSON.stringify(own), String((error as Error).cause)].join('\n')
}
