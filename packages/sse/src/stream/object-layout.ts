import { frameRange, plaintextSize, sealedSize } from '@kms/core/internal'
import type { PartTable } from '../record/part-table.ts'
import { STREAM_HEADER_BYTES } from './stream-header.ts'

/** Bytes from `start` to `end`, both included; S3's ranges. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** A piece of what a store keeps of one part. */
export interface StoredSegment {
  /** Where the part stands in the part table. */
  readonly partIndex: number
  readonly partNumber: number
  /** Where the part begins, when parts are kept one behind the other. */
  readonly partOffset: number
  /** Bytes of the part's own: from `start` up to, not including, `end`. */
  readonly start: number
  readonly end: number
}

/** What has to be read of one part, and what of its plaintext is wanted. */
export interface PartRead {
  /** In order; one, or the stream's header and the frames apart from each other. */
  readonly segments: readonly StoredSegment[]
  readonly partIndex: number
  /** Number of the first frame read. */
  readonly firstFrame: number
  /** Whether the stream's last frame is read. */
  readonly endsStream: boolean
  /** Sealed bytes of the frames read; the bytes themselves in a plain object. */
  readonly frameBytes: number
  /** Plaintext bytes to pass over, and then to give out. */
  readonly skip: number
  readonly take: number
}

/** Bytes a store keeps of a stream of `size` plaintext bytes. */
export function storedSize(size: number): number {
  return STREAM_HEADER_BYTES + sealedSize(size)
}

/** Plaintext bytes of a stream of which a store keeps `stored`, or `undefined` when no stream has that size. */
export function plainSize(stored: number): number | undefined {
  return stored < STREAM_HEADER_BYTES ? undefined : plaintextSize(stored - STREAM_HEADER_BYTES)
}

function storedPartSize({ size, salt }: PartTable[number]): number {
  return salt.length === 0 ? size : storedSize(size)
}

/** What has to be read for all of one part; an empty one is read as well, for its only frame. Throws `RangeError` for one that is not there. */
export function planPart(parts: PartTable, number: number): readonly PartRead[] {
  let partOffset = 0
  for (const [partIndex, part] of parts.entries()) {
    if (part.number === number) return [readAll(part, partIndex, partOffset)]
    partOffset += storedPartSize(part)
  }
  throw new RangeError(`there is no part ${number}`)
}

/**
 * What has to be read for a range of an object's plaintext; without one, for all of it. An empty object and empty parts are read as well,
 * for their only frame. Throws `RangeError` for a range outside the object.
 */
export function planRead(parts: PartTable, range?: ByteRange): readonly PartRead[] {
  const total = parts.reduce((sum, { size }) => sum + size, 0)
  const whole = range === undefined || (Number.isSafeInteger(range.start) && Number.isSafeInteger(range.end))
  if (!whole || (range !== undefined && !(range.start >= 0 && range.start <= range.end && range.end < total))) {
    throw new RangeError(`${range?.start}-${range?.end} is no range of ${total} bytes`)
  }
  const reads: PartRead[] = []
  let plainOffset = 0
  let partOffset = 0
  for (const [partIndex, part] of parts.entries()) {
    if (range === undefined) {
      reads.push(readAll(part, partIndex, partOffset))
    } else {
      const start = Math.max(0, range.start - plainOffset)
      const end = Math.min(part.size - 1, range.end - plainOffset)
      if (start <= end) reads.push(readWithin(part, partIndex, partOffset, start, end))
    }
    plainOffset += part.size
    partOffset += storedPartSize(part)
  }
  return reads
}

function readWithin(
  { number: partNumber, size, salt }: PartTable[number],
  partIndex: number,
  partOffset: number,
  start: number,
  end: number,
): PartRead {
  const place = { partIndex, partNumber, partOffset }
  const take = end - start + 1
  if (salt.length === 0) {
    const segments = [{ ...place, start, end: end + 1 }]
    return { segments, partIndex, firstFrame: 0, endsStream: end === size - 1, frameBytes: take, skip: 0, take }
  }
  const { firstFrame, endsStream, sealedStart, sealedEnd, skip } = frameRange(start, end, size)
  const frames = { ...place, start: STREAM_HEADER_BYTES + sealedStart, end: STREAM_HEADER_BYTES + sealedEnd }
  const segments =
    firstFrame === 0 ? [{ ...frames, start: 0 }] : [{ ...place, start: 0, end: STREAM_HEADER_BYTES }, frames]
  return { segments, partIndex, firstFrame, endsStream, frameBytes: sealedEnd - sealedStart, skip, take }
}

function readAll(part: PartTable[number], partIndex: number, partOffset: number): PartRead {
  if (part.size > 0) return readWithin(part, partIndex, partOffset, 0, part.size - 1)
  const frameBytes = part.salt.length === 0 ? 0 : sealedSize(0)
  const end = storedPartSize(part)
  const segments = end === 0 ? [] : [{ partIndex, partNumber: part.number, partOffset, start: 0, end }]
  return { segments, partIndex, firstFrame: 0, endsStream: true, frameBytes, skip: 0, take: 0 }
}
