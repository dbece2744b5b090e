import { sseReplyHeaders } from '@kms/sse'
import { readContentHeaders } from '../objects/content-headers.ts'
import { newObjectEncryption, readNewTags } from '../objects/put-object.ts'
import { usesOf } from '../objects/records.ts'
import { encodeTags } from '../objects/tags.ts'
import { requireWritable } from '../objects/write-rules.ts'
import type { Operation } from '../operation.ts'
import { document, element } from '../reply/xml-writer.ts'
import { nameOf } from '../s3-call.ts'
import { keepUploadChecksum, readUploadChecksum } from './upload-checksum.ts'

export const createMultipartUpload: Operation = {
  name: 'CreateMultipartUpload',
  action: 's3:PutObject',
  async handle(call) {
    const { services, header, headers, access, place } = call
    const name = nameOf(call)
    requireWritable(header)
    const tags = readNewTags(call)
    const checksum = readUploadChecksum(header)
    const content = keepUploadChecksum(readContentHeaders(headers), checksum)
    const encryption = newObjectEncryption(call)
    call.notes.mode = encryption.mode
    try {
      const { upload, keyUse, info } = await services.cipher.beginUpload({
        name,
        encryption,
        ...access.kms('kms:GenerateDataKey', place),
        headers: content,
      })
      const tagBytes = tags === undefined ? undefined : encodeTags(tags)
      const { uploadId } = await services.store.createUpload({
        ...name,
        uses: usesOf(keyUse),
        metadata: upload,
        ...(tagBytes === undefined ? {} : { tags: tagBytes }),
      })
      return {
        headers: [
          ['x-amz-checksum-algorithm', checksum?.algorithm],
          ['x-amz-checksum-type', checksum?.type],
          ...sseReplyHeaders({
            operation: 'CreateMultipartUpload',
            applied: info,
            customerKeyMd5: encryption.mode === 'SSE-C' ? encryption.customerKey.md5 : undefined,
            contextHeader: encryption.mode === 'SSE-KMS' ? encryption.contextHeader : undefined,
          }),
        ],
        text: document('InitiateMultipartUploadResult', [
          element('Bucket', name.bucket),
          element('Key', name.key),
          element('UploadId', uploadId),
        ]),
      }
    } finally {
      if (encryption.mode === 'SSE-C') encryption.customerKey.destroy()
    }
  },
}
