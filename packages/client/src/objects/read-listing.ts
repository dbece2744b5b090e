import { connectionError } from '../connection-error.ts'
import type { ListedObject } from './objects-client.ts'
import { readElements } from './read-elements.ts'

export interface Listing {
  readonly buckets: readonly string[]
  readonly objects: readonly ListedObject[]
  /** The token for what follows. */
  readonly next: string | undefined
}

const OBJECT = 'ListBucketResult/Contents'

/** Reads a listing of buckets, or of objects with `encoding-type=url`. Throws `UnreadableReply`. */
export function readListing(xml: string): Listing {
  const buckets: string[] = []
  const objects: { key: string; size: number; lastModified: string }[] = []
  let next: string | undefined
  try {
    readElements(xml, (path, text) => {
      if (path === 'ListAllMyBucketsResult/Buckets/Bucket/Name') buckets.push(text)
      if (path === 'ListBucketResult/NextContinuationToken') next = text
      if (path === `${OBJECT}/Key`) {
        objects.push({ key: decodeURIComponent(text.replaceAll('+', '%20')), size: 0, lastModified: '' })
      }
      const last = objects.at(-1)
      if (last === undefined) return
      if (path === `${OBJECT}/Size`) last.size = Number(text)
      if (path === `${OBJECT}/LastModified`) last.lastModified = text
    })
  } catch (cause) {
    throw connectionError('UnreadableReply', 'The listing cannot be read: is this an S3 server?', false, cause)
  }
  return { buckets, objects, next }
}
