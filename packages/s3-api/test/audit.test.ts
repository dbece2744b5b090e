import { createHash } from 'node:crypto'
import { type AuditRecord, type AuditSink, kmsError } from '@kms/core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { S3LogEntry } from '../src/log-entry.ts'
import { createMemoryObjectStore } from '../src/testing/memory-object-store.ts'
import { type Call, type Harness, pattern, startHarness } from './harness.ts'

const SSE = 'x-amz-server-side-encryption'
const KMS = { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: 'other' }
const BUCKET_KEY = { ...KMS, [`${SSE}-bucket-key-enabled`]: 'true' }
const CUSTOMER = (fill: number): Record<string, string> => {
  const key = Buffer.alloc(32, fill)
  return {
    [`${SSE}-customer-algorithm`]: 'AES256',
    [`${SSE}-customer-key`]: key.toString('base64'),
    [`${SSE}-customer-key-md5`]: createHash('md5').update(key).digest('base64'),
  }
}

let s3: Harness
let records: AuditRecord[] = []
/** What the sink does besides. */
let full: 'no' | 'before' | 'after' = 'no'
const unavailable = (): Error => kmsError('AuditUnavailable', { reason: 'the disk is full', consequence: 'None.' })
const audit: AuditSink = {
  admit() {
    if (full === 'before') throw unavailable()
  },
  async record(given) {
    if (full === 'after' && given.length > 0) throw unavailable()
    records.push(...given)
  },
}
let reading: 'well' | 'broken' = 'well'
const store = createMemoryObjectStore()

beforeAll(async () => {
  const broken = Object.create(store, {
    openObject: {
      async value(name: Parameters<typeof store.openObject>[0]) {
        const opened = await store.openObject(name)
        if (opened === undefined || reading === 'well') return opened
        async function* cut(): AsyncGenerator<Buffer, void> {
          yield Buffer.alloc(100_000)
          throw new Error('the disk is gone')
        }
        return { ...opened, read: cut }
      },
    },
  }) as typeof store
  s3 = await startHarness({ audit, store: broken })
  await s3.manager.keys.create({ name: 'other', authorize: () => {}, caller: { principal: 'root' } })
  await s3.ok({ method: 'PUT', path: '/box' })
  s3.user('ann', { Effect: 'Allow', Action: 's3:*', Resource: '*' })
  s3.user('bob')
})
afterAll(() => s3.stop())
beforeEach(() => {
  records = []
  full = 'no'
  reading = 'well'
  s3.log.length = 0
})

const put = (path: string, headers: Call['headers'] = {}, more: Partial<Call> = {}): Call => ({
  method: 'PUT',
  path,
  body: 'secret',
  headers,
  ...more,
})
/** The records since the last call, in short. */
function taken(): readonly string[] {
  return records.splice(0).map((record) => {
    const { operation, action, keyId = '-', decision, outcome } = record
    return `${operation} ${action} ${keyId} ${decision} ${outcome}`
  })
}

describe('the audit', () => {
  it('has one record for every use of a KMS key, whoever is asked for it, and none where none is used', async () => {
    for (const [path, headers, key] of [
      ['/box/kms', KMS, 'other'],
      ['/box/bucket-key', BUCKET_KEY, 'other'],
      ['/box/s3', { [SSE]: 'AES256' }, 'master'],
    ] as const) {
      await s3.ok(put(path, headers))
      expect(taken()).toEqual([`PutObject kms:GenerateDataKey ${key} allow ok`])
      await s3.ok({ path })
      expect(taken()).toEqual([`GetObject kms:Decrypt ${key} allow ok`])
      await s3.ok({ method: 'HEAD', path })
      expect(taken()).toEqual([])
    }
    const copy = { ...KMS, 'x-amz-copy-source': '/box/s3' }
    await s3.ok({ method: 'PUT', path: '/box/copy', headers: copy })
    expect(taken()).toEqual(['CopyObject kms:Decrypt master allow ok', 'CopyObject kms:GenerateDataKey other allow ok'])
    const upload = (await s3.ok({ method: 'POST', path: '/box/parts?uploads', headers: KMS })).xml('UploadId')
    expect(taken()).toEqual(['CreateMultipartUpload kms:GenerateDataKey other allow ok'])
    const part = await s3.ok(put(`/box/parts?partNumber=1&uploadId=${upload}`))
    expect(taken()).toEqual(['UploadPart kms:GenerateDataKey other allow ok'])
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.headers['etag']}</ETag></Part></CompleteMultipartUpload>`
    await s3.ok({ method: 'POST', path: `/box/parts?uploadId=${upload}`, body })
    await s3.ok({ path: '/box?list-type=2' })
    await s3.ok(put('/box/plain'))
    await s3.ok({ path: '/box/plain' })
    await s3.ok(put('/box/customer', CUSTOMER(1)))
    await s3.ok({ path: '/box/customer', headers: CUSTOMER(1) })
    await s3.ok({ method: 'DELETE', path: '/box/plain' }, 204)
    expect(taken()).toEqual([])
  })

  it('says who, from where, and in which request', async () => {
    await s3.ok(put('/box/who', KMS))
    const got = await s3.ok({ path: '/box/who' })
    expect(records.at(-1)).toEqual({
      plane: 'data',
      operation: 'GetObject',
      action: 'kms:Decrypt',
      decision: 'allow',
      outcome: 'ok',
      principal: 'root',
      accessKeyId: 'root',
      address: '127.0.0.1',
      requestId: got.headers['x-amz-request-id'],
      keyId: 'other',
    })
  })

  it('has the code the caller was told, where a use that was allowed came to nothing', async () => {
    await s3.ok(put('/box/off', KMS))
    taken()
    await s3.manager.keys.disable({ key: 'other', authorize: () => {}, caller: { principal: 'root' } })
    const code = (await s3.send(put('/box/off', KMS))).xml('Code')
    expect(taken()).toEqual([`PutObject kms:GenerateDataKey other allow ${code}`])
    expect(code).not.toBe('ok')
    await s3.manager.keys.enable({ key: 'other', authorize: () => {}, caller: { principal: 'root' } })
    await s3.send(put('/box/off', { ...KMS, 'content-md5': Buffer.alloc(16).toString('base64') }))
    expect(taken()).toEqual(['PutObject kms:GenerateDataKey other allow BadDigest'])
  })

  it('has every denial of who proved who it is, and none of who did not', async () => {
    await s3.ok(put('/box/denied', KMS))
    await s3.ok(put('/box/mine', CUSTOMER(1)))
    taken()
    for (const [call, expected] of [
      [{ path: '/box/denied', as: 'ann' }, 'GetObject kms:Decrypt other deny AccessDenied'],
      [put('/box/x', KMS, { as: 'ann' }), 'PutObject kms:GenerateDataKey other deny AccessDenied'],
      [{ path: '/box/denied', as: 'bob' }, 'GetObject s3:GetObject - deny AccessDenied'],
      [{ path: '/', as: 'bob' }, 'ListBuckets s3:ListAllMyBuckets - deny AccessDenied'],
      [{ path: '/box/mine', headers: CUSTOMER(2), as: 'ann' }, 'GetObject s3:GetObject - deny AccessDenied'],
      [{ path: '/none/x', as: 'bob' }, 'GetObject s3:GetObject - deny AccessDenied'],
    ] as const) {
      expect((await s3.send(call)).xml('Code')).toBe('AccessDenied')
      expect(taken()).toEqual([expected])
    }
    const keys = Array.from({ length: 20 }, (_, i) => `<Object><Key>${i}</Key></Object>`).join('')
    s3.user('cat', { Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::box/mine' })
    const body = `<Delete>${keys}</Delete>`
    const md5 = createHash('md5').update(body).digest('base64')
    await s3.ok({ method: 'POST', path: '/box?delete', body, headers: { 'content-md5': md5 }, as: 'cat' })
    expect(taken()).toEqual(['DeleteObjects s3:DeleteObject - deny AccessDenied'])
    expect((await s3.send({ path: '/box/denied', as: null })).status).toBe(403)
    expect((await s3.send({ path: '/box/denied', as: 'nobody' })).status).toBe(403)
    expect(taken()).toEqual([])
  })

  it('has what the service did for everybody where a bucket lets everybody in', async () => {
    await s3.ok({ method: 'PUT', path: '/open' })
    await s3.ok(put('/open/s3', { [SSE]: 'AES256' }))
    await s3.ok(put('/open/kms', KMS))
    const Statement = [{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::open/*' }]
    const body = JSON.stringify({ Version: '2012-10-17', Statement })
    await s3.ok({ method: 'PUT', path: '/open?policy', body }, 204)
    taken()
    await s3.ok({ path: '/open/s3', as: null })
    expect(taken()).toEqual(['GetObject kms:Decrypt master allow ok'])
    expect((await s3.send({ path: '/open/kms', as: null })).status).toBe(403)
    expect(taken()).toEqual([])
  })

  it('has every change of a bucket', async () => {
    const policy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Principal: '*', Action: 's3:DeleteObject', Resource: 'arn:aws:s3:::changed/*' }],
    }
    const rule =
      '<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>'
    await s3.ok({ method: 'PUT', path: '/changed' })
    await s3.ok({ method: 'PUT', path: '/changed?policy', body: JSON.stringify(policy) }, 204)
    await s3.ok({ method: 'DELETE', path: '/changed?policy' }, 204)
    await s3.ok({ method: 'PUT', path: '/changed?encryption', body: rule })
    await s3.ok({ method: 'DELETE', path: '/changed?encryption' }, 204)
    await s3.send({ method: 'DELETE', path: '/box' })
    await s3.ok({ method: 'DELETE', path: '/changed' }, 204)
    expect(taken()).toEqual([
      'CreateBucket s3:CreateBucket - allow ok',
      'PutBucketPolicy s3:PutBucketPolicy - allow ok',
      'DeleteBucketPolicy s3:DeleteBucketPolicy - allow ok',
      'PutBucketEncryption s3:PutEncryptionConfiguration - allow ok',
      'DeleteBucketEncryption s3:PutEncryptionConfiguration - allow ok',
      'DeleteBucket s3:DeleteBucket - allow BucketNotEmpty',
      'DeleteBucket s3:DeleteBucket - allow ok',
    ])
  })

  it('that cannot be kept lets nothing be done, but what needs no record be read', async () => {
    await s3.ok(put('/box/kept', KMS))
    await s3.ok(put('/box/kept-plain'))
    full = 'before'
    for (const call of [
      { path: '/box/kept' },
      put('/box/new', KMS),
      put('/box/new'),
      { method: 'DELETE', path: '/box/kept' },
    ]) {
      const got = await s3.send(call)
      expect([got.status, got.xml('Code')]).toEqual([503, 'ServiceUnavailable'])
      expect(got.text).toContain('the disk is full')
    }
    expect((await s3.ok({ path: '/box/kept-plain' })).text).toBe('secret')
    await s3.ok({ method: 'HEAD', path: '/box/kept' })
    full = 'no'
    expect((await s3.ok({ path: '/box/kept' })).text).toBe('secret')
    expect((await s3.send({ path: '/box/new' })).status).toBe(404)
  })

  it('that fails behind the use holds the answer back, plaintext and denial alike', async () => {
    await s3.ok(put('/box/held', KMS))
    full = 'after'
    for (const call of [{ path: '/box/held' }, { path: '/box/held', as: 'ann' }]) {
      const got = await s3.send(call)
      expect([got.status, got.text.includes('secret')]).toEqual([503, false])
    }
  })
})

describe('the log', () => {
  type Line = Extract<S3LogEntry, { readonly event: 'request' }>
  const last = (): Line => s3.log.findLast((entry) => entry.event === 'request') as Line

  it('has a line for every request, with mode, key and bytes, and without the name of the object', async () => {
    const body = pattern(200_000)
    await s3.ok(put('/box/the-name', KMS, { body }))
    expect(last()).toMatchObject({
      operation: 'PutObject',
      bucket: 'box',
      mode: 'SSE-KMS',
      keyId: 'other',
      status: 200,
      receivedBytes: 200_000,
      sentBytes: 0,
    })
    await s3.ok({ path: '/box/the-name', headers: { range: 'bytes=0-99999' } }, 206)
    const line = last()
    expect(line).toMatchObject({ operation: 'GetObject', mode: 'SSE-KMS', receivedBytes: 0, sentBytes: 100_000 })
    expect(line.totalMilliseconds).toBeGreaterThanOrEqual(line.milliseconds)
    await s3.ok(put('/box/the-name'))
    await s3.ok({ path: '/box/the-name' })
    expect(last()).toMatchObject({ mode: 'plain', keyId: undefined, sentBytes: 6 })
    await s3.send({ path: '/box/the-name', as: 'bob' })
    expect(last()).toMatchObject({ operation: 'GetObject', principal: 'bob', code: 'AccessDenied', sentBytes: 0 })
    expect(JSON.stringify(s3.log)).not.toContain('the-name')
  })

  it('says of a reply that broke off which request it was of', async () => {
    const body = pattern(300_000)
    await s3.ok(put('/box/breaks', {}, { body }))
    s3.log.length = 0
    reading = 'broken'
    await expect(s3.send({ path: '/box/breaks' })).rejects.toThrow('aborted')
    await expect.poll(() => s3.log.length).toBe(2)
    const [failure, line] = s3.log
    expect(failure).toMatchObject({
      event: 'failure',
      requestId: line?.requestId,
      error: { message: 'the disk is gone' },
    })
    expect(line).toMatchObject({ status: 200, code: 'InternalError', sentBytes: 100_000 })
  })
})
