import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, pattern, startHarness } from './harness.ts'

let s3: Harness
beforeAll(async () => {
  s3 = await startHarness()
  await s3.ok({ method: 'PUT', path: '/photos' })
})
afterAll(() => s3.stop())

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')

describe('PutObject, GetObject, HeadObject', () => {
  it('give back what was put', async () => {
    const body = pattern(100_000)
    const put = await s3.ok({ method: 'PUT', path: '/photos/a/b.jpg', body, headers: { 'content-type': 'image/jpeg' } })
    expect(put.headers['etag']).toBe(`"${md5(body)}"`)
    expect(put.bytes).toHaveLength(0)
    const got = await s3.ok({ path: '/photos/a/b.jpg' })
    expect(got.bytes.equals(body)).toBe(true)
    expect(got.headers).toMatchObject({
      etag: `"${md5(body)}"`,
      'content-length': '100000',
      'content-type': 'image/jpeg',
      'accept-ranges': 'bytes',
    })
    expect(got.headers['x-amz-request-id']).toMatch(/^[0-9a-f-]{36}$/)
    expect(Date.parse(got.headers['last-modified'] ?? '')).toBeGreaterThan(Date.now() - 60_000)
    const head = await s3.ok({ method: 'HEAD', path: '/photos/a/b.jpg' })
    expect(head.bytes).toHaveLength(0)
    for (const name of ['etag', 'content-length', 'content-type', 'last-modified', 'accept-ranges']) {
      expect(head.headers[name], name).toBe(got.headers[name])
    }
  })

  it('keep content headers and user metadata, byte for byte', async () => {
    const headers = {
      'cache-control': 'no-store',
      'content-disposition': 'attachment; filename="x.txt"',
      'content-encoding': 'gzip',
      'content-language': 'de',
      'content-type': 'text/plain; charset=utf-8',
      expires: 'Thu, 01 Dec 2033 16:00:00 GMT',
      'x-amz-meta-colour': 'blue',
      'x-amz-meta-empty': '',
      'x-amz-website-redirect-location': '/elsewhere',
    }
    await s3.ok({ method: 'PUT', path: '/photos/meta', body: 'x', headers })
    expect((await s3.ok({ path: '/photos/meta' })).headers).toMatchObject(headers)
    expect((await s3.ok({ method: 'HEAD', path: '/photos/meta' })).headers).toMatchObject(headers)
    const large = await s3.send({
      method: 'PUT',
      path: '/photos/large-meta',
      headers: { 'x-amz-meta-a': 'x'.repeat(2048) },
    })
    expect([large.status, large.xml('Code')]).toEqual([400, 'MetadataTooLarge'])
    await s3.ok({ method: 'PUT', path: '/photos/meta-fits', headers: { 'x-amz-meta-a': 'x'.repeat(2047) } })
  })

  it('have a type of its own for what has none, and know empty objects', async () => {
    await s3.ok({ method: 'PUT', path: '/photos/empty' })
    const got = await s3.ok({ path: '/photos/empty' })
    expect(got.headers).toMatchObject({ 'content-type': 'binary/octet-stream', 'content-length': '0' })
    expect(got.headers['etag']).toBe('"d41d8cd98f00b204e9800998ecf8427e"')
  })

  it.each([
    '/photos//a//b',
    '/photos/a%00b',
    '/photos/%01%1f%7f',
    '/photos/a%2Fb',
    '/photos/%25',
    '/photos/a+b',
    '/photos/%E6%97%A5%E6%9C%AC',
    '/photos/%F4%8F%BF%BF',
    `/photos/${'k'.repeat(1024)}`,
    "/photos/~.-_!*()'",
    '/photos/dir/',
  ])('take the key of %s for what it is', async (path) => {
    await s3.ok({ method: 'PUT', path, body: path })
    expect((await s3.ok({ path })).text).toBe(path)
    const key = decodeURIComponent(path).slice('/photos/'.length)
    expect((await s3.store.object({ bucket: 'photos', key }))?.key).toBe(key)
    await s3.ok({ method: 'DELETE', path }, 204)
    expect((await s3.send({ path })).xml('Code')).toBe('NoSuchKey')
  })

  it.each([
    ['/photos/%', 'InvalidURI'],
    ['/photos/%ff', 'InvalidURI'],
    [`/photos/${'k'.repeat(1025)}`, 'KeyTooLongError'],
    [`/photos/${'%C3%A9'.repeat(513)}`, 'KeyTooLongError'],
  ])('refuse %s', async (path, code) => {
    const { status, xml } = await s3.send({ method: 'PUT', path, as: null })
    expect([status, xml('Code')]).toEqual([400, code])
  })

  it('find buckets in the host', async () => {
    const headers = { host: `photos.localhost:${s3.port}` }
    await s3.ok({ method: 'PUT', path: '/rustfs/admin/v3/x', body: 'a key like any other', headers })
    expect((await s3.ok({ path: '/photos/rustfs/admin/v3/x' })).text).toBe('a key like any other')
    expect((await s3.ok({ path: '/?prefix=rustfs', headers })).xml('Key')).toBe('rustfs/admin/v3/x')
  })

  it('do not keep what does not fit its digests', async () => {
    const body = 'some text'
    const base64 = (algorithm: string): string => createHash(algorithm).update(body).digest('base64')
    const put = (headers: Record<string, string>) => s3.send({ method: 'PUT', path: '/photos/digest', body, headers })
    for (const [headers, code] of [
      [{ 'content-md5': 'not base64' }, 'InvalidDigest'],
      [{ 'content-md5': createHash('md5').update('other').digest('base64') }, 'BadDigest'],
      [{ 'x-amz-checksum-sha256': createHash('sha256').update('other').digest('base64') }, 'BadDigest'],
      [{ 'x-amz-checksum-sha256': 'AAAA' }, 'InvalidRequest'],
      [{ 'x-amz-checksum-sha1': base64('sha1'), 'x-amz-checksum-sha256': base64('sha256') }, 'InvalidRequest'],
      [{ 'x-amz-sdk-checksum-algorithm': 'CRC32' }, 'InvalidRequest'],
    ] as const) {
      const got = await put(headers)
      expect([got.status, got.xml('Code')], JSON.stringify(headers)).toEqual([400, code])
      expect((await s3.send({ path: '/photos/digest' })).status).toBe(404)
    }
    const swapped = await s3.send({ method: 'PUT', path: '/photos/digest', body, sent: 'some texT' })
    expect([swapped.status, swapped.xml('Code')]).toEqual([400, 'XAmzContentSHA256Mismatch'])
    expect((await s3.send({ path: '/photos/digest' })).status).toBe(404)
    const fits = await put({ 'content-md5': base64('md5'), 'x-amz-checksum-sha256': base64('sha256') })
    expect(fits.headers['x-amz-checksum-sha256']).toBe(base64('sha256'))
    const plain = await s3.ok({ path: '/photos/digest' })
    expect(plain.headers['x-amz-checksum-sha256']).toBeUndefined()
    const headers = { 'x-amz-checksum-mode': 'ENABLED' }
    expect((await s3.ok({ path: '/photos/digest', headers })).headers).toMatchObject({
      'x-amz-checksum-sha256': base64('sha256'),
      'x-amz-checksum-type': 'FULL_OBJECT',
    })
    const part = await s3.ok({ path: '/photos/digest', headers: { ...headers, range: 'bytes=0-1' } }, 206)
    expect(part.headers['x-amz-checksum-sha256']).toBeUndefined()
  })

  it('refuse what S3 refuses of a new object', async () => {
    for (const [headers, status, code] of [
      [{ 'x-amz-acl': 'public-read' }, 400, 'AccessControlListNotSupported'],
      [{ 'x-amz-grant-read': 'id=1' }, 400, 'AccessControlListNotSupported'],
      [{ 'x-amz-storage-class': 'GLACIER' }, 400, 'InvalidStorageClass'],
      [{ 'x-amz-object-lock-mode': 'GOVERNANCE' }, 400, 'InvalidRequest'],
      [{ 'if-match': '*' }, 501, 'NotImplemented'],
      [{ 'if-none-match': '"x"' }, 501, 'NotImplemented'],
    ] as const) {
      const got = await s3.send({ method: 'PUT', path: '/photos/refused', headers })
      expect([got.status, got.xml('Code')], JSON.stringify(headers)).toEqual([status, code])
    }
    await s3.ok({ method: 'PUT', path: '/photos/private', headers: { 'x-amz-acl': 'private' } })
    await s3.ok({ method: 'PUT', path: '/photos/private', headers: { 'x-amz-acl': 'bucket-owner-full-control' } })
    const nowhere = await s3.send({ method: 'PUT', path: '/nowhere/a', body: 'x' })
    expect([nowhere.status, nowhere.xml('Code'), nowhere.xml('BucketName')]).toEqual([404, 'NoSuchBucket', 'nowhere'])
  })
})

describe('ranges', () => {
  const body = pattern(1000)
  beforeAll(async () => {
    await s3.ok({ method: 'PUT', path: '/photos/r', body })
    await s3.ok({ method: 'PUT', path: '/photos/r0' })
  })

  it.each([
    ['bytes=0-0', 0, 0],
    ['bytes=0-999', 0, 999],
    ['bytes=10-19', 10, 19],
    ['bytes=990-', 990, 999],
    ['bytes=-10', 990, 999],
    ['bytes=-5000', 0, 999],
    ['bytes=500-5000', 500, 999],
  ])('%s', async (range, start, end) => {
    const got = await s3.ok({ path: '/photos/r', headers: { range } }, 206)
    expect(got.bytes.equals(body.subarray(start, end + 1))).toBe(true)
    expect(got.headers['content-range']).toBe(`bytes ${start}-${end}/1000`)
    const head = await s3.ok({ method: 'HEAD', path: '/photos/r', headers: { range } }, 206)
    expect(head.headers['content-length']).toBe(String(end - start + 1))
  })

  it.each(['bytes=1-0', 'bytes=a-b', 'bytes=-', 'bytes=0-1,3-4', 'lines=0-1', 'bytes 0-1'])(
    '%s is none',
    async (range) => {
      expect((await s3.ok({ path: '/photos/r', headers: { range } })).bytes.equals(body)).toBe(true)
    },
  )

  it.each([
    ['/photos/r', 'bytes=1000-'],
    ['/photos/r', 'bytes=5000-6000'],
    ['/photos/r', 'bytes=-0'],
    ['/photos/r0', 'bytes=0-0'],
    ['/photos/r0', 'bytes=-1'],
  ])('of %s, %s cannot be satisfied', async (path, range) => {
    const got = await s3.send({ path, headers: { range } })
    expect([got.status, got.xml('Code')]).toEqual([416, 'InvalidRange'])
    expect(got.xml('RangeRequested')).toBe(range)
  })

  it('partNumber of an object without parts', async () => {
    const got = await s3.ok({ path: '/photos/r?partNumber=1' }, 206)
    expect(got.headers['content-range']).toBe('bytes 0-999/1000')
    expect(got.headers['x-amz-mp-parts-count']).toBeUndefined()
    const second = await s3.send({ path: '/photos/r?partNumber=2' })
    expect([second.status, second.xml('Code')]).toEqual([416, 'InvalidPartNumber'])
    const both = await s3.send({ path: '/photos/r?partNumber=1', headers: { range: 'bytes=0-1' } })
    expect([both.status, both.xml('Code')]).toEqual([400, 'InvalidRequest'])
  })
})

describe('conditions', () => {
  let etag = ''
  let modified = ''
  const past = 'Mon, 01 Jan 2024 00:00:00 GMT'
  const future = 'Fri, 01 Jan 2100 00:00:00 GMT'
  beforeAll(async () => {
    const got = await s3.ok({ method: 'PUT', path: '/photos/c', body: 'x' })
    etag = got.headers['etag'] ?? ''
    modified = (await s3.ok({ method: 'HEAD', path: '/photos/c' })).headers['last-modified'] ?? ''
  })

  it('of reads', async () => {
    for (const [headers, status] of [
      [{ 'if-match': etag }, 200],
      [{ 'if-match': etag.replaceAll('"', '') }, 200],
      [{ 'if-match': '*' }, 200],
      [{ 'if-match': `"x", ${etag}` }, 200],
      [{ 'if-match': '"x"' }, 412],
      [{ 'if-none-match': etag }, 304],
      [{ 'if-none-match': '*' }, 304],
      [{ 'if-none-match': '"x"' }, 200],
      [{ 'if-modified-since': modified }, 304],
      [{ 'if-modified-since': past }, 200],
      [{ 'if-modified-since': 'no date' }, 200],
      [{ 'if-unmodified-since': modified }, 200],
      [{ 'if-unmodified-since': past }, 412],
      [{ 'if-match': etag, 'if-unmodified-since': past }, 200],
      [{ 'if-none-match': '"x"', 'if-modified-since': future }, 200],
    ] as const) {
      for (const method of ['GET', 'HEAD']) {
        const got = await s3.send({ method, path: '/photos/c', headers })
        expect(got.status, `${method} ${JSON.stringify(headers)}`).toBe(status)
        if (status === 304) expect([got.headers['etag'], got.bytes.length]).toEqual([etag, 0])
      }
    }
  })

  it('of writes', async () => {
    const put = (path: string, headers: Record<string, string>) => s3.send({ method: 'PUT', path, body: 'y', headers })
    expect((await put('/photos/c', { 'if-none-match': '*' })).xml('Code')).toBe('PreconditionFailed')
    expect((await put('/photos/c', { 'if-match': '"x"' })).status).toBe(412)
    expect((await put('/photos/never', { 'if-match': etag })).xml('Code')).toBe('NoSuchKey')
    expect((await s3.ok({ path: '/photos/c' })).text).toBe('x')
    expect((await put('/photos/new', { 'if-none-match': '*' })).status).toBe(200)
    expect((await put('/photos/c', { 'if-match': etag })).status).toBe(200)
    const remove = (headers: Record<string, string>) => s3.send({ method: 'DELETE', path: '/photos/c', headers })
    expect((await remove({ 'if-match': etag })).status).toBe(412)
    expect((await remove({ 'if-match': `"${md5(Buffer.from('y'))}"` })).status).toBe(204)
  })

  it('have one winner among concurrent writes', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const headers = { 'if-none-match': '*' }
        return (await s3.send({ method: 'PUT', path: '/photos/race', body: `${i}`, headers })).status
      }),
    )
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    for (const status of statuses) expect([200, 409, 412]).toContain(status)
  })
})

describe('DeleteObject and DeleteObjects', () => {
  it('forget, whether or not there was something', async () => {
    await s3.ok({ method: 'PUT', path: '/photos/d', body: 'x' })
    for (let i = 0; i < 2; i++) await s3.ok({ method: 'DELETE', path: '/photos/d' }, 204)
    expect((await s3.send({ path: '/photos/d' })).xml('Code')).toBe('NoSuchKey')
  })

  it('answer for every key of a list', async () => {
    for (const key of ['l1', 'l2', 'l%263']) await s3.ok({ method: 'PUT', path: `/photos/${key}`, body: 'x' })
    const body = `<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
      <Object><Key>l1</Key></Object><Object><Key>l&amp;3</Key></Object><Object><Key>never</Key></Object>
      <Object><Key>l2</Key><VersionId>other</VersionId></Object></Delete>`
    const got = await s3.ok({ method: 'POST', path: '/photos?delete', body })
    expect(got.all('Key')).toEqual(['l1', 'l&3', 'never', 'l2'])
    expect(got.all('Code')).toEqual(['NoSuchVersion'])
    expect(await s3.store.object({ bucket: 'photos', key: 'l2' })).toBeDefined()
    expect(await s3.store.object({ bucket: 'photos', key: 'l&3' })).toBeUndefined()
    const quiet = body.replace('<Object>', '<Quiet>true</Quiet><Object>').replace('<VersionId>other</VersionId>', '')
    expect((await s3.ok({ method: 'POST', path: '/photos?delete', body: quiet })).all('Key')).toEqual([])
    expect(await s3.store.object({ bucket: 'photos', key: 'l2' })).toBeUndefined()
  })

  it('refuse lists that are none', async () => {
    const many = `<Delete>${'<Object><Key>a</Key></Object>'.repeat(1001)}</Delete>`
    for (const body of [
      '',
      '<Delete/>',
      '<Delete><Object/></Delete>',
      '<Other/>',
      many,
      '<Delete><Objet><Key>a</Key></Objet></Delete>',
    ]) {
      const got = await s3.send({ method: 'POST', path: '/photos?delete', body })
      expect([got.status, got.xml('Code')], body.slice(0, 50)).toEqual([400, 'MalformedXML'])
    }
    await s3.ok({
      method: 'POST',
      path: '/photos?delete',
      body: `<Delete>${'<Object><Key>a</Key></Object>'.repeat(1000)}</Delete>`,
    })
  })
})

describe('versions', () => {
  it('are null, or not there', async () => {
    await s3.ok({ method: 'PUT', path: '/photos/v', body: 'x' })
    const got = await s3.ok({ path: '/photos/v?versionId=null' })
    expect([got.text, got.headers['x-amz-version-id']]).toEqual(['x', 'null'])
    for (const [method, path] of [
      ['GET', '/photos/v?versionId=other'],
      ['DELETE', '/photos/v?versionId=other'],
      ['GET', '/photos/v?tagging&versionId=other'],
    ] as const) {
      const refused = await s3.send({ method, path })
      expect([refused.status, refused.xml('Code')], path).toEqual([404, 'NoSuchVersion'])
    }
    await s3.ok({ method: 'DELETE', path: '/photos/v?versionId=null' }, 204)
    const put = await s3.send({ method: 'PUT', path: '/photos/v?versionId=null', body: 'x' })
    expect([put.status, put.xml('Code')]).toEqual([501, 'NotImplemented'])
  })
})

describe('response overrides', () => {
  it('replace headers of a reply, of signed requests', async () => {
    await s3.ok({ method: 'PUT', path: '/photos/o', body: 'x', headers: { 'content-type': 'text/plain' } })
    const query =
      'response-cache-control=no-cache&response-content-type=text%2Fhtml&response-content-disposition=inline&response-expires=never'
    expect((await s3.ok({ path: `/photos/o?${query}` })).headers).toMatchObject({
      'cache-control': 'no-cache',
      'content-disposition': 'inline',
      'content-type': 'text/html',
      expires: 'never',
    })
    const split = await s3.send({ path: '/photos/o?response-content-type=a%0d%0aset-cookie:%20x' })
    expect([split.status, split.xml('Code')]).toEqual([400, 'InvalidArgument'])
  })
})

describe('tags', () => {
  const tagging = (...tags: readonly (readonly [string, string])[]): string =>
    `<Tagging><TagSet>${tags.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`).join('')}</TagSet></Tagging>`

  it('are put with an object, read, replaced and removed', async () => {
    await s3.ok({ method: 'PUT', path: '/photos/t', body: 'x', headers: { 'x-amz-tagging': 'a=1&b=two%20words&c' } })
    const read = async () => {
      const got = await s3.ok({ path: '/photos/t?tagging' })
      return got.all('Key').map((key, i) => [key, got.all('Value')[i]])
    }
    expect(await read()).toEqual([
      ['a', '1'],
      ['b', 'two words'],
      ['c', ''],
    ])
    expect((await s3.ok({ path: '/photos/t' })).headers['x-amz-tagging-count']).toBe('3')
    await s3.ok({ method: 'PUT', path: '/photos/t?tagging', body: tagging(['d', 'é']) })
    expect(await read()).toEqual([['d', 'é']])
    await s3.ok({ method: 'DELETE', path: '/photos/t?tagging' }, 204)
    expect(await read()).toEqual([])
    expect((await s3.ok({ path: '/photos/t' })).text).toBe('x')
  })

  it('are refused when S3 would', async () => {
    await s3.ok({ method: 'PUT', path: '/photos/t2', body: 'x' })
    const many = Array.from({ length: 11 }, (_, i) => [`k${i}`, ''] as const)
    for (const [body, code] of [
      [tagging(['a', '1'], ['a', '2']), 'InvalidTag'],
      [tagging(['', '1']), 'InvalidTag'],
      [tagging(['k'.repeat(129), '1']), 'InvalidTag'],
      [tagging(['a', 'v'.repeat(257)]), 'InvalidTag'],
      [tagging(['aws:a', '1']), 'InvalidTag'],
      [tagging(['a', '{']), 'InvalidTag'],
      [tagging(...many), 'BadRequest'],
      ['<Tagging/>', 'MalformedXML'],
    ] as const) {
      const got = await s3.send({ method: 'PUT', path: '/photos/t2?tagging', body })
      expect([got.status, got.xml('Code')], body.slice(0, 80)).toEqual([400, code])
    }
    const header = await s3.send({ method: 'PUT', path: '/photos/t3', headers: { 'x-amz-tagging': 'a=1&a=2' } })
    expect([header.status, header.xml('Code')]).toEqual([400, 'InvalidArgument'])
    const missing = await s3.send({ path: '/photos/none?tagging' })
    expect([missing.status, missing.xml('Code')]).toEqual([404, 'NoSuchKey'])
  })
})
