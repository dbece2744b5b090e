import type { Checksum, ChecksumAlgorithm } from '@kms/sigv4'
import {
  decideWriteEncryption,
  type ObjectInfo,
  type SseReplyOperation,
  sseReplyHeaders,
  type TextMap,
  type WriteEncryption,
} from '@kms/sse'
import type { Access, Place } from '../access/access.ts'
import { tagFacts } from '../access/request-facts.ts'
import { bucketEncryption } from '../buckets/encryption.ts'
import type { Operation } from '../operation.ts'
import { bucketOf, nameOf, type S3Call } from '../s3-call.ts'
import { s3Error } from '../s3-error.ts'
import type { ObjectName, WrittenObject } from '../store/object-store.ts'
import { expectedNow, readWriteCondition, type WriteCondition } from './conditions.ts'
import { readContentHeaders } from './content-headers.ts'
import { blobsOf, checksumHeaders, usesOf } from './records.ts'
import { encodeTags, readTaggingHeader, type Tags } from './tags.ts'
import { requireSize, requireWritable } from './write-rules.ts'

export const putObject: Operation = {
  name: 'PutObject',
  action: 's3:PutObject',
  async handle(call) {
    const { header, headers, body, digests } = call
    requireWritable(header)
    const tags = readNewTags(call)
    const content = readContentHeaders(headers)
    const condition = readWriteCondition(header)
    const size = requireSize(body.size)
    const encryption = newObjectEncryption(call)
    const { info } = await writeObject(call, {
      name: nameOf(call),
      encryption,
      content,
      tags,
      condition,
      size,
      contentMd5: digests.contentMd5,
      chunks: (compute) => body.chunks(compute),
      checksum: () => body.checksum(),
    })
    return { headers: writtenHeaders('PutObject', info, encryption) }
  },
}

/** How a new object is to be encrypted: as the request says, else as its bucket does. */
export function newObjectEncryption(call: S3Call): WriteEncryption {
  const { header, transport } = call
  return decideWriteEncryption({ header, transport, bucket: bucketEncryption(bucketOf(call)) })
}

/** Tags of `x-amz-tagging`, which need a right of their own. Throws `AccessDenied`. */
export function readNewTags({ access, place, header }: S3Call): Tags | undefined {
  const tags = readTaggingHeader(header('x-amz-tagging'))
  if (tags !== undefined && tags.size > 0) requireTagging(access, place, tags)
  return tags
}

/** Whether policies let the caller write with these tags, and set them. Throws `AccessDenied`. */
export function requireTagging(access: Access, place: Place, tags: Tags): void {
  const facts = tagFacts('RequestObjectTag', tags)
  access.require('s3:PutObject', place, facts)
  access.require('s3:PutObjectTagging', place, facts)
}

/** A body on its way into an object, wherever it comes from. */
export interface ObjectSource {
  readonly name: ObjectName
  readonly encryption: WriteEncryption
  readonly content: TextMap
  readonly tags: Tags | undefined
  readonly condition: WriteCondition
  /** Absent: unknown until it ends. */
  readonly size?: number
  readonly contentMd5: Buffer | undefined
  chunks(compute?: ChecksumAlgorithm): AsyncGenerator<Uint8Array, void>
  /** Once the body has ended. */
  checksum(): Checksum | undefined
}

/**
 * Writes an object. Its key is wrapped, and that use counted, before a byte of the body is asked for; whatever fails leaves nothing
 * behind. Throws `BadDigest`, `PreconditionFailed`, `ConditionalRequestConflict`, and what sources, cipher and store throw.
 */
export async function writeObject(
  call: S3Call,
  source: ObjectSource,
): Promise<{ readonly info: ObjectInfo; readonly written: WrittenObject }> {
  const { services, access } = call
  const { name, encryption, content, tags, condition, size, contentMd5 } = source
  call.notes.mode = encryption.mode
  try {
    await expectedNow(condition, name, services)
    const write = await services.cipher.beginWrite({
      name,
      encryption,
      ...access.kms('kms:GenerateDataKey', { name: name.bucket, bucket: undefined, key: name.key }),
      ...(size === undefined ? {} : { size }),
      md5: contentMd5 !== undefined,
    })
    try {
      let info: ObjectInfo | undefined
      const written = await services.store.putObject({
        ...name,
        uses: usesOf(write.keyUse),
        body: write.seal(source.chunks()),
        async finish() {
          requireMd5(contentMd5, write.result().md5)
          const made = write.finish({ headers: content, checksums: checksumsOf(source.checksum()) })
          info = made.info
          const expected = await expectedNow(condition, name, services)
          const tagBytes = tags === undefined ? undefined : encodeTags(tags)
          return {
            ...blobsOf(made.record),
            ...(tagBytes === undefined ? {} : { tags: tagBytes }),
            ...(expected === undefined ? {} : { expected }),
          }
        },
      })
      return { info: info as ObjectInfo, written }
    } catch (error) {
      write.abandon()
      throw error
    }
  } finally {
    if (encryption.mode === 'SSE-C') encryption.customerKey.destroy()
  }
}

/** What replies to a write say of it. */
export function writtenHeaders(
  operation: SseReplyOperation,
  info: ObjectInfo,
  encryption: WriteEncryption,
): readonly (readonly [string, string])[] {
  return [
    ['etag', `"${info.etag}"`],
    ...checksumHeaders(info),
    ...sseReplyHeaders({
      operation,
      applied: info,
      customerKeyMd5: encryption.mode === 'SSE-C' ? encryption.customerKey.md5 : undefined,
      contextHeader: encryption.mode === 'SSE-KMS' ? encryption.contextHeader : undefined,
    }),
  ]
}

/** As they are kept with an object: of all of it. */
function checksumsOf(checksum: Checksum | undefined): TextMap {
  return checksum === undefined
    ? new Map()
    : new Map([
        [checksum.algorithm, checksum.value],
        ['type', 'FULL_OBJECT'],
      ])
}

/** Throws `BadDigest`. */
export function requireMd5(expected: Buffer | undefined, computed: Buffer | undefined): void {
  if (expected === undefined || (computed !== undefined && computed.equals(expected))) return
  throw s3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.')
}
