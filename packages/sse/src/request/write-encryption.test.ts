import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import { errorCatalogue, isKmsError } from '@kms/core'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BucketEncryption } from './bucket-encryption.ts'
import type { SseTransport } from './customer-key-headers.ts'
import { COPY_SOURCE_SSE_C, SSE_C } from './header-names.ts'
import { copySourceCustomerKey, presentedCustomerKey } from './presented-key.ts'
import { decideWriteEncryption } from './write-encryption.ts'

const tls: SseTransport = { tls: true, loopback: false, allowInsecureSseC: false }
const key = Buffer.alloc(32, 1)
const b64 = key.toString('base64')
const md5 = createHash('md5').update(key).digest('base64')
const base64 = (text: string) => Buffer.from(text).toString('base64')

const SSE = 'x-amz-server-side-encryption'
const KEY_ID = `${SSE}-aws-kms-key-id`
const CONTEXT = `${SSE}-context`
const BUCKET_KEY = `${SSE}-bucket-key-enabled`
const C = `${SSE}-customer`
type Headers = Readonly<Record<string, string | undefined>>
const triple: Headers = { [`${C}-algorithm`]: 'AES256', [`${C}-key`]: b64, [`${C}-key-md5`]: md5 }
const triplets = (change: Record<string, string | undefined>) => ({ ...triple, ...change })

const decide = (headers: Headers, bucket?: BucketEncryption, transport = tls) =>
  decideWriteEncryption({ header: (name) => headers[name], bucket, transport })

const s3Bucket: BucketEncryption = { algorithm: 'AES256', bucketKeyEnabled: false, blocksSseC: false }
const kmsBucket: BucketEncryption = {
  algorithm: 'aws:kms',
  kmsKeyId: 'of-the-bucket',
  bucketKeyEnabled: true,
  blocksSseC: false,
}
const anyKeyBucket: BucketEncryption = { algorithm: 'aws:kms', bucketKeyEnabled: false, blocksSseC: false }
const none = new Map()

describe('what a new object is encrypted with', () => {
  // Precedence: S3 API reference, CopyObject: "the encryption setting in your request takes precedence"; contract §3.
  it.each<[string, Headers, BucketEncryption | undefined, object]>([
    ['nothing asked, nothing configured', {}, undefined, { mode: 'plain' }],
    ['the bucket says AES256', {}, s3Bucket, { mode: 'SSE-S3', bucketKey: false }],
    ['… with a bucket key', {}, { ...s3Bucket, bucketKeyEnabled: true }, { mode: 'SSE-S3', bucketKey: true }],
    [
      'the bucket says aws:kms and a key',
      {},
      kmsBucket,
      { mode: 'SSE-KMS', keyName: 'of-the-bucket', context: none, bucketKey: true },
    ],
    ['the bucket says aws:kms alone', {}, anyKeyBucket, { mode: 'SSE-KMS', context: none, bucketKey: false }],
    ['AES256 asked', { [SSE]: 'AES256' }, undefined, { mode: 'SSE-S3', bucketKey: false }],
    ['AES256 asked of a KMS bucket', { [SSE]: 'AES256' }, kmsBucket, { mode: 'SSE-S3', bucketKey: false }],
    ['aws:kms asked', { [SSE]: 'aws:kms' }, undefined, { mode: 'SSE-KMS', context: none, bucketKey: false }],
    [
      'aws:kms asked of an AES256 bucket',
      { [SSE]: 'aws:kms' },
      s3Bucket,
      { mode: 'SSE-KMS', context: none, bucketKey: false },
    ],
    // S3 User Guide, "Specifying SSE-KMS": without the header the bucket's setting for bucket keys applies.
    [
      'aws:kms asked of a KMS bucket',
      { [SSE]: 'aws:kms' },
      kmsBucket,
      { mode: 'SSE-KMS', keyName: 'of-the-bucket', context: none, bucketKey: true },
    ],
    [
      'a key named',
      { [SSE]: 'aws:kms', [KEY_ID]: 'alias/mine' },
      kmsBucket,
      { mode: 'SSE-KMS', keyName: 'alias/mine', context: none, bucketKey: true },
    ],
    // S3 User Guide, "S3 Bucket Keys": the header overrides the bucket's setting, with `true` or `false`.
    [
      'a bucket key refused',
      { [SSE]: 'aws:kms', [BUCKET_KEY]: 'false' },
      kmsBucket,
      { mode: 'SSE-KMS', keyName: 'of-the-bucket', context: none, bucketKey: false },
    ],
    [
      'a bucket key asked',
      { [SSE]: 'aws:kms', [BUCKET_KEY]: 'True' },
      undefined,
      { mode: 'SSE-KMS', context: none, bucketKey: true },
    ],
    [
      'a bucket key asked, mode by the bucket',
      { [BUCKET_KEY]: 'true' },
      anyKeyBucket,
      { mode: 'SSE-KMS', context: none, bucketKey: true },
    ],
    ['a bucket key asked where none can be', { [BUCKET_KEY]: 'true' }, undefined, { mode: 'plain' }],
    [
      'a context',
      { [SSE]: 'aws:kms', [CONTEXT]: base64('{"team":"red"}') },
      undefined,
      {
        mode: 'SSE-KMS',
        context: new Map([['team', 'red']]),
        contextHeader: base64('{"team":"red"}'),
        bucketKey: false,
      },
    ],
  ])('%s', (_, headers, bucket, decided) => {
    expect(decide(headers, bucket)).toEqual(decided)
  })

  it.each([undefined, s3Bucket, kmsBucket])('a customer key asked, whatever the bucket says', (bucket) => {
    const decided = decide(triple, bucket)
    expect(decided.mode).toBe('SSE-C')
    const { customerKey } = decided as Extract<typeof decided, { mode: 'SSE-C' }>
    expect([customerKey.md5, customerKey.reveal().equals(key)]).toEqual([md5, true])
    for (const shown of [
      String(customerKey),
      JSON.stringify({ customerKey }),
      inspect({ customerKey }, { depth: 9 }),
    ]) {
      expect(shown).not.toContain(b64.slice(0, 8))
      expect(shown).toContain('***')
    }
    customerKey.destroy()
    expect(customerKey.reveal().equals(Buffer.alloc(32))).toBe(true)
  })
})

/** What an error is on the wire: `status code`. */
function s3Error(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (!isKmsError(error)) throw error
    const entry: { s3: string; status: number; s3Status?: number } = errorCatalogue[error.code]
    expect(error.message).not.toContain(b64)
    return `${entry.s3Status ?? entry.status} ${entry.s3}`
  }
  return 'taken'
}

describe('what S3 refuses', () => {
  // Sources: [E] S3 API reference, "Error responses"; [P] PutObject, [B] ServerSideEncryptionByDefault, [C] CopyObject of the same; [G] S3 User Guide
  // ("Specifying SSE-C", "Using SSE-C", "Blocking SSE-C", "Specifying SSE-KMS"); [R] answers of S3 recorded by LocalStack's snapshot tests
  // (tests/aws/services/s3) and by issues quoting S3's XML; [O] ours, where S3's answer is not known.
  it.each<[string, Headers, string]>([
    ['[R] an empty method', { [SSE]: '' }, '400 InvalidArgument'],
    ['[C] an unknown method', { [SSE]: 'aes256' }, '400 InvalidArgument'],
    ['[O] a method sent twice', { [SSE]: 'AES256,AES256' }, '400 InvalidArgument'],
    ['[O] a method of other services', { [SSE]: 'aws:fsx' }, '400 InvalidArgument'],
    ['[O] two layers: one would be less than was asked', { [SSE]: 'aws:kms:dsse' }, '501 NotImplemented'],
    ['[R] a key id without a method', { [KEY_ID]: 'k' }, '400 InvalidArgument'],
    ['[R] a key id with AES256', { [SSE]: 'AES256', [KEY_ID]: 'k' }, '400 InvalidArgument'],
    ['[P] a context without a method', { [CONTEXT]: base64('{}') }, '400 InvalidArgument'],
    ['[P] a context with AES256', { [SSE]: 'AES256', [CONTEXT]: base64('{}') }, '400 InvalidArgument'],
    ['[O] an empty key id', { [SSE]: 'aws:kms', [KEY_ID]: '' }, '400 InvalidArgument'],
    ['[O] a key id that fits no header', { [SSE]: 'aws:kms', [KEY_ID]: 'a b' }, '400 InvalidArgument'],
    ['[O] a key id that is too long', { [SSE]: 'aws:kms', [KEY_ID]: 'k'.repeat(2049) }, '400 InvalidArgument'],
    ['[O] a flag that is none', { [SSE]: 'aws:kms', [BUCKET_KEY]: '1' }, '400 InvalidArgument'],
    ['[R] a customer key with AES256', triplets({ [SSE]: 'AES256' }), '400 InvalidArgument'],
    ['[R] a customer key with aws:kms', triplets({ [SSE]: 'aws:kms' }), '400 InvalidArgument'],
    ['[R] a customer key with a KMS key id', triplets({ [KEY_ID]: 'k' }), '400 InvalidArgument'],
    ['[P] a customer key with a context', triplets({ [CONTEXT]: base64('{}') }), '400 InvalidArgument'],
    ['[R] a customer key, no algorithm', triplets({ [`${C}-algorithm`]: undefined }), '400 InvalidArgument'],
    [
      '[E] a customer key for AES128',
      triplets({ [`${C}-algorithm`]: 'AES128' }),
      '400 InvalidEncryptionAlgorithmError',
    ],
    [
      '[E] a customer key for aws:kms',
      triplets({ [`${C}-algorithm`]: 'aws:kms' }),
      '400 InvalidEncryptionAlgorithmError',
    ],
    ['[R] an algorithm, no customer key', triplets({ [`${C}-key`]: undefined }), '400 InvalidArgument'],
    ['[G] a customer key, no MD5', triplets({ [`${C}-key-md5`]: undefined }), '400 InvalidArgument'],
    ['[R] an MD5 alone', { [`${C}-key-md5`]: md5 }, '400 InvalidArgument'],
    ['[R] another MD5', triplets({ [`${C}-key-md5`]: base64('0123456789abcdef') }), '400 InvalidArgument'],
    ['[R] an MD5 of another length', triplets({ [`${C}-key-md5`]: '' }), '400 InvalidArgument'],
    [
      '[R] a customer key of 16 bytes',
      triplets({ [`${C}-key`]: key.subarray(16).toString('base64') }),
      '400 InvalidArgument',
    ],
    ['[G] a customer key that is no base64', triplets({ [`${C}-key`]: `${b64}\n` }), '400 InvalidArgument'],
    ['[O] a context that is no base64', { [SSE]: 'aws:kms', [CONTEXT]: '{}' }, '400 InvalidArgument'],
    ['[R] a context that is no JSON', { [SSE]: 'aws:kms', [CONTEXT]: base64('team=red') }, '400 InvalidArgument'],
    ['[O] a context that is empty', { [SSE]: 'aws:kms', [CONTEXT]: '' }, '400 InvalidArgument'],
    ['[R] a context that is no map', { [SSE]: 'aws:kms', [CONTEXT]: base64('["a"]') }, '400 InvalidArgument'],
    ['[R] a context that is null', { [SSE]: 'aws:kms', [CONTEXT]: base64('null') }, '400 InvalidArgument'],
    ['[R] a context of other values', { [SSE]: 'aws:kms', [CONTEXT]: base64('{"a":1}') }, '400 InvalidArgument'],
    ['[O] a context of maps', { [SSE]: 'aws:kms', [CONTEXT]: base64('{"a":{}}') }, '400 InvalidArgument'],
    ['[O] a context name twice', { [SSE]: 'aws:kms', [CONTEXT]: base64('{"a":"1","a":"2"}') }, '400 InvalidArgument'],
    [
      '[O] a context name reserved by us',
      { [SSE]: 'aws:kms', [CONTEXT]: base64('{"kms:sse":"S3"}') },
      '400 InvalidArgument',
    ],
    ['[O] a context name of AWS', { [SSE]: 'aws:kms', [CONTEXT]: base64('{"aws:s3:arn":"x"}') }, '400 InvalidArgument'],
    ['[O] a context name that is empty', { [SSE]: 'aws:kms', [CONTEXT]: base64('{"":"x"}') }, '400 InvalidArgument'],
    [
      '[O] a context not in UTF-8',
      { [SSE]: 'aws:kms', [CONTEXT]: Buffer.from([0x7b, 0xff, 0x7d]).toString('base64') },
      '400 InvalidArgument',
    ],
    [
      '[O] a context that is too large',
      { [SSE]: 'aws:kms', [CONTEXT]: base64(JSON.stringify({ a: 'x'.repeat(6144) })) },
      '400 InvalidArgument',
    ],
    [
      '[O] a context of too many pairs',
      {
        [SSE]: 'aws:kms',
        [CONTEXT]: base64(JSON.stringify(Object.fromEntries(Array.from({ length: 63 }, (_, i) => [i, ''])))),
      },
      '400 InvalidArgument',
    ],
    [
      '[O] a context beyond all measure',
      { [SSE]: 'aws:kms', [CONTEXT]: base64('x'.repeat(60_000)) },
      '400 InvalidArgument',
    ],
  ])('%s', (_, headers, answer) => {
    expect(s3Error(() => decide(headers))).toBe(answer)
    // A bucket's default never makes a refused request a good one.
    expect(s3Error(() => decide(headers, kmsBucket))).toBe(answer)
  })

  it('[G] new objects under customer keys where the bucket blocks them: 403, and nothing else', () => {
    const bucket = { ...kmsBucket, blocksSseC: true }
    expect(s3Error(() => decide(triple, bucket))).toBe('403 AccessDenied')
    expect(decide({}, bucket).mode).toBe('SSE-KMS')
  })

  it('takes the largest context there may be', () => {
    const context = Object.fromEntries(Array.from({ length: 62 }, (_, i) => [`k${i}`, 'v'.repeat(90)]))
    expect(decide({ [SSE]: 'aws:kms', [CONTEXT]: base64(JSON.stringify(context)) })).toMatchObject({ mode: 'SSE-KMS' })
  })
})

describe('a customer key on the way', () => {
  // S3 User Guide, "Using SSE-C": "Amazon S3 rejects any requests made over HTTP when using SSE-C".
  it.each<[SseTransport, string]>([
    [{ tls: true, loopback: false, allowInsecureSseC: false }, 'taken'],
    [{ tls: false, loopback: true, allowInsecureSseC: false }, 'taken'],
    [{ tls: false, loopback: false, allowInsecureSseC: true }, 'taken'],
    [{ tls: false, loopback: false, allowInsecureSseC: false }, '400 InvalidRequest'],
  ])('over %o: %s', (transport, answer) => {
    const copySource = {
      [COPY_SOURCE_SSE_C.algorithm]: 'AES256',
      [COPY_SOURCE_SSE_C.key]: b64,
      [COPY_SOURCE_SSE_C.md5]: md5,
    }
    expect(s3Error(() => decide(triple, undefined, transport))).toBe(answer)
    expect(s3Error(() => presentedCustomerKey((name) => triple[name], transport))).toBe(answer)
    expect(s3Error(() => copySourceCustomerKey((name) => copySource[name], transport))).toBe(answer)
  })

  it('is refused over a bad connection before it is looked at', () => {
    const plain = { tls: false, loopback: false, allowInsecureSseC: false }
    expect(s3Error(() => decide({ [SSE_C.algorithm]: 'rot13' }, undefined, plain))).toBe('400 InvalidRequest')
  })
})

describe('a request that chooses no encryption', () => {
  const presented = (headers: Headers) => presentedCustomerKey((name) => headers[name], tls)

  it('has a customer key, or none', () => {
    expect(presented({})).toBeUndefined()
    expect(presented(triple)?.md5).toBe(md5)
  })

  // S3 API reference, GetObject and HeadObject: encryption request headers there are 400; recorded: InvalidArgument.
  it.each([SSE, KEY_ID, CONTEXT, BUCKET_KEY])('may not name one with %s', (name) => {
    expect(s3Error(() => presented({ [name]: 'AES256' }))).toBe('400 InvalidArgument')
    expect(s3Error(() => presented({ ...triple, [name]: 'AES256' }))).toBe('400 InvalidArgument')
  })

  it('is checked like a new object for its customer key', () => {
    const change = fc.constantFrom<[string, string | undefined]>(
      [SSE_C.algorithm, undefined],
      [SSE_C.algorithm, 'AES128'],
      [SSE_C.key, undefined],
      [SSE_C.key, 'AAAA'],
      [SSE_C.md5, undefined],
      [SSE_C.md5, 'AAAA'],
    )
    fc.assert(
      fc.property(change, ([name, value]) => {
        const headers = triplets({ [name]: value })
        expect(s3Error(() => presented(headers))).toBe(s3Error(() => decide(headers)))
      }),
    )
  })
})
