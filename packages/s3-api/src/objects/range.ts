import type { ByteRange } from '@kms/sse'
import { invalidArgument, s3Error } from '../s3-error.ts'

/**
 * The range of a `Range` header; `undefined` for the whole object: S3 takes no notice of what it cannot read, nor of several
 * ranges. Throws `InvalidRange` for one outside the object.
 */
export function readRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '')
  const [, first = '', last = ''] = match ?? []
  if (match === null || (first === '' && last === '')) return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    if (length === 0) throw outside(header, size)
    return { start: size - length, end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= size) throw outside(header, size)
  return { start, end }
}

/** The range of `x-amz-copy-source-range`, which must be exact. Throws `InvalidArgument`, `InvalidRequest`. */
export function readCopyRange(header: string | undefined, size: number): ByteRange | undefined {
  if (header === undefined) return undefined
  const [, first = '', last = ''] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header) ?? []
  const [start, end] = [Number(first), Number(last)]
  if (first === '' || start > end) {
    throw invalidArgument(
      'x-amz-copy-source-range',
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
      header,
    )
  }
  if (start >= size) throw s3Error('InvalidRequest', 'The specified copy range is invalid for the source object size')
  if (end >= size) {
    throw invalidArgument(
      'x-amz-copy-source-range',
      `Range specified is not valid for source object of size: ${size}`,
      header,
    )
  }
  return { start, end }
}

function outside(header: string | undefined, size: number): Error {
  return s3Error('InvalidRange', {
    details: { RangeRequested: (header ?? '').slice(0, 128), ActualObjectSize: String(size) },
  })
}
