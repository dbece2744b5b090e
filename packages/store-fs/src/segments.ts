import { Buffer } from 'node:buffer'

/** One body of a multipart object. */
export interface Segment {
  /** 32 hex digits. */
  readonly id: string
  readonly size: number
}

const ROW_BYTES = 24

/** `id 16 ‖ u64 size` for each, in order. */
export function writeSegments(segments: readonly Segment[]): Buffer {
  const bytes = Buffer.alloc(segments.length * ROW_BYTES)
  for (const [index, { id, size }] of segments.entries()) {
    bytes.write(id, index * ROW_BYTES, 'hex')
    bytes.writeBigUInt64BE(BigInt(size), index * ROW_BYTES + 16)
  }
  return bytes
}

/** Nothing, once they were removed. */
export function readSegments(bytes: Buffer | undefined): readonly Segment[] {
  const segments: Segment[] = []
  if (bytes === undefined) return segments
  for (let offset = 0; offset < bytes.length; offset += ROW_BYTES) {
    segments.push({
      id: bytes.toString('hex', offset, offset + 16),
      size: Number(bytes.readBigUInt64BE(offset + 16)),
    })
  }
  return segments
}
