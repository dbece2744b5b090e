import { expect, it } from 'vitest'
import { CliError } from '../exit-codes.ts'
import { readObjectName, readPrefix } from './object-name.ts'

it.each([
  ['b/k', 'b', 'k'],
  ['s3://b/a/b', 'b', 'a/b'],
  ['b//k', 'b', '/k'],
  ['b/a/', 'b', 'a/'],
  ['b/s3://c', 'b', 's3://c'],
])('%s names an object', (text, bucket, key) => {
  expect(readObjectName(text)).toEqual({ bucket, key })
})

it.each([
  ['b', 'letter.txt'],
  ['b/', 'letter.txt'],
  ['b/a/', 'a/letter.txt'],
  ['b/a', 'a'],
])('%s takes the name of the file where it has none', (text, key) => {
  expect(readObjectName(text, '/tmp/letter.txt')).toEqual({ bucket: 'b', key })
})

it.each(['', '/', '/k', 's3://', 's3:///k', 'b', 'b/'])('%j names none', (text) => {
  expect(() => readObjectName(text)).toThrow(CliError)
})

it('a prefix may be empty', () => {
  expect(readPrefix('b')).toEqual({ bucket: 'b', prefix: '' })
  expect(readPrefix('s3://b/a/')).toEqual({ bucket: 'b', prefix: 'a/' })
})
