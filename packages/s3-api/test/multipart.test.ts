import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Got, type Harness, pattern, startHarness } from './harness.ts'

let s3: Harness
beforeAll(async () => {
  s3 = await startHarness()
  await s3.ok({ method: 'PUT', path: '/big' })
})
afterAll(() => s3.stop())

const MIB = 1024 * 1024
const FIRST = pattern(5 * MIB, 1)
const LAST = pattern(1000, 2)

async function begin(path: string, headers: Record<string, string> = {}): Promise<string> {
  return (await s3.ok({ method: 'POST', path: `${path}?uploads`, headers })).xml('UploadId') ?? ''
}

function part(path: string, uploadId: string, number: number, body: Uint8Array, headers = {}): Promise<Got> {
  return s3.send({ method: 'PUT', path: `${path}?partNumber=${number}&uploadId=${uploadId}`, body, headers })
}

function complete(
  path: string,
  uploadId: string,
  parts: readonly (readonly [number, string, string?])[],
  headers = {},
): Promise<Got> {
  const rows = parts.map(
    ([number, etag, more = '']) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag>${more}</Part>`,
  )
  const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${rows.join('')}</CompleteMultipartUpload>`
  return s3.send({ method: 'POST', path: `${path}?uploadId=${uploadId}`, body, headers })
}

const etagOf = (got: Got): string => got.headers['etag'] ?? ''
const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest()

describe('a multipart upload', () => {
  it('makes an object of its parts', async () => {
    const uploadId = await begin('/big/a', { 'content-type': 'video/x', 'x-amz-meta-m': '1', 'x-amz-tagging': 't=1' })
    const last = await part('/big/a', uploadId, 7, LAST)
    const first = await part('/big/a', uploadId, 2, FIRST)
    expect(etagOf(first)).toBe(`"${md5(FIRST).toString('hex')}"`)
    expect((await s3.send({ path: '/big/a' })).status).toBe(404)
    const listed = await s3.ok({ path: `/big/a?uploadId=${uploadId}` })
    expect([listed.all('PartNumber'), listed.all('Size')]).toEqual([
      ['2', '7'],
      [String(FIRST.length), String(LAST.length)],
    ])
    const page = await s3.ok({ path: `/big/a?uploadId=${uploadId}&max-parts=1` })
    expect([page.all('PartNumber'), page.xml('IsTruncated'), page.xml('NextPartNumberMarker')]).toEqual([
      ['2'],
      'true',
      '2',
    ])
    expect((await s3.ok({ path: `/big/a?uploadId=${uploadId}&part-number-marker=2` })).all('PartNumber')).toEqual(['7'])
    const done = await complete('/big/a', uploadId, [
      [2, etagOf(first)],
      [7, etagOf(last)],
    ])
    const etag = `"${createHash('md5')
      .update(Buffer.concat([md5(FIRST), md5(LAST)]))
      .digest('hex')}-2"`
    expect([done.status, done.xml('ETag'), done.xml('Key')]).toEqual([200, etag, 'a'])
    expect(done.xml('Location')).toBe(`${s3.url}/big/a`)
    const got = await s3.ok({ path: '/big/a' })
    expect(got.bytes.equals(Buffer.concat([FIRST, LAST]))).toBe(true)
    expect(got.headers).toMatchObject({
      etag,
      'content-type': 'video/x',
      'x-amz-meta-m': '1',
      'x-amz-tagging-count': '1',
    })
    const range = await s3.ok(
      { path: '/big/a', headers: { range: `bytes=${FIRST.length - 2}-${FIRST.length + 1}` } },
      206,
    )
    expect(range.bytes.equals(Buffer.concat([FIRST.subarray(-2), LAST.subarray(0, 2)]))).toBe(true)
    const second = await s3.ok({ path: '/big/a?partNumber=7' }, 206)
    expect(second.bytes.equals(LAST)).toBe(true)
    expect(second.headers).toMatchObject({
      'x-amz-mp-parts-count': '2',
      'content-range': `bytes ${FIRST.length}-${FIRST.length + 999}/${FIRST.length + 1000}`,
    })
    const attributes = await s3.ok({
      path: '/big/a?attributes',
      headers: { 'x-amz-object-attributes': 'ETag,ObjectParts,ObjectSize,StorageClass,Checksum' },
    })
    expect([attributes.xml('ObjectSize'), attributes.xml('PartsCount'), attributes.all('Size')]).toEqual([
      String(FIRST.length + 1000),
      '2',
      [String(FIRST.length), '1000'],
    ])
  })

  it('is answered alike when its completion is asked for again', async () => {
    const uploadId = await begin('/big/again')
    const only = await part('/big/again', uploadId, 1, LAST)
    const [first, second] = [
      await complete('/big/again', uploadId, [[1, etagOf(only)]]),
      await complete('/big/again', uploadId, [[1, etagOf(only)]]),
    ]
    expect([first.status, second.status, second.xml('ETag')]).toEqual([200, 200, first.xml('ETag')])
    await s3.ok({ method: 'PUT', path: '/big/again', body: 'x' })
    expect((await complete('/big/again', uploadId, [[1, etagOf(only)]])).xml('Code')).toBe('NoSuchUpload')
  })

  it('is refused when its parts are not what is said of them', async () => {
    const uploadId = await begin('/big/b')
    const one = etagOf(await part('/big/b', uploadId, 1, LAST))
    const two = etagOf(await part('/big/b', uploadId, 2, LAST))
    for (const [parts, code] of [
      [
        [
          [1, one],
          [2, two],
        ],
        'EntityTooSmall',
      ],
      [
        [
          [2, two],
          [1, one],
        ],
        'InvalidPartOrder',
      ],
      [
        [
          [1, one],
          [1, one],
        ],
        'InvalidPartOrder',
      ],
      [[[1, '"x"']], 'InvalidPart'],
      [[[3, one]], 'InvalidPart'],
      [[], 'MalformedXML'],
    ] as const) {
      const got = await complete('/big/b', uploadId, parts)
      expect([got.status, got.xml('Code')], JSON.stringify(parts)).toEqual([400, code])
    }
    const size = await complete('/big/b', uploadId, [[2, two]], { 'x-amz-mp-object-size': '1' })
    expect([size.status, size.xml('Code')]).toEqual([400, 'InvalidRequest'])
    expect((await s3.send({ path: '/big/b' })).status).toBe(404)
    const done = await complete('/big/b', uploadId, [[2, two.replaceAll('"', '&quot;')]], {
      'x-amz-mp-object-size': '1000',
    })
    expect(done.status).toBe(200)
  })

  it('is found by its key and id only, and gone when it was aborted', async () => {
    const uploadId = await begin('/big/c')
    for (const path of [`/big/d?uploadId=${uploadId}`, '/big/c?uploadId=other', '/big/c?uploadId=']) {
      const got = await s3.send({ path })
      expect([got.status, got.xml('Code')], path).toEqual([404, 'NoSuchUpload'])
    }
    await s3.ok({ method: 'DELETE', path: `/big/c?uploadId=${uploadId}` }, 204)
    expect((await part('/big/c', uploadId, 1, LAST)).xml('Code')).toBe('NoSuchUpload')
    expect((await s3.send({ method: 'DELETE', path: `/big/c?uploadId=${uploadId}` })).xml('Code')).toBe('NoSuchUpload')
  })

  it.each(['0', '10001', 'x', ''])('has no part %s', async (number) => {
    const uploadId = await begin('/big/e')
    const got = await s3.send({ method: 'PUT', path: `/big/e?partNumber=${number}&uploadId=${uploadId}`, body: 'x' })
    expect([got.status, got.xml('Code')]).toEqual([400, 'InvalidArgument'])
  })

  it('has no part without an upload', async () => {
    const got = await s3.send({ method: 'PUT', path: '/big/e?partNumber=1', body: 'x' })
    expect([got.status, got.xml('Code')]).toEqual([501, 'NotImplemented'])
  })

  it('has conditions', async () => {
    await s3.ok({ method: 'PUT', path: '/big/f', body: 'x' })
    const uploadId = await begin('/big/f')
    const etag = etagOf(await part('/big/f', uploadId, 1, LAST))
    expect((await complete('/big/f', uploadId, [[1, etag]], { 'if-none-match': '*' })).status).toBe(412)
    expect((await complete('/big/f', uploadId, [[1, etag]], { 'if-match': '"x"' })).status).toBe(412)
    expect(
      (await complete('/big/f', uploadId, [[1, etag]], { 'if-match': '"9dd4e461268c8034f5c8564e155c67a6"' })).status,
    ).toBe(200)
  })

  it('is listed while it is open', async () => {
    await s3.ok({ method: 'PUT', path: '/open' })
    const ids = [await begin('/open/a'), await begin('/open/b/1'), await begin('/open/b/2')]
    const got = await s3.ok({ path: '/open?uploads' })
    expect([got.all('Key'), got.all('UploadId')]).toEqual([['a', 'b/1', 'b/2'], ids])
    const rolled = await s3.ok({ path: '/open?uploads&delimiter=/' })
    expect([rolled.all('Key'), rolled.all('Prefix')]).toEqual([['a'], ['b/']])
    const page = await s3.ok({ path: '/open?uploads&max-uploads=2' })
    expect([page.xml('IsTruncated'), page.xml('NextKeyMarker'), page.xml('NextUploadIdMarker')]).toEqual([
      'true',
      'b/1',
      ids[1],
    ])
    const next = await s3.ok({ path: `/open?uploads&key-marker=b/1&upload-id-marker=${ids[1]}` })
    expect(next.all('Key')).toEqual(['b/2'])
  })
})

describe('checksums of an upload', () => {
  const crc = (bytes: Uint8Array): string => {
    const value = Buffer.alloc(4)
    value.writeUInt32BE(crc32(bytes))
    return value.toString('base64')
  }

  it('of the whole are combined from those of the parts', async () => {
    const headers = { 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-type': 'FULL_OBJECT' }
    const uploadId = await begin('/big/crc', headers)
    const one = await part('/big/crc', uploadId, 1, FIRST, { 'x-amz-checksum-crc32': crc(FIRST) })
    // Computed here when it does not come along.
    const two = await part('/big/crc', uploadId, 2, LAST)
    expect(two.headers['x-amz-checksum-crc32']).toBe(crc(LAST))
    const whole = crc(Buffer.concat([FIRST, LAST]))
    const parts = [
      [1, etagOf(one), `<ChecksumCRC32>${crc(FIRST)}</ChecksumCRC32>`],
      [2, etagOf(two)],
    ] as const
    expect((await complete('/big/crc', uploadId, parts, { 'x-amz-checksum-crc32': crc(LAST) })).xml('Code')).toBe(
      'BadDigest',
    )
    const done = await complete('/big/crc', uploadId, parts, { 'x-amz-checksum-crc32': whole })
    expect([done.status, done.xml('ChecksumCRC32'), done.xml('ChecksumType')]).toEqual([200, whole, 'FULL_OBJECT'])
    const got = await s3.ok({ method: 'HEAD', path: '/big/crc', headers: { 'x-amz-checksum-mode': 'ENABLED' } })
    expect(got.headers).toMatchObject({ 'x-amz-checksum-crc32': whole, 'x-amz-checksum-type': 'FULL_OBJECT' })
    expect(Object.keys(got.headers).filter((name) => name.startsWith(':'))).toEqual([])
  })

  it('composed of those of the parts', async () => {
    const uploadId = await begin('/big/sha', { 'x-amz-checksum-algorithm': 'SHA256' })
    const sha = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
    const one = await part('/big/sha', uploadId, 1, FIRST, { 'x-amz-checksum-sha256': sha(FIRST).toString('base64') })
    const two = await part('/big/sha', uploadId, 2, LAST, { 'x-amz-checksum-sha256': sha(LAST).toString('base64') })
    const done = await complete('/big/sha', uploadId, [
      [1, etagOf(one)],
      [2, etagOf(two)],
    ])
    expect(done.xml('ChecksumSHA256')).toBe(`${sha(Buffer.concat([sha(FIRST), sha(LAST)])).toString('base64')}-2`)
    const other = await begin('/big/sha2', { 'x-amz-checksum-algorithm': 'SHA256' })
    const wrong = await part('/big/sha2', other, 1, LAST, { 'x-amz-checksum-crc32': crc(LAST) })
    expect([wrong.status, wrong.xml('Code')]).toEqual([400, 'InvalidRequest'])
  })

  it.each([
    { 'x-amz-checksum-algorithm': 'MD5' },
    { 'x-amz-checksum-algorithm': 'SHA1', 'x-amz-checksum-type': 'FULL_OBJECT' },
    { 'x-amz-checksum-algorithm': 'CRC64NVME', 'x-amz-checksum-type': 'COMPOSITE' },
    { 'x-amz-checksum-type': 'COMPOSITE' },
  ])('cannot be %j', async (headers) => {
    const got = await s3.send({ method: 'POST', path: '/big/x?uploads', headers: headers as Record<string, string> })
    expect([got.status, got.xml('Code')]).toEqual([400, 'InvalidRequest'])
  })
})
