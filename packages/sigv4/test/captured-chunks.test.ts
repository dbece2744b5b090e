import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type ChecksumAlgorithm, createVerifier, type RawRequest } from '../src/index.ts'
import { parseTimestamp } from '../src/timestamp.ts'
import { inPieces } from './chunked-upload.ts'

interface Captured extends RawRequest {
  readonly client: string
  readonly name: string
  readonly decodedLength: number
  readonly checksum: ChecksumAlgorithm | null
  readonly sessionToken: string | null
  /** Whole; runs of one letter are abbreviated. */
  readonly body: readonly (string | { readonly repeat: string; readonly times: number })[]
}

const vectors = JSON.parse(readFileSync(new URL('../vectors/captured-chunks.json', import.meta.url), 'utf8')) as {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly uploads: readonly Captured[]
}

function wireOf({ body }: Captured): Buffer {
  return Buffer.from(body.map((part) => (typeof part === 'string' ? part : part.repeat.repeat(part.times))).join(''))
}

async function decode(upload: Captured, wire: Buffer, pieces: readonly number[]) {
  const seen: unknown[] = []
  const verifier = createVerifier({
    services: ['s3'],
    streaming: true,
    now: () => parseTimestamp(/\d{8}T\d{6}Z/.exec(upload.rawHeaders.join(' '))?.[0] ?? '') as number,
    credentials: (accessKeyId, sessionToken) => (seen.push(accessKeyId, sessionToken), vectors),
  })
  const claim = verifier.parse(upload)
  if (claim.kind === 'anonymous') throw new Error('not signed')
  await verifier.verify(claim)
  const decoded = verifier.decodeChunks(claim, inPieces(wire, pieces))
  const parts: Uint8Array[] = []
  for await (const part of decoded) parts.push(part)
  return { claim, seen, body: Buffer.concat(parts), checksum: decoded.checksum }
}

test.each(vectors.uploads.map((upload) => [`${upload.client} ${upload.name}`, upload] as const))(
  '%s',
  async (_, upload) => {
    const { decodedLength, checksum, sessionToken } = upload
    const wire = wireOf(upload)
    const whole = await decode(upload, wire, [wire.length])
    expect(whole.body.equals(Buffer.alloc(decodedLength, 'a'))).toBe(true)
    expect(whole.seen).toEqual([vectors.accessKeyId, sessionToken ?? undefined])
    expect(whole.claim.payload).toMatchObject({ kind: 'chunked', decodedLength, contentEncoding: undefined })
    expect(whole.checksum?.algorithm).toBe(checksum ?? undefined)
    const inParts = await decode(upload, wire, decodedLength === 0 ? [1] : [1, 2, 61, 509])
    expect(inParts.body.equals(whole.body)).toBe(true)
    expect(inParts.checksum).toEqual(whole.checksum)
  },
)

test.each(
  vectors.uploads
    .filter(({ decodedLength }) => decodedLength > 0)
    .map((upload) => [`${upload.client} ${upload.name}`, upload] as const),
)('%s, one byte of the object changed', async (_, upload) => {
  const wire = wireOf(upload)
  wire[wire.indexOf('aaaa') + 7] = 0x62
  const code = upload.name.includes('HMAC') ? 'SignatureDoesNotMatch' : 'BadDigest'
  await expect(decode(upload, wire, [4096])).rejects.toMatchObject({ code })
})
