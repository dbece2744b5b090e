import { Buffer } from 'node:buffer'
import type { ObjectInfo } from '@kms/sse'
import { ownerElement } from '../access/owner.ts'
import type { Operation } from '../operation.ts'
import { isoTime } from '../reply/times.ts'
import { document, element, optional, type Xml } from '../reply/xml-writer.ts'
import { checksumAlgorithmOf } from '../request/digests.ts'
import { bucketOf, type S3Call } from '../s3-call.ts'
import { invalidArgument } from '../s3-error.ts'
import type { ListMarker, ObjectPage, StoredObject } from '../store/object-store.ts'
import { type NameEncoding, readEncoding, readLimit } from './list-query.ts'

interface Listing {
  readonly prefix: string
  readonly delimiter: string
  readonly limit: number
  readonly encoding: NameEncoding
  readonly page: ObjectPage
}

async function list(call: S3Call, after: ListMarker | undefined): Promise<Listing> {
  const { query, services } = call
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const limit = readLimit('max-keys', query.get('max-keys'))
  const encoding = readEncoding(query)
  const { name: bucket } = bucketOf(call)
  const request = { bucket, prefix, delimiter, limit, ...(after === undefined ? {} : { after }) }
  const page = limit === 0 ? { entries: [] } : await services.store.listObjects(request)
  return { prefix, delimiter, limit, encoding, page }
}

/**
 * A marker of the first version: everything below the common prefix it lies in is past, since that prefix was listed before.
 */
function markerOf(marker: string, prefix: string, delimiter: string): ListMarker {
  const cut = delimiter === '' || !marker.startsWith(prefix) ? -1 : marker.indexOf(delimiter, prefix.length)
  return cut < 0 ? { key: marker } : { key: marker.slice(0, cut + delimiter.length), prefix: true }
}

export const listObjectsV1: Operation = {
  name: 'ListObjects',
  action: 's3:ListBucket',
  async handle(call) {
    const { query } = call
    const marker = query.get('marker') ?? ''
    const after = marker === '' ? undefined : markerOf(marker, query.get('prefix') ?? '', query.get('delimiter') ?? '')
    const listing = await list(call, after)
    const { delimiter, encoding, page } = listing
    const text = document('ListBucketResult', [
      element('Name', bucketOf(call).name),
      element('Prefix', encoding.encode(listing.prefix)),
      element('Marker', encoding.encode(marker)),
      // Without a delimiter clients take the last key.
      optional('NextMarker', delimiter === '' || page.next === undefined ? undefined : encoding.encode(page.next.key)),
      ...common(listing),
      ...contents(call, listing, true),
    ])
    return { text }
  },
}

export const listObjectsV2: Operation = {
  name: 'ListObjectsV2',
  action: 's3:ListBucket',
  async handle(call) {
    const { query } = call
    const token = query.get('continuation-token')
    const startAfter = query.get('start-after')
    const after =
      token !== undefined
        ? decodeToken(token)
        : startAfter === undefined || startAfter === ''
          ? undefined
          : { key: startAfter }
    const listing = await list(call, after)
    const { encoding, page } = listing
    const text = document('ListBucketResult', [
      element('Name', bucketOf(call).name),
      element('Prefix', encoding.encode(listing.prefix)),
      optional('StartAfter', startAfter === undefined ? undefined : encoding.encode(startAfter)),
      optional('ContinuationToken', token),
      optional('NextContinuationToken', page.next === undefined ? undefined : encodeToken(page.next)),
      element('KeyCount', page.entries.length),
      ...common(listing),
      ...contents(call, listing, query.get('fetch-owner')?.toLowerCase() === 'true'),
    ])
    return { text }
  },
}

/** Objects have one version here, `null`, which is the latest. */
export const listObjectVersions: Operation = {
  name: 'ListObjectVersions',
  action: 's3:ListBucketVersions',
  async handle(call) {
    const { query } = call
    const marker = query.get('key-marker') ?? ''
    const versionMarker = query.get('version-id-marker') ?? ''
    if (versionMarker !== '' && marker === '') {
      throw invalidArgument(
        'version-id-marker',
        'A version-id marker cannot be specified without a key marker.',
        versionMarker,
      )
    }
    const after = marker === '' ? undefined : markerOf(marker, query.get('prefix') ?? '', query.get('delimiter') ?? '')
    const listing = await list(call, after)
    const { encoding, page } = listing
    const { next } = page
    const text = document('ListVersionsResult', [
      element('Name', bucketOf(call).name),
      element('Prefix', encoding.encode(listing.prefix)),
      element('KeyMarker', encoding.encode(marker)),
      element('VersionIdMarker', versionMarker),
      optional('NextKeyMarker', next === undefined ? undefined : encoding.encode(next.key)),
      optional('NextVersionIdMarker', next === undefined || next.prefix === true ? undefined : 'null'),
      ...common(listing),
      ...page.entries.map((entry) =>
        entry.kind === 'prefix'
          ? undefined
          : element('Version', [
              element('Key', encoding.encode(entry.object.key)),
              element('VersionId', 'null'),
              element('IsLatest', true),
              ...objectElements(call, entry.object),
              ownerElement('Owner'),
            ]),
      ),
      ...prefixes(listing),
    ])
    return { text }
  },
}

function common({ delimiter, limit, encoding, page }: Listing): readonly Xml[] {
  return [
    element('MaxKeys', limit),
    optional('Delimiter', delimiter === '' ? undefined : encoding.encode(delimiter)),
    element('IsTruncated', page.next !== undefined),
    optional('EncodingType', encoding.type),
  ]
}

function contents(call: S3Call, listing: Listing, withOwner: boolean): readonly Xml[] {
  const { page, encoding } = listing
  return [
    ...page.entries.map((entry) =>
      entry.kind === 'prefix'
        ? undefined
        : element('Contents', [
            element('Key', encoding.encode(entry.object.key)),
            ...objectElements(call, entry.object),
            withOwner ? ownerElement('Owner') : undefined,
          ]),
    ),
    ...prefixes(listing),
  ]
}

function prefixes({ page, encoding }: Listing): readonly Xml[] {
  return page.entries.map((entry) =>
    entry.kind === 'prefix' ? element('CommonPrefixes', element('Prefix', encoding.encode(entry.prefix))) : undefined,
  )
}

function objectElements(call: S3Call, object: StoredObject): readonly Xml[] {
  const info = readable(call, object)
  const algorithm = info === undefined ? undefined : [...info.checksums.keys()].find(checksumAlgorithmOf)
  return [
    element('LastModified', isoTime(object.modified)),
    optional('ETag', info === undefined ? undefined : `"${info.etag}"`),
    optional('ChecksumAlgorithm', algorithm),
    optional('ChecksumType', info?.checksums.get('type')),
    element('Size', info?.size ?? object.size),
    element('StorageClass', 'STANDARD'),
  ]
}

/** A record that cannot be read is still listed, and hides no other. */
function readable({ services, place }: S3Call, { key, metadata }: StoredObject): ObjectInfo | undefined {
  try {
    return services.cipher.inspect({ bucket: place.name, key }, metadata)
  } catch {
    return undefined
  }
}

/** Opaque to clients. */
function encodeToken({ key, prefix }: ListMarker): string {
  return Buffer.from(`${prefix === true ? 'p' : 'k'}${key}`).toString('base64url')
}

function decodeToken(token: string): ListMarker {
  const bytes = Buffer.from(token, 'base64url')
  const text = bytes.toString('utf8')
  const kind = text[0]
  if (bytes.toString('base64url') !== token || (kind !== 'p' && kind !== 'k') || !Buffer.from(text).equals(bytes)) {
    throw invalidArgument('continuation-token', 'The continuation token provided is incorrect', token)
  }
  return kind === 'p' ? { key: text.slice(1), prefix: true } : { key: text.slice(1) }
}
