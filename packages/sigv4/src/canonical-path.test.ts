import { describe, expect, test } from 'vitest'
import { canonicalPath, otherPathSpellings } from './canonical-path.ts'

describe('s3: decoded, encoded once, never normalised', () => {
  test.each([
    ['/', '/'],
    ['/bucket/key', '/bucket/key'],
    ['/bucket//a/./../b', '/bucket//a/./../b'],
    ['/a%20b', '/a%20b'],
    ['/a%2520b', '/a%2520b'],
    ['/a+b', '/a%2Bb'],
    ['/test$file.text', '/test%24file.text'],
    ['/%7euser/%c3%a9', '/~user/%C3%A9'],
    ["/!'()*", '/%21%27%28%29%2A'],
    ['/a%2Fb', '/a/b'],
  ])('%s → %s', (raw, canonical) => expect(canonicalPath(raw, 's3')).toBe(canonical))
})

describe('other services: normalised, then encoded again', () => {
  test.each([
    ['/', '/'],
    ['//', '/'],
    ['/./', '/'],
    ['/./foo', '/foo'],
    ['/foo/bar/..', '/foo/'],
    ['/foo/bar/../..', '/'],
    ['/../../foo', '/foo'],
    ['//foo//', '/foo/'],
    ['/foo/.hidden', '/foo/.hidden'],
    ['/foo/%2e%2e/bar', '/foo/%252e%252e/bar'],
    ['/a%20b', '/a%2520b'],
    ['/arn:aws/a=b', '/arn%3Aaws/a%3Db'],
    ['/a%2Fb', '/a%252Fb'],
  ])('%s → %s', (raw, canonical) => expect(canonicalPath(raw, 'execute-api')).toBe(canonical))
})

test.each(['s3', 'kms'])('%s: a broken escape and bytes that are not UTF-8 are refused', (service) => {
  for (const raw of ['/%', '/%4', '/%zz', '/%ff', '/%c0%80', '/%ed%a0%80']) {
    expect(() => canonicalPath(raw, service)).toThrow(expect.objectContaining({ code: 'InvalidURI', status: 400 }))
  }
})

test('other spellings never make one signature fit two paths', () => {
  expect(otherPathSpellings('/a:b', 's3')).toEqual(['/a:b'])
  expect(otherPathSpellings('/a%20b', 'kms')).toEqual(['/a%2520b', '/a%20b'])
  expect(otherPathSpellings('/a%2520b', 'kms')).toEqual(['/a%252520b'])
  expect(otherPathSpellings('//a/../b', 'kms')).toEqual(['//a/../b', '//a/../b'])
})
