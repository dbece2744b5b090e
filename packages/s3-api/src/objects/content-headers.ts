import type { TextMap } from '@kms/sse'
import { s3Error } from '../s3-error.ts'

/** Kept with an object and sent back with it (Amazon S3 API reference, PutObject). */
const KEPT: readonly string[] = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
  'x-amz-website-redirect-location',
]

const META = 'x-amz-meta-'
const MOST_METADATA_BYTES = 2048

const DEFAULT_CONTENT_TYPE = 'binary/octet-stream'

/**
 * Content headers and user metadata of a new object. `aws-chunked` is how the body came, not what it is. Throws `MetadataTooLarge`.
 */
export function readContentHeaders(headers: ReadonlyMap<string, string>): TextMap {
  const kept = new Map<string, string>([['content-type', DEFAULT_CONTENT_TYPE]])
  let metadataBytes = 0
  for (const [name, value] of headers) {
    if (name === 'content-encoding') {
      const encoding = withoutChunking(value)
      if (encoding !== '') kept.set(name, encoding)
    } else if (KEPT.includes(name)) {
      if (value !== '') kept.set(name, value)
    } else if (name.startsWith(META)) {
      metadataBytes += name.length - META.length + value.length
      kept.set(name, value)
    }
  }
  if (metadataBytes <= MOST_METADATA_BYTES) return kept
  throw s3Error('MetadataTooLarge', {
    details: { Size: String(metadataBytes), MaxSizeAllowed: String(MOST_METADATA_BYTES) },
  })
}

function withoutChunking(value: string): string {
  const encodings = value.split(',').map((encoding) => encoding.trim())
  return encodings.filter((encoding) => encoding.toLowerCase() !== 'aws-chunked').join(',')
}

/** Kept for this server beside the others, and never sent. */
const PRIVATE = ':'

/** Headers as they are sent back. */
export function contentHeaders(headers: TextMap): readonly (readonly [string, string])[] {
  return [...headers].filter(([name]) => !name.startsWith(PRIVATE))
}
