import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, startHarness } from './harness.ts'

let s3: Harness
const KEYS = ['a', 'a/1', 'a/2', 'b c', 'b+c', 'b/x/1', 'd&<>"', 'é', '\u0001']
beforeAll(async () => {
  s3 = await startHarness()
  await s3.ok({ method: 'PUT', path: '/keys' })
  for (const key of KEYS) await s3.ok({ method: 'PUT', path: `/keys/${encodeURIComponent(key)}`, body: key })
})
afterAll(() => s3.stop())

const SORTED = ['\u0001', 'a', 'a/1', 'a/2', 'b c', 'b+c', 'b/x/1', 'd&<>"', 'é']
const encoded = (keys: readonly string[]): readonly string[] =>
  keys.map((key) => encodeURIComponent(key).replaceAll('%2F', '/'))

describe('ListObjectsV2', () => {
  it('lists keys with what there is to say of them', async () => {
    const got = await s3.ok({ path: '/keys?list-type=2&prefix=a' })
    expect(got.all('Key')).toEqual(['a', 'a/1', 'a/2'])
    expect(got.all('Size')).toEqual(['1', '3', '3'])
    expect(got.all('ETag')).toEqual([
      '"0cc175b9c0f1b6a831c399e269772661"',
      expect.stringMatching(/^"[0-9a-f]{32}"$/) as unknown,
      expect.stringMatching(/^"[0-9a-f]{32}"$/) as unknown,
    ])
    expect([got.xml('KeyCount'), got.xml('IsTruncated'), got.xml('MaxKeys'), got.xml('Name')]).toEqual([
      '3',
      'false',
      '1000',
      'keys',
    ])
    expect(got.all('Owner')).toEqual([])
    expect((await s3.ok({ path: '/keys?list-type=2&prefix=a&fetch-owner=true' })).all('DisplayName')).toHaveLength(3)
  })

  it('encodes names when it is asked to, and escapes them always', async () => {
    const got = await s3.ok({ path: '/keys?list-type=2&encoding-type=url&prefix=&delimiter=%26' })
    expect(got.all('Key')).toEqual(encoded(SORTED.filter((key) => !key.includes('&'))))
    expect(got.xml('Delimiter')).toBe('%26')
    expect(got.all('Prefix')).toEqual(['', 'd%26'])
    const plain = await s3.ok({ path: '/keys?list-type=2&prefix=d' })
    expect(plain.text).toContain('<Key>d&amp;&lt;&gt;&quot;</Key>')
    expect((await s3.ok({ path: '/keys?list-type=2&prefix=%01' })).text).toContain('<Key>&#x1;</Key>')
  })

  it('pages with tokens, of keys and common prefixes alike', async () => {
    for (const limit of [1, 2, 3, 4]) {
      const seen: string[] = []
      let token = ''
      do {
        const query = `list-type=2&encoding-type=url&delimiter=/&max-keys=${limit}${token === '' ? '' : `&continuation-token=${token}`}`
        const page = await s3.ok({ path: `/keys?${query}` })
        const entries = [...page.all('Key'), ...page.all('Prefix').slice(1)]
        expect(entries).toHaveLength(Number(page.xml('KeyCount')))
        seen.push(...entries)
        token = page.xml('NextContinuationToken') ?? ''
        expect(page.xml('IsTruncated')).toBe(String(token !== ''))
      } while (token !== '')
      expect(seen.sort()).toEqual(encoded(['\u0001', 'a', 'b c', 'b+c', 'd&<>"', 'é', 'a/', 'b/']).toSorted())
    }
  })

  it('starts after a key, also within a common prefix', async () => {
    expect((await s3.ok({ path: '/keys?list-type=2&start-after=b%2Bc' })).all('Key')).toEqual(['b/x/1', 'd&<>"', 'é'])
    const inside = await s3.ok({ path: '/keys?list-type=2&delimiter=/&start-after=a/1' })
    expect(inside.all('Prefix')).toContain('a/')
  })

  it('lists nothing when it may list nothing', async () => {
    const got = await s3.ok({ path: '/keys?list-type=2&max-keys=0' })
    expect([got.all('Key'), got.xml('IsTruncated'), got.xml('KeyCount')]).toEqual([[], 'false', '0'])
  })

  it.each([
    'list-type=3',
    'list-type=2&max-keys=abc',
    'list-type=2&max-keys=-1',
    'list-type=2&encoding-type=base64',
    'list-type=2&continuation-token=',
    'list-type=2&continuation-token=%21',
    'list-type=2&prefix=a&prefix=b',
    'max-keys=1.5',
  ])('refuses %s', async (query) => {
    const got = await s3.send({ path: `/keys?${query}` })
    expect([got.status, got.xml('Code')]).toEqual([400, 'InvalidArgument'])
  })
})

describe('ListObjects', () => {
  it('pages with markers', async () => {
    const first = await s3.ok({ path: '/keys?max-keys=2&delimiter=/' })
    expect([first.all('Key'), first.xml('NextMarker')]).toEqual([['&#x1;', 'a'], 'a'])
    const second = await s3.ok({ path: '/keys?max-keys=2&delimiter=/&marker=a' })
    expect([second.all('Prefix'), second.all('Key'), second.xml('NextMarker')]).toEqual([['', 'a/'], ['b c'], 'b c'])
    // A common prefix that a marker lies in was listed before.
    const third = await s3.ok({ path: '/keys?delimiter=/&marker=a/1' })
    expect(third.all('Prefix')).toEqual(['', 'b/'])
    expect((await s3.ok({ path: '/keys?max-keys=1' })).xml('NextMarker')).toBeUndefined()
    expect((await s3.ok({ path: '/keys?marker=b%2Fx%2F1' })).all('Key')).toEqual(['d&<>"', 'é'])
  })
})

describe('ListObjectVersions', () => {
  it('lists the null version of every key, in pages', async () => {
    const got = await s3.ok({ path: '/keys?versions&prefix=a&max-keys=2' })
    expect([got.all('Key'), got.all('VersionId'), got.all('IsLatest')]).toEqual([
      ['a', 'a/1'],
      ['null', 'null'],
      ['true', 'true'],
    ])
    expect([got.xml('NextKeyMarker'), got.xml('NextVersionIdMarker')]).toEqual(['a/1', 'null'])
    const rest = await s3.ok({ path: '/keys?versions&prefix=a&key-marker=a/1&version-id-marker=null' })
    expect(rest.all('Key')).toEqual(['a/2'])
    expect((await s3.send({ path: '/keys?versions&version-id-marker=null' })).xml('Code')).toBe('InvalidArgument')
  })
})

it('a record that cannot be read hides no other', async () => {
  const body = async function* () {
    yield Buffer.from('x')
  }
  await s3.ok({ method: 'PUT', path: '/damaged' })
  await s3.ok({ method: 'PUT', path: '/damaged/a', body: 'x' })
  await s3.store.putObject({
    bucket: 'damaged',
    key: 'b',
    body: body(),
    finish: () => ({ metadata: Buffer.from('not a record') }),
  })
  await s3.ok({ method: 'PUT', path: '/damaged/c', body: 'x' })
  const got = await s3.ok({ path: '/damaged?list-type=2' })
  expect([got.all('Key'), got.all('ETag').length]).toEqual([['a', 'b', 'c'], 2])
  const read = await s3.send({ path: '/damaged/b' })
  expect([read.status, read.xml('Code')]).toEqual([500, 'InternalError'])
})
