import { expect, test } from 'vitest'
import { parseAuthorization } from './authorization-header.ts'

const signature = 'a'.repeat(64)
const header = (accessKeyId: string, end = signature, lead = ''): string =>
  `AWS4-HMAC-SHA256 ${lead}Credential=${accessKeyId}/20261123/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=${end}`
const malformed = expect.objectContaining({ code: 'AuthorizationHeaderMalformed' })

test('a header read again says the same, however many others came between', () => {
  for (let turn = 0; turn < 3; turn++) {
    for (let index = 0; index < 1100; index++) {
      const end = index.toString(16).padStart(64, '0')
      expect(parseAuthorization(header(`AKID${index}`, end))).toEqual({
        terms: {
          credential: {
            accessKeyId: `AKID${index}`,
            day: '20261123',
            region: 'us-east-1',
            service: 's3',
            scope: '20261123/us-east-1/s3/aws4_request',
            text: `AKID${index}/20261123/us-east-1/s3/aws4_request`,
          },
          signedHeaders: { list: 'host;x-amz-date', names: ['host', 'x-amz-date'], obligatory: 1 },
        },
        signature: end,
      })
    }
  }
})

test.each([
  ['upper case', 'A'.repeat(64)],
  ['another field', `${'a'.repeat(60)},x=y`],
  ['a field twice', ', Credential=a'.padStart(64, 'a')],
  ['a blank at the end', `${'a'.repeat(63)} `],
  ['a blank at the beginning', ` ${'a'.repeat(63)}`],
])('an end that is no signature is refused after a beginning that is known: %s', (_, end) => {
  parseAuthorization(header('AKID'))
  expect(() => parseAuthorization(header('AKID', end))).toThrow(malformed)
})

test('one digit more or less is refused as well', () => {
  parseAuthorization(header('AKID'))
  for (const end of [`${signature}a`, signature.slice(1), '']) {
    expect(() => parseAuthorization(header('AKID', end))).toThrow(malformed)
  }
})

test('the signature may stand elsewhere, blanks may be missing or surround it', () => {
  const terms = { credential: { accessKeyId: 'AKID' }, signedHeaders: { list: 'host' } }
  const credential = 'Credential=AKID/20261123/us-east-1/s3/aws4_request'
  for (const text of [
    `AWS4-HMAC-SHA256 Signature=${signature},${credential},SignedHeaders=host`,
    `AWS4-HMAC-SHA256  ${credential} , Signature=${signature} , SignedHeaders=host`,
    `AWS4-HMAC-SHA256 ${credential},SignedHeaders=host,Signature=${signature} `,
  ]) {
    for (let turn = 0; turn < 2; turn++) expect(parseAuthorization(text)).toMatchObject({ terms, signature })
  }
})

test('what is remembered cannot be changed for the requests that follow', () => {
  const { names } = parseAuthorization(header('AKID')).terms.signedHeaders
  expect(() => (names as string[]).push('x')).toThrow(TypeError)
})

test('a very long header is read each time alike', () => {
  const long = header('K'.repeat(2000))
  for (let turn = 0; turn < 2; turn++) {
    expect(parseAuthorization(long).terms.credential.accessKeyId).toHaveLength(2000)
  }
})
