import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { type DecodeChunksOptions, isSigV4Error, type SignedRequest, type SigV4ErrorCode } from '../src/index.ts'
import { announce, decodeUpload, encodeByHand, inPieces, type UploadForm, verifier } from './chunked-upload.ts'

const plain: UploadForm = { signed: true }
const trailed: UploadForm = { signed: true, checksum: 'CRC32C' }
const unsigned: UploadForm = { signed: false, checksum: 'CRC32' }
const forms = { plain, trailed, unsigned }
const anySize: DecodeChunksOptions = { minChunkBytes: 0 }

/** The wire of `hello` and ` world`, as these functions change it. */
function wireOf(form: UploadForm, replacements: Parameters<typeof encodeByHand>[3] = {}): string {
  return encodeByHand(form, announce(form, 11).signature, [{ data: 'hello' }, { data: ' world' }], replacements)
}

function decode(
  form: UploadForm,
  wire: string,
  decodedLength = 11,
  options = anySize,
  pieces: readonly number[] = [wire.length + 1],
): ReturnType<typeof decodeUpload> {
  return decodeUpload(announce(form, decodedLength), inPieces(Buffer.from(wire, 'latin1'), pieces), options)
}

test.each(Object.entries(forms))('%s: what was sent comes out', async (_, form) => {
  const { body, checksum } = await decode(form, wireOf(form))
  expect(body.toString()).toBe('hello world')
  const expected = { CRC32C: 'yZRlqg==', CRC32: 'DUoRhQ==' }
  expect(checksum).toEqual(
    form.checksum === undefined
      ? undefined
      : { algorithm: form.checksum, value: expected[form.checksum as keyof typeof expected] },
  )
})

test.each(Object.entries(forms))('%s: a body of no bytes', async (_, form) => {
  const { body } = await decode(form, encodeByHand(form, announce(form, 0).signature, []), 0)
  expect(body).toHaveLength(0)
})

const zeros = '0'.repeat(64)
const incomplete = 'The request body terminated unexpectedly'
const malformed =
  'The request contained trailing data that was not well-formed or did not conform to our published schema.'
const badCrc = 'x-amz-checksum-crc32:AAAAAA==\r\n'

const refusals: readonly (readonly [string, UploadForm, string, SigV4ErrorCode, string?])[] = [
  ['nothing at all', plain, '', 'IncompleteBody', incomplete],
  ['a size that is none', unsigned, wireOf(unsigned).replace('5\r\n', 'zz\r\n'), 'IncompleteBody', incomplete],
  ['no size', unsigned, wireOf(unsigned).replace('5\r\n', '\r\n'), 'IncompleteBody', incomplete],
  ['a negative size', unsigned, wireOf(unsigned).replace('5\r\n', '-5\r\n'), 'IncompleteBody', incomplete],
  ['a size with a prefix', unsigned, wireOf(unsigned).replace('5\r\n', '0x5\r\n'), 'IncompleteBody', incomplete],
  ['a size of 17 digits', unsigned, wireOf(unsigned).replace('5\r\n', `${'0'.repeat(16)}5\r\n`), 'IncompleteBody'],
  ['a blank after the size', unsigned, wireOf(unsigned).replace('5\r\n', '5 \r\n'), 'IncompleteBody', incomplete],
  ['a line feed alone', unsigned, wireOf(unsigned).replace('5\r\n', '5\n'), 'IncompleteBody', incomplete],
  ['bytes that are not ASCII for a size', unsigned, '\xff\xfe\r\nhello\r\n0\r\n\r\n', 'IncompleteBody', incomplete],
  ['a header without end', unsigned, '5'.repeat(1000), 'IncompleteBody', incomplete],
  ['a signature nobody asked for', unsigned, wireOf({ ...unsigned, signed: true }), 'IncompleteBody', incomplete],
  [
    'a chunk without a signature',
    plain,
    encodeByHand({ signed: false }, '', [{ data: 'hello' }]),
    'IncompleteBody',
    incomplete,
  ],
  ['a signature in capitals', plain, wireOf(plain).replace(/=[0-9a-f]{64}/, (s) => s.toUpperCase()), 'IncompleteBody'],
  ['a wrong first signature', plain, wireOf(plain).replace(/=[0-9a-f]{64}/, `=${zeros}`), 'SignatureDoesNotMatch'],
  [
    'a wrong last signature',
    plain,
    wireOf(plain).replace(/0;.*\r\n/, `0;chunk-signature=${zeros}\r\n`),
    'SignatureDoesNotMatch',
  ],
  ['chunks in another order', plain, swapChunks(wireOf(plain)), 'SignatureDoesNotMatch'],
  ['a chunk left out', plain, wireOf(plain).replace(/^.*\r\nhello\r\n/, ''), 'SignatureDoesNotMatch'],
  ['a chunk twice', plain, wireOf(plain).replace(/^.*\r\nhello\r\n/, '$&$&'), 'SignatureDoesNotMatch'],
  ['a body cut after a chunk', plain, wireOf(plain).replace(/0;.*/s, ''), 'IncompleteBody', incomplete],
  ['a body cut within a chunk', plain, wireOf(plain).slice(0, 90), 'IncompleteBody', incomplete],
  ['a body cut within an unsigned chunk', unsigned, '5\r\nhel', 'IncompleteBody', incomplete],
  ['a body cut before its end', plain, wireOf(plain).slice(0, -2), 'IncompleteBody', incomplete],
  ['data longer than its size', unsigned, wireOf(unsigned).replace('hello', 'hello!'), 'IncompleteBody', incomplete],
  ['bytes after the end', plain, `${wireOf(plain)}x`, 'IncompleteBody'],
  ['bytes after the trailer', unsigned, `${wireOf(unsigned)}0\r\n\r\n`, 'IncompleteBody'],
  ['a trailer nobody announced', plain, wireOf(plain, { end: `${badCrc}\r\n` }), 'IncompleteBody', incomplete],
  ['no trailer', unsigned, wireOf(unsigned, { trailer: '' }), 'MalformedTrailerError', malformed],
  [
    'another trailer',
    unsigned,
    wireOf(unsigned, { trailer: 'x-amz-checksum-crc32c:AAAAAA==\r\n' }),
    'MalformedTrailerError',
  ],
  ['two trailers', unsigned, wireOf(unsigned, { end: 'x: y\r\n\r\n' }), 'MalformedTrailerError', malformed],
  ['a trailer without end', unsigned, wireOf(unsigned, { end: '' }), 'MalformedTrailerError', malformed],
  [
    'a trailer without a colon',
    unsigned,
    wireOf(unsigned, { trailer: 'no-colon-here\r\n' }),
    'IncompleteBody',
    incomplete,
  ],
  [
    'a trailer too long',
    unsigned,
    wireOf(unsigned, { trailer: `x-amz-checksum-crc32:${'A'.repeat(300)}\r\n` }),
    'IncompleteBody',
  ],
  ['a body cut before the trailer', unsigned, wireOf(unsigned, { trailer: '', end: '' }), 'IncompleteBody', incomplete],
  [
    'another checksum',
    unsigned,
    wireOf(unsigned, { trailer: badCrc }),
    'BadDigest',
    'The CRC32 you specified did not match the calculated checksum.',
  ],
  [
    'a checksum that is none',
    unsigned,
    wireOf(unsigned, { trailer: 'x-amz-checksum-crc32:AAAA\r\n' }),
    'InvalidRequest',
    'Value for x-amz-checksum-crc32 trailing header is invalid.',
  ],
  [
    'another checksum, signed',
    trailed,
    wireOf(trailed, { trailer: 'x-amz-checksum-crc32c:AAAAAA==\r\n' }),
    'BadDigest',
  ],
  ['no trailer signature', trailed, wireOf(trailed, { trailerSignature: '' }), 'IncompleteBody', incomplete],
  [
    'another line instead of it',
    trailed,
    wireOf(trailed, { trailerSignature: 'x: y\r\n' }),
    'IncompleteBody',
    incomplete,
  ],
  [
    'a trailer signature that is none',
    trailed,
    wireOf(trailed, { trailerSignature: 'x-amz-trailer-signature:00\r\n' }),
    'IncompleteBody',
  ],
  [
    'a wrong trailer signature',
    trailed,
    wireOf(trailed, { trailerSignature: `x-amz-trailer-signature:${zeros}\r\n` }),
    'SignatureDoesNotMatch',
  ],
]

function swapChunks(wire: string): string {
  return wire.replace(/^(.*\r\nhello\r\n)(.*\r\n world\r\n)/, '$2$1')
}

test.each(refusals.map((row) => [row[0], row] as const))('refuses %s', async (_, [, form, wire, code, message]) => {
  for (const pieces of [[wire.length + 1], [1], [3, 2]]) {
    const error: unknown = await decode(form, wire, 11, anySize, pieces).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code, ...(message === undefined ? {} : { message }) })
  }
})

test.each([
  ['as minio-go ends it', (wire: string) => wire.replace(/(crc32:[^\r]*)\r\n/, '$1\n\r\n')],
  ['in capitals and with blanks', (wire: string) => wire.replace('x-amz-checksum-crc32:', 'X-Amz-Checksum-CRC32: \t')],
  ['with the size in capitals', (wire: string) => wire.replace('\r\nb\r\n', '\r\nB\r\n')],
])('accepts a trailer %s', async (_, change) => {
  const wire = encodeByHand(unsigned, '', [{ data: 'hello world' }])
  expect((await decode(unsigned, change(wire))).body.toString()).toBe('hello world')
})

test.each(Object.entries(forms))('%s: more or fewer bytes than announced are refused', async (_, form) => {
  for (const decodedLength of [0, 4, 10, 12, 1e6]) {
    const wire = encodeByHand(form, announce(form, decodedLength).signature, [{ data: 'hello' }, { data: ' world' }])
    await expect(decode(form, wire, decodedLength)).rejects.toMatchObject({ code: 'IncompleteBody', status: 400 })
  }
})

test('a size beyond every integer is refused before anything is reserved for it', async () => {
  const request = announce(plain, 999_999_999_999_999)
  const source = inPieces(Buffer.from(`ffffffffffffffff;chunk-signature=${zeros}\r\n`), [99])
  await expect(decodeUpload(request, source)).rejects.toMatchObject({ code: 'IncompleteBody' })
})

test.each([
  [8192, undefined],
  [8191, 'InvalidChunkSizeError'],
])('a chunk of %d bytes before the last', async (size, code) => {
  for (const form of [plain, unsigned]) {
    const chunks = [{ data: 'x'.repeat(size) }, { data: 'y' }]
    const wire = encodeByHand(form, announce(form, size + 1).signature, chunks)
    const done = decode(form, wire, size + 1, {})
    if (code === undefined) expect((await done).body).toHaveLength(size + 1)
    else await expect(done).rejects.toMatchObject({ code, status: 403 })
    await decode(form, wire, size + 1, { minChunkBytes: 8191 })
  }
})

test('a signed chunk beyond the limit is refused at its header, an unsigned one passes', async () => {
  const options = { maxChunkBytes: 10 }
  const header = `b;chunk-signature=${zeros}\r\n`
  const error = { code: 'InvalidChunkSizeError', message: 'A signed chunk may hold at most 10 bytes.' }
  await expect(decode(plain, header, 11, options)).rejects.toMatchObject(error)
  const wire = encodeByHand(unsigned, '', [{ data: 'hello world' }])
  expect((await decode(unsigned, wire, 11, options)).body).toHaveLength(11)
})

test.each([{ maxChunkBytes: -1 }, { maxChunkBytes: 1.5 }, { minChunkBytes: Number.NaN }])(
  '%j is no limit',
  async (options) => {
    await expect(decode(plain, wireOf(plain), 11, options)).rejects.toThrow(RangeError)
  },
)

test('only a chunked claim that was verified can be decoded', async () => {
  const claim = verifier.parse(announce(plain, 11)) as SignedRequest
  const source = inPieces(Buffer.from(wireOf(plain)), [1])
  expect(() => verifier.decodeChunks(claim, source)).toThrow(TypeError)
  await verifier.verify(claim)
  expect(() => verifier.decodeChunks({ ...claim }, source)).toThrow(TypeError)
  expect(() => verifier.decodeChunks(claim, source)).not.toThrow()
})

async function reading(form: UploadForm, source: AsyncIterable<Uint8Array>): Promise<AsyncIterator<Uint8Array>> {
  const claim = verifier.parse(announce(form, 11)) as SignedRequest
  await verifier.verify(claim)
  return verifier.decodeChunks(claim, source, anySize)[Symbol.asyncIterator]()
}

test('nothing of a signed chunk is handed out before its signature was checked', async () => {
  const [first = '', second = ''] = wireOf(plain).split(/(?<=\r\nhello)/)
  const changed = second.replace(' world', ' w0rld')
  const iterator = await reading(plain, inPieces(Buffer.from(first + changed), [7]))
  expect((await iterator.next()).value).toEqual(Buffer.from('hello'))
  await expect(iterator.next()).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' })
  expect(await iterator.next()).toEqual({ done: true, value: undefined })
})

test('unsigned data is handed out as it arrives, and no more is read ahead', async () => {
  let read = 0
  async function* source(): AsyncGenerator<Uint8Array> {
    for (const piece of ['b\r\nhel', 'lo', ' world\r\n0\r\n']) {
      read++
      yield Buffer.from(piece)
    }
  }
  const iterator = await reading(unsigned, source())
  const texts: string[] = []
  for (let turn = 1; turn <= 3; turn++) {
    texts.push(Buffer.from((await iterator.next()).value).toString())
    expect(read).toBe(turn)
  }
  expect(texts).toEqual(['hel', 'lo', ' world'])
  await expect(iterator.next()).rejects.toMatchObject({ code: 'IncompleteBody' })
})

test('what the source throws goes through', async () => {
  async function* source(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('b\r\nhel')
    throw new Error('connection reset')
  }
  const iterator = await reading(unsigned, source())
  await iterator.next()
  await expect(iterator.next()).rejects.toThrow('connection reset')
})

test('a Node server can still answer when a chunk is wrong', async () => {
  const server = createServer((incoming, response) => {
    const { method = '', url = '', rawHeaders } = incoming
    decodeUpload({ method, rawTarget: url, rawHeaders }, incoming, anySize).then(
      ({ body }) => response.end(body),
      (error: unknown) => {
        response.writeHead(isSigV4Error(error) ? error.status : 500, { connection: 'close' })
        response.end(isSigV4Error(error) ? error.code : String(error))
      },
    )
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const put = (wire: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { method, rawTarget, rawHeaders } = announce(plain, 11)
      const outgoing = httpRequest({ port, method, path: rawTarget, headers: rawHeaders }, (reply) => {
        reply.setEncoding('utf8')
        let text = ''
        reply.on('data', (part: string) => {
          text += part
        })
        reply.on('end', () => resolve(`${reply.statusCode} ${text}`))
      })
      outgoing.on('error', reject)
      outgoing.end(wire)
    })
  try {
    expect(await put(wireOf(plain))).toBe('200 hello world')
    expect(await put(wireOf(plain).replace('hello', 'hullo'))).toBe('403 SignatureDoesNotMatch')
  } finally {
    await new Promise((closed) => server.close(closed))
  }
})
