import { Buffer } from 'node:buffer'
import type { ListMarker } from '@kms/s3-api'
import type { Table } from './database.ts'
import { above, after, keyBytes, objectKey } from './object-key.ts'

export interface RollUpRequest {
  readonly bucket: string
  readonly prefix?: string
  readonly delimiter?: string
  readonly after?: ListMarker
  readonly limit: number
}

export interface RollUpEntry {
  /** The key, or the common prefix. */
  readonly name: string
  /** Absent for a common prefix. */
  readonly value?: Buffer
}

export interface RollUpPage {
  readonly entries: readonly RollUpEntry[]
  readonly more: boolean
}

/**
 * Lists a table whose keys are those of {@link objectKey}. A common prefix is one step, however much lies below it: the
 * search goes on right above it. `isPast` leaves out entries the marker alone cannot tell.
 */
export function rollUp(
  table: Pick<Table, 'range'>,
  { bucket, prefix = '', delimiter = '', after: marker, limit }: RollUpRequest,
  isPast?: (name: string, value: Buffer) => boolean,
): RollUpPage {
  const first = objectKey(bucket, prefix)
  const end = above(first)
  const mark = Buffer.from(delimiter)
  const prefixBytes = Buffer.byteLength(prefix)
  const entries: RollUpEntry[] = []
  let start = first
  if (marker !== undefined) {
    const place = objectKey(bucket, marker.key)
    const beyond = marker.prefix === true ? above(place) : isPast === undefined ? after(place) : place
    if (Buffer.compare(beyond, start) > 0) start = beyond
  }
  for (;;) {
    let next: Buffer | undefined
    for (const { key, value } of table.range({ start, end })) {
      const bytes = keyBytes(bucket, key)
      const cut = mark.length === 0 ? -1 : bytes.indexOf(mark, prefixBytes)
      if (cut < 0) {
        const name = bytes.toString('utf8')
        if (isPast?.(name, value) === true) continue
        if (entries.length === limit) return { entries, more: true }
        entries.push({ name, value: Buffer.from(value) })
        continue
      }
      const common = bytes.subarray(0, cut + mark.length)
      if (entries.length === limit) return { entries, more: true }
      const name = common.toString('utf8')
      entries.push({ name })
      next = above(objectKey(bucket, name))
      break
    }
    if (next === undefined) return { entries, more: false }
    start = next
  }
}
