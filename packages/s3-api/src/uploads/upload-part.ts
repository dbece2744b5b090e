import { type Checksum, type ChecksumAlgorithm, createChecksum } from '@kms/sigv4'
import { type PartInfo, presentedCustomerKey, sseReplyHeaders, type UploadInfo } from '@kms/sse'
import { openCopySource } from '../objects/copy-source.ts'
import { parsePartNumber } from '../objects/get-object.ts'
import { segmentsOf } from '../objects/open-body.ts'
import { requireMd5 } from '../objects/put-object.ts'
import { readCopyRange } from '../objects/range.ts'
import { checksumElements, checksumHeaders, recordOf } from '../objects/records.ts'
import { LARGEST_BODY, requireSize } from '../objects/write-rules.ts'
import type { Operation } from '../operation.ts'
import { isoTime } from '../reply/times.ts'
import { document, element } from '../reply/xml-writer.ts'
import { nameOf, type S3Call } from '../s3-call.ts'
import { s3Error } from '../s3-error.ts'
import type { StoredPart, UploadName } from '../store/object-store.ts'
import { keptUploadChecksum } from './upload-checksum.ts'

export const uploadPart: Operation = {
  name: 'UploadPart',
  action: 's3:PutObject',
  parameters: ['partNumber'],
  async handle(call) {
    const { body, digests } = call
    const size = requireSize(body.size)
    const { info, upload, customerKeyMd5 } = await storePart(call, {
      size,
      contentMd5: digests.contentMd5,
      sent: digests.checksum?.algorithm ?? trailerOf(call),
      chunks: (compute) => body.chunks(compute),
      checksum: () => body.checksum(),
    })
    return {
      headers: [
        ['etag', `"${info.etag}"`],
        ...checksumHeaders(info),
        ...sseReplyHeaders({ operation: 'UploadPart', applied: upload, customerKeyMd5 }),
      ],
    }
  },
}

export const uploadPartCopy: Operation = {
  name: 'UploadPartCopy',
  action: 's3:PutObject',
  parameters: ['partNumber'],
  async handle(call) {
    const source = await openCopySource(call)
    try {
      const range = readCopyRange(call.header('x-amz-copy-source-range'), source.info.size)
      if (range === undefined && source.info.size > LARGEST_BODY) {
        throw s3Error(
          'InvalidRequest',
          `The specified copy source is larger than the maximum allowable size for a copy source: ${LARGEST_BODY}`,
        )
      }
      const readable = await call.services.cipher.openForRead({
        name: source.name,
        record: recordOf(source.opened),
        customerKey: source.customerKey,
        ...call.access.kms('kms:Decrypt', source.call.place),
        range,
      })
      try {
        let found: Checksum | undefined
        const { info, upload, stored, customerKeyMd5 } = await storePart(call, {
          size: requireSize(readable.length),
          contentMd5: undefined,
          sent: undefined,
          async *chunks(compute) {
            const running = compute === undefined ? undefined : createChecksum(compute)
            for await (const chunk of readable.read(segmentsOf(source.opened))) {
              running?.update(chunk)
              yield chunk
            }
            found = running?.digest()
          },
          checksum: () => found,
        })
        return {
          headers: sseReplyHeaders({ operation: 'UploadPartCopy', applied: upload, customerKeyMd5 }),
          text: document('CopyPartResult', [
            element('LastModified', isoTime(stored.modified)),
            element('ETag', `"${info.etag}"`),
            ...checksumElements(info.checksums),
          ]),
        }
      } finally {
        readable.discard()
      }
    } finally {
      source.customerKey?.destroy()
      await source.opened.close()
    }
  },
}

interface PartSource {
  readonly size: number
  readonly contentMd5: Buffer | undefined
  /** The algorithm the client sends a checksum in. */
  readonly sent: ChecksumAlgorithm | undefined
  chunks(compute?: ChecksumAlgorithm): AsyncGenerator<Uint8Array, void>
  checksum(): Checksum | undefined
}

interface WrittenPart {
  readonly info: PartInfo
  readonly upload: UploadInfo
  readonly stored: StoredPart
  readonly customerKeyMd5: string | undefined
}

/** Stores a part of an open upload, encrypted as the upload is. */
async function storePart(call: S3Call, source: PartSource): Promise<WrittenPart> {
  const { services, query, header, transport, access, place } = call
  const number = parsePartNumber(query.get('partNumber') ?? '')
  const name = uploadNameOf(call)
  const { metadata: upload } = await services.store.upload(name)
  const begun = services.cipher.inspectUpload(name, upload)
  call.notes.mode = begun.mode
  const wanted = keptUploadChecksum(begun)
  if (wanted !== undefined && source.sent !== undefined && source.sent !== wanted.algorithm) {
    throw s3Error(
      'InvalidRequest',
      `Checksum Type mismatch occurred, expected checksum Type: ${wanted.algorithm.toLowerCase()}, actual checksum Type: ${source.sent.toLowerCase()}`,
    )
  }
  const customerKey = presentedCustomerKey(header, transport)
  try {
    const write = await services.cipher.sealPart({
      name,
      upload,
      number,
      customerKey,
      ...access.kms('kms:GenerateDataKey', place),
      size: source.size,
      md5: source.contentMd5 !== undefined,
    })
    try {
      let info: PartInfo | undefined
      const stored = await services.store.putPart({
        ...name,
        number,
        body: write.seal(source.chunks(wanted?.algorithm)),
        finish() {
          requireMd5(source.contentMd5, write.result().md5)
          const checksum = source.checksum()
          const checksums = checksum === undefined ? new Map() : new Map([[checksum.algorithm, checksum.value]])
          const made = write.finish({ checksums })
          info = made.info
          return { metadata: made.part }
        },
      })
      return { info: info as PartInfo, upload: write.info, stored, customerKeyMd5: customerKey?.md5 }
    } catch (error) {
      write.abandon()
      throw error
    }
  } finally {
    customerKey?.destroy()
  }
}

function trailerOf({ authenticated }: S3Call): ChecksumAlgorithm | undefined {
  const payload = authenticated.claim?.payload
  return payload?.kind === 'chunked' ? payload.trailer : undefined
}

/** Bucket, key and `uploadId`. */
export function uploadNameOf(call: S3Call): UploadName {
  return { ...nameOf(call), uploadId: call.query.get('uploadId') ?? '' }
}
