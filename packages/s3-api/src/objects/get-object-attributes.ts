import { presentedCustomerKey } from '@kms/sse'
import { readLimit } from '../listing/list-query.ts'
import type { Operation } from '../operation.ts'
import { httpTime } from '../reply/times.ts'
import { document, element, type Xml } from '../reply/xml-writer.ts'
import { nameOf, type S3Call } from '../s3-call.ts'
import { invalidArgument, s3Error } from '../s3-error.ts'
import type { OpenedObject } from '../store/object-store.ts'
import { checksumElements, describe, missingObject, recordOf, requireNullVersion } from './records.ts'
import { existingTagFacts } from './tagging.ts'

const ATTRIBUTES: ReadonlySet<string> = new Set(['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'])

export const getObjectAttributes: Operation = {
  name: 'GetObjectAttributes',
  action: 's3:GetObjectAttributes',
  facts: existingTagFacts,
  async handle(call) {
    const { services, access, place, query, header, transport } = call
    access.require('s3:GetObject', place, await existingTagFacts(call))
    const name = nameOf(call)
    requireNullVersion(query.get('versionId'), name.key)
    const wanted = readWanted(header('x-amz-object-attributes'))
    const customerKey = presentedCustomerKey(header, transport)
    const opened = await services.store.openObject(name)
    try {
      if (opened === undefined) throw missingObject(call)
      const { info, validators } = describe(call, name, opened)
      if (info.mode === 'SSE-C' || customerKey !== undefined) {
        const rights = access.kms('kms:Decrypt', place)
        const readable = await services.cipher.openForRead({ name, record: recordOf(opened), customerKey, ...rights })
        readable.discard()
      }
      const text = document('GetObjectAttributesResponse', [
        wanted.has('ETag') ? element('ETag', info.etag) : undefined,
        wanted.has('Checksum') && info.checksums.size > 0
          ? element('Checksum', checksumElements(withoutCount(info.checksums)))
          : undefined,
        wanted.has('ObjectParts') && info.partCount > 0 ? partsElement(call, opened) : undefined,
        wanted.has('StorageClass') ? element('StorageClass', 'STANDARD') : undefined,
        wanted.has('ObjectSize') ? element('ObjectSize', info.size) : undefined,
      ])
      return { headers: [['last-modified', httpTime(validators.modified)]], text }
    } finally {
      customerKey?.destroy()
      await opened?.close()
    }
  },
}

function readWanted(header: string | undefined): ReadonlySet<string> {
  const wanted = new Set((header ?? '').split(',').map((name) => name.trim()))
  wanted.delete('')
  if (wanted.size === 0) {
    throw s3Error(
      'InvalidRequest',
      'The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty',
    )
  }
  for (const name of wanted) {
    if (!ATTRIBUTES.has(name))
      throw invalidArgument('x-amz-object-attributes', 'Invalid attribute name specified.', name)
  }
  return wanted
}

/** Here the number of parts is not part of a composite checksum. */
function withoutCount(checksums: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map(Array.from(checksums, ([name, value]) => [name, value.replace(/-\d+$/, '')] as const))
}

function partsElement({ services, place, header }: S3Call, opened: OpenedObject): Xml {
  const parts = services.cipher.inspectObjectParts({ bucket: place.name, key: opened.key }, recordOf(opened))
  const limit = readLimit('x-amz-max-parts', header('x-amz-max-parts'))
  const marker = Number(header('x-amz-part-number-marker') ?? 0)
  const rest = parts.filter(({ number }) => number > marker)
  const page = rest.slice(0, limit)
  return element('ObjectParts', [
    element('PartsCount', parts.length),
    element('PartNumberMarker', marker),
    element('NextPartNumberMarker', page.at(-1)?.number ?? marker),
    element('MaxParts', limit),
    element('IsTruncated', rest.length > page.length),
    ...page.map(({ number, size, checksums }) =>
      element('Part', [element('PartNumber', number), element('Size', size), ...checksumElements(checksums)]),
    ),
  ])
}
