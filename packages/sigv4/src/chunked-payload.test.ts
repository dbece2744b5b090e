import { expect, test } from 'vitest'
import { checkPayload } from './payload.ts'
import { presignUrl } from './presign-url.ts'
import { signWithHeader } from './sign-request.ts'
import type { SignedRequest } from './signed-request.ts'
import { createVerifier } from './verifier.ts'

const NOW = Date.UTC(2026, 10, 23, 12)
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
const PLAIN = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
const TRAILER = `${PLAIN}-TRAILER`
const UNSIGNED = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
const LENGTH = ['x-amz-decoded-content-length', '5'] as const
const CRC32 = ['x-amz-trailer', 'x-amz-checksum-crc32'] as const

/** The claim of a well-signed request with these headers. */
function parse(
  contentSha256: string,
  headers: readonly (readonly [string, string])[],
  { streaming = true, service = 's3', unsigned = [] as readonly string[] } = {},
): SignedRequest {
  const url = 'http://localhost/bucket/key'
  const options = { method: 'PUT', url, region: 'us-east-1', service, credentials, now: () => NOW }
  const signed = signWithHeader(options, contentSha256, headers).headers
  const services = ['s3', 'kms']
  const verifier = createVerifier({ services, streaming, now: () => NOW, credentials: () => credentials })
  const rawHeaders = [...Object.entries(signed).flat(), ...unsigned]
  return verifier.parse({ method: 'PUT', rawTarget: '/bucket/key', rawHeaders }) as SignedRequest
}

test.each([
  [PLAIN, [LENGTH], true, undefined],
  [TRAILER, [LENGTH, CRC32], true, 'CRC32'],
  [TRAILER, [LENGTH, ['x-amz-trailer', 'X-Amz-Checksum-CRC64NVME']], true, 'CRC64NVME'],
  [UNSIGNED, [LENGTH, ['x-amz-trailer', 'x-amz-checksum-sha256']], false, 'SHA256'],
] as const)('%s %j', (form, headers, signed, trailer) => {
  const claim = parse(form, headers)
  const payload = { kind: 'chunked', form, signed, trailer, decodedLength: 5, contentEncoding: undefined }
  expect(claim.payload).toEqual(payload)
  expect(() => checkPayload(claim, Buffer.alloc(0))).toThrow(TypeError)
})

test.each([
  ['aws-chunked', undefined],
  ['AWS-Chunked', undefined],
  ['gzip', 'gzip'],
  ['aws-chunked,gzip', 'gzip'],
  ['aws-chunked, gzip', 'gzip'],
  ['gzip,aws-chunked', 'gzip'],
  ['gzip, aws-chunked, br', 'gzip, br'],
  ['', undefined],
])('Content-Encoding %j leaves %j for the object', (sent, contentEncoding) => {
  expect(parse(PLAIN, [LENGTH, ['content-encoding', sent]]).payload).toMatchObject({ contentEncoding })
})

test.each([
  ['no length', PLAIN, [], 'MissingContentLength', 411],
  ['an empty length', PLAIN, [['x-amz-decoded-content-length', '']], 'InvalidArgument', 400],
  ['a negative length', PLAIN, [['x-amz-decoded-content-length', '-1']], 'InvalidArgument', 400],
  ['a length in hex', PLAIN, [['x-amz-decoded-content-length', '0x5']], 'InvalidArgument', 400],
  ['a length of 16 digits', PLAIN, [['x-amz-decoded-content-length', '1'.repeat(16)]], 'InvalidArgument', 400],
  ['a trailer the form has not', PLAIN, [LENGTH, CRC32], 'MalformedTrailerError', 400],
  ['a trailer with a plain body', 'UNSIGNED-PAYLOAD', [CRC32], 'MalformedTrailerError', 400],
  ['a signed form without its trailer', TRAILER, [LENGTH], 'MalformedTrailerError', 400],
  ['an unsigned form without its trailer', UNSIGNED, [LENGTH], 'MalformedTrailerError', 400],
  ['a trailer that is no checksum', UNSIGNED, [LENGTH, ['x-amz-trailer', 'x-amz-meta-a']], 'InvalidRequest', 400],
  ['two trailers', UNSIGNED, [LENGTH, ['x-amz-trailer', `${CRC32[1]},x-amz-checksum-sha1`]], 'InvalidRequest', 400],
  ['a checksum in both places', UNSIGNED, [LENGTH, CRC32, ['x-amz-checksum-sha1', 'x']], 'InvalidRequest', 400],
  ['signature version 4a', 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD', [LENGTH], 'NotImplemented', 501],
  ['a form nobody knows', 'STREAMING-UNSIGNED-PAYLOAD', [LENGTH], 'NotImplemented', 501],
  ['a form in lower case', PLAIN.toLowerCase(), [LENGTH], 'InvalidArgument', 400],
] as const)('refuses %s', (_, form, headers, code, status) => {
  expect(() => parse(form, headers)).toThrow(expect.objectContaining({ code, status }))
})

test('chunked bodies are not implemented unless asked for, for other services, and for presigned URLs', () => {
  const refused = expect.objectContaining({ code: 'NotImplemented', status: 501 })
  expect(() => parse(PLAIN, [LENGTH], { streaming: false })).toThrow(refused)
  expect(() => parse(PLAIN, [LENGTH], { service: 'kms' })).toThrow(refused)
  const options = { method: 'PUT', region: 'us-east-1', service: 's3', credentials, now: () => NOW }
  const url = new URL(presignUrl({ ...options, url: 'http://localhost/bucket/key', expiresSeconds: 60 }))
  const verifier = createVerifier({ services: ['s3'], streaming: true, now: () => NOW, credentials: () => credentials })
  const rawHeaders = ['Host', 'localhost', 'x-amz-content-sha256', PLAIN]
  expect(() => verifier.parse({ method: 'PUT', rawTarget: url.pathname + url.search, rawHeaders })).toThrow(refused)
})

test.each([LENGTH, CRC32])('refuses %s sent twice', (...header) => {
  const refused = expect.objectContaining({ code: 'InvalidArgument', status: 400 })
  expect(() => parse(UNSIGNED, [LENGTH, CRC32], { unsigned: header })).toThrow(refused)
})

test('what announces the chunks must be signed', () => {
  const refused = expect.objectContaining({ code: 'AccessDenied' })
  expect(() => parse(PLAIN, [], { unsigned: [...LENGTH] })).toThrow(refused)
  expect(() => parse(UNSIGNED, [LENGTH], { unsigned: [...CRC32] })).toThrow(refused)
})

test('a chunked body has no one hash', async () => {
  const url = 'http://localhost/bucket/key'
  const options = { method: 'PUT', url, region: 'us-east-1', service: 's3', credentials, now: () => NOW }
  const rawHeaders = Object.entries(signWithHeader(options, PLAIN, [LENGTH]).headers).flat()
  const verifier = createVerifier({ services: ['s3'], streaming: true, now: () => NOW, credentials: () => credentials })
  const claim = verifier.parse({ method: 'PUT', rawTarget: '/bucket/key', rawHeaders }) as SignedRequest
  await expect(verifier.verify(claim, '0'.repeat(64))).rejects.toThrow(TypeError)
  expect(await verifier.verify(claim)).toBe(credentials)
})
