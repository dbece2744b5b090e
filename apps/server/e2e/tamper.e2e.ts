import { Buffer } from 'node:buffer'
import { createCipheriv, createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { signRequest } from '@kms/sigv4'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN, createAdmin } from './client.ts'
import { type ServerProcess, startServer, temporaryFolder } from './server-process.ts'
import {
  flipped,
  openStoreFiles,
  parseRow,
  type Row,
  type StoreFiles,
  whileChanged,
  whileFlipped,
  withBlobsOf,
} from './store-files.ts'

const SSE = 'x-amz-server-side-encryption'
const FRAME = 65_536
const SEALED = FRAME + 16
const HEADER = 76
const LARGEST_GAP = 2999

type Headers = Readonly<Record<string, string>>

const customerKey = Buffer.alloc(32, 7)
const CUSTOMER: Headers = {
  [`${SSE}-customer-algorithm`]: 'AES256',
  [`${SSE}-customer-key`]: customerKey.toString('base64'),
  [`${SSE}-customer-key-md5`]: createHash('md5').update(customerKey).digest('base64'),
}
const MODES: readonly (readonly [name: string, write: Headers, read: Headers])[] = [
  ['SSE-S3', { [SSE]: 'AES256' }, {}],
  ['SSE-KMS', { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: 'main' }, {}],
  ['SSE-KMS with a bucket key', { [SSE]: 'aws:kms', [`${SSE}-bucket-key-enabled`]: 'true' }, {}],
  ['SSE-C', CUSTOMER, CUSTOMER],
]

interface Got {
  readonly status: number
  readonly bytes: Buffer
  readonly text: string
  readonly etag: string
  /** Whether all of what was announced came. */
  readonly complete: boolean
}

let server: ServerProcess
let files: StoreFiles
const agent = new Agent({ keepAlive: true })
const cleanups: (() => Promise<void> | void)[] = []

beforeAll(async () => {
  const cleanup = (work: () => Promise<void> | void): void => void cleanups.unshift(work)
  const folder = temporaryFolder(cleanup)
  const env = { KMS_DATA_DIR: join(folder, 'data'), KMS_LOG_LEVEL: 'fatal' }
  server = await startServer({ env }, cleanup)
  await createAdmin(server.url).begin(join(folder, 'keys'))
  await send('PUT', '/box')
  files = openStoreFiles(join(folder, 'data', 'objects'))
  cleanup(() => files.close())
  cleanup(() => agent.destroy())
})
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup()
})

/** Whatever comes of a reply, also when it breaks off. */
function send(method: string, path: string, headers: Headers = {}, body?: Uint8Array): Promise<Got> {
  const url = `${server.url}${path}`
  const signed = signRequest({
    method,
    url,
    headers,
    payloadHash: 'UNSIGNED-PAYLOAD',
    credentials: ADMIN,
    region: 'us-east-1',
    service: 's3',
  })
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) }
    const outgoing = request(url, { method, agent, headers: { ...signed, ...length } }, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', () => {})
      incoming.once('close', () => {
        const bytes = Buffer.concat(chunks)
        const { statusCode: status = 0, headers: got, complete } = incoming
        resolve({ status, bytes, text: bytes.toString('utf8'), etag: got.etag ?? '', complete })
      })
    })
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

async function must(pending: Promise<Got>): Promise<Got> {
  const got = await pending
  if (got.status >= 300) throw new Error(`${got.status} ${got.text}`)
  return got
}

/** Bytes that differ everywhere. */
function pattern(size: number, seed: number): Buffer {
  return createCipheriv('aes-256-ctr', Buffer.alloc(32, seed), Buffer.alloc(16)).update(Buffer.alloc(size))
}

/** A reply that gives out the first `most` bytes of a plaintext at most, and does not pretend that this is all. */
function expectBroken(got: Got, plaintext: Buffer, most: number, what: string): void {
  if (got.status >= 400) {
    expect(got.text, what).toMatch(/^<\?xml .*<Code>[\w.]+<\/Code>/s)
    return
  }
  expect(got.complete, what).toBe(false)
  expect(got.bytes.length, what).toBeLessThanOrEqual(most)
  expect(plaintext.subarray(0, got.bytes.length).equals(got.bytes), what).toBe(true)
}

/** An object, and where its pieces are stored. */
interface Stored {
  readonly path: string
  readonly key: Buffer
  readonly row: Row
  readonly plaintext: Buffer
  readonly read: Headers
  get(): Promise<Got>
}

function find(key: string, plaintext: Buffer, read: Headers): Stored {
  const path = `/box/${key}`
  const row = Buffer.from(`box\0${key}`)
  return {
    path,
    key: row,
    row: parseRow(files.get('objects', row)),
    plaintext,
    read,
    get: () => send('GET', path, read),
  }
}

async function put(key: string, seed: number, write: Headers, read: Headers, size = 2 * FRAME + 1000): Promise<Stored> {
  const plaintext = pattern(size, seed)
  await must(send('PUT', `/box/${key}`, write, plaintext))
  return find(key, plaintext, read)
}

const bodyOf = ({ row }: Stored): string => files.bodyPath(row.head['body'] as string)
const generationOf = ({ row }: Stored): Buffer => Buffer.from(row.head['generation'] as string, 'hex')

/** Runs `work` while a row holds another value. */
async function whileRow(table: string, key: Buffer, value: Buffer, work: () => Promise<void>): Promise<void> {
  const before = files.get(table, key)
  await files.put(table, key, value)
  try {
    await work()
  } finally {
    await files.put(table, key, before)
  }
}

interface Begun {
  readonly path: string
  readonly uploadId: string
  readonly etags: readonly string[]
  readonly plaintext: Buffer
  complete(etags?: readonly string[]): Promise<Got>
}

/** An upload whose parts are there; one body more than one frame in each. */
async function begin(
  key: string,
  seed: number,
  write: Headers,
  read: Headers,
  sizes: readonly number[],
): Promise<Begun> {
  const path = `/box/${key}`
  const begun = await must(send('POST', `${path}?uploads`, write))
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(begun.text)?.[1] ?? ''
  const bodies = sizes.map((size, index) => pattern(size, seed + index))
  const etags: string[] = []
  for (const [index, body] of bodies.entries()) {
    etags.push((await must(send('PUT', `${path}?partNumber=${index + 1}&uploadId=${uploadId}`, read, body))).etag)
  }
  return {
    path,
    uploadId,
    etags,
    plaintext: Buffer.concat(bodies),
    complete(named = etags) {
      const rows = named.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`)
      const document = `<CompleteMultipartUpload>${rows.join('')}</CompleteMultipartUpload>`
      return send('POST', `${path}?uploadId=${uploadId}`, {}, Buffer.from(document))
    },
  }
}

const PART_SIZES = [5 * 1024 * 1024, FRAME + 100]

function partRows({ uploadId }: Begun): readonly Buffer[] {
  return files.keysOf('uploadParts', Buffer.from(uploadId, 'hex'))
}

const partBody = (key: Buffer): string => files.bodyPath(parseRow(files.get('uploadParts', key)).head['body'] as string)

describe.each(MODES)('an object under %s', (mode, write, read) => {
  const name = mode.replaceAll(' ', '-')
  let one: Stored
  let other: Stored
  beforeAll(async () => {
    one = await put(`${name}/one`, 1, write, read)
    other = await put(`${name}/other`, 2, write, read)
  })

  it('gives out nothing from the frame on in which a bit of its file is another', async () => {
    expect((await one.get()).bytes.equals(one.plaintext)).toBe(true)
    const path = bodyOf(one)
    const size = readFileSync(path).length * 8
    const header = Array.from({ length: HEADER * 2 }, (_, i) => 4 * i + (i % 4))
    const tags = [1, 2, 3].flatMap((frame) => {
      const end = Math.min(HEADER + frame * SEALED, size / 8) * 8
      return Array.from({ length: 16 }, (_, i) => end - 128 + 8 * i + (i % 8))
    })
    const others = Array.from({ length: Math.floor(size / (8 * LARGEST_GAP)) }, (_, i) => i * (8 * LARGEST_GAP + 1))
    for (const bit of [...header, ...tags, ...others]) {
      const frame = Math.max(0, Math.floor(((bit >> 3) - HEADER) / SEALED))
      await whileFlipped(path, bit, async () => {
        expectBroken(await one.get(), one.plaintext, frame * FRAME, `bit ${bit}`)
      })
    }
    expect((await one.get()).bytes.equals(one.plaintext)).toBe(true)
  })

  it('that is small is refused whole, and so is a small range of a large one', async () => {
    const small = await put(`${name}/small`, 13, write, read, 300)
    const path = bodyOf(small)
    const size = readFileSync(path).length
    for (let bit = 0; bit < size * 8; bit += 9) {
      await whileFlipped(path, bit, async () => {
        const got = await small.get()
        expect([got.status, got.bytes.includes(small.plaintext.subarray(0, 16))], `bit ${bit}`).toEqual([500, false])
      })
    }
    for (const length of [0, 1, HEADER, size - 1]) {
      await whileChanged(path, readFileSync(path).subarray(0, length), async () => {
        expect((await small.get()).status, `cut at ${length}`).toBe(500)
      })
    }
    const inSecond = (HEADER + SEALED + 1000) * 8
    await whileFlipped(bodyOf(one), inSecond, async () => {
      const range = (start: number, end: number) => send('GET', one.path, { ...read, range: `bytes=${start}-${end}` })
      const first = await range(1000, 2000)
      expect([first.status, first.bytes.equals(one.plaintext.subarray(1000, 2001))]).toEqual([206, true])
      const last = await range(2 * FRAME, 2 * FRAME + 10)
      expect([last.status, last.bytes.equals(one.plaintext.subarray(2 * FRAME, 2 * FRAME + 11))]).toEqual([206, true])
      for (const [start, end] of [
        [FRAME - 10, FRAME + 10],
        [FRAME, FRAME],
        [2 * FRAME - 1, 2 * FRAME],
      ] as const) {
        const across = await range(start, end)
        expect(across.status, `${start}-${end}`).toBe(500)
      }
    })
  })

  it('gives out whole frames at most of a file that was cut, or whose frames stand in another order', async () => {
    const path = bodyOf(one)
    const body = readFileSync(path)
    const foreign = readFileSync(bodyOf(other))
    const [first, second, last] = [0, 1, 2].map((i) => body.subarray(HEADER + i * SEALED, HEADER + (i + 1) * SEALED))
    const header = body.subarray(0, HEADER)
    const joined = (...pieces: readonly (Buffer | undefined)[]): Buffer =>
      Buffer.concat(pieces.map((piece) => piece ?? Buffer.alloc(0)))
    const cuts = [0, 1, HEADER - 1, HEADER, HEADER + 1, HEADER + SEALED - 1, HEADER + SEALED, HEADER + 2 * SEALED]
    const changes: readonly (readonly [string, Buffer, number])[] = [
      ...[...cuts, body.length - 1].map(
        (at) => [`cut at ${at}`, body.subarray(0, at), Math.max(0, Math.floor((at - HEADER) / SEALED))] as const,
      ),
      ['the first two frames the other way round', joined(header, second, first, last), 0],
      ['the first frame twice', joined(header, first, first, last), 1],
      ['without the second frame', joined(header, first, last), 1],
      ['without its header', body.subarray(HEADER), 0],
      ['all of another object', foreign, 0],
      ['the header of another object', joined(foreign.subarray(0, HEADER), body.subarray(HEADER)), 0],
      ['the frames of another object', joined(header, foreign.subarray(HEADER)), 0],
      [
        'one frame of another object',
        joined(header, first, foreign.subarray(HEADER + SEALED, HEADER + 2 * SEALED), last),
        1,
      ],
    ]
    for (const [what, changed, frames] of changes) {
      await whileChanged(path, changed, async () => {
        expectBroken(await one.get(), one.plaintext, frames * FRAME, what)
      })
    }
    expect((await one.get()).bytes.equals(one.plaintext)).toBe(true)
  })

  it('is refused, or is what it was, whatever byte of its rows is another', async () => {
    const { key, row } = one
    const [, headEnd] = row.pieces[0] as [number, number]
    for (let offset = 0; offset < row.bytes.length; offset += 3) {
      const bit = offset * 8 + ((offset * 5) % 8)
      await whileRow('objects', key, flipped(row.bytes, bit), async () => {
        const got = await one.get()
        // What the store itself notes, such as the time, is not what the object holds.
        if (offset < headEnd && got.status === 200 && got.bytes.equals(one.plaintext)) return
        expectBroken(got, one.plaintext, 0, `byte ${offset}`)
        expect(got.bytes.includes(one.plaintext.subarray(0, 32))).toBe(false)
      })
    }
    const table = generationOf(one)
    const parts = files.get('parts', table)
    for (let bit = 0; bit < parts.length * 8; bit += 5) {
      await whileRow('parts', table, flipped(parts, bit), async () => {
        expectBroken(await one.get(), one.plaintext, 0, `bit ${bit} of the part table`)
      })
    }
    expect((await one.get()).bytes.equals(one.plaintext)).toBe(true)
  })

  it('is no other object, and no mixture of two versions', async () => {
    const swaps: readonly (readonly [string, Buffer])[] = [
      ['all of it', other.row.bytes],
      ['metadata', withBlobsOf(one.row, other.row, ['metadata'])],
      ['keys', withBlobsOf(one.row, other.row, ['keys'])],
      ['metadata and keys', withBlobsOf(one.row, other.row, ['metadata', 'keys'])],
    ]
    for (const [what, row] of swaps) {
      await whileRow('objects', one.key, row, async () => {
        expectBroken(await one.get(), one.plaintext, 0, `of another object: ${what}`)
      })
    }
    const old = await put(`${name}/versions`, 3, write, read)
    const [oldBody, oldParts] = [readFileSync(bodyOf(old)), files.get('parts', generationOf(old))]
    const now = await put(`${name}/versions`, 4, write, read)
    // All of them together are what the object was; anything less is nothing.
    for (let choice = 1; choice < 15; choice++) {
      const [metadata, keys, parts, body] = [1, 2, 4, 8].map((bit) => (choice & bit) !== 0)
      const blobs = [...(metadata ? (['metadata'] as const) : []), ...(keys ? (['keys'] as const) : [])]
      const row = withBlobsOf(now.row, old.row, blobs)
      const table = parts ? oldParts : files.get('parts', generationOf(now))
      const check = async (): Promise<void> => {
        expectBroken(await now.get(), now.plaintext, 0, `versions mixed: ${choice}`)
      }
      await whileRow('objects', now.key, row, () =>
        whileRow('parts', generationOf(now), table, () => (body ? whileChanged(bodyOf(now), oldBody, check) : check())),
      )
    }
    expect((await now.get()).bytes.equals(now.plaintext)).toBe(true)
  })

  it('in parts breaks where a part is damaged, or is another one', async () => {
    const begun = await begin(`${name}/parts`, 5, write, read, PART_SIZES)
    const foreign = await begin(`${name}/parts`, 7, write, read, PART_SIZES)
    const [bodies, foreigners] = [partRows(begun).map(partBody), partRows(foreign).map(partBody)]
    await must(begun.complete())
    const object = find(`${name}/parts`, begun.plaintext, read)
    expect((await object.get()).bytes.equals(object.plaintext)).toBe(true)
    const [first = '', second = ''] = bodies
    const [size = 0] = PART_SIZES
    for (const [path, bit, most] of [
      [first, 0, 0],
      [first, (HEADER + 3 * SEALED) * 8, 3 * FRAME],
      [first, readFileSync(first).length * 8 - 1, size - FRAME],
      [second, 100, size],
      [second, (HEADER + SEALED) * 8, size + FRAME],
    ] as const) {
      await whileFlipped(path, bit, async () => {
        expectBroken(await object.get(), object.plaintext, most, `bit ${bit}`)
      })
    }
    for (const [index, path] of bodies.entries()) {
      await whileChanged(path, readFileSync(foreigners[index] as string), async () => {
        expectBroken(await object.get(), object.plaintext, index * size, `part ${index + 1} of another upload`)
      })
    }
    await whileChanged(second, readFileSync(first).subarray(0, readFileSync(second).length), async () => {
      expectBroken(await object.get(), object.plaintext, size, 'part 1 in the place of part 2')
      const part = await send('GET', `${object.path}?partNumber=2`, read)
      expectBroken(part, object.plaintext.subarray(size), 0, 'part 1 in the place of part 2, alone')
    })
    const segments = files.get('segments', generationOf(object))
    const [a, b] = [segments.subarray(0, 24), segments.subarray(24)]
    const rows: readonly Buffer[] = [
      Buffer.concat([b, a]),
      Buffer.concat([a, a]),
      a,
      Buffer.concat([segments, b]),
      ...Array.from({ length: 12 }, (_, i) => flipped(segments, i * 32 + (i % 8))),
    ]
    for (const [index, row] of rows.entries()) {
      await whileRow('segments', generationOf(object), row, async () => {
        expectBroken(await object.get(), object.plaintext, size, `segments ${index}`)
      })
    }
  })

  it('does not come out of an upload whose rows are those of another', async () => {
    const mine = await begin(`${name}/upload`, 9, write, read, PART_SIZES)
    const theirs = await begin(`${name}/upload`, 11, write, read, PART_SIZES)
    const [own, foreign] = [partRows(mine), partRows(theirs)]
    const ids = [mine, theirs].map(({ uploadId }) => Buffer.from(uploadId, 'hex'))
    const refused = async (etags: readonly string[]): Promise<void> => {
      const got = await mine.complete(etags)
      expect([got.status >= 400, /<Code>[\w.]+<\/Code>/.test(got.text)]).toEqual([true, true])
    }
    // A part of another upload, whose ETag the client would have to name as well.
    for (const [index, row] of own.entries()) {
      const etags = mine.etags.map((etag, i) => (i === index ? (theirs.etags[i] as string) : etag))
      await whileRow('uploadParts', row, files.get('uploadParts', foreign[index] as Buffer), () => refused(etags))
    }
    // Parts 1 and 2 the other way round.
    const [partOne, partTwo] = own.map((row) => files.get('uploadParts', row)) as [Buffer, Buffer]
    await whileRow('uploadParts', own[0] as Buffer, partTwo, () =>
      whileRow('uploadParts', own[1] as Buffer, partOne, () => refused(mine.etags.toReversed())),
    )
    // The upload itself is another one: nothing is taken for it, and it does not complete.
    await whileRow('uploads', ids[0] as Buffer, files.get('uploads', ids[1] as Buffer), () => refused(mine.etags))
    const upload = parseRow(files.get('uploads', ids[0] as Buffer))
    const [start, end] = upload.pieces[1] as [number, number]
    for (let offset = start; offset < end; offset += 3) {
      await whileRow('uploads', ids[0] as Buffer, flipped(upload.bytes, offset * 8 + (offset % 8)), async () => {
        await refused(mine.etags)
        const target = `${mine.path}?partNumber=1&uploadId=${mine.uploadId}`
        expect((await send('PUT', target, read, Buffer.from('x'))).status, `byte ${offset}`).toBeGreaterThanOrEqual(400)
      })
    }
    await must(mine.complete())
    expect((await send('GET', mine.path, read)).bytes.equals(mine.plaintext)).toBe(true)
  })
})
