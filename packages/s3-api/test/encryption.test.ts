import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, pattern, startHarness } from './harness.ts'

let s3: Harness
beforeAll(async () => {
  s3 = await startHarness()
  await s3.ok({ method: 'PUT', path: '/safe' })
  await s3.manager.keys.create({ name: 'other', authorize: () => {}, caller: { principal: 'root' } })
})
afterAll(() => s3.stop())

const SSE = 'x-amz-server-side-encryption'

function customerKey(fill: number, prefix = ''): Record<string, string> {
  const key = Buffer.alloc(32, fill)
  return {
    [`x-amz-${prefix}server-side-encryption-customer-algorithm`]: 'AES256',
    [`x-amz-${prefix}server-side-encryption-customer-key`]: key.toString('base64'),
    [`x-amz-${prefix}server-side-encryption-customer-key-md5`]: createHash('md5').update(key).digest('base64'),
  }
}

interface Mode {
  readonly write: Readonly<Record<string, string>>
  readonly read: Readonly<Record<string, string>>
  readonly source: Readonly<Record<string, string>>
  readonly replies: Readonly<Record<string, string>>
}

const MODES: Readonly<Record<string, Mode>> = {
  plain: { write: {}, read: {}, source: {}, replies: {} },
  'SSE-S3': { write: { [SSE]: 'AES256' }, read: {}, source: {}, replies: { [SSE]: 'AES256' } },
  'SSE-KMS': {
    write: { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: 'arn:aws:kms:::key/other' },
    read: {},
    source: {},
    replies: { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: 'arn:aws:kms:::key/other' },
  },
  'SSE-C': {
    write: customerKey(1),
    read: customerKey(1),
    source: customerKey(1, 'copy-source-'),
    replies: {
      [`${SSE}-customer-algorithm`]: 'AES256',
      [`${SSE}-customer-key-md5`]: customerKey(1)['x-amz-server-side-encryption-customer-key-md5'] as string,
    },
  },
}
const modes = Object.entries(MODES)

async function stored(key: string): Promise<Buffer> {
  const opened = await s3.store.openObject({ bucket: 'safe', key })
  const chunks: Buffer[] = [
    opened?.metadata ?? Buffer.alloc(0),
    opened?.keys ?? Buffer.alloc(0),
    opened?.parts ?? Buffer.alloc(0),
  ]
  for await (const chunk of opened?.read({ start: 0, end: opened.size }) ?? []) chunks.push(chunk)
  await opened?.close()
  return Buffer.concat(chunks)
}

describe.each(modes)('%s', (name, { write, read, replies }) => {
  it('puts, gets and heads, and says so', async () => {
    const body = pattern(200_000, 7)
    const put = await s3.ok({ method: 'PUT', path: `/safe/${name}`, body, headers: write })
    expect(put.headers).toMatchObject(replies)
    const got = await s3.ok({ path: `/safe/${name}`, headers: read })
    expect(got.bytes.equals(body)).toBe(true)
    expect(got.headers).toMatchObject(replies)
    expect(got.headers['etag']).toBe(put.headers['etag'])
    const head = await s3.ok({ method: 'HEAD', path: `/safe/${name}`, headers: read })
    expect(head.headers).toMatchObject({ ...replies, 'content-length': '200000' })
    const range = await s3.ok({ path: `/safe/${name}`, headers: { ...read, range: 'bytes=65535-65536' } }, 206)
    expect(range.bytes.equals(body.subarray(65_535, 65_537))).toBe(true)
    const attributes = await s3.ok({
      path: `/safe/${name}?attributes`,
      headers: { ...read, 'x-amz-object-attributes': 'ObjectSize,ETag' },
    })
    expect(attributes.xml('ObjectSize')).toBe('200000')
    expect((await s3.ok({ path: `/safe?list-type=2&prefix=${name}` })).xml('Size')).toBe('200000')
    const isMd5 = put.headers['etag'] === `"${createHash('md5').update(body).digest('hex')}"`
    expect(isMd5).toBe(name === 'plain' || name === 'SSE-S3')
    expect((await stored(name)).includes(body.subarray(1000, 1032))).toBe(name === 'plain')
  })

  it('gives back any size in any range', async () => {
    const sizes = fc.constantFrom(0, 1, 65_535, 65_536, 65_537, 131_072, 200_001)
    const property = fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, a, b) => {
      const body = pattern(size, size + 1)
      const path = `/safe/any-${name}`
      await s3.ok({ method: 'PUT', path, body, headers: write })
      expect((await s3.ok({ path, headers: read })).bytes.equals(body)).toBe(true)
      if (size === 0) return
      const [start, end] = [a % size, b % size].sort((x, y) => x - y) as [number, number]
      const range = await s3.ok({ path, headers: { ...read, range: `bytes=${start}-${end}` } }, 206)
      expect(range.bytes.equals(body.subarray(start, end + 1))).toBe(true)
    })
    await fc.assert(property, { numRuns: 12 })
  })

  it('uploads in parts', async () => {
    const path = `/safe/parts-${name}`
    const made = await s3.ok({ method: 'POST', path: `${path}?uploads`, headers: write })
    expect(made.headers).toMatchObject(replies)
    const uploadId = made.xml('UploadId')
    const bodies = [pattern(5 * 1024 * 1024, 3), pattern(70_000, 4)]
    const etags: string[] = []
    for (const [index, body] of bodies.entries()) {
      const put = await s3.ok({
        method: 'PUT',
        path: `${path}?partNumber=${index + 1}&uploadId=${uploadId}`,
        body,
        headers: read,
      })
      expect(put.headers).toMatchObject(replies)
      etags.push(put.headers['etag'] ?? '')
    }
    const rows = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`).join('')
    const body = `<CompleteMultipartUpload>${rows}</CompleteMultipartUpload>`
    const done = await s3.ok({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body })
    expect(done.xml('ETag')).toMatch(/-2"$/)
    const whole = Buffer.concat(bodies)
    expect((await s3.ok({ path, headers: read })).bytes.equals(whole)).toBe(true)
    const second = await s3.ok({ path: `${path}?partNumber=2`, headers: read }, 206)
    expect(second.bytes.equals(bodies[1] as Buffer)).toBe(true)
    const across = `bytes=${5 * 1024 * 1024 - 1}-${5 * 1024 * 1024}`
    const range = await s3.ok({ path, headers: { ...read, range: across } }, 206)
    expect(range.bytes.equals(whole.subarray(5 * 1024 * 1024 - 1, 5 * 1024 * 1024 + 1))).toBe(true)
    expect((await stored(`parts-${name}`)).includes(whole.subarray(1000, 1032))).toBe(name === 'plain')
  })
})

describe('copies', () => {
  const body = pattern(100_000, 9)
  beforeAll(async () => {
    for (const [name, { write }] of modes) {
      const headers = { ...write, 'content-type': 'text/x', 'x-amz-meta-m': name, 'x-amz-tagging': 't=1' }
      await s3.ok({ method: 'PUT', path: `/safe/from-${name}`, body, headers })
    }
  })

  it.each(modes.flatMap(([from]) => modes.map(([to]) => [from, to] as const)))('from %s to %s', async (from, to) => {
    const [source, target] = [MODES[from] as Mode, MODES[to] as Mode]
    const headers = { ...target.write, ...source.source, 'x-amz-copy-source': `/safe/from-${from}` }
    const path = `/safe/to-${to}-${from}`
    const copied = await s3.ok({ method: 'PUT', path, headers })
    expect(copied.headers).toMatchObject(target.replies)
    const got = await s3.ok({ path, headers: target.read })
    expect(got.bytes.equals(body)).toBe(true)
    expect(got.headers).toMatchObject({
      ...target.replies,
      etag: copied.xml('ETag'),
      'content-type': 'text/x',
      'x-amz-meta-m': from,
      'x-amz-tagging-count': '1',
    })
    expect((await stored(`to-${to}-${from}`)).includes(body.subarray(1000, 1032))).toBe(to === 'plain')
  })

  it.each(modes.flatMap(([from]) => modes.map(([to]) => [from, to] as const)))(
    'of a range from %s into a part of %s',
    async (from, to) => {
      const [source, target] = [MODES[from] as Mode, MODES[to] as Mode]
      const path = `/safe/part-${to}-${from}`
      const uploadId = (await s3.ok({ method: 'POST', path: `${path}?uploads`, headers: target.write })).xml('UploadId')
      const headers = {
        ...target.read,
        ...source.source,
        'x-amz-copy-source': `safe/from-${from}`,
        'x-amz-copy-source-range': 'bytes=65530-70000',
      }
      const copied = await s3.ok({ method: 'PUT', path: `${path}?partNumber=1&uploadId=${uploadId}`, headers })
      const complete = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${copied.xml('ETag')}</ETag></Part></CompleteMultipartUpload>`
      await s3.ok({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body: complete })
      expect((await s3.ok({ path, headers: target.read })).bytes.equals(body.subarray(65_530, 70_001))).toBe(true)
    },
  )

  it('onto itself only to change something', async () => {
    const copy = (headers: Record<string, string>) =>
      s3.send({
        method: 'PUT',
        path: '/safe/from-plain',
        headers: { 'x-amz-copy-source': 'safe/from-plain', ...headers },
      })
    const same = await copy({})
    expect([same.status, same.xml('Code')]).toEqual([400, 'InvalidRequest'])
    expect((await copy({ 'x-amz-metadata-directive': 'REPLACE', 'content-type': 'text/y' })).status).toBe(200)
    const got = await s3.ok({ path: '/safe/from-plain' })
    expect([got.headers['content-type'], got.headers['x-amz-meta-m'], got.bytes.equals(body)]).toEqual([
      'text/y',
      undefined,
      true,
    ])
    expect((await copy({ [SSE]: 'aws:kms' })).status).toBe(200)
    expect((await s3.ok({ path: '/safe/from-plain' })).headers).toMatchObject({ [SSE]: 'aws:kms' })
  })

  it('are refused for sources that are not there, or not as they should be', async () => {
    const etag = (await s3.ok({ method: 'HEAD', path: '/safe/from-SSE-S3' })).headers['etag'] ?? ''
    for (const [headers, status, code] of [
      [{ 'x-amz-copy-source': 'safe/never' }, 404, 'NoSuchKey'],
      [{ 'x-amz-copy-source': 'nowhere/a' }, 404, 'NoSuchBucket'],
      [{ 'x-amz-copy-source': 'safe' }, 400, 'InvalidArgument'],
      [{ 'x-amz-copy-source': 'safe/from-SSE-S3?versionId=x' }, 404, 'NoSuchVersion'],
      [{ 'x-amz-copy-source': 'safe/from-SSE-C' }, 400, 'InvalidRequest'],
      [{ 'x-amz-copy-source': 'safe/from-SSE-C', ...customerKey(2, 'copy-source-') }, 403, 'AccessDenied'],
      [{ 'x-amz-copy-source': 'safe/from-SSE-S3', 'x-amz-copy-source-if-match': '"x"' }, 412, 'PreconditionFailed'],
      [{ 'x-amz-copy-source': 'safe/from-SSE-S3', 'x-amz-copy-source-if-none-match': etag }, 412, 'PreconditionFailed'],
      [{ 'x-amz-copy-source': 'safe/from-SSE-S3', 'x-amz-metadata-directive': 'X' }, 400, 'InvalidArgument'],
    ] as const) {
      const got = await s3.send({ method: 'PUT', path: '/safe/copy', headers: { ...headers } })
      expect([got.status, got.xml('Code')], JSON.stringify(headers)).toEqual([status, code])
    }
  })
})

describe('what S3 refuses', () => {
  it.each([
    [{ [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: 'never' }, 400, 'KMS.NotFoundException'],
    [{ [SSE]: 'rot13' }, 400, 'InvalidArgument'],
    [{ [SSE]: 'aws:kms:dsse' }, 501, 'NotImplemented'],
    [{ [SSE]: 'AES256', [`${SSE}-aws-kms-key-id`]: 'other' }, 400, 'InvalidArgument'],
    [{ [`${SSE}-aws-kms-key-id`]: 'other' }, 400, 'InvalidArgument'],
    [{ [SSE]: 'AES256', ...customerKey(1) }, 400, 'InvalidArgument'],
    [{ ...customerKey(1), [`${SSE}-customer-key-md5`]: 'AAAAAAAAAAAAAAAAAAAAAA==' }, 400, 'InvalidArgument'],
    [{ ...customerKey(1), [`${SSE}-customer-algorithm`]: 'DES' }, 400, 'InvalidEncryptionAlgorithmError'],
    [{ [SSE]: 'aws:kms', [`${SSE}-context`]: 'no base64' }, 400, 'InvalidArgument'],
  ])('of a write: %j', async (headers, status, code) => {
    const got = await s3.send({
      method: 'PUT',
      path: '/safe/refused',
      body: 'x',
      headers,
    })
    expect([got.status, got.xml('Code')]).toEqual([status, code])
    expect(await s3.store.object({ bucket: 'safe', key: 'refused' })).toBeUndefined()
  })

  it.each([
    ['/safe/SSE-S3', { [SSE]: 'AES256' }, 400],
    ['/safe/SSE-KMS', { [SSE]: 'aws:kms' }, 400],
    ['/safe/plain', customerKey(1), 400],
    ['/safe/SSE-S3', customerKey(1), 400],
    ['/safe/SSE-C', {}, 400],
    ['/safe/SSE-C', customerKey(2), 403],
  ])('of a read of %s: %j', async (path, headers, status) => {
    for (const method of ['GET', 'HEAD']) {
      const got = await s3.send({ method, path, headers })
      expect(got.status, method).toBe(status)
    }
  })
})

describe('a bucket’s default', () => {
  const rule = (algorithm: string, more: string): string =>
    `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>${algorithm}</SSEAlgorithm>${more}`

  it('is what requests get that say nothing, and nothing else', async () => {
    await s3.ok({ method: 'PUT', path: '/default' })
    const end =
      '</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>'
    await s3.ok({
      method: 'PUT',
      path: '/default?encryption',
      body: `${rule('aws:kms', '<KMSMasterKeyID>other</KMSMasterKeyID>')}${end}`,
    })
    const put = await s3.ok({ method: 'PUT', path: '/default/a', body: 'x' })
    expect(put.headers).toMatchObject({
      [SSE]: 'aws:kms',
      [`${SSE}-aws-kms-key-id`]: 'other',
      [`${SSE}-bucket-key-enabled`]: 'true',
    })
    expect((await s3.ok({ path: '/default/a' })).text).toBe('x')
    expect((await s3.ok({ method: 'POST', path: '/default/b?uploads' })).headers).toMatchObject({ [SSE]: 'aws:kms' })
    const explicit = await s3.ok({ method: 'PUT', path: '/default/c', body: 'x', headers: { [SSE]: 'AES256' } })
    expect(explicit.headers[SSE]).toBe('AES256')
    const customer = await s3.ok({ method: 'PUT', path: '/default/d', body: 'x', headers: customerKey(1) })
    expect(customer.headers[SSE]).toBeUndefined()
    const copied = await s3.ok({ method: 'PUT', path: '/default/e', headers: { 'x-amz-copy-source': 'safe/plain' } })
    expect(copied.headers[SSE]).toBe('aws:kms')
  })
})

describe('key use', () => {
  it('is counted for objects, uploads and what replaces them', async () => {
    const { realm } = (await s3.store.object({ bucket: 'safe', key: 'SSE-KMS' }))?.uses[0] ?? { realm: '' }
    const count = async () => await s3.store.countKeyUse({ realm, keyId: 'counted' })
    await s3.manager.keys.create({ name: 'counted', authorize: () => {}, caller: { principal: 'root' } })
    const headers = { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: 'counted' }
    await s3.ok({ method: 'PUT', path: '/safe/k1', body: 'x', headers })
    const { xml } = await s3.ok({ method: 'POST', path: '/safe/k2?uploads', headers })
    expect(await count()).toEqual({ objects: 1, uploads: 1 })
    await s3.ok({ method: 'PUT', path: '/safe/k1', body: 'x' })
    await s3.ok({ method: 'DELETE', path: `/safe/k2?uploadId=${xml('UploadId')}` }, 204)
    expect(await count()).toEqual({ objects: 0, uploads: 0 })
  })
})

describe('while the KMS is not there', () => {
  it('objects that need it are 503, and the others are as they were', async () => {
    await s3.manager.stop({ principal: 'root' })
    try {
      for (const [name, { read, write }] of modes) {
        const needs = name === 'SSE-S3' || name === 'SSE-KMS'
        const got = await s3.send({ path: `/safe/${name}`, headers: read })
        const put = await s3.send({ method: 'PUT', path: `/safe/stopped-${name}`, body: 'x', headers: write })
        expect([got.status, put.status], name).toEqual(needs ? [503, 503] : [200, 200])
        if (needs) expect([got.xml('Code'), put.xml('Code')]).toEqual(['ServiceUnavailable', 'ServiceUnavailable'])
        expect((await s3.send({ method: 'HEAD', path: `/safe/${name}`, headers: read })).status, name).toBe(200)
        if (needs) expect(await s3.store.object({ bucket: 'safe', key: `stopped-${name}` })).toBeUndefined()
      }
    } finally {
      await s3.manager.start({ force: false }, { principal: 'root' })
    }
    expect((await s3.send({ path: '/safe/SSE-KMS' })).status).toBe(200)
  })

  it('a disabled key reads and does not write', async () => {
    const key = { key: 'other', authorize: () => {}, caller: { principal: 'root' } }
    await s3.manager.keys.disable(key)
    const headers = { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: 'other' }
    const put = await s3.send({ method: 'PUT', path: '/safe/disabled', body: 'x', headers })
    expect([put.status, put.xml('Code')]).toEqual([400, 'KMS.DisabledException'])
    expect((await s3.send({ path: '/safe/SSE-KMS' })).status).toBe(200)
    await s3.manager.keys.enable(key)
    expect((await s3.send({ method: 'PUT', path: '/safe/enabled', body: 'x', headers })).status).toBe(200)
  })
})
