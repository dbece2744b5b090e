import { expect, test } from 'vitest'
import { type SignChunksOptions, signChunks } from './sign-chunks.ts'

const options: SignChunksOptions = {
  method: 'PUT',
  url: 'https://example.com/bucket/key',
  region: 'us-east-1',
  service: 's3',
  credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
  now: () => Date.UTC(2026, 10, 23),
  body: [Buffer.from('hello')],
  decodedLength: 5,
}

async function read(changes: Partial<SignChunksOptions>): Promise<string> {
  let text = ''
  for await (const part of signChunks({ ...options, ...changes } as SignChunksOptions).body) {
    text += Buffer.from(part).toString('latin1')
  }
  return text
}

test.each([
  [{}, { 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'content-encoding': 'aws-chunked' }],
  [
    { checksum: 'SHA1', headers: { 'Content-Encoding': 'gzip' } },
    {
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
      'x-amz-trailer': 'x-amz-checksum-sha1',
      'content-encoding': 'aws-chunked,gzip',
    },
  ],
  [
    { checksum: 'CRC32C', signed: false },
    { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'x-amz-trailer': 'x-amz-checksum-crc32c' },
  ],
] as const)('headers for %j', (changes, expected) => {
  const { headers } = signChunks({ ...options, ...changes })
  expect(headers).toMatchObject({ ...expected, 'x-amz-decoded-content-length': '5' })
  for (const name of ['content-encoding', ...Object.keys(expected)]) {
    expect(headers['authorization']).toMatch(new RegExp(`SignedHeaders=.*\\b${name}\\b.*, S`))
  }
})

test('the unsigned form, byte for byte', async () => {
  const body = await read({ signed: false, checksum: 'CRC32C' })
  expect(body).toBe('5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:mnG7TA==\r\n\r\n')
})

test.each([
  [{ decodedLength: 4 }, 'longer'],
  [{ decodedLength: 6 }, 'shorter'],
  [{ decodedLength: 0 }, 'longer'],
  [{ body: [] }, 'shorter'],
])('a body that is not as long as announced: %j', async (changes, word) => {
  await expect(read(changes)).rejects.toThrow(RangeError)
  await expect(read(changes)).rejects.toThrow(word)
})

test('the source is closed, read to its end or not', async () => {
  let closed = 0
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield Buffer.alloc(10_000)
      yield Buffer.alloc(10_000)
    } finally {
      closed++
    }
  }
  for await (const _ of signChunks({ ...options, body: source(), decodedLength: 20_000, chunkBytes: 8192 }).body) break
  expect(closed).toBe(1)
  await read({ body: source(), decodedLength: 20_000 })
  expect(closed).toBe(2)
  await expect(read({ body: source(), decodedLength: 9000 })).rejects.toThrow(RangeError)
  expect(closed).toBe(3)
})

test.each([
  [{ decodedLength: -1 }, RangeError],
  [{ decodedLength: 1.5 }, RangeError],
  [{ chunkBytes: 8191 }, RangeError],
  [{ chunkBytes: Number.POSITIVE_INFINITY }, RangeError],
  [{ signed: false }, TypeError],
  [{ headers: { 'X-Amz-Decoded-Content-Length': '5' } }, TypeError],
  [{ headers: { 'X-Amz-Trailer': 'x-amz-checksum-sha1' } }, TypeError],
])('refuses %j', (changes, error) => {
  expect(() => signChunks({ ...options, ...changes })).toThrow(error)
})
