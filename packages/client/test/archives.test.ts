import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createVerifier } from '@kms/sigv4'
import { afterEach, expect, it } from 'vitest'
import { createKmsClient, type KmsClient } from '../src/index.ts'

const credentials = { accessKeyId: 'ann', secretAccessKey: 'battery staple' }
const verifier = createVerifier({ services: ['s3'], credentials: () => credentials })

let server: Server | undefined
let client: KmsClient | undefined
afterEach(() => {
  client?.close()
  server?.closeAllConnections()
  server?.close()
})

/** A server with this answer; `asked`: one that is given before the body is asked for, if it is true. */
async function serve(answer: (...exchange: Parameters<RequestListener>) => unknown, asked = false): Promise<KmsClient> {
  const listener: RequestListener = (request, response) => void answer(request, response)
  server = createServer(listener)
  if (asked) server.on('checkContinue', listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  client = createKmsClient({ endpoint: `http://127.0.0.1:${port}`, credentials })
  return client
}

async function* pieces(...all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* all
}

function upload(bytes: Buffer, sent = bytes) {
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { sha256, size: sent.length, bytes: pieces(sent.subarray(0, 3), sent.subarray(3)) }
}

const refusal = JSON.stringify({ success: false, code: 'AccessDenied', message: 'no', request_id: 'r' })

it('sends an archive as it is read, signed, its passphrase in a header of its own', async () => {
  const archive = Buffer.alloc(300_000, 'archive')
  let received: Buffer | undefined
  let target = ''
  const kms = await serve(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    received = Buffer.concat(chunks)
    const { method = '', url = '', rawHeaders, headers } = request
    await verifier.verify(verifier.parse({ method, rawTarget: url, rawHeaders }) as never)
    target = `${method} ${url} ${String(headers['x-kms-archive-passphrase'])} ${headers['content-length']}`
    response.end(JSON.stringify({ success: true, restored: 3 }))
  })
  const reply = await kms.restore(upload(archive), { passphrase: 'ü', dryRun: true, conflict: 'skip' })
  expect(reply).toMatchObject({ restored: 3 })
  expect(received?.equals(archive)).toBe(true)
  expect(target).toBe('POST /rustfs/admin/v3/kms/restore?dry_run=true&conflict=skip w7w= 300000')
})

it('keeps an archive that the server does not ask for', async () => {
  let received = 0
  const kms = await serve((request, response) => {
    request.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    response.writeHead(403, { 'content-type': 'application/json' }).end(refusal)
  }, true)
  await expect(kms.restore(upload(Buffer.alloc(100_000)))).rejects.toMatchObject({ code: 'AccessDenied', status: 403 })
  expect(received).toBe(0)
})

it('says what whoever reads the archive says of it', async () => {
  const kms = await serve((request, response) => {
    request.resume()
    request.once('end', () => response.end('{}'))
  })
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(10)
    throw new TypeError('the file shrank')
  }
  const archive = { sha256: '0'.repeat(64), size: 20, bytes: failing() }
  await expect(kms.restore(archive)).rejects.toThrow('the file shrank')
})

it('gives a backup as it comes, and an error when it breaks off', async () => {
  const bodies: string[] = []
  let whole = true
  const kms = await serve(async (request, response) => {
    for await (const chunk of request) bodies.push(String(chunk))
    response.writeHead(200, { 'content-type': 'application/octet-stream' })
    response.write(Buffer.alloc(100_000, 1))
    if (whole) response.end(Buffer.alloc(5, 2))
    else setImmediate(() => response.destroy())
  })
  let size = 0
  for await (const chunk of await kms.backup({ passphrase: 'correct horse' })) size += chunk.length
  expect(size).toBe(100_005)
  expect(bodies).toEqual(['{"passphrase":"correct horse"}'])
  whole = false
  await expect(
    (async () => {
      for await (const chunk of await kms.backup()) size += chunk.length
    })(),
  ).rejects.toMatchObject({ code: 'ConnectionFailed' })
})

it('gives the refusal of a backup', async () => {
  const kms = await serve((_, response) => {
    response.writeHead(403, { 'content-type': 'application/json' }).end(refusal)
  })
  await expect(kms.backup()).rejects.toMatchObject({ code: 'AccessDenied', requestId: undefined })
})
