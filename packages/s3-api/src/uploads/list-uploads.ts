import { ownerElement } from '../access/owner.ts'
import { readEncoding, readLimit } from '../listing/list-query.ts'
import { checksumElements } from '../objects/records.ts'
import type { Operation } from '../operation.ts'
import { isoTime } from '../reply/times.ts'
import { document, element, optional } from '../reply/xml-writer.ts'
import { bucketOf } from '../s3-call.ts'
import type { UploadMarker } from '../store/object-store.ts'
import { keptUploadChecksum } from './upload-checksum.ts'
import { uploadNameOf } from './upload-part.ts'

export const listMultipartUploads: Operation = {
  name: 'ListMultipartUploads',
  action: 's3:ListBucketMultipartUploads',
  async handle(call) {
    const { query, services } = call
    const prefix = query.get('prefix') ?? ''
    const delimiter = query.get('delimiter') ?? ''
    const limit = readLimit('max-uploads', query.get('max-uploads'))
    const encoding = readEncoding(query)
    const keyMarker = query.get('key-marker') ?? ''
    const uploadIdMarker = keyMarker === '' ? '' : (query.get('upload-id-marker') ?? '')
    const { name: bucket } = bucketOf(call)
    const after = markerOf(keyMarker, uploadIdMarker, prefix, delimiter)
    const request = { bucket, prefix, delimiter, limit, ...(after === undefined ? {} : { after }) }
    const { entries, next } = limit === 0 ? { entries: [], next: undefined } : await services.store.listUploads(request)
    const text = document('ListMultipartUploadsResult', [
      element('Bucket', bucket),
      element('KeyMarker', encoding.encode(keyMarker)),
      element('UploadIdMarker', uploadIdMarker),
      optional('NextKeyMarker', next === undefined ? undefined : encoding.encode(next.key)),
      optional('NextUploadIdMarker', next?.uploadId),
      optional('Prefix', prefix === '' ? undefined : encoding.encode(prefix)),
      optional('Delimiter', delimiter === '' ? undefined : encoding.encode(delimiter)),
      optional('EncodingType', encoding.type),
      element('MaxUploads', limit),
      element('IsTruncated', next !== undefined),
      ...entries.map((entry) =>
        entry.kind === 'prefix'
          ? undefined
          : element('Upload', [
              element('Key', encoding.encode(entry.upload.key)),
              element('UploadId', entry.upload.uploadId),
              ownerElement('Initiator'),
              ownerElement('Owner'),
              element('StorageClass', 'STANDARD'),
              element('Initiated', isoTime(entry.upload.created)),
            ]),
      ),
      ...entries.map((entry) =>
        entry.kind === 'prefix'
          ? element('CommonPrefixes', element('Prefix', encoding.encode(entry.prefix)))
          : undefined,
      ),
    ])
    return { text }
  },
}

/** As the markers of the first listing of objects; with an upload, that one is the last that is past. */
function markerOf(key: string, uploadId: string, prefix: string, delimiter: string): UploadMarker | undefined {
  if (key === '') return undefined
  if (uploadId !== '') return { key, uploadId }
  const cut = delimiter === '' || !key.startsWith(prefix) ? -1 : key.indexOf(delimiter, prefix.length)
  return cut < 0 ? { key } : { key: key.slice(0, cut + delimiter.length), prefix: true }
}

export const listParts: Operation = {
  name: 'ListParts',
  action: 's3:ListMultipartUploadParts',
  async handle(call) {
    const { query, services } = call
    const name = uploadNameOf(call)
    const limit = readLimit('max-parts', query.get('max-parts'))
    const after = readLimitless(query.get('part-number-marker'))
    const upload = await services.store.upload(name)
    const checksum = keptUploadChecksum(services.cipher.inspectUpload(name, upload.metadata))
    const { parts, next } =
      limit === 0 ? { parts: [], next: undefined } : await services.store.listParts({ ...name, after, limit })
    const infos = services.cipher.inspectParts(
      name,
      upload.metadata,
      parts.map(({ metadata }) => metadata),
    )
    const text = document('ListPartsResult', [
      element('Bucket', name.bucket),
      element('Key', name.key),
      element('UploadId', name.uploadId),
      ownerElement('Initiator'),
      ownerElement('Owner'),
      element('StorageClass', 'STANDARD'),
      element('PartNumberMarker', after),
      element('NextPartNumberMarker', parts.at(-1)?.number ?? 0),
      element('MaxParts', limit),
      element('IsTruncated', next !== undefined),
      optional('ChecksumAlgorithm', checksum?.algorithm),
      optional('ChecksumType', checksum?.type),
      ...infos.map(({ number, size, etag, checksums }, index) =>
        element('Part', [
          element('PartNumber', number),
          element('LastModified', isoTime(parts[index]?.modified ?? 0)),
          element('ETag', `"${etag}"`),
          element('Size', size),
          ...checksumElements(checksums),
        ]),
      ),
    ])
    return { text }
  },
}

function readLimitless(value: string | undefined): number {
  const number = Number(value ?? 0)
  return Number.isInteger(number) && number >= 0 ? Math.min(number, 10_000) : 0
}

export const abortMultipartUpload: Operation = {
  name: 'AbortMultipartUpload',
  action: 's3:AbortMultipartUpload',
  async handle(call) {
    await call.services.store.abortUpload(uploadNameOf(call))
    return { status: 204 }
  },
}
