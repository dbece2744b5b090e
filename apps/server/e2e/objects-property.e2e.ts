import { Buffer } from 'node:buffer'
import { createCipheriv, createHash } from 'node:crypto'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { signChunks, signRequest } from '@kms/sigv4'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN, createAdmin } from './client.ts'
import { type ServerProcess, startServer, temporaryFolder } from './server-process.ts'

const SSE = 'x-amz-server-side-encryption'
const FRAME = 65_536
const LEAST_PART = 5 * 1024 * 1024
const LARGEST = 4 * FRAME

type Headers = Readonly<Record<string, string>>

interface Mode {
  readonly name: string
  readonly write: Headers
  readonly read: Headers
  /** To read it as the source of a copy. */
  readonly source: Headers
}

const customer = (fill: number, prefix = ''): Headers => {
  const key = Buffer.alloc(32, fill)
  const name = `x-amz-${prefix}server-side-encryption-customer`
  return {
    [`${name}-algorithm`]: 'AES256',
    [`${name}-key`]: key.toString('base64'),
    [`${name}-key-md5`]: createHash('md5').update(key).digest('base64'),
  }
}
const kms = (more: Headers): Mode['write'] => ({ [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: 'main', ...more })
const context = Buffer.from('{"team":"red"}').toString('base64')
const MODES: readonly Mode[] = [
  { name: 'plain', write: {}, read: {}, source: {} },
  { name: 'SSE-S3', write: { [SSE]: 'AES256' }, read: {}, source: {} },
  { name: 'SSE-KMS', write: kms({ [`${SSE}-context`]: context }), read: {}, source: {} },
  { name: 'bucket key', write: kms({ [`${SSE}-bucket-key-enabled`]: 'true' }), read: {}, source: {} },
  { name: 'SSE-C', write: customer(1), read: customer(1), source: customer(1, 'copy-source-') },
]

/** How a body goes over the wire. */
type Sending = 'at once' | 'signed chunks' | 'trailer' | { readonly pieces: number }

const anyMode = fc.constantFrom(...MODES)
const anySize = fc.oneof(
  fc.constantFrom(0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME - 1, 2 * FRAME, 2 * FRAME + 1, LARGEST),
  fc.nat(LARGEST),
)
const anySending = fc.oneof(
  fc.constantFrom<Sending>('at once', 'signed chunks', 'trailer'),
  fc.record({ pieces: fc.constantFrom(1, 7, 76, FRAME - 1, FRAME, FRAME + 1) }),
)
/** A place in a body, as a fraction of it. */
const anyPlace = fc.oneof(fc.constantFrom(0, 0.999_999_9), fc.double({ min: 0, max: 0.999_999_9, noNaN: true }))

let server: ServerProcess
const agent = new Agent({ keepAlive: true })
const cleanups: (() => Promise<void> | void)[] = []

beforeAll(async () => {
  const cleanup = (work: () => Promise<void> | void): void => void cleanups.unshift(work)
  const folder = temporaryFolder(cleanup)
  server = await startServer({ env: { KMS_DATA_DIR: join(folder, 'data'), KMS_LOG_LEVEL: 'warn' } }, cleanup)
  cleanup(() => agent.destroy())
  await createAdmin(server.url).begin(join(folder, 'keys'))
  await send('PUT', '/box')
})
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup()
})

interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bytes: Buffer
}

/** Throws unless it is a success. */
async function send(
  method: string,
  path: string,
  headers: Headers = {},
  body: Buffer = Buffer.alloc(0),
  sending: Sending = 'at once',
): Promise<Got> {
  const url = `${server.url}${path}`
  const common = { method, url, headers, credentials: ADMIN, region: 'us-east-1', service: 's3' } as const
  const coded = { ...common, body: [body], decodedLength: body.length, chunkBytes: 8192 }
  const signed =
    sending === 'signed chunks'
      ? signChunks(coded)
      : sending === 'trailer'
        ? signChunks({ ...coded, signed: false, checksum: 'CRC32C' })
        : undefined
  const unsigned = { ...common, payloadHash: 'UNSIGNED-PAYLOAD' }
  const length = String(signed?.encodedLength ?? body.length)
  const outgoing = request(url, {
    method,
    agent,
    headers: { ...(signed?.headers ?? signRequest(unsigned)), 'content-length': length },
  })
  const answered = new Promise<Got>((resolve, reject) => {
    outgoing.once('error', reject)
    outgoing.once('response', (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.once('error', reject)
      incoming.once('end', () =>
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, bytes: Buffer.concat(chunks) }),
      )
    })
  })
  const pieces = typeof sending === 'object' ? cut(body, sending.pieces) : [body]
  await pipeline(Readable.from(signed?.body ?? pieces, { objectMode: false }), outgoing)
  const got = await answered
  if (got.status >= 300) throw new Error(`${method} ${path}: ${got.status} ${got.bytes.toString()}`)
  return got
}

/** Pieces of a size; of a large body in the middle larger ones, so that it does not take for ever. */
function* cut(body: Buffer, size: number): Generator<Buffer, void> {
  const small = 500 * size
  for (let at = 0; at < body.length; ) {
    const length = at < small || body.length - at <= small ? size : Math.max(size, body.length - small - at)
    yield body.subarray(at, at + length)
    at += length
  }
}

function pattern(size: number, seed: number): Buffer {
  return createCipheriv('aes-256-ctr', Buffer.alloc(32, seed), Buffer.alloc(16)).update(Buffer.alloc(size))
}

async function expectBody(path: string, { read }: Mode, oracle: Buffer, places: readonly number[]): Promise<void> {
  const whole = await send('GET', path, read)
  expect(whole.bytes.equals(oracle)).toBe(true)
  expect((await send('HEAD', path, read)).headers['content-length']).toBe(String(oracle.length))
  if (oracle.length === 0) return
  for (const [i, place] of places.entries()) {
    const other = places[(i + 1) % places.length] as number
    const [start = 0, end = 0] = [place, other].map((at) => Math.floor(at * oracle.length)).sort((a, b) => a - b)
    const range = await send('GET', path, { ...read, range: `bytes=${start}-${end}` })
    expect([range.status, range.bytes.equals(oracle.subarray(start, end + 1))]).toEqual([206, true])
  }
  const suffix = Math.ceil(oracle.length * (places[0] ?? 0)) || 1
  const last = await send('GET', path, { ...read, range: `bytes=-${suffix}` })
  expect(last.bytes.equals(oracle.subarray(oracle.length - suffix))).toBe(true)
}

const places = fc.array(anyPlace, { minLength: 2, maxLength: 3 })

describe('whatever is put', () => {
  it('comes back as it was, in any range, and after a copy into any mode', { timeout: 120_000 }, async () => {
    let serial = 0
    await fc.assert(
      fc.asyncProperty(anyMode, anyMode, anySize, anySending, places, async (mode, next, size, sending, at) => {
        serial += 1
        const oracle = pattern(size, serial % 251)
        // The same key again and again, under other modes: each overwrites the last.
        const path = `/box/o${serial % 5}`
        await send('PUT', path, mode.write, oracle, sending)
        await expectBody(path, mode, oracle, at)
        await send('PUT', `${path}-copy`, { ...next.write, ...mode.source, 'x-amz-copy-source': path })
        await expectBody(`${path}-copy`, next, oracle, at)
      }),
      {
        numRuns: 60,
        // Byte by byte, around the borders of frames.
        examples: MODES.flatMap((mode) =>
          [1, FRAME + 1].map((size) => [mode, MODES[0] as Mode, size, { pieces: 1 }, [0, 0.999]] as never),
        ),
      },
    )
  })

  it('in parts comes back as the parts one behind the other', { timeout: 120_000 }, async () => {
    const edges = fc.constantFrom(0, 1, FRAME - 1, FRAME, FRAME + 1)
    const parts = fc.record({
      full: fc.array(
        edges.map((more) => LEAST_PART + more),
        { maxLength: 2 },
      ),
      last: fc.oneof(edges, fc.nat(LARGEST)),
      /** Of the last part: whether it is a range of another object. */
      copied: fc.boolean(),
      step: fc.integer({ min: 1, max: 3000 }),
    })
    await fc.assert(
      fc.asyncProperty(anyMode, anyMode, parts, places, async (mode, from, { full, last, copied, step }, at) => {
        const path = `/box/parts-${mode.name.replace(' ', '-')}`
        const begun = (await send('POST', `${path}?uploads`, mode.write)).bytes.toString()
        const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(begun)?.[1] ?? ''
        const bodies = [...full, Math.max(last, copied ? 1 : 0)].map((size, index) => pattern(size, index + 1))
        const numberOf = (index: number): number => 1 + index * step
        const rows: string[] = []
        // The last first: parts come in any order.
        for (const [index, body] of [...bodies.entries()].toReversed()) {
          const target = `${path}?partNumber=${numberOf(index)}&uploadId=${uploadId}`
          const etag =
            copied && index === full.length
              ? await copyPart(target, mode, from, body)
              : String((await send('PUT', target, mode.read, body)).headers['etag'])
          rows.unshift(`<Part><PartNumber>${numberOf(index)}</PartNumber><ETag>${etag}</ETag></Part>`)
        }
        const document = `<CompleteMultipartUpload>${rows.join('')}</CompleteMultipartUpload>`
        await send('POST', `${path}?uploadId=${uploadId}`, {}, Buffer.from(document))
        await expectBody(path, mode, Buffer.concat(bodies), at)
        for (const [index, body] of bodies.entries()) {
          const part = await send('GET', `${path}?partNumber=${numberOf(index)}`, mode.read)
          expect(part.bytes.equals(body)).toBe(true)
        }
      }),
      { numRuns: 6 },
    )
  })
})

/** Fills a part with a range in the middle of another object; gives its ETag. */
async function copyPart(target: string, mode: Mode, from: Mode, body: Buffer): Promise<string> {
  const before = FRAME - 1
  await send('PUT', '/box/source', from.write, Buffer.concat([pattern(before, 77), body, pattern(10, 78)]))
  const { bytes } = await send('PUT', target, {
    ...mode.read,
    ...from.source,
    'x-amz-copy-source': '/box/source',
    'x-amz-copy-source-range': `bytes=${before}-${before + body.length - 1}`,
  })
  return /<ETag>([^<]*)<\/ETag>/.exec(bytes.toString())?.[1] ?? ''
}
