import { describe, expect, it } from 'vitest'
import { isKeyName, parseKeyReference } from './key-name.ts'

describe('isKeyName', () => {
  it.each([
    'a',
    '_',
    'rustfs-master',
    'rotation-2024-09',
    'a.b',
    'A'.repeat(128),
    '0c9a4f6e-0b1f-4b4e-9a8e-1f1d3c2b7a60',
    '__proto__',
  ])('takes %s', (name) => expect(isKeyName(name)).toBe(true))

  it.each([
    '',
    '.',
    '-a',
    'a-',
    '.a',
    'a.',
    'a..b',
    'a/b',
    'a b',
    'a\0',
    'é',
    'A'.repeat(129),
    'a\n',
    '~a',
    'delete',
    'import-parameters',
    'alias',
  ])('refuses %j', (name) => expect(isKeyName(name)).toBe(false))
})

describe('parseKeyReference', () => {
  it.each([
    ['my-key', { name: 'my-key' }],
    ['alias/my-key', { name: 'my-key', kind: 'alias' }],
    ['arn:aws:kms:::key/my-key', { name: 'my-key', kind: 'key' }],
    ['arn:aws:kms:us-east-1:123456789012:key/my-key', { name: 'my-key', kind: 'key' }],
    ['arn:aws:kms:us-east-1:123456789012:alias/my-key', { name: 'my-key', kind: 'alias' }],
    ['arn:aws-us-gov:kms:::key/k', { name: 'k', kind: 'key' }],
  ])('reads %s', (text, reference) => {
    expect(parseKeyReference(text)).toEqual(reference)
  })

  it.each([
    '',
    'alias/',
    'alias/a/b',
    'arn:aws:s3:::key/a',
    'arn:aws:kms:::grant/a',
    'arn:aws:kms:::key/../a',
    'key/a',
    'arn:',
  ])('refuses %j', (text) =>
    expect(() => parseKeyReference(text, 'default_key_id')).toThrow(
      expect.objectContaining({ code: 'ValidationError', message: expect.stringMatching(/^default_key_id: /) }),
    ),
  )
})
