import { type Checksum, type ChecksumAlgorithm, createChecksum } from '@kms/sigv4'
import type { WriteEncryption } from '@kms/sse'
import type { Operation } from '../operation.ts'
import { isoTime } from '../reply/times.ts'
import { document, element } from '../reply/xml-writer.ts'
import { checksumAlgorithmOf } from '../request/digests.ts'
import { nameOf, type S3Call } from '../s3-call.ts'
import { invalidArgument, s3Error } from '../s3-error.ts'
import { readWriteCondition } from './conditions.ts'
import { readContentHeaders } from './content-headers.ts'
import { type CopySource, openCopySource, sourceTags } from './copy-source.ts'
import { segmentsOf } from './open-body.ts'
import { newObjectEncryption, readNewTags, requireTagging, writeObject, writtenHeaders } from './put-object.ts'
import { checksumElements, recordOf } from './records.ts'
import { LARGEST_BODY, requireWritable } from './write-rules.ts'

export const copyObject: Operation = {
  name: 'CopyObject',
  action: 's3:PutObject',
  async handle(call) {
    requireWritable(call.header)
    const condition = readWriteCondition(call.header)
    const replacesMetadata = readDirective(call, 'x-amz-metadata-directive')
    const replacesTags = readDirective(call, 'x-amz-tagging-directive')
    const newTags = replacesTags ? readNewTags(call) : undefined
    const source = await openCopySource(call)
    try {
      requireCopyable(call, source, replacesMetadata)
      const encryption = newObjectEncryption(call)
      const tags = replacesTags ? newTags : await sourceTags(source)
      if (!replacesTags && tags !== undefined && tags.size > 0) requireTagging(call.access, call.place, tags)
      const content = replacesMetadata ? readContentHeaders(call.headers) : keptContent(call, source)
      const { info, written } = await copyInto(call, source, { encryption, content, tags, condition })
      const text = document('CopyObjectResult', [
        element('LastModified', isoTime(written.modified)),
        element('ETag', `"${info.etag}"`),
        ...checksumElements(info.checksums),
      ])
      const headers = writtenHeaders('CopyObject', info, encryption).filter(([name]) =>
        name.startsWith('x-amz-server-side'),
      )
      return { headers, text }
    } finally {
      source.customerKey?.destroy()
      await source.opened.close()
    }
  },
}

type Target = Pick<Parameters<typeof writeObject>[1], 'content' | 'tags' | 'condition'> & {
  readonly encryption: WriteEncryption
}

async function copyInto(call: S3Call, source: CopySource, target: Target) {
  const { services } = call
  const readable = await services.cipher.openForRead({
    name: source.name,
    record: recordOf(source.opened),
    customerKey: source.customerKey,
    ...call.access.kms('kms:Decrypt', source.call.place),
  })
  const algorithm = wantedChecksum(call, source)
  const kept = keptChecksum(source, algorithm)
  const running = algorithm === undefined || kept !== undefined ? undefined : createChecksum(algorithm)
  try {
    return await writeObject(call, {
      ...target,
      name: nameOf(call),
      size: readable.length,
      contentMd5: undefined,
      async *chunks() {
        for await (const chunk of readable.read(segmentsOf(source.opened))) {
          running?.update(chunk)
          yield chunk
        }
      },
      checksum: () => kept ?? running?.digest(),
    })
  } finally {
    readable.discard()
  }
}

/** The algorithm asked for, else that of the source. Throws `InvalidRequest`. */
function wantedChecksum({ header }: S3Call, { info }: CopySource): ChecksumAlgorithm | undefined {
  const asked = header('x-amz-checksum-algorithm')
  if (asked !== undefined) return requireAlgorithm(asked)
  for (const name of info.checksums.keys()) {
    const algorithm = checksumAlgorithmOf(name)
    if (algorithm !== undefined) return algorithm
  }
  return undefined
}

/** The checksum of the source, where it is of the whole content and in the same algorithm: copying does not change it. */
function keptChecksum({ info }: CopySource, algorithm: ChecksumAlgorithm | undefined): Checksum | undefined {
  const value = algorithm === undefined ? undefined : info.checksums.get(algorithm)
  if (algorithm === undefined || value === undefined || info.checksums.get('type') !== 'FULL_OBJECT') return undefined
  return { algorithm, value }
}

/** Throws `InvalidRequest` for an algorithm S3 does not know. */
export function requireAlgorithm(name: string): ChecksumAlgorithm {
  const algorithm = checksumAlgorithmOf(name)
  if (algorithm !== undefined) return algorithm
  throw s3Error(
    'InvalidRequest',
    'Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]',
  )
}

function readDirective({ header }: S3Call, name: string): boolean {
  const value = header(name)
  if (value !== undefined && value !== 'COPY' && value !== 'REPLACE')
    throw invalidArgument(name, 'Unknown directive.', value)
  return value === 'REPLACE'
}

/** A redirect belongs to an object, not to its copies (CopyObject, "x-amz-website-redirect-location"). */
function keptContent({ header }: S3Call, { info }: CopySource) {
  const content = new Map([...info.headers].filter(([name]) => !name.startsWith(':')))
  const redirect = header('x-amz-website-redirect-location')
  if (redirect === undefined) content.delete('x-amz-website-redirect-location')
  else content.set('x-amz-website-redirect-location', redirect)
  return content
}

/** Throws `InvalidRequest` for sources that are too large, and for copies onto themselves that would change nothing. */
function requireCopyable({ place, header }: S3Call, { name, info }: CopySource, replacesMetadata: boolean): void {
  if (info.size > LARGEST_BODY) {
    throw s3Error(
      'InvalidRequest',
      `The specified copy source is larger than the maximum allowable size for a copy source: ${LARGEST_BODY}`,
    )
  }
  const changes =
    replacesMetadata ||
    place.bucket?.settings.has('encryption') === true ||
    [
      'x-amz-storage-class',
      'x-amz-server-side-encryption',
      'x-amz-server-side-encryption-customer-algorithm',
      'x-amz-website-redirect-location',
    ].some((wanted) => header(wanted) !== undefined)
  if (name.bucket !== place.name || name.key !== place.key || changes) return
  throw s3Error(
    'InvalidRequest',
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
  )
}
