import { once } from 'node:events'
import { connect } from 'node:net'
import { signChunks, signRequest } from '@kms/sigv4'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exchange, type Harness, pattern, startHarness } from './harness.ts'

let s3: Harness
const credentials = { accessKeyId: 'root', secretAccessKey: 'correct horse battery' }
beforeAll(async () => {
  s3 = await startHarness()
  await s3.ok({ method: 'PUT', path: '/wire' })
  await s3.ok({ method: 'PUT', path: '/wire/kept', body: 'kept' })
})
afterAll(() => s3.stop())

describe('what is not implemented', () => {
  const bucket = [
    'accelerate',
    'analytics',
    'inventory',
    'intelligent-tiering',
    'metrics',
    'ownershipControls',
    'publicAccessBlock',
    'requestPayment',
    'tagging',
    'session',
    'metadataTable',
    'abac',
  ]
  const onlyRead = [
    'cors',
    'lifecycle',
    'object-lock',
    'website',
    'replication',
    'logging',
    'notification',
    'versioning',
  ]
  const object = ['legal-hold', 'retention', 'restore', 'select', 'torrent', 'renameObject', 'annotation']
  const calls = [
    ...bucket.flatMap((name) => ['GET', 'PUT', 'DELETE', 'POST'].map((method) => [method, `/wire?${name}`] as const)),
    ...onlyRead.flatMap((name) => ['PUT', 'DELETE'].map((method) => [method, `/wire?${name}`] as const)),
    ...object.flatMap((name) =>
      ['GET', 'PUT', 'DELETE', 'POST', 'HEAD'].map((method) => [method, `/wire/kept?${name}`] as const),
    ),
    ...['policy', 'acl', 'tagging', 'x'].map((name) => ['POST', `/wire/kept?${name}`] as const),
    ['PUT', '/wire/kept?unheard-of'] as const,
    ['DELETE', '/wire/kept?unheard-of=1'] as const,
    ['DELETE', '/wire?unheard-of'] as const,
    ['PUT', '/wire/kept?append'] as const,
  ]

  it.each(calls)('%s %s is 501 and changes nothing', async (method, path) => {
    const got = await s3.send({ method, path, body: method === 'PUT' || method === 'POST' ? 'x' : '' })
    expect(got.status).toBe(path.endsWith('?x') ? 405 : 501)
    if (method !== 'HEAD') expect(got.xml('Code')).toBe(path.endsWith('?x') ? 'MethodNotAllowed' : 'NotImplemented')
    expect((await s3.ok({ path: '/wire/kept' })).text).toBe('kept')
  })

  it('takes no notice of parameters of reads that name nothing of S3', async () => {
    expect((await s3.ok({ path: '/wire/kept?v=1&utm=x&x-id=GetObject' })).text).toBe('kept')
    await s3.ok({ method: 'PUT', path: '/wire/hint?x-id=PutObject', body: 'x' })
  })

  it('refuses several subresources at once, and methods that are none', async () => {
    const both = await s3.send({ path: '/wire?acl&policy' })
    expect([both.status, both.xml('Code')]).toEqual([400, 'InvalidArgument'])
    const patch = await s3.send({ method: 'PATCH', path: '/wire/kept' })
    expect([patch.status, patch.xml('Code'), patch.headers['allow']]).toEqual([
      405,
      'MethodNotAllowed',
      'GET, HEAD, PUT, POST, DELETE, OPTIONS',
    ])
    const preflight = await s3.send({ method: 'OPTIONS', path: '/wire/kept' })
    expect([preflight.status, preflight.xml('Code')]).toEqual([403, 'AccessForbidden'])
  })
})

describe('XML', () => {
  it.each([
    '<!DOCTYPE a [<!ENTITY b "c">]><Delete><Object><Key>&b;</Key></Object></Delete>',
    '<!DOCTYPE Delete SYSTEM "http://127.0.0.1/x"><Delete><Object><Key>a</Key></Object></Delete>',
    '<Delete><Object><Key>&unknown;</Key></Object></Delete>',
    '<Delete><Object><Key>a</Key></Object>',
    '<Delete><Object><Key>a</Object></Key></Delete>',
    `${'<Delete>'.repeat(50)}${'</Delete>'.repeat(50)}`,
    '<Delete>text<Object><Key>a</Key></Object></Delete>',
    'no xml',
  ])('that is not S3’s is refused: %s', async (body) => {
    const got = await s3.send({ method: 'POST', path: '/wire?delete', body })
    expect([got.status, got.xml('Code')]).toEqual([400, 'MalformedXML'])
  })

  it('that is too large is refused while it arrives', async () => {
    const got = await s3.send({ method: 'PUT', path: '/wire?tagging', body: 'x' })
    expect(got.status).toBe(501)
    const large = await s3.send({ method: 'PUT', path: '/wire/kept?tagging', body: 'x'.repeat(70_000) })
    expect([large.status, large.xml('Code')]).toEqual([400, 'MaxMessageLengthExceeded'])
  })

  it('is well-formed in errors, whatever is quoted', async () => {
    const got = await s3.send({ path: `/wire/${encodeURIComponent('<&>"\u0001')}` })
    expect(got.text).toContain('<Key>&lt;&amp;&gt;&quot;&#x1;</Key>')
    expect(got.xml('RequestId')).toBe(got.headers['x-amz-request-id'])
    expect(got.headers['content-type']).toBe('application/xml')
  })
})

describe('bodies', () => {
  const options = { region: 'us-east-1', service: 's3', credentials } as const

  it.each([
    ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', undefined],
    ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', 'CRC32'],
    ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'CRC64NVME'],
  ] as const)('in chunks (%s)', async (form, trailer) => {
    const body = pattern(200_000)
    const path = `/wire/${form}`
    async function* source() {
      yield body
    }
    const {
      headers,
      body: chunks,
      encodedLength,
    } = signChunks({
      ...options,
      method: 'PUT',
      url: `${s3.url}${path}`,
      headers: {},
      body: source(),
      decodedLength: body.length,
      signed: form !== 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      checksum: trailer,
    })
    const encoded: Uint8Array[] = []
    for await (const chunk of chunks) encoded.push(chunk)
    const sent = Buffer.concat(encoded)
    expect(sent.length).toBe(encodedLength)
    const put = await exchange(s3.port, { method: 'PUT', path, headers, body: sent })
    expect(put.status, put.text).toBe(200)
    const got = await s3.ok({ path, headers: { 'x-amz-checksum-mode': 'ENABLED' } })
    expect(got.bytes.equals(body)).toBe(true)
    expect(got.headers['content-encoding']).toBeUndefined()
    if (trailer !== undefined) {
      expect(got.headers[`x-amz-checksum-${trailer.toLowerCase()}`]).toBe(
        put.headers[`x-amz-checksum-${trailer.toLowerCase()}`],
      )
    }
    const damaged = Buffer.from(sent)
    damaged[1000] = (damaged[1000] as number) ^ 1
    const refused = await exchange(s3.port, { method: 'PUT', path, headers, body: damaged })
    expect(refused.status).toBeGreaterThanOrEqual(400)
    expect((await s3.ok({ path })).bytes.equals(body)).toBe(true)
  })

  it('without a length, or too long, are refused before they are read', async () => {
    const signed = signRequest({ ...options, method: 'PUT', url: `${s3.url}/wire/long`, body: '', headers: {} })
    const talk = async (headers: Record<string, string>): Promise<string> => {
      const socket = connect(s3.port, '127.0.0.1')
      const lines = Object.entries({ host: `127.0.0.1:${s3.port}`, ...signed, ...headers }).map(
        ([k, v]) => `${k}: ${v}\r\n`,
      )
      socket.write(`PUT /wire/long HTTP/1.1\r\n${lines.join('')}\r\n`)
      const [data] = (await once(socket, 'data')) as [Buffer]
      socket.destroy()
      return data.toString()
    }
    expect(await talk({ 'content-length': String(5 * 1024 ** 3 + 1) })).toContain('<Code>EntityTooLarge</Code>')
    expect(await talk({ 'transfer-encoding': 'chunked' })).toContain('<Code>MissingContentLength</Code>')
  })

  it('that break off leave nothing, and what was there', async () => {
    const body = pattern(300_000)
    await s3.ok({ method: 'PUT', path: '/wire/broken', body: 'before' })
    const signed = signRequest({ ...options, method: 'PUT', url: `${s3.url}/wire/broken`, body, headers: {} })
    const socket = connect(s3.port, '127.0.0.1')
    const headers = { host: `127.0.0.1:${s3.port}`, ...signed, 'content-length': '300000', expect: '100-continue' }
    const lines = Object.entries(headers).map(([k, v]) => `${k}: ${v}\r\n`)
    socket.write(`PUT /wire/broken HTTP/1.1\r\n${lines.join('')}\r\n`)
    await once(socket, 'data')
    await new Promise((resolve) => socket.write(body.subarray(0, 200_000), resolve))
    const before = s3.log.length
    socket.destroy()
    while (s3.log.length === before) await new Promise((resolve) => setImmediate(resolve))
    expect(s3.log.at(-1)).toMatchObject({ operation: 'PutObject', status: 400, code: 'IncompleteBody' })
    expect((await s3.ok({ path: '/wire/broken' })).text).toBe('before')
  })

  it('of readers who go away are let go', async () => {
    const body = pattern(8_000_000)
    await s3.ok({ method: 'PUT', path: '/wire/left', body })
    const open: { closed: boolean }[] = []
    const original = s3.store.openObject
    Object.assign(s3.store, {
      openObject: async (name: Parameters<typeof original>[0]) => {
        const opened = await original(name)
        if (opened === undefined) return undefined
        const state = { closed: false }
        open.push(state)
        return {
          ...opened,
          close: async () => {
            state.closed = true
            await opened.close()
          },
        }
      },
    })
    const signed = signRequest({ ...options, method: 'GET', url: `${s3.url}/wire/left`, headers: {} })
    const socket = connect(s3.port, '127.0.0.1')
    const lines = Object.entries({ host: `127.0.0.1:${s3.port}`, ...signed }).map(([k, v]) => `${k}: ${v}\r\n`)
    socket.write(`GET /wire/left HTTP/1.1\r\n${lines.join('')}\r\n`)
    await once(socket, 'data')
    socket.destroy()
    while (!open.every(({ closed }) => closed)) await new Promise((resolve) => setImmediate(resolve))
    expect(open).toEqual([{ closed: true }])
    Object.assign(s3.store, { openObject: original })
  })
})
