import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { createVerifier } from '@kms/sigv4'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { createObjectsClient, isKmsClientError, type ObjectsClient } from '../src/index.ts'

const credentials = { accessKeyId: 'ann', secretAccessKey: 'battery staple' }

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A server that answers like this, and a client of it. */
async function serve(answer: Answer): Promise<ObjectsClient> {
  const server = createServer(answer).on('checkContinue', answer)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const client = createObjectsClient({ endpoint: `http://127.0.0.1:${port}`, credentials, wait: async () => {} })
  closing.push(() => {
    client.close()
    server.closeAllConnections()
    server.close()
  })
  return client
}

const verifier = createVerifier({
  services: ['s3'],
  streaming: true,
  credentials: () => ({ secretAccessKey: credentials.secretAccessKey }),
})

/** What a request says, once its signature and that of its body were verified. */
async function verified(request: IncomingMessage): Promise<{ target: string; body: Buffer }> {
  const { method = '', url: rawTarget = '', rawHeaders } = request
  const claim = verifier.parse({ method, rawTarget, rawHeaders })
  if (claim.kind === 'anonymous') throw new Error('not signed')
  await verifier.verify(claim, undefined)
  if (claim.payload.kind !== 'chunked') return { target: rawTarget, body: Buffer.alloc(0) }
  return { target: rawTarget, body: await buffer(verifier.decodeChunks(claim, request)) }
}

const bodyOf = (...parts: readonly Uint8Array[]) => ({
  size: parts.reduce((sum, part) => sum + part.length, 0),
  async *open() {
    yield* parts
  },
})

const refusal = (code: string, message: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`

describe('put', () => {
  it('sends every byte signed, in chunks, and reads how the object was encrypted', async () => {
    const parts = [Buffer.alloc(1_500_000, 1), Buffer.from('x'), Buffer.alloc(700_000, 2)]
    let seen: { headers: IncomingMessage['headers']; body: Buffer } | undefined
    const client = await serve((request, response) => {
      response.writeContinue()
      void verified(request).then(({ body }) => {
        seen = { headers: request.headers, body }
        response.setHeader('x-amz-server-side-encryption', 'aws:kms')
        response.setHeader('x-amz-server-side-encryption-aws-kms-key-id', 'orders')
        response.writeHead(200, { etag: '"e"' }).end()
      })
    })
    const head = await client.put({ bucket: 'b', key: 'k' }, bodyOf(...parts), {
      sse: 'aws:kms',
      kmsKeyId: 'orders',
      bucketKey: true,
      context: { team: 'blü' },
      contentType: 'text/plain',
    })
    expect(head).toEqual({
      size: undefined,
      etag: '"e"',
      lastModified: undefined,
      contentType: undefined,
      sse: 'aws:kms',
      kmsKeyId: 'orders',
      bucketKey: false,
    })
    expect(seen?.body.equals(Buffer.concat(parts))).toBe(true)
    expect(seen?.headers).toMatchObject({
      'content-type': 'text/plain',
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'orders',
      'x-amz-server-side-encryption-bucket-key-enabled': 'true',
      'x-amz-server-side-encryption-context': Buffer.from('{"team":"blü"}').toString('base64'),
    })
  })

  it('sends no byte of a body that is refused', async () => {
    let opened = 0
    const client = await serve((_, response) => response.writeHead(400).end(refusal('KMS.NotFoundException', 'no key')))
    const body = {
      size: 1,
      async *open() {
        opened++
        yield Buffer.from('x')
      },
    }
    await expect(client.put({ bucket: 'b', key: 'k' }, body)).rejects.toMatchObject({
      code: 'KMS.NotFoundException',
      message: 'no key',
      status: 400,
    })
    expect(opened).toBe(0)
  })

  it('is not sent twice when nobody knows what became of it', async () => {
    let calls = 0
    const client = await serve((request) => {
      calls++
      request.socket.destroy()
    })
    await expect(client.put({ bucket: 'b', key: 'k' }, bodyOf(Buffer.from('x')))).rejects.toMatchObject({
      code: 'ConnectionFailed',
      notSent: false,
    })
    expect(calls).toBe(1)
  })

  it('sends the body to a server that never asks for it', async () => {
    let seen: Buffer | undefined
    const client = await serve((request, response) => {
      void verified(request).then(({ body }) => {
        seen = body
        response.writeHead(200).end()
      })
    })
    await client.put({ bucket: 'b', key: 'k' }, bodyOf(Buffer.from('late')))
    expect(seen?.toString()).toBe('late')
  })

  it('says what is wrong with a body that is not what was announced', async () => {
    const client = await serve((request, response) => {
      response.writeContinue()
      request.resume()
    })
    const body = { ...bodyOf(Buffer.from('short')), size: 6 }
    await expect(client.put({ bucket: 'b', key: 'k' }, body)).rejects.toThrow('shorter than decodedLength')
  })
})

describe('get', () => {
  it('gives the body, and what its headers say', async () => {
    const client = await serve((_, response) =>
      response.writeHead(200, { 'content-length': 5, 'content-type': 'text/plain', etag: '"e"' }).end('hello'),
    )
    const { body, ...head } = await client.get({ bucket: 'b', key: 'k' })
    expect(head).toMatchObject({ size: 5, contentType: 'text/plain', sse: undefined, bucketKey: false })
    expect(String(await buffer(body))).toBe('hello')
  })

  it('fails when the body is cut off', async () => {
    const client = await serve((request, response) => {
      response.writeHead(200, { 'content-length': 5 })
      response.write('he', () => request.socket.destroy())
    })
    const { body } = await client.get({ bucket: 'b', key: 'k' })
    await expect(buffer(body)).rejects.toThrow('aborted')
  })

  it('is tried again while the server asks for patience', async () => {
    let calls = 0
    const client = await serve((_, response) => {
      if (++calls === 1) response.writeHead(503).end(refusal('ServiceUnavailable', 'wait'))
      else response.writeHead(200).end('there')
    })
    expect(String(await buffer((await client.get({ bucket: 'b', key: 'k' })).body))).toBe('there')
  })
})

it('keys reach the server as they are, and signed', async () => {
  let seen = ''
  const client = await serve((request, response) => {
    void verified(request).then(
      ({ target }) => {
        seen = target
        response.writeHead(204).end()
      },
      (error: Error) => response.writeHead(403).end(refusal('SignatureDoesNotMatch', error.message)),
    )
  })
  const odd = ['a/../b', './x', '//', 'a b+c', "it's (a) *key*!", '%41', 'ü/\u{1f511}', '?x=1#y', 'a\\b']
  const key = fc.oneof(fc.constantFrom(...odd), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }))
  await fc.assert(
    fc.asyncProperty(key, async (name) => {
      await client.remove({ bucket: 'b', key: name })
      expect(decodeURIComponent(seen)).toBe(`/b/${name}`)
    }),
    { numRuns: 200, examples: odd.map((each) => [each] as [string]) },
  )
})

describe('listings', () => {
  it('are read page by page, names as they are', async () => {
    const targets: string[] = []
    const client = await serve((request, response) => {
      targets.push(request.url ?? '')
      const second = request.url?.includes('continuation-token') === true
      const object = (name: string, size: number): string =>
        `<Contents><Key>${name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>${size}</Size></Contents>`
      response.end(
        `<?xml version="1.0"?><ListBucketResult>${
          second ? object('z', 2) : `${object('a%20b%2Bc+d&amp;', 1)}<NextContinuationToken>t/1</NextContinuationToken>`
        }</ListBucketResult>`,
      )
    })
    const found = []
    for await (const each of client.list('b', 'a b')) found.push(each)
    const lastModified = '2026-01-01T00:00:00.000Z'
    expect(found).toEqual([
      { key: 'a b+c d&', size: 1, lastModified },
      { key: 'z', size: 2, lastModified },
    ])
    expect(targets).toEqual([
      '/b?encoding-type=url&list-type=2&prefix=a%20b',
      '/b?encoding-type=url&list-type=2&prefix=a%20b&continuation-token=t%2F1',
    ])
  })

  it('name the buckets', async () => {
    const client = await serve((_, response) =>
      response.end(
        '<ListAllMyBucketsResult><Owner><ID>x</ID></Owner><Buckets><Bucket><Name>a</Name></Bucket><Bucket><Name>b</Name></Bucket></Buckets></ListAllMyBucketsResult>',
      ),
    )
    expect(await client.buckets()).toEqual(['a', 'b'])
  })

  it.each(['', 'not XML', '<!DOCTYPE a><a/>', '<a>'])('%j is no listing', async (text) => {
    const client = await serve((_, response) => response.end(text))
    await expect(client.buckets()).rejects.toMatchObject({ code: 'UnreadableReply' })
  })
})

describe('what is refused', () => {
  it.each([
    [404, refusal('NoSuchKey', 'The key does not exist.'), 'NoSuchKey'],
    [404, '', 'NotFound'],
    [403, '', 'AccessDenied'],
    [502, '<html>bad gateway', 'UnreadableReply'],
    [400, `<Error><Message>${'x'.repeat(100_000)}`, 'UnreadableReply'],
  ])('%i %.20j is %s', async (status, text, code) => {
    const client = await serve((_, response) => {
      response.writeHead(status, { 'x-amz-request-id': 'r' }).end(text)
    })
    const error: unknown = await client.remove({ bucket: 'b', key: 'k' }).catch((caught: unknown) => caught)
    expect(isKmsClientError(error, code)).toBe(true)
    expect(error).toMatchObject({ status, requestId: 'r' })
  })

  it('nobody there, and a name that is none', async () => {
    const client = createObjectsClient({ endpoint: 'http://127.0.0.1:1', credentials, wait: async () => {} })
    await expect(client.head({ bucket: 'b', key: 'k' })).rejects.toMatchObject({
      code: 'ConnectionFailed',
      notSent: true,
    })
    await expect(client.head({ bucket: 'b', key: '' })).rejects.toMatchObject({ code: 'InvalidName' })
    client.close()
  })
})
