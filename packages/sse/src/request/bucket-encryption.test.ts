import { describe, expect, it } from 'vitest'
import { type BucketEncryptionRule, parseBucketEncryption } from './bucket-encryption.ts'

// S3 API reference: PutBucketEncryption, ServerSideEncryptionRule, ServerSideEncryptionByDefault, BlockedEncryptionTypes.
describe('the encryption configuration of a bucket', () => {
  it.each<[string, BucketEncryptionRule, object]>([
    ['AES256', { SSEAlgorithm: 'AES256' }, { algorithm: 'AES256', bucketKeyEnabled: false, blocksSseC: false }],
    [
      'aws:kms with everything',
      {
        SSEAlgorithm: 'aws:kms',
        KMSMasterKeyID: 'alias/a',
        BucketKeyEnabled: 'true',
        BlockedEncryptionTypes: ['SSE-C'],
      },
      { algorithm: 'aws:kms', kmsKeyId: 'alias/a', bucketKeyEnabled: true, blocksSseC: true },
    ],
    [
      'no algorithm',
      { BlockedEncryptionTypes: ['SSE-C'] },
      { algorithm: 'AES256', bucketKeyEnabled: false, blocksSseC: true },
    ],
    [
      'blocked types lifted',
      { BlockedEncryptionTypes: ['NONE'] },
      { algorithm: 'AES256', bucketKeyEnabled: false, blocksSseC: false },
    ],
  ])('%s', (_, rule, parsed) => {
    expect(parseBucketEncryption(rule)).toEqual(parsed)
  })

  it('keeps what was blocked when it does not say, and nothing else', () => {
    const before = parseBucketEncryption({ SSEAlgorithm: 'aws:kms', BlockedEncryptionTypes: ['SSE-C'] })
    expect(parseBucketEncryption({ SSEAlgorithm: 'AES256' }, before)).toEqual({
      algorithm: 'AES256',
      bucketKeyEnabled: false,
      blocksSseC: true,
    })
    expect(parseBucketEncryption({ BlockedEncryptionTypes: ['NONE'] }, before).blocksSseC).toBe(false)
  })

  it.each<[string, BucketEncryptionRule, string]>([
    ['an unknown algorithm', { SSEAlgorithm: 'AES128' }, 'ValidationError'],
    ['two layers', { SSEAlgorithm: 'aws:kms:dsse' }, 'UnsupportedOperation'],
    ['a key with AES256', { SSEAlgorithm: 'AES256', KMSMasterKeyID: 'k' }, 'ValidationError'],
    ['a key that would break a header', { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'k\r\nx: y' }, 'ValidationError'],
    ['an empty key', { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: '' }, 'ValidationError'],
    ['a flag that is none', { SSEAlgorithm: 'aws:kms', BucketKeyEnabled: 'yes' }, 'ValidationError'],
    ['an unknown type to block', { BlockedEncryptionTypes: ['SSE-S3'] }, 'ValidationError'],
    ['two types to block', { BlockedEncryptionTypes: ['NONE', 'SSE-C'] }, 'ValidationError'],
    ['no type to block', { BlockedEncryptionTypes: [] }, 'ValidationError'],
  ])('refuses %s', (_, rule, code) => {
    expect(() => parseBucketEncryption(rule)).toThrow(expect.objectContaining({ code }))
  })
})
