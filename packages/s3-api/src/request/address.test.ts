import { expect, it } from 'vitest'
import { bucketOfHost, findAddress } from './address.ts'

it.each([
  ['photos.localhost', 'photos'],
  ['photos.localhost:9000', 'photos'],
  ['PHOTOS.LocalHost:9000', 'photos'],
  ['a.b.localhost', 'a.b'],
  ['photos.s3.example.org', 'photos'],
  ['localhost', undefined],
  ['localhost:9000', undefined],
  ['.localhost', undefined],
  ['notlocalhost', undefined],
  ['127.0.0.1:9000', undefined],
  ['s3.example.org', undefined],
  ['other.org', undefined],
  [undefined, undefined],
])('the host %s names the bucket %s', (host, bucket) => {
  expect(bucketOfHost(host, ['localhost', 's3.example.org'])).toBe(bucket)
})

it.each([
  ['/', undefined, { scope: 'service' }],
  ['/photos', undefined, { scope: 'bucket', bucket: 'photos' }],
  ['/photos/', undefined, { scope: 'bucket', bucket: 'photos' }],
  ['/photos/a/b', undefined, { scope: 'object', bucket: 'photos', key: 'a/b' }],
  ['/photos//a', undefined, { scope: 'object', bucket: 'photos', key: '/a' }],
  ['/photos/../a', undefined, { scope: 'object', bucket: 'photos', key: '../a' }],
  ['/photos%2Fa', undefined, { scope: 'object', bucket: 'photos', key: 'a' }],
  ['/photos/a+b', undefined, { scope: 'object', bucket: 'photos', key: 'a+b' }],
  ['/', 'photos.localhost', { scope: 'bucket', bucket: 'photos' }],
  ['/rustfs/admin', 'photos.localhost', { scope: 'object', bucket: 'photos', key: 'rustfs/admin' }],
  ['//a', 'photos.localhost', { scope: 'object', bucket: 'photos', key: '/a' }],
])('%s at %s is %j', (path, host, address) => {
  expect(findAddress(path, host, ['localhost'])).toEqual(address)
})

it('a key without a bucket is none', () => {
  expect(() => findAddress('//a', undefined, [])).toThrow(expect.objectContaining({ code: 'InvalidBucketName' }))
})
