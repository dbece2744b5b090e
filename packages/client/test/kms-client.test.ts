import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createVerifier } from '@kms/sigv4'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type AnyRequest,
  createKmsClient,
  isKmsClientError,
  type KmsClientError,
  type OperationName,
  operations,
  type WireReply,
  type WireRequest,
} from '../src/index.ts'

const credentials = { accessKeyId: 'ann', secretAccessKey: 'battery staple' }

const reply = (status: number, body: object | string = {}, headers: Record<string, string> = {}): WireReply => ({
  status,
  headers,
  text: typeof body === 'string' ? body : JSON.stringify(body),
})

/** A client whose transport gives these answers in turn. */
function fake(...answers: (WireReply | Error)[]) {
  const sent: WireRequest[] = []
  const waits: number[] = []
  const client = createKmsClient({
    endpoint: 'https://kms.example.com/',
    credentials,
    wait: async (milliseconds) => void waits.push(milliseconds),
    transport: {
      async send(request) {
        sent.push(request)
        const answer = answers[Math.min(sent.length, answers.length) - 1] as WireReply | Error
        if (answer instanceof Error) throw answer
        return answer
      },
      close: () => {},
    },
  })
  return { client, sent, waits }
}

/** A request with something in every place the operation knows. */
function sample(name: OperationName): AnyRequest {
  const { path, query, body } = operations[name]
  const fields = body === 'any' ? ['document'] : (body ?? [])
  return {
    ...(path.includes('{') ? { path: { key_id: 'a/b', realm: 'r' } } : {}),
    query: Object.fromEntries(query.map((field) => [field, `${field} é`])),
    ...(body === undefined ? {} : { body: Object.fromEntries(fields.map((field) => [field, field])) }),
  }
}

describe('every operation', () => {
  it.each(Object.keys(operations) as OperationName[])('%s is sent as its entry says, signed', async (name) => {
    const { client, sent } = fake(reply(200, { success: true }))
    const request = sample(name)
    expect((await client.ask(name, request)).reply).toEqual({ success: true })
    const [{ method, url, headers, body }] = sent as [WireRequest]
    const { pathname, searchParams } = new URL(url)
    expect(method).toBe(operations[name].method)
    expect(pathname).toBe(
      `/rustfs/admin/v3${operations[name].path.replace('{key_id}', 'a%2Fb').replace('{realm}', 'r')}`,
    )
    expect([...searchParams.keys()]).toEqual([...operations[name].query])
    expect(body === undefined ? undefined : JSON.parse(body)).toEqual(request.body)
    const verifier = createVerifier({
      services: ['s3'],
      credentials: () => ({ secretAccessKey: credentials.secretAccessKey }),
    })
    const claim = verifier.parse({
      method,
      rawTarget: url.slice('https://kms.example.com'.length),
      rawHeaders: Object.entries(headers).flat(),
    })
    if (claim.kind === 'anonymous') throw new Error('not signed')
    const hashed = createHash('sha256')
      .update(body ?? '')
      .digest('hex')
    expect(await verifier.verify(claim, hashed)).toBeDefined()
  })

  it('refuses what it does not know, before anything is sent', async () => {
    const { client, sent } = fake(reply(200))
    await expect(client.ask('listKeys', { query: { limti: 1 } })).rejects.toThrow('query.limti')
    await expect(client.ask('describeKey', { path: { key_id: '' } })).rejects.toThrow('path.key_id is required')
    expect(sent).toEqual([])
  })
})

it('sends temporary credentials, If-Match, and nothing signed without credentials', async () => {
  const sent: WireRequest[] = []
  const transport = { send: async (request: WireRequest) => (sent.push(request), reply(200)), close: () => {} }
  const endpoint = 'http://h'
  await createKmsClient({ endpoint, transport, credentials: { ...credentials, sessionToken: 'token' } }).call('stop')
  await createKmsClient({ endpoint, transport, credentials }).call('configure', { body: {}, ifMatch: '"1-x"' })
  await createKmsClient({ endpoint, transport }).call('getOpenApiDocument')
  expect(sent[0]?.headers).toMatchObject({ 'x-amz-security-token': 'token' })
  expect(sent[1]?.headers).toMatchObject({ 'if-match': '"1-x"', authorization: expect.stringContaining('if-match') })
  expect(sent[2]?.headers).toEqual({ accept: 'application/json' })
})

it('says what stands around a reply', async () => {
  const headers = { etag: '"3-x"', 'x-request-id': 'id', date: 'Thu, 01 Jan 2026 00:00:00 GMT' }
  const { client } = fake(reply(200, { a: 1 }, headers))
  expect(await client.ask('getConfig')).toEqual({
    reply: { a: 1 },
    etag: '"3-x"',
    requestId: 'id',
    date: Date.UTC(2026, 0, 1),
  })
})

it('lists keys page by page', async () => {
  const page = (keys: string[], next_marker: string | null) =>
    reply(200, { keys: keys.map((key_id) => ({ key_id })), next_marker })
  const { client, sent } = fake(page(['a', 'b'], 'm'), page([], 'n'), page(['c'], null))
  const keys: string[] = []
  for await (const { key_id } of client.allKeys({ status: 'Enabled' })) keys.push(key_id)
  expect(keys).toEqual(['a', 'b', 'c'])
  expect(sent.map(({ url }) => new URL(url).search)).toEqual([
    '?status=Enabled&limit=1000',
    '?status=Enabled&limit=1000&marker=m',
    '?status=Enabled&limit=1000&marker=n',
  ])
})

async function refusal(work: Promise<unknown>): Promise<KmsClientError> {
  const error = await work.catch((caught: unknown) => caught)
  if (!isKmsClientError(error)) throw error
  return error
}

describe('errors', () => {
  it('have the code, status, message and request id of the server', async () => {
    const { client } = fake(reply(404, { code: 'KeyNotFound', message: 'No key.' }, { 'x-request-id': 'id' }))
    const error = await refusal(client.call('describeKey', { path: { key_id: 'k' } }))
    expect(error).toMatchObject({
      code: 'KeyNotFound',
      status: 404,
      message: 'No key.',
      requestId: 'id',
      notSent: false,
    })
    expect([isKmsClientError(error, 'KeyNotFound'), isKmsClientError(error, 'Other')]).toEqual([true, false])
    expect(isKmsClientError(new Error('x'))).toBe(false)
  })

  it.each([
    [200, 'hello'],
    [502, '<html>'],
    [500, '{}'],
  ])('a reply that is none (%i %s) is told', async (status, text) => {
    const { client } = fake(reply(status, text))
    expect(await refusal(client.call('stop'))).toMatchObject({ code: 'UnreadableReply', status })
  })
})

describe('repeating', () => {
  const busy = reply(503, { code: 'BackendUnavailable', message: 'm' }, { 'retry-after': '5' })
  const ok = reply(200, {})

  it.each<[OperationName, string, WireReply, number]>([
    ['getStatus', '503', busy, 4],
    ['decrypt', '503', busy, 4],
    ['decrypt', '429', reply(429, { code: 'TooManyRequests' }), 4],
    ['generateDataKey', '504', reply(504, { code: 'BackendTimeout' }), 4],
    ['decrypt', '400', reply(400, { code: 'InvalidCiphertext' }), 1],
    ['decrypt', '500', reply(500, { code: 'InternalError' }), 1],
    ['rotateKey', '503', busy, 1],
    ['start', '504', reply(504, { code: 'BackendTimeout' }), 1],
  ])('%s after %s is sent that often', async (name, _, answer, times) => {
    const { client, sent } = fake(answer)
    await refusal(client.ask(name))
    expect(sent).toHaveLength(times)
  })

  it('waits as long as it is told, and longer each time; the answer that comes is taken', async () => {
    const { client, sent, waits } = fake(busy, reply(503, { code: 'NotRunning' }), ok)
    await client.call('getStatus')
    expect(sent).toHaveLength(3)
    expect(waits).toEqual([5000, 1000])
  })

  it('each attempt is signed anew', async () => {
    const { client, sent } = fake(busy, ok)
    await client.call('getStatus')
    expect(new Set(sent).size).toBe(2)
  })
})

describe('over the wire', () => {
  const closing: (() => void)[] = []
  afterEach(() => {
    for (const close of closing.splice(0)) close()
  })
  async function serve(listener: Parameters<typeof createServer>[1]) {
    const server = createServer(listener)
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    closing.push(() => {
      server.closeAllConnections()
      server.close()
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const connect = (endpoint: string, timeoutMs = 5000) => {
    const client = createKmsClient({ endpoint, credentials, timeoutMs, wait: async () => {} })
    closing.push(() => client.close())
    return client
  }

  it('keeps one connection, and counts bytes, not characters', async () => {
    let body = ''
    const ports = new Set<number | undefined>()
    const endpoint = await serve((request, response) => {
      ports.add(request.socket.remotePort)
      request.setEncoding('utf8').on('data', (part: string) => {
        body += part
      })
      request.on('end', () => response.end('{}'))
    })
    const client = connect(endpoint)
    for (let i = 0; i < 3; i++) await client.call('updateKeyDescription', { body: { key_id: 'k', description: 'é' } })
    expect(body).toBe('{"key_id":"k","description":"é"}'.repeat(3))
    expect(ports.size).toBe(1)
    expect(await client.get('/health/live')).toMatchObject({ status: 200, text: '{}' })
  })

  it('nobody there: tried again, as nothing was begun', async () => {
    const endpoint = await serve((_, response) => response.end())
    closing.pop()?.()
    let waits = 0
    const client = createKmsClient({ endpoint, credentials, wait: async () => void waits++ })
    expect(await refusal(client.call('rotateKey', { body: { key_id: 'k' } }))).toMatchObject({
      code: 'ConnectionFailed',
      status: 0,
      notSent: true,
    })
    expect(waits).toBe(3)
  })

  it('a connection cut in the middle: a change is not sent again, a look is', async () => {
    let requests = 0
    const endpoint = await serve((request) => {
      requests++
      request.socket.destroy()
    })
    const client = connect(endpoint)
    expect(await refusal(client.call('stop'))).toMatchObject({ code: 'ConnectionFailed', notSent: false })
    expect(requests).toBe(1)
    await refusal(client.call('getStatus'))
    expect(requests).toBe(5)
  })

  it('no reply in time', async () => {
    const endpoint = await serve(() => {})
    const client = createKmsClient({ endpoint, timeoutMs: 20, retries: 0 })
    expect(await refusal(client.call('getStatus'))).toMatchObject({ code: 'RequestTimeout', status: 0 })
  })
})
