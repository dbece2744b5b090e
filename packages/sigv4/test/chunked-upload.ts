import { createHash, createHmac } from 'node:crypto'
import {
  type ChecksumAlgorithm,
  checksumHeader,
  createChecksum,
  createVerifier,
  type DecodeChunksOptions,
  type RawRequest,
  type SignedRequest,
  signChunks,
  type Verifier,
} from '../src/index.ts'
import { credentials, HOST, NOW, received } from './arbitrary-request.ts'

export const region: string = 'us-east-1'

/** A form of chunked body. */
export interface UploadForm {
  readonly signed: boolean
  readonly checksum?: ChecksumAlgorithm | undefined
}

/** A chunk to put on the wire; with `signature`, that one instead of the right one. */
export interface WireChunk {
  readonly data: string
  readonly signature?: string
}

export const verifier: Verifier<typeof credentials> = createVerifier({
  services: ['s3'],
  streaming: true,
  now: () => NOW,
  credentials: (accessKeyId) => (accessKeyId === credentials.accessKeyId ? credentials : undefined),
})

/** The request that announces a body of this size. */
export function announce(form: UploadForm, decodedLength: number): RawRequest & { readonly signature: string } {
  const target = '/bucket/key'
  const options = { method: 'PUT', target, host: HOST, region, service: 's3', credentials, now: () => NOW }
  const { headers } = signChunks({ ...options, ...form, body: [], decodedLength })
  return { ...received('PUT', target, headers), signature: headers['authorization']?.slice(-64) ?? '' }
}

/** A chunked body, chunks of any size, with signatures computed here and not by the code under test. */
export function encodeByHand(
  form: UploadForm,
  seed: string,
  chunks: readonly WireChunk[],
  replacements: { readonly trailer?: string; readonly trailerSignature?: string; readonly end?: string } = {},
): string {
  const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  const sha256 = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex')
  const scope = `20261123/${region}/s3/aws4_request`
  const key = ['20261123', region, 's3', 'aws4_request'].reduce<Buffer | string>(
    hmac,
    `AWS4${credentials.secretAccessKey}`,
  ) as Buffer
  let previous = seed
  let wire = ''
  const checksum = form.checksum === undefined ? undefined : createChecksum(form.checksum)
  for (const { data, signature } of [...chunks, { data: '' }] as readonly WireChunk[]) {
    previous = hmac(
      key,
      `AWS4-HMAC-SHA256-PAYLOAD\n20261123T010203Z\n${scope}\n${previous}\n${sha256('')}\n${sha256(data)}`,
    ).toString('hex')
    wire += `${data.length.toString(16)}${form.signed ? `;chunk-signature=${signature ?? previous}` : ''}\r\n`
    wire += data === '' ? '' : `${data}\r\n`
    checksum?.update(Buffer.from(data, 'latin1'))
  }
  if (form.checksum !== undefined && checksum !== undefined) {
    const trailer = `${checksumHeader(form.checksum)}:${checksum.digest().value}`
    wire += replacements.trailer ?? `${trailer}\r\n`
    if (form.signed) {
      const signature = hmac(
        key,
        `AWS4-HMAC-SHA256-TRAILER\n20261123T010203Z\n${scope}\n${previous}\n${sha256(`${(replacements.trailer ?? trailer).trim()}\n`)}`,
      ).toString('hex')
      wire += replacements.trailerSignature ?? `x-amz-trailer-signature:${signature}\r\n`
    }
  }
  return wire + (replacements.end ?? '\r\n')
}

/** The bytes in pieces of the given sizes, taken in turn. */
export async function* inPieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0
  for (let turn = 0; start < bytes.length; turn++) {
    const end = start + (sizes[turn % sizes.length] as number)
    yield bytes.subarray(start, end)
    start = end
  }
}

/** Verifies the request and reads its body to the end. */
export async function decodeUpload(
  request: RawRequest,
  source: AsyncIterable<Uint8Array>,
  options?: DecodeChunksOptions,
): Promise<{ readonly body: Buffer; readonly checksum: unknown; readonly claim: SignedRequest }> {
  const claim = verifier.parse(request)
  if (claim.kind === 'anonymous') throw new Error('not signed')
  await verifier.verify(claim)
  const decoded = verifier.decodeChunks(claim, source, options)
  const parts: Uint8Array[] = []
  for await (const part of decoded) parts.push(part)
  return { body: Buffer.concat(parts), checksum: decoded.checksum, claim }
}
