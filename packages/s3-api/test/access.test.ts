import { presignUrl } from '@kms/sigv4'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exchange, type Harness, startHarness } from './harness.ts'

let s3: Harness
const SSE = 'x-amz-server-side-encryption'
const KMS = { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: 'app' }
beforeAll(async () => {
  s3 = await startHarness()
  for (const bucket of ['open', 'shut']) await s3.ok({ method: 'PUT', path: `/${bucket}` })
  for (const name of ['app', 'theirs']) {
    await s3.manager.keys.create({ name, authorize: () => {}, caller: { principal: 'root' } })
  }
  const allow = (Action: string | string[], Resource: string | string[] = '*') => ({
    Effect: 'Allow',
    Action,
    Resource,
  })
  s3.user('reader', allow(['s3:GetObject', 's3:ListBucket'], ['arn:aws:s3:::open', 'arn:aws:s3:::open/*']))
  s3.user('getter', allow('s3:GetObject', 'arn:aws:s3:::open/*'))
  s3.user('writer', allow('s3:*'), allow('kms:GenerateDataKey', 'arn:aws:kms:::key/app'))
  s3.user('s3only', allow('s3:*'))
  s3.user('both', allow('s3:*'), allow(['kms:GenerateDataKey', 'kms:Decrypt'], 'arn:aws:kms:::key/app'))
  s3.user('nobody')
})
afterAll(() => s3.stop())

describe('users', () => {
  it('may do what their policies say, and are told no more', async () => {
    await s3.ok({ method: 'PUT', path: '/open/a', body: 'x' })
    expect((await s3.ok({ path: '/open/a', as: 'reader' })).text).toBe('x')
    for (const [as, method, path, status] of [
      ['reader', 'PUT', '/open/a', 403],
      ['reader', 'DELETE', '/open/a', 403],
      ['reader', 'GET', '/shut/a', 403],
      ['reader', 'GET', '/nowhere/a', 403],
      ['reader', 'GET', '/open/never', 404],
      ['getter', 'GET', '/open/never', 403],
      ['getter', 'HEAD', '/open/never', 403],
      ['getter', 'GET', '/open/a', 200],
      ['getter', 'GET', '/open', 403],
      ['nobody', 'GET', '/', 403],
      ['nobody', 'GET', '/nowhere', 403],
      ['nobody', 'PUT', '/open?policy', 403],
      ['nobody', 'GET', '/open/a?torrent', 501],
      ['stranger', 'GET', '/open/a', 403],
    ] as const) {
      expect((await s3.send({ as, method, path })).status, `${as} ${method} ${path}`).toBe(status)
    }
    expect((await s3.send({ as: 'stranger', path: '/open/a' })).xml('Code')).toBe('InvalidAccessKeyId')
  })

  it('need the right to tag, and to read what they copy', async () => {
    s3.user('putter', { Effect: 'Allow', Action: 's3:PutObject', Resource: 'arn:aws:s3:::open/*' })
    const put = (headers: Record<string, string>) => s3.send({ as: 'putter', method: 'PUT', path: '/open/p', headers })
    expect((await put({})).status).toBe(200)
    expect((await put({ 'x-amz-tagging': 'a=1' })).status).toBe(403)
    expect((await put({ 'x-amz-copy-source': 'open/a' })).status).toBe(403)
    expect((await put({ 'x-amz-copy-source': 'shut/never' })).xml('Code')).toBe('AccessDenied')
  })

  it('need the KMS key of an object, whatever S3 lets them do', async () => {
    const put = (as: string, headers: Record<string, string> = KMS) =>
      s3.send({ as, method: 'PUT', path: `/shut/${as}`, body: 'x', headers })
    const get = async (as: string, path: string) => (await s3.send({ as, path })).status
    expect((await put('s3only')).xml('Code')).toBe('AccessDenied')
    expect((await put('writer')).status).toBe(200)
    expect((await put('both')).status).toBe(200)
    expect((await put('both', { ...KMS, [`${SSE}-aws-kms-key-id`]: 'theirs' })).xml('Code')).toBe('AccessDenied')
    expect((await put('both', { [SSE]: 'aws:kms' })).xml('Code')).toBe('AccessDenied')
    expect([
      await get('both', '/shut/writer'),
      await get('writer', '/shut/writer'),
      await get('s3only', '/shut/both'),
    ]).toEqual([200, 403, 403])
    // Root alone needs no policy; SSE-S3 and plain objects need no key.
    expect(await get('root', '/shut/both')).toBe(200)
    expect((await put('s3only', { [SSE]: 'AES256' })).status).toBe(200)
    expect(await get('s3only', '/shut/s3only')).toBe(200)
    const copy = (as: string, headers: Record<string, string>) =>
      s3.send({ as, method: 'PUT', path: '/shut/copy', headers: { 'x-amz-copy-source': 'shut/both', ...headers } })
    expect((await copy('writer', KMS)).status).toBe(403)
    expect((await copy('s3only', {})).status).toBe(403)
    expect((await copy('both', KMS)).status).toBe(200)
    const begun = await s3.ok({ as: 'writer', method: 'POST', path: '/shut/parts?uploads', headers: KMS })
    const part = `/shut/parts?partNumber=1&uploadId=${begun.xml('UploadId')}`
    expect((await s3.send({ as: 'writer', method: 'PUT', path: part, body: 'x' })).status).toBe(200)
    expect((await s3.send({ as: 's3only', method: 'PUT', path: part, body: 'x' })).status).toBe(403)
  })
})

describe('bucket policies', () => {
  const policy = (...statements: readonly object[]) =>
    s3.ok(
      { method: 'PUT', path: '/open?policy', body: JSON.stringify({ Version: '2012-10-17', Statement: statements }) },
      204,
    )
  const objects = 'arn:aws:s3:::open/*'

  it('let everybody in, to what they name alone', async () => {
    await s3.ok({ method: 'PUT', path: '/open/public/a', body: 'x' })
    expect((await s3.send({ path: '/open/public/a', as: null })).xml('Code')).toBe('AccessDenied')
    await policy({ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::open/public/*' })
    expect((await s3.ok({ path: '/open/public/a', as: null })).text).toBe('x')
    for (const [method, path] of [
      ['GET', '/open/a'],
      ['GET', '/open/public/never'],
      ['PUT', '/open/public/a'],
      ['GET', '/open'],
      ['GET', '/'],
      ['GET', '/open?torrent'],
      ['POST', '/open?delete'],
      ['PATCH', '/open/public/a'],
      ['GET', '/open/public/a?response-content-type=x'],
    ] as const) {
      const got = await s3.send({ method, path, as: null })
      expect(got.status, `${method} ${path}`).toBe(path.includes('response-') ? 400 : 403)
    }
  })

  it('forbid everybody but those they spare', async () => {
    await policy({
      Effect: 'Deny',
      NotPrincipal: { AWS: ['arn:aws:iam:::user/both', 'arn:aws:iam:::root'] },
      Action: 's3:GetObject',
      Resource: objects,
    })
    const statuses = await Promise.all(
      ['both', 'reader', 's3only', 'root'].map(async (as) => (await s3.send({ path: '/open/a', as })).status),
    )
    expect(statuses).toEqual([200, 403, 403, 200])
  })

  it('demand encryption', async () => {
    const header = `s3:${SSE}`
    await policy(
      {
        Effect: 'Deny',
        Principal: '*',
        Action: 's3:PutObject',
        Resource: objects,
        Condition: { Null: { [header]: 'true' } },
      },
      {
        Effect: 'Deny',
        Principal: '*',
        Action: 's3:PutObject',
        Resource: objects,
        Condition: { StringNotEqualsIfExists: { [header]: 'aws:kms' } },
      },
    )
    const put = async (headers: Record<string, string>) =>
      (await s3.send({ as: 'both', method: 'PUT', path: '/open/demand', body: 'x', headers })).status
    expect([await put({}), await put({ [SSE]: 'AES256' }), await put(KMS)]).toEqual([403, 403, 200])
    const begin = (headers: Record<string, string>) =>
      s3.send({ as: 'both', method: 'POST', path: '/open/demand?uploads', headers })
    expect([(await begin({})).status, (await begin(KMS)).status]).toEqual([403, 200])
  })

  it('ask for tags, addresses and how lists are made', async () => {
    await s3.ok({ method: 'PUT', path: '/open/tagged', body: 'x', headers: { 'x-amz-tagging': 'level=public' } })
    await s3.ok({ method: 'PUT', path: '/open/untagged', body: 'x' })
    await policy(
      {
        Effect: 'Allow',
        Principal: '*',
        Action: 's3:GetObject',
        Resource: objects,
        Condition: {
          StringEquals: { 's3:ExistingObjectTag/level': 'public' },
          IpAddress: { 'aws:SourceIp': '127.0.0.0/8' },
        },
      },
      {
        Effect: 'Allow',
        Principal: '*',
        Action: 's3:ListBucket',
        Resource: 'arn:aws:s3:::open',
        Condition: { StringEquals: { 's3:prefix': 'tagged' }, NumericLessThanEquals: { 's3:max-keys': '5' } },
      },
    )
    const get = async (path: string) => (await s3.send({ path, as: null })).status
    expect([await get('/open/tagged'), await get('/open/untagged')]).toEqual([200, 403])
    expect([
      await get('/open?prefix=tagged&max-keys=5'),
      await get('/open?prefix=tagged&max-keys=6'),
      await get('/open?prefix=&max-keys=5'),
    ]).toEqual([200, 403, 403])
  })

  it('never let anybody use a KMS key', async () => {
    await s3.ok({ method: 'PUT', path: '/open/kms', body: 'x', headers: KMS })
    await policy({ Effect: 'Allow', Principal: '*', Action: 's3:*', Resource: ['arn:aws:s3:::open', objects] })
    const got = await s3.send({ path: '/open/kms', as: null })
    expect([got.status, got.xml('Code')]).toEqual([403, 'AccessDenied'])
    const put = await s3.send({ method: 'PUT', path: '/open/anon', body: 'x', headers: KMS, as: null })
    expect([put.status, put.xml('Code')]).toEqual([403, 'AccessDenied'])
    expect((await s3.send({ method: 'PUT', path: '/open/anon', body: 'x', as: null })).status).toBe(200)
  })
})

describe('presigned URLs', () => {
  const presign = (method: string, path: string, headers: Record<string, string> = {}): string => {
    const url = presignUrl({
      method,
      url: `${s3.url}${path}`,
      headers,
      region: 'us-east-1',
      service: 's3',
      expiresSeconds: 60,
      credentials: { accessKeyId: 'root', secretAccessKey: 'correct horse battery' },
    })
    return url.slice(s3.url.length)
  }

  it('read and write', async () => {
    const put = await exchange(s3.port, { method: 'PUT', path: presign('PUT', '/shut/signed'), body: 'by url' })
    expect(put.status).toBe(200)
    expect((await exchange(s3.port, { path: presign('GET', '/shut/signed') })).text).toBe('by url')
    const wrong = await exchange(s3.port, { method: 'DELETE', path: presign('GET', '/shut/signed') })
    expect([wrong.status, wrong.xml('Code')]).toEqual([403, 'SignatureDoesNotMatch'])
  })

  it('may carry headers in their query, but no keys', async () => {
    const query = `x-amz-meta-m=1&${SSE}=AES256&x-amz-tagging=a%3D1`
    const put = await exchange(s3.port, { method: 'PUT', path: presign('PUT', `/shut/moved?${query}`), body: 'x' })
    expect([put.status, put.headers[SSE]]).toEqual([200, 'AES256'])
    expect((await s3.ok({ path: '/shut/moved' })).headers).toMatchObject({
      'x-amz-meta-m': '1',
      'x-amz-tagging-count': '1',
    })
    const key = `${SSE}-customer-algorithm=AES256&${SSE}-customer-key=${encodeURIComponent(Buffer.alloc(32).toString('base64'))}`
    const refused = await exchange(s3.port, { method: 'PUT', path: presign('PUT', `/shut/key?${key}`), body: 'x' })
    expect(refused.status).toBe(400)
  })
})
