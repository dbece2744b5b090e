import { describe, expect, it } from 'vitest'
import { type AppliedEncryption, type SseReplyOperation, sseReplyHeaders } from './reply-headers.ts'

const SSE = 'x-amz-server-side-encryption'
const kms: AppliedEncryption = { mode: 'SSE-KMS', keyName: 'alias/mine', bucketKey: true }
const operations: readonly SseReplyOperation[] = [
  'PutObject',
  'PostObject',
  'CopyObject',
  'CreateMultipartUpload',
  'UploadPart',
  'UploadPartCopy',
  'CompleteMultipartUpload',
  'GetObject',
  'HeadObject',
]

const reply = (operation: SseReplyOperation, applied: AppliedEncryption) =>
  Object.fromEntries(sseReplyHeaders({ operation, applied, customerKeyMd5: 'bWQ1', contextHeader: 'e30=' }))

// Response syntax of each operation in the S3 API reference.
describe.each(operations)('the reply to %s', (operation) => {
  it('says nothing of a plain object', () => {
    expect(reply(operation, { mode: 'plain', bucketKey: false })).toEqual({})
  })

  it('says AES256 of SSE-S3, and nothing of its bucket key', () => {
    expect(reply(operation, { mode: 'SSE-S3', bucketKey: true })).toEqual({ [SSE]: 'AES256' })
  })

  it('says the key of SSE-KMS as it was named, and the context only where S3 does', () => {
    const repeats = ['PutObject', 'CopyObject', 'CreateMultipartUpload'].includes(operation)
    expect(reply(operation, kms)).toEqual({
      [SSE]: 'aws:kms',
      [`${SSE}-aws-kms-key-id`]: 'alias/mine',
      [`${SSE}-bucket-key-enabled`]: 'true',
      ...(repeats ? { [`${SSE}-context`]: 'e30=' } : {}),
    })
    expect(reply(operation, { ...kms, bucketKey: false })).not.toHaveProperty(`${SSE}-bucket-key-enabled`)
  })

  it('says algorithm and MD5 of SSE-C, but for CompleteMultipartUpload, which does not', () => {
    const said = { [`${SSE}-customer-algorithm`]: 'AES256', [`${SSE}-customer-key-md5`]: 'bWQ1' }
    expect(reply(operation, { mode: 'SSE-C', bucketKey: false })).toEqual(
      operation === 'CompleteMultipartUpload' ? {} : said,
    )
  })
})
