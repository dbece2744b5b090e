import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ChecksumAlgorithm, checksumBytes, isSigV4Error, signChunks } from '../src/index.ts'
import { credentials, HOST, NOW, received, runs } from './arbitrary-request.ts'
import { announce, decodeUpload, encodeByHand, inPieces, region, type UploadForm } from './chunked-upload.ts'
import { slackOf } from './framing-slack.ts'

const checksum = fc.constantFrom(...(Object.keys(checksumBytes) as ChecksumAlgorithm[]))
const form: fc.Arbitrary<UploadForm> = fc.oneof(
  fc.constant({ signed: true }),
  checksum.map((algorithm) => ({ signed: true, checksum: algorithm })),
  checksum.map((algorithm) => ({ signed: false, checksum: algorithm })),
)
const sizes = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 6 })
const pieces = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 })
const fewRuns = { numRuns: Math.ceil(runs.numRuns / 3) }

/** Bytes that repeat themselves rarely. */
function bodyOf(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 131 + (index >> 8) * 7) & 0xff))
}

test('what the signer sends is what the decoder yields, however both bodies are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      form,
      fc.integer({ min: 0, max: 30_000 }),
      fc.integer({ min: 8192, max: 12_000 }),
      sizes,
      sizes,
      async (chosen, decodedLength, chunkBytes, given, arriving) => {
        const object = bodyOf(decodedLength)
        const target = '/bucket/key'
        const request = signChunks({
          method: 'PUT',
          target,
          host: HOST,
          region,
          service: 's3',
          credentials,
          now: () => NOW,
          headers: { 'Content-Encoding': 'gzip' },
          body: inPieces(object, given),
          decodedLength,
          chunkBytes,
          ...chosen,
        })
        const parts: Uint8Array[] = []
        for await (const part of request.body) parts.push(part)
        const wire = Buffer.concat(parts)
        expect(wire).toHaveLength(request.encodedLength)
        const decoded = await decodeUpload(received('PUT', target, request.headers), inPieces(wire, arriving))
        expect(decoded.body.equals(object)).toBe(true)
        expect(decoded.claim.payload).toEqual({
          kind: 'chunked',
          form: request.headers['x-amz-content-sha256'],
          signed: chosen.signed,
          trailer: chosen.checksum,
          decodedLength,
          contentEncoding: 'gzip',
        })
      },
    ),
    fewRuns,
  )
})

const chunks = fc.array(
  fc
    .string({ unit: fc.constantFrom(...Array.from('abc0\r\n;=:')), minLength: 1, maxLength: 12 })
    .map((data) => ({ data })),
  { maxLength: 4 },
)
const anySize = { minChunkBytes: 0 }

test('chunks of any size, from another implementation, in pieces of any size, down to single bytes', async () => {
  await fc.assert(
    fc.asyncProperty(form, chunks, pieces, async (chosen, sent, cut) => {
      const text = sent.map(({ data }) => data).join('')
      const request = announce(chosen, text.length)
      const wire = Buffer.from(encodeByHand(chosen, request.signature, sent))
      for (const arriving of [[wire.length], cut, [1]]) {
        const { body } = await decodeUpload(request, inPieces(wire, arriving), anySize)
        expect(body.toString()).toBe(text)
      }
    }),
    runs,
  )
})

async function expectRefused(...args: Parameters<typeof decodeUpload>): Promise<void> {
  const outcome: unknown = await decodeUpload(...args).catch((thrown: unknown) => thrown)
  expect(isSigV4Error(outcome)).toBe(true)
}

const lower = (byte: number): string => String.fromCharCode(byte).toLowerCase()

test('one changed byte anywhere in a chunked body is refused', async () => {
  await fc.assert(
    fc.asyncProperty(form, chunks, pieces, fc.nat(), fc.nat(255), async (chosen, sent, cut, place, byte) => {
      const lengths = sent.map(({ data }) => data.length)
      const request = announce(
        chosen,
        lengths.reduce((sum, length) => sum + length, 0),
      )
      const wire = Buffer.from(encodeByHand(chosen, request.signature, sent))
      const index = place % wire.length
      const before = wire[index] as number
      const { caseless } = slackOf(wire, lengths)
      const inCaseless = caseless.some(([start, end]) => index >= start && index < end)
      fc.pre(inCaseless ? lower(byte) !== lower(before) : byte !== before)
      wire[index] = byte
      await expectRefused(request, inPieces(wire, cut), anySize)
    }),
    { numRuns: runs.numRuns * 4 },
  )
})

test('one byte less, or one more, is refused', async () => {
  await fc.assert(
    fc.asyncProperty(form, chunks, pieces, fc.nat(), fc.nat(255), async (chosen, sent, cut, place, byte) => {
      const lengths = sent.map(({ data }) => data.length)
      const request = announce(
        chosen,
        lengths.reduce((sum, length) => sum + length, 0),
      )
      const wire = Buffer.from(encodeByHand(chosen, request.signature, sent))
      const index = place % wire.length
      const less = Buffer.concat([wire.subarray(0, index), wire.subarray(index + 1)])
      await expectRefused(request, inPieces(less, cut), anySize)
      const { leadingZero, blank } = slackOf(wire, lengths)
      const zero = lower(byte) === '0' && leadingZero.includes(index)
      fc.pre(!zero && !(' \t\n'.includes(lower(byte)) && blank.includes(index)))
      const more = Buffer.concat([wire.subarray(0, index), Buffer.of(byte), wire.subarray(index)])
      await expectRefused(request, inPieces(more, cut), anySize)
    }),
    { numRuns: runs.numRuns * 2 },
  )
})

test('a request whose seed, length, trailer name or form was changed is refused before its body', async () => {
  for (const chosen of [
    { signed: true },
    { signed: true, checksum: 'SHA1' },
    { signed: false, checksum: 'SHA1' },
  ] as const) {
    const request = announce(chosen, 5)
    const wire = Buffer.from(encodeByHand(chosen, request.signature, [{ data: 'hello' }]))
    expect((await decodeUpload(request, inPieces(wire, [3]))).body.toString()).toBe('hello')
    for (const [from, to] of [
      [/^5$/, '6'],
      [/checksum-sha1$/, 'checksum-sha256'],
      [/-PAYLOAD$/, '-PAYLOAD-TRAILER'],
      [/-PAYLOAD-TRAILER$/, '-PAYLOAD'],
      [/^STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER$/, 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'],
      [/Signature=./, 'Signature=g'],
    ] as const) {
      const rawHeaders = request.rawHeaders.map((text) => text.replace(from, to))
      if (rawHeaders.join() !== request.rawHeaders.join())
        await expectRefused({ ...request, rawHeaders }, inPieces(wire, [3]))
    }
  }
})
