import { expect, test } from 'vitest'
import {
  createVerifier,
  EMPTY_SHA256,
  type RawRequest,
  type SignedRequest,
  type SigV4Computation,
} from '../src/index.ts'
import { credentials, NOW, TIMESTAMP } from './arbitrary-request.ts'
import { signByHand } from './sign-by-hand.ts'

/** A request, the canonical form AWS documents for it, and requests that form must not fit. */
interface Row {
  readonly service?: string
  readonly method?: string
  readonly target?: string
  readonly path?: string
  readonly query?: string
  /** What arrives, names and values; `Host: h` and the date are there already. */
  readonly arrives?: readonly string[]
  /** Its canonical lines, in the order they are signed; `host` and the date come first. */
  readonly lines?: readonly string[]
  /** What arrives besides and is not signed. */
  readonly unsigned?: readonly string[]
  readonly host?: string
  readonly others?: readonly { readonly target?: string; readonly arrives?: readonly string[] }[]
}

const EURO_BYTES = Buffer.from('€').toString('latin1')

const rows: Readonly<Record<string, Row>> = {
  's3 encodes the path once': {
    target: '/bucket/a%20b%C3%A9',
    path: '/bucket/a%20b%C3%A9',
    others: [{ target: '/bucket/a%2520b%25C3%25A9' }, { target: '/bucket/ab' }],
  },
  's3 encodes what arrives unencoded': { target: "/bucket/a:b!'()*", path: '/bucket/a%3Ab%21%27%28%29%2A' },
  's3 does not normalise': {
    target: '/bucket//a/./../b/',
    path: '/bucket//a/./../b/',
    others: [{ target: '/bucket/b/' }, { target: '/bucket/a/./../b/' }, { target: '/bucket//a/./../b' }],
  },
  's3 takes %2F for /': { target: '/bucket/a%2Fb', path: '/bucket/a/b' },
  's3 leaves + in a path a plus': {
    target: '/bucket/a+b',
    path: '/bucket/a%2Bb',
    others: [{ target: '/bucket/a%20b' }],
  },
  'others encode the path twice': {
    service: 'execute-api',
    target: '/a%20b/%C3%A9',
    path: '/a%2520b/%25C3%25A9',
    others: [{ target: '/a%2520b/%25C3%25A9' }, { target: '/a+b/%C3%A9' }],
  },
  'others normalise': {
    service: 'kms',
    target: '/a/./b/..//c/',
    path: '/a/c/',
    others: [{ target: '/a/b/c/' }, { target: '/a/c/d' }],
  },
  'others keep an encoded dot segment': {
    service: 'kms',
    target: '/a/%2e%2e/b',
    path: '/a/%252e%252e/b',
    others: [{ target: '/b' }],
  },
  'the query is sorted by name': {
    target: '/?b=2&a=1&C=3',
    query: 'C=3&a=1&b=2',
    others: [{ target: '/?b=1&a=2&C=3' }],
  },
  'the query is sorted as it is encoded': { target: '/?a1=x&a:=y&%C3%A9=z', query: '%C3%A9=z&a%3A=y&a1=x' },
  'a name twice is there twice, sorted by value': {
    target: '/?a=2&a=1&a=1',
    query: 'a=1&a=1&a=2',
    others: [{ target: '/?a=2&a=1' }, { target: '/?a=2' }, { target: '/?a=1&a=1&a=1&a=2' }],
  },
  'an empty value and none are one': {
    target: '/?acl&b=&=c',
    query: '=c&acl=&b=',
    others: [{ target: '/?acl&b' }, { target: '/' }, { target: '/?acl=1&b=&=c' }],
  },
  'empty parts do not count': { target: '/?&a=1&&b=2&', query: 'a=1&b=2' },
  'a + in the query is a space': {
    target: '/?a=x+y',
    query: 'a=x%20y',
    others: [{ target: '/?a=x%2By' }, { target: '/?a=xy' }],
  },
  '%20 in the query is a space': { target: '/?a=x%20y', query: 'a=x%20y', others: [{ target: '/?a=x%2520y' }] },
  '%2B in the query is a plus': {
    target: '/?a=x%2By',
    query: 'a=x%2By',
    others: [{ target: '/?a=x+y' }, { target: '/?a=x%20y' }],
  },
  'escapes count in any case, and where none was needed': {
    target: '/%7euser?%61=%c3%a9',
    path: '/~user',
    query: 'a=%C3%A9',
  },
  'a = in a value': { target: '/?a=b=c', query: 'a=b%3Dc', others: [{ target: '/?a=b&=c' }] },
  'headers in the order they are listed': {
    arrives: ['x-amz-meta-b', '2', 'Accept', '*/*', 'x-amz-meta-a', '1'],
    lines: ['x-amz-meta-b:2', 'accept:*/*', 'x-amz-meta-a:1'],
  },
  'headers sorted, whatever order they arrive in': {
    arrives: ['X-Amz-Meta-B', '2', 'X-AMZ-META-A', '1'],
    lines: ['x-amz-meta-a:1', 'x-amz-meta-b:2'],
    others: [{ arrives: ['X-Amz-Meta-B', '1', 'X-AMZ-META-A', '2'] }],
  },
  'a header twice is a list': {
    arrives: ['x-amz-meta-a', 'one', 'X-Amz-Meta-A', 'two, three', 'x-amz-meta-a', ''],
    lines: ['x-amz-meta-a:one,two, three,'],
    others: [
      { arrives: ['x-amz-meta-a', 'two, three', 'x-amz-meta-a', 'one', 'x-amz-meta-a', ''] },
      { arrives: ['x-amz-meta-a', 'one', 'x-amz-meta-a', 'two, three'] },
    ],
  },
  'an empty header': {
    arrives: ['x-amz-meta-a', '', 'x-amz-meta-b', '   '],
    lines: ['x-amz-meta-a:', 'x-amz-meta-b:'],
    others: [{ arrives: ['x-amz-meta-b', ''] }, { arrives: ['x-amz-meta-a', '', 'x-amz-meta-b', 'x'] }],
  },
  'blanks around a value, and several in it': {
    arrives: ['x-amz-meta-a', ' \t a  b \t c  '],
    lines: ['x-amz-meta-a:a b c'],
    others: [{ arrives: ['x-amz-meta-a', 'ab c'] }],
  },
  'a header in UTF-8': {
    arrives: ['x-amz-meta-a', EURO_BYTES],
    lines: [`x-amz-meta-a:${EURO_BYTES}`],
    others: [{ arrives: ['x-amz-meta-a', EURO_BYTES.slice(1)] }],
  },
  'Host with a port': { host: 'kms.example.com:9000' },
  'Host with the port of the scheme': { host: 'kms.example.com:80' },
  'Host in capitals': { host: 'KMS.Example.COM' },
  'Host an IPv6 address': { host: '[::1]:9000' },
  'Expect: 100-continue, signed': { arrives: ['Expect', '100-continue'], lines: ['expect:100-continue'] },
  'Expect: 100-continue, not signed': { unsigned: ['Expect', '100-continue'] },
  'what proxies add': {
    unsigned: [
      'X-Forwarded-For',
      '10.0.0.1',
      'Forwarded',
      'for=10.0.0.1;proto=https',
      'Via',
      '1.1 p',
      'Connection',
      'close',
    ],
  },
  'another method': { method: 'DELETE' },
}

function received(
  row: Row,
  authorization: string,
  change: { target?: string; arrives?: readonly string[] } = {},
): RawRequest {
  return {
    method: row.method ?? 'GET',
    rawTarget: change.target ?? row.target ?? '/',
    rawHeaders: [
      'Host',
      row.host ?? 'h',
      'X-Amz-Date',
      TIMESTAMP,
      'Authorization',
      authorization,
      ...(change.arrives ?? row.arrives ?? []),
      ...(row.unsigned ?? []),
    ],
  }
}

function sign(row: Row) {
  const canonical = {
    method: row.method ?? 'GET',
    path: row.path ?? '/',
    query: row.query ?? '',
    headers: [`host:${row.host ?? 'h'}`, `x-amz-date:${TIMESTAMP}`, ...(row.lines ?? [])],
    payloadHash: EMPTY_SHA256,
  }
  return signByHand(canonical, credentials, { timestamp: TIMESTAMP, region: 'us-east-1', service: row.service ?? 's3' })
}

async function verify(request: RawRequest, secretAccessKey = credentials.secretAccessKey): Promise<void> {
  const verifier = createVerifier({
    services: ['s3', 'execute-api', 'kms'],
    now: () => NOW,
    debug: true,
    credentials: () => ({ secretAccessKey }),
  })
  await verifier.verify(verifier.parse(request) as SignedRequest, EMPTY_SHA256)
}

const table = Object.entries(rows)

test.each(table)('%s', async (_, row) => {
  await expect(verify(received(row, sign(row).authorization))).resolves.toBeUndefined()
})

test.each(table)('%s: that is the standard form, not merely one that is accepted', async (_, row) => {
  const { canonicalRequest, authorization } = sign(row)
  const error: unknown = await verify(received(row, authorization), 'another').catch((thrown: unknown) => thrown)
  expect((error as { computed?: SigV4Computation }).computed?.canonicalRequest).toBe(canonicalRequest)
})

test.each(
  table.flatMap(([name, row]) => (row.others ?? []).map((other) => [name, JSON.stringify(other), row, other] as const)),
)('%s: not %s', async (_name, _text, row, other) => {
  const refused = async (): Promise<void> => verify(received(row, sign(row).authorization, other))
  await expect(refused()).rejects.toMatchObject({ name: 'SigV4Error', code: 'SignatureDoesNotMatch' })
})

test('of unsigned headers only those that mean nothing to the request may be there', async () => {
  const row = rows['another method'] as Row
  const { authorization } = sign(row)
  for (const name of ['x-amz-acl', 'X-Amz-Meta-A', 'x-amz-security-token']) {
    const refused = async (): Promise<void> => verify(received(row, authorization, { arrives: [name, 'x'] }))
    await expect(refused()).rejects.toMatchObject({ code: 'AccessDenied' })
  }
})
