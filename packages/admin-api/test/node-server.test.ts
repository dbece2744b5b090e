import { once } from 'node:events'
import { type ClientRequest, createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { type SignRequestOptions, signRequest } from '@kms/sigv4'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AdminApi } from '../src/index.ts'
import { ADMIN, createHarness, type Harness, root, stateOf } from './harness.ts'

let harness: Harness
let server: Server
let port: number

interface Wire {
  readonly method?: string
  readonly body?: string
  readonly sign?: Partial<SignRequestOptions>
  readonly headers?: Record<string, string>
  /** Sends the body as it likes. */
  readonly write?: (request: ClientRequest) => void
}

/** Sends exactly this request target over a socket. */
async function send(target: string, { method = 'GET', body, sign, headers = {}, write }: Wire = {}) {
  const signed = signRequest({
    method,
    target,
    host: `127.0.0.1:${port}`,
    credentials: root,
    region: 'us-east-1',
    service: 's3',
    now: harness.clock.now,
    ...(body === undefined ? {} : { body }),
    ...sign,
  } as SignRequestOptions)
  const sent = httpRequest({ host: '127.0.0.1', port, path: target, method, headers: { ...signed, ...headers } })
  // A server that refuses early may close the connection while the client still writes.
  sent.on('error', () => {})
  if (write === undefined) sent.end(body)
  else write(sent)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode, headers: response.headers, text, json: text === '' ? {} : JSON.parse(text) }
}

describe.each<[string, (api: AdminApi) => Server]>([
  ['its own listener', ({ listener }) => createServer(listener)],
  ['@hono/node-server', ({ app }) => createAdaptorServer({ fetch: app.fetch, hostname: '127.0.0.1' }) as Server],
])('through %s', (_, create) => {
  beforeAll(async () => {
    harness = await createHarness()
    await harness.run()
    server = create(harness.api)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })
  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await harness.close()
  })

  it('serves, keeping the raw target', async () => {
    expect(await send(`${ADMIN}/kms/status`)).toMatchObject({ status: 200, json: { status: 'Running' } })
    expect(await send(`${ADMIN}/kms/keys/alias%2Fmain-key`)).toMatchObject({
      status: 404,
      json: { code: 'KeyNotFound' },
    })
    expect(await send(`${ADMIN}/kms/keys/main%2Dkey`)).toMatchObject({ status: 200 })
    expect(await send(`${ADMIN}/kms/describe-key?keyId=main%2Dkey&x=a+b`)).toMatchObject({ status: 200 })
    // What a URL parser would make another path of.
    expect(await send(`${ADMIN}/kms/x/../status`)).toMatchObject({ status: 404, json: { code: 'NoSuchRoute' } })
    expect(await send(`${ADMIN}//kms/status`)).toMatchObject({ status: 404, json: { code: 'NoSuchRoute' } })
  })

  it('reads a body in one piece, in many, and chunked', async () => {
    const target = `${ADMIN}/kms/generate-data-key`
    const body = JSON.stringify({ encryption_context: { long: 'x'.repeat(8000) } })
    expect(await send(target, { method: 'POST', body })).toMatchObject({ status: 200 })
    const chunked = await send(target, {
      method: 'POST',
      body,
      headers: { 'transfer-encoding': 'chunked' },
      write(request) {
        for (let at = 0; at < body.length; at += 999) request.write(body.slice(at, at + 999))
        request.end()
      },
    })
    expect(chunked).toMatchObject({ status: 200, json: { key_id: 'main-key' } })
    expect(await send(target, { method: 'POST' })).toMatchObject({ status: 200 })
  })

  describe('too much', () => {
    const target = `${ADMIN}/kms/configure`
    const big = 'x'.repeat(1_048_577)

    it('announced, is refused before it is read', async () => {
      const before = stateOf(harness)
      const { status, json } = await send(target, {
        method: 'POST',
        body: big,
        headers: { 'content-length': '1048577' },
        write: (request) => request.flushHeaders(),
      })
      expect([status, json.code]).toEqual([413, 'EntityTooLarge'])
      expect(stateOf(harness)).toEqual(before)
    })

    it('unannounced, is refused when it has arrived', async () => {
      const { status, json } = await send(target, {
        method: 'POST',
        body: big,
        headers: { 'transfer-encoding': 'chunked' },
        write(request) {
          for (let at = 0; at < big.length; at += 65_536) request.write(big.slice(at, at + 65_536))
          request.end()
        },
      })
      expect([status, json.code]).toEqual([413, 'EntityTooLarge'])
    })

    it('by one byte is the limit', async () => {
      const { json } = await send(target, { method: 'POST', body: big.slice(1) })
      expect(json.code).toBe('InvalidRequest')
    })

    it('is not read from those who can not sign', async () => {
      const { status, json } = await send(target, {
        method: 'POST',
        body: big,
        sign: { credentials: { ...root, secretAccessKey: 'wrong' } },
        headers: { 'content-length': '1048577' },
        write: (request) => request.flushHeaders(),
      })
      expect([status, json.code]).toEqual([403, 'SignatureDoesNotMatch'])
    })
  })

  it('survives clients that go away in the middle', async () => {
    const target = `${ADMIN}/kms/configure`
    const headers = signRequest({
      method: 'POST',
      target,
      host: 'kms',
      credentials: root,
      region: 'us-east-1',
      service: 's3',
      now: harness.clock.now,
      body: '{"backend_type":"memory"}',
    })
    const seen = harness.log.length
    const socket = connect(port, '127.0.0.1')
    const lines = Object.entries({ ...headers, 'content-length': '25' }).map(([name, value]) => `${name}: ${value}`)
    socket.write(`POST ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n{"backend`, () => socket.destroy())
    await expect.poll(() => harness.log.slice(seen)).toMatchObject([{ event: 'request', code: 'InvalidRequest' }])
    expect((await send(`${ADMIN}/kms/status`)).status).toBe(200)
  })

  it('knows the address of the socket', async () => {
    await send(`${ADMIN}/kms/status`)
    expect(harness.log.at(-1)).toMatchObject({ address: '127.0.0.1', status: 200 })
  })

  it('answers HEAD without a body', async () => {
    expect(await send(`${ADMIN}/kms/status`, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
  })
})
