import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Checksum, createVerifier, signChunks } from '../src/index.ts'
import { inPieces } from './chunked-upload.ts'

interface Documented {
  readonly name: string
  readonly headers: Readonly<Record<string, string>>
  readonly checksum?: Checksum
  readonly signedHeaders: string
  readonly seed: string
  readonly chunkSignatures: readonly string[]
  readonly trailerSignature?: string
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/aws-documented-chunks.json', import.meta.url), 'utf8'),
) as readonly Documented[]

const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}
const now = (): number => Date.UTC(2013, 4, 24)
const object = Buffer.alloc(66_560, 'a')

/** The body as the page describes it. */
function documentedBody({ chunkSignatures, checksum, trailerSignature }: Documented): Buffer {
  const [first, second, last] = chunkSignatures
  const trailer =
    checksum === undefined
      ? ''
      : `x-amz-checksum-crc32c:${checksum.value}\r\nx-amz-trailer-signature:${trailerSignature}\r\n`
  return Buffer.from(
    `10000;chunk-signature=${first}\r\n${'a'.repeat(65_536)}\r\n400;chunk-signature=${second}\r\n${'a'.repeat(1024)}\r\n0;chunk-signature=${last}\r\n${trailer}\r\n`,
  )
}

test.each(vectors)('$name: the signer makes it, the decoder reads it', async (vector) => {
  const target = '/examplebucket/chunkObject.txt'
  const request = signChunks({
    method: 'PUT',
    target,
    host: 's3.amazonaws.com',
    region: 'us-east-1',
    service: 's3',
    credentials,
    now,
    headers: vector.headers,
    body: [object.subarray(0, 10), object.subarray(10, 66_000), object.subarray(66_000)],
    decodedLength: object.length,
    checksum: vector.checksum?.algorithm,
  })
  expect(request.headers['authorization']).toBe(
    `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=${vector.signedHeaders}, Signature=${vector.seed}`,
  )
  const parts: Uint8Array[] = []
  for await (const part of request.body) parts.push(part)
  const wire = Buffer.concat(parts)
  expect(wire.equals(documentedBody(vector))).toBe(true)
  expect(request.encodedLength).toBe(wire.length)
  if (vector.headers['content-length'] !== undefined) expect(String(wire.length)).toBe(vector.headers['content-length'])

  const verifier = createVerifier({ services: ['s3'], streaming: true, now, credentials: () => credentials })
  const claim = verifier.parse({ method: 'PUT', rawTarget: target, rawHeaders: Object.entries(request.headers).flat() })
  if (claim.kind === 'anonymous') throw new Error('not signed')
  await verifier.verify(claim)
  const decoded = verifier.decodeChunks(claim, inPieces(wire, [1]))
  const body: Uint8Array[] = []
  for await (const part of decoded) body.push(part)
  expect(Buffer.concat(body).equals(object)).toBe(true)
  expect(decoded.checksum).toEqual(vector.checksum)
})
