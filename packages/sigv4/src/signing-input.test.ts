import { expect, test } from 'vitest'
import { type PresignOptions, presignUrl } from './presign-url.ts'
import { type SignRequestOptions, signRequest } from './sign-request.ts'

const base: SignRequestOptions = {
  method: 'PUT',
  url: 'https://localhost:443/b/k#fragment',
  region: 'us-east-1',
  service: 's3',
  credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret' },
  now: () => Date.UTC(2026, 10, 23),
}
const presign: PresignOptions = { ...base, url: 'https://h/b/k', expiresSeconds: 60 }

test('every header to send comes back, in lower case', () => {
  const headers = new Headers([
    ['Content-Type', 'text/plain'],
    ['X-Amz-Meta-A', 'b'],
  ])
  const { authorization, ...rest } = signRequest({ ...base, headers, body: 'hello' })
  expect(rest).toEqual({
    host: 'localhost',
    'content-type': 'text/plain',
    'x-amz-meta-a': 'b',
    'x-amz-date': '20261123T000000Z',
    'x-amz-content-sha256': '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
  })
  expect(authorization).toContain('SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a,')
})

test('headers may be a Map, pairs or an object, and Host may be given', () => {
  const object = { host: 'other:1', 'x-a': '1' }
  const signed = signRequest({ ...base, headers: object })
  expect(signed['host']).toBe('other:1')
  expect(signRequest({ ...base, headers: Object.entries(object) })).toEqual(signed)
  expect(signRequest({ ...base, headers: new Map(Object.entries(object)) })).toEqual(signed)
})

test('headers a hop may change are sent but not signed', () => {
  const signed = signRequest({ ...base, headers: { 'User-Agent': 'x', Connection: 'close' } })
  expect(signed).toMatchObject({ 'user-agent': 'x', connection: 'close' })
  expect(signed['authorization']).toContain('SignedHeaders=host;x-amz-content-sha256;x-amz-date,')
})

test('a header named __proto__ is a header like others', () => {
  const signed = signRequest({ ...base, headers: [['__proto__', 'x']] })
  expect(Object.hasOwn(signed, '__proto__')).toBe(true)
  expect(signed['authorization']).toContain('SignedHeaders=__proto__;host;')
})

test('a target is signed as it is', () => {
  const { url: _, ...rest } = base
  const viaTarget = (target: string): string | undefined =>
    signRequest({ ...rest, target, host: 'localhost' })['authorization']
  expect(viaTarget('/b/k')).toBe(signRequest(base)['authorization'])
  expect(viaTarget('/b/a/../k')).not.toBe(viaTarget('/b/k'))
  expect(() => viaTarget('b/k')).toThrow(expect.objectContaining({ code: 'InvalidURI' }))
})

test.each<[string, object]>([
  ['authorization given', { headers: { Authorization: 'x' } }],
  ['x-amz-date given', { headers: { 'X-Amz-Date': 'x' } }],
  ['x-amz-content-sha256 given', { headers: { 'x-amz-content-sha256': 'x' } }],
  ['x-amz-security-token given', { headers: { 'x-amz-security-token': 'x' } }],
  ['a value HTTP can’t carry', { headers: { 'x-amz-meta-a': '€' } }],
  ['a payload hash that is none', { payloadHash: 'x' }],
  ['a region with a slash', { region: 'a/b' }],
  ['an empty service', { service: '' }],
  ['an access key with a blank', { credentials: { accessKeyId: 'a b', secretAccessKey: 's' } }],
  ['an empty access key', { credentials: { accessKeyId: '', secretAccessKey: 's' } }],
])('refuses %s', (_, wrong) => {
  expect(() => signRequest({ ...base, ...wrong })).toThrow(TypeError)
  expect(() => presignUrl({ ...presign, ...wrong })).toThrow(TypeError)
})

test('refuses body and payload hash at once', () => {
  expect(() => signRequest({ ...base, body: 'x', payloadHash: 'UNSIGNED-PAYLOAD' })).toThrow(TypeError)
})

test.each([0, -1, 604_801, 1.5, Number.NaN])('refuses a lifetime of %d s', (expiresSeconds) => {
  expect(() => presignUrl({ ...presign, expiresSeconds })).toThrow(RangeError)
})

test('refuses to presign twice', () => {
  expect(() => presignUrl({ ...presign, url: presignUrl(presign) })).toThrow(TypeError)
})

test('a presigned URL names its payload hash, token and headers', () => {
  const { searchParams } = new URL(
    presignUrl({
      ...presign,
      headers: { 'x-amz-acl': 'private' },
      payloadHash: 'UNSIGNED-PAYLOAD',
      credentials: { ...base.credentials, sessionToken: 'a/b' },
    }),
  )
  expect(Object.fromEntries(searchParams)).toMatchObject({
    'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD',
    'X-Amz-Security-Token': 'a/b',
    'X-Amz-SignedHeaders': 'host;x-amz-acl',
  })
})
