import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { Authorize } from '@kms/core'
import type {
  ByteRange,
  ByteSource,
  CustomerKey,
  FetchSegment,
  FinishWrite,
  ObjectCipher,
  ObjectName,
  ObjectRecord,
  ReadableObject,
  WriteEncryption,
} from '../src/index.ts'

/** An object as a store keeps it: the record, and the parts' bytes one behind the other. */
export interface StoredObject {
  readonly record: ObjectRecord
  readonly body: Buffer
}

export const anyone: Authorize = () => {}

/** Bytes that are the same for the same seed. */
export function pattern(size: number, seed: string): Buffer {
  return createHash('shake256', { outputLength: Math.max(size, 1) })
    .update(seed)
    .digest()
    .subarray(0, size)
}

export function* chunksOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size)
}

export async function joined(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(Uint8Array.from(chunk))
  return Buffer.concat(chunks)
}

/** Reads segments of a body whose parts stand one behind the other, `cut` bytes at a time. */
export function fetchFrom(body: Buffer, cut = 50_000): FetchSegment {
  return async function* ({ partOffset, start, end }) {
    yield* chunksOf(body.subarray(partOffset + start, partOffset + end), cut)
  }
}

export async function put(
  cipher: ObjectCipher,
  name: ObjectName,
  encryption: WriteEncryption,
  source: ByteSource,
  { size, ...digests }: FinishWrite & { readonly size?: number } = {},
): Promise<StoredObject> {
  const known = size === undefined ? {} : { size }
  const write = await cipher.beginWrite({ name, encryption, authorize: anyone, ...known })
  const body = await joined(write.seal(source))
  return { record: write.finish(digests).record, body }
}

export interface UploadParts {
  readonly name: ObjectName
  readonly encryption: WriteEncryption
  readonly parts: ReadonlyMap<number, Buffer>
  readonly cut?: number
  readonly sized?: boolean
}

export async function upload(
  cipher: ObjectCipher,
  { name, encryption, parts, cut = 100_000, sized = true }: UploadParts,
): Promise<StoredObject> {
  const begun = await cipher.beginUpload({ name, encryption, authorize: anyone })
  const customerKey = encryption.mode === 'SSE-C' ? encryption.customerKey : undefined
  const records: Buffer[] = []
  const bodies: Buffer[] = []
  for (const [number, bytes] of parts) {
    const size = sized ? { size: bytes.length } : {}
    const request = { name, upload: begun.upload, number, customerKey, authorize: anyone, ...size }
    const part = await cipher.sealPart(request)
    bodies.push(await joined(part.seal(chunksOf(bytes, cut))))
    records.push(part.finish().part)
  }
  const { record } = await cipher.completeUpload({ name, upload: begun.upload, parts: records })
  return { record, body: Buffer.concat(bodies) }
}

export interface GetOptions {
  readonly range?: ByteRange | undefined
  readonly customerKey?: CustomerKey | undefined
  readonly cut?: number
  readonly authorize?: Authorize
}

export async function get(
  cipher: ObjectCipher,
  name: ObjectName,
  { record, body }: StoredObject,
  { range, customerKey, cut, authorize = anyone }: GetOptions = {},
): Promise<Buffer> {
  const info = cipher.inspect(name, record.metadata)
  const object = await cipher.openForRead({ name, record, info, customerKey, authorize, range })
  const plaintext = await joined(object.read(fetchFrom(body, cut)))
  const whole = await cipher.openForRead({ name, record, customerKey, authorize, range })
  if (!whole.open(storedOf(whole, body)).equals(plaintext)) throw new Error('opened at once it is something else')
  return plaintext
}

/** All that a read takes, one segment behind the other. */
export function storedOf({ segments }: Pick<ReadableObject, 'segments'>, body: Buffer): Buffer {
  return Buffer.concat(
    segments.map(({ partOffset, start, end }) => body.subarray(partOffset + start, partOffset + end)),
  )
}
