import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { presignUrl } from './presign-url.ts'
import { signRequest } from './sign-request.ts'
import type { RawRequest, SignedRequest } from './signed-request.ts'
import type { SigV4ErrorCode } from './sigv4-error.ts'
import { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'

const NOW = Date.UTC(2026, 10, 23, 12)
const DAY = 86_400_000
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const signing = { method: 'GET', region: 'us-east-1', service: 's3', credentials, now: () => NOW }
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

function verifierWith(options: Partial<VerifierOptions<typeof credentials>> = {}): Verifier<typeof credentials> {
  return createVerifier({
    services: ['s3', 'execute-api', 'kms', 'sts'],
    now: () => NOW,
    credentials: (accessKeyId) => (accessKeyId === credentials.accessKeyId ? credentials : undefined),
    ...options,
  })
}

const headers = signRequest({ ...signing, url: 'http://localhost:9000/bucket/key?a=1' })

/** The request above, with headers replaced (or removed by `undefined`) and more appended. */
function byHeader(
  replaced: Readonly<Record<string, string | undefined>> = {},
  more: readonly string[] = [],
  rawTarget = '/bucket/key?a=1',
): RawRequest {
  const entries = Object.entries({ ...headers, ...replaced }).filter((entry) => entry[1] !== undefined)
  return { method: 'GET', rawTarget, rawHeaders: [...(entries.flat() as string[]), ...more] }
}

const authorization = headers['authorization'] as string
const withAuthorization = (from: string | RegExp, to: string): RawRequest =>
  byHeader({ authorization: authorization.replace(from, to) })

const presigned = new URL(presignUrl({ ...signing, url: 'http://localhost:9000/bucket/key?a=1', expiresSeconds: 60 }))

function byQuery(change: (search: string) => string = (search) => search, more: readonly string[] = []): RawRequest {
  const rawTarget = presigned.pathname + change(presigned.search)
  return { method: 'GET', rawTarget, rawHeaders: ['Host', 'localhost:9000', ...more] }
}

const withQuery = (from: string | RegExp, to: string): RawRequest => byQuery((search) => search.replace(from, to))

const refusedByParse: readonly (readonly [string, RawRequest, SigV4ErrorCode, number])[] = [
  ['a target in absolute form', byHeader({}, [], 'http://localhost:9000/bucket/key?a=1'), 'InvalidURI', 400],
  ['an empty target', byHeader({}, [], ''), 'InvalidURI', 400],
  ['a raw space in the target', byHeader({}, [], '/bucket/k ey'), 'InvalidURI', 400],
  ['a raw UTF-8 byte in the target', byHeader({}, [], '/bucket/k\u00c3'), 'InvalidURI', 400],
  ['a fragment', byHeader({}, [], '/bucket/key#x'), 'InvalidURI', 400],
  ['a backslash', byHeader({}, [], '/bucket\\key'), 'InvalidURI', 400],
  ['a broken escape in the path', byHeader({}, [], '/bucket/%zz'), 'InvalidURI', 400],
  ['a broken escape in the query', byHeader({}, [], '/bucket?a=%f'), 'InvalidURI', 400],
  ['a broken escape in an unsigned request', { method: 'GET', rawTarget: '/?%', rawHeaders: [] }, 'InvalidURI', 400],
  ['a method that is no token', { ...byHeader(), method: 'GET\n' }, 'InvalidRequest', 400],
  ['a line break in a header', byHeader({}, ['x', 'a\nb']), 'InvalidArgument', 400],
  ['a character beyond Latin-1 in a header', byHeader({}, ['x', '€']), 'InvalidArgument', 400],
  ['two Authorization headers', byHeader({}, ['Authorization', authorization]), 'InvalidArgument', 400],
  ['two Host headers', byHeader({}, ['HOST', 'localhost:9000']), 'InvalidArgument', 400],
  ['two dates', byHeader({}, ['X-Amz-Date', '20261123T120000Z']), 'InvalidArgument', 400],
  ['two payload hashes', byHeader({}, ['X-Amz-Content-SHA256', EMPTY]), 'InvalidArgument', 400],
  ['header and query signature at once', byQuery(undefined, ['Authorization', authorization]), 'InvalidArgument', 400],
  ['a scheme that is not AWS’s', byHeader({ authorization: 'Bearer x' }), 'InvalidArgument', 400],
  ['an empty Authorization header', byHeader({ authorization: '' }), 'InvalidArgument', 400],
  ['a version 2 header', byHeader({ authorization: 'AWS AKID:c2ln' }), 'InvalidRequest', 400],
  ['a version 4a header', withAuthorization('HMAC-SHA256', 'ECDSA-P256-SHA256'), 'InvalidRequest', 400],
  [
    'a version 2 query',
    byHeader({ authorization: undefined }, [], '/b/k?AWSAccessKeyId=A&Expires=1&Signature=s'),
    'InvalidRequest',
    400,
  ],
  ['no Credential', withAuthorization(/Credential=[^,]*, /, ''), 'AuthorizationHeaderMalformed', 400],
  ['no SignedHeaders', withAuthorization(/SignedHeaders=[^,]*, /, ''), 'AuthorizationHeaderMalformed', 400],
  ['no Signature', withAuthorization(/, Signature=.*/, ''), 'AuthorizationHeaderMalformed', 400],
  ['an unknown field', withAuthorization(/$/, ', x=y'), 'AuthorizationHeaderMalformed', 400],
  ['a field without a value', withAuthorization(/$/, ', x'), 'AuthorizationHeaderMalformed', 400],
  ['a comma at the end', withAuthorization(/$/, ','), 'AuthorizationHeaderMalformed', 400],
  ['the scheme alone', byHeader({ authorization: 'AWS4-HMAC-SHA256' }), 'AuthorizationHeaderMalformed', 400],
  ['a field twice', withAuthorization(/$/, ', Credential=a'), 'AuthorizationHeaderMalformed', 400],
  ['a scope without its end', withAuthorization('/aws4_request', '/aws4'), 'AuthorizationHeaderMalformed', 400],
  ['a scope of three parts', withAuthorization('/s3/', '/'), 'AuthorizationHeaderMalformed', 400],
  ['no access key', withAuthorization('AKIDEXAMPLE', ''), 'AuthorizationHeaderMalformed', 400],
  ['an empty region', withAuthorization('us-east-1', ''), 'AuthorizationHeaderMalformed', 400],
  ['a scope of another day', withAuthorization('20261123', '20261122'), 'AuthorizationHeaderMalformed', 400],
  ['a scope day that is no day', withAuthorization('20261123', '2026112'), 'AuthorizationHeaderMalformed', 400],
  ['a foreign service', withAuthorization('/s3/', '/ec2/'), 'AuthorizationHeaderMalformed', 400],
  ['a service with inherited name', withAuthorization('/s3/', '/constructor/'), 'AuthorizationHeaderMalformed', 400],
  ['host unsigned', withAuthorization('host;', ''), 'AuthorizationHeaderMalformed', 400],
  ['a signed header twice', withAuthorization('host;', 'host;host;'), 'AuthorizationHeaderMalformed', 400],
  ['an upper-case signed header', withAuthorization('host;', 'Host;'), 'AuthorizationHeaderMalformed', 400],
  ['an empty signed header', withAuthorization('host;', 'host;;'), 'AuthorizationHeaderMalformed', 400],
  [
    'an upper-case signature',
    withAuthorization(/Signature=.*/, `Signature=${'A'.repeat(64)}`),
    'AuthorizationHeaderMalformed',
    400,
  ],
  ['a short signature', withAuthorization(/.$/, ''), 'AuthorizationHeaderMalformed', 400],
  [
    'a signed header that did not arrive',
    withAuthorization('host;', 'content-md5;host;'),
    'SignatureDoesNotMatch',
    403,
  ],
  ['an unsigned x-amz-* header', byHeader({}, ['X-Amz-Copy-Source', '/b/k']), 'AccessDenied', 403],
  ['no date at all', byHeader({ 'x-amz-date': undefined }), 'AccessDenied', 403],
  ['a date that is none', byHeader({ 'x-amz-date': '20261323T120000Z' }), 'AccessDenied', 403],
  ['a payload hash that is none', byHeader({ 'x-amz-content-sha256': 'x' }), 'InvalidArgument', 400],
  ['an upper-case payload hash', byHeader({ 'x-amz-content-sha256': EMPTY.toUpperCase() }), 'InvalidArgument', 400],
  [
    'a chunk-signed body',
    byHeader({ 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' }),
    'NotImplemented',
    501,
  ],
  ...['Algorithm', 'Credential', 'Date', 'Expires', 'SignedHeaders', 'Signature'].flatMap((name) => [
    [
      `a query without X-Amz-${name}`,
      withQuery(new RegExp(`X-Amz-${name}=[^&]*&?`), ''),
      'AuthorizationQueryParametersError',
      400,
    ] as const,
    [
      `a query with X-Amz-${name} twice`,
      withQuery(/$/, `&X-Amz-${name}=x`),
      'AuthorizationQueryParametersError',
      400,
    ] as const,
  ]),
  ['another query algorithm', withQuery('HMAC-SHA256', 'ECDSA-P256-SHA256'), 'AuthorizationQueryParametersError', 400],
  ['a malformed query credential', withQuery('aws4_request', 'x'), 'AuthorizationQueryParametersError', 400],
  ['a foreign service in the query', withQuery('%2Fs3%2F', '%2Fec2%2F'), 'AuthorizationQueryParametersError', 400],
  ['a query scope of another day', withQuery('20261123', '20261122'), 'AuthorizationQueryParametersError', 400],
  ['a query date that is none', withQuery('T120000Z', 'T120060Z'), 'AuthorizationQueryParametersError', 400],
  ['a short query signature', withQuery(/.$/, ''), 'AuthorizationQueryParametersError', 400],
  [
    'host unsigned in the query',
    withQuery('SignedHeaders=host', 'SignedHeaders=x'),
    'AuthorizationQueryParametersError',
    400,
  ],
  ...['0', '-1', '604801', '1e3', '', '1.5', 'x', '99999999999999999999'].map(
    (value) =>
      [
        `X-Amz-Expires=${value}`,
        withQuery('X-Amz-Expires=60', `X-Amz-Expires=${value}`),
        'AuthorizationQueryParametersError',
        400,
      ] as const,
  ),
  ['an unsigned x-amz-* header beside a query', byQuery(undefined, ['x-amz-acl', 'private']), 'AccessDenied', 403],
  [
    'two session tokens that differ',
    byQuery((search) => `${search}&X-Amz-Security-Token=a`, ['x-amz-security-token', 'b']),
    'InvalidArgument',
    400,
  ],
  [
    'two payload hashes that differ',
    byQuery((search) => `${search}&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD`, ['x-amz-content-sha256', EMPTY]),
    'InvalidArgument',
    400,
  ],
]

test.each(refusedByParse)('parse refuses %s', (_, request, code, status) => {
  expect(() => verifierWith().parse(request)).toThrow(expect.objectContaining({ code, status }))
})

test('an unsigned request is anonymous', () => {
  const request = { method: 'GET', rawTarget: '/bucket/key?a=1', rawHeaders: ['Host', 'x'] }
  expect(verifierWith().parse(request)).toEqual({ kind: 'anonymous' })
})

test('rawHeaders of odd length are a mistake of the program', () => {
  expect(() => verifierWith().parse({ method: 'GET', rawTarget: '/', rawHeaders: ['Host'] })).toThrow(TypeError)
})

async function verify(request: RawRequest, verifier = verifierWith(), bodySha256?: string): Promise<SignedRequest> {
  const claim = verifier.parse(request)
  if (claim.kind === 'anonymous') throw new Error('not signed')
  await verifier.verify(claim, bodySha256)
  return claim
}

test('the claim says what was signed', async () => {
  expect(await verify(byHeader())).toEqual({
    kind: 'signed',
    via: 'header',
    accessKeyId: 'AKIDEXAMPLE',
    day: '20261123',
    region: 'us-east-1',
    service: 's3',
    timestamp: '20261123T120000Z',
    signedHeaders: ['host', 'x-amz-content-sha256', 'x-amz-date'],
    signature: authorization.slice(-64),
    sessionToken: undefined,
    expiresSeconds: undefined,
    payload: { kind: 'sha256', sha256: EMPTY },
  })
  expect(await verify(byQuery())).toEqual({
    kind: 'signed',
    via: 'query',
    accessKeyId: 'AKIDEXAMPLE',
    day: '20261123',
    region: 'us-east-1',
    service: 's3',
    timestamp: '20261123T120000Z',
    signedHeaders: ['host'],
    signature: presigned.searchParams.get('X-Amz-Signature'),
    sessionToken: undefined,
    expiresSeconds: 60,
    payload: { kind: 'unsigned' },
  })
})

test.each([
  [-900_000, undefined],
  [-900_001, 'RequestTimeTooSkewed'],
  [900_000, undefined],
  [900_001, 'RequestTimeTooSkewed'],
] as const)('a header signature with the clock off by %d ms', async (offset, code) => {
  const done = verify(byHeader(), verifierWith({ now: () => NOW + offset }))
  if (code === undefined) await expect(done).resolves.toBeDefined()
  else await expect(done).rejects.toMatchObject({ code, status: 403 })
})

test.each([
  [-900_001, 'Request is not yet valid'],
  [-900_000, undefined],
  [60_000, undefined],
  [60_001, 'Request has expired'],
  [DAY, 'Request has expired'],
] as const)('a presigned URL of 60 s, %d ms after signing', async (offset, message) => {
  const done = verify(byQuery(), verifierWith({ now: () => NOW + offset }))
  if (message === undefined) await expect(done).resolves.toBeDefined()
  else await expect(done).rejects.toMatchObject({ code: 'AccessDenied', status: 403, message })
})

test('a presigned URL lives up to seven days', async () => {
  const url = new URL(presignUrl({ ...signing, url: 'http://h/b/k', expiresSeconds: 604_800 }))
  const request = { method: 'GET', rawTarget: url.pathname + url.search, rawHeaders: ['Host', 'h'] }
  await verify(request, verifierWith({ now: () => NOW + 7 * DAY }))
  await expect(verify(request, verifierWith({ now: () => NOW + 7 * DAY + 1 }))).rejects.toThrow('Request has expired')
})

test('any region is accepted unless one is configured', async () => {
  await verify(byHeader(), verifierWith({ region: 'us-east-1' }))
  for (const [request, code] of [
    [byHeader(), 'AuthorizationHeaderMalformed'],
    [byQuery(), 'AuthorizationQueryParametersError'],
  ] as const) {
    await expect(verify(request, verifierWith({ region: 'eu-west-1' }))).rejects.toMatchObject({
      code,
      message: expect.stringContaining('eu-west-1'),
    })
  }
})

test('a Date header serves where x-amz-date is absent', async () => {
  const date = { Date: 'Mon, 23 Nov 2026 12:00:00 GMT' }
  const signed = signRequest({ ...signing, url: 'http://h/b/k', headers: date })
  const claim = verifierWith().parse({
    method: 'GET',
    rawTarget: '/b/k',
    rawHeaders: Object.entries({ ...signed, authorization: signed['authorization']?.replace(';x-amz-date', '') })
      .filter(([name]) => name !== 'x-amz-date')
      .flat() as string[],
  })
  expect(claim).toMatchObject({
    timestamp: '20261123T120000Z',
    signedHeaders: ['date', 'host', 'x-amz-content-sha256'],
  })
})

test('headers count whatever their case, repetition and blanks', async () => {
  const signed = signRequest({ ...signing, url: 'http://h/b/k', headers: [['x-amz-meta-a', 'one,two  three']] })
  const rawHeaders = Object.entries(signed).flatMap(([name, value]) =>
    name === 'x-amz-meta-a' ? ['X-AMZ-Meta-A', ' one\t', 'x-amz-meta-A', 'two \t three'] : [name.toUpperCase(), value],
  )
  await verify({ method: 'GET', rawTarget: '/b/k', rawHeaders })
  // One blank less at the join is still the same list, in another order it is not.
  const swapped = rawHeaders.map((text) =>
    text === ' one\t' ? 'two \t three' : text === 'two \t three' ? ' one\t' : text,
  )
  await expect(verify({ method: 'GET', rawTarget: '/b/k', rawHeaders: swapped })).rejects.toMatchObject({
    code: 'SignatureDoesNotMatch',
  })
})

test('the session token reaches the lookup, from header and query', async () => {
  const seen: unknown[] = []
  const verifier = verifierWith({ credentials: (...args) => (seen.push(args), credentials) })
  const temporary = { ...signing, credentials: { ...credentials, sessionToken: 'tok/en==' }, url: 'http://h/b/k' }
  await verify(
    { method: 'GET', rawTarget: '/b/k', rawHeaders: Object.entries(signRequest(temporary)).flat() },
    verifier,
  )
  const url = new URL(presignUrl({ ...temporary, expiresSeconds: 60 }))
  await verify({ method: 'GET', rawTarget: url.pathname + url.search, rawHeaders: ['Host', 'h'] }, verifier)
  await verify(byHeader(), verifier)
  expect(seen).toEqual([
    ['AKIDEXAMPLE', 'tok/en=='],
    ['AKIDEXAMPLE', 'tok/en=='],
    ['AKIDEXAMPLE', undefined],
  ])
})

test('an unknown access key is InvalidAccessKeyId whatever the signature, a wrong secret SignatureDoesNotMatch', async () => {
  await expect(verify(byHeader(), verifierWith({ credentials: () => undefined }))).rejects.toMatchObject({
    code: 'InvalidAccessKeyId',
    status: 403,
  })
  const other = { ...credentials, secretAccessKey: 'other' }
  await expect(verify(byHeader(), verifierWith({ credentials: async () => other }))).rejects.toMatchObject({
    code: 'SignatureDoesNotMatch',
    status: 403,
  })
})

test('what the lookup returns comes back, what it throws goes through', async () => {
  const verifier = verifierWith({ credentials: () => Promise.reject(new Error('expired')) })
  await expect(verify(byHeader(), verifier)).rejects.toThrow('expired')
  const claim = verifierWith().parse(byHeader()) as SignedRequest
  await expect(verifierWith().verify(claim)).rejects.toThrow(TypeError)
})

test('a copy of a claim, changed or not, proves nothing', async () => {
  const verifier = verifierWith()
  const claim = verifier.parse(byHeader()) as SignedRequest
  for (const copy of [{ ...claim }, { ...claim, accessKeyId: 'root' }, Object.create(claim) as SignedRequest]) {
    await expect(verifier.verify(copy)).rejects.toThrow(TypeError)
  }
  await verifier.verify(claim)
})

test('the access key may hold slashes', async () => {
  const slashed = { ...credentials, accessKeyId: 'team/app/1' }
  const signed = signRequest({ ...signing, credentials: slashed, url: 'http://h/b/k' })
  const request = { method: 'GET', rawTarget: '/b/k', rawHeaders: Object.entries(signed).flat() }
  expect(await verify(request, verifierWith({ credentials: () => slashed }))).toMatchObject({
    accessKeyId: 'team/app/1',
  })
})

test('the body hash is compared with the declared one once the signature holds', async () => {
  const wrong = '0'.repeat(64)
  await verify(byHeader(), undefined, EMPTY)
  await expect(verify(byHeader(), undefined, wrong)).rejects.toMatchObject({
    code: 'XAmzContentSHA256Mismatch',
    status: 400,
  })
  await expect(
    verify(byHeader(), verifierWith({ credentials: () => ({ ...credentials, secretAccessKey: 'other' }) }), wrong),
  ).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' })
  await expect(verify(byHeader(), undefined, 'ABC')).rejects.toThrow(TypeError)
})

test('without a declared hash the body hash is part of the signature', async () => {
  const url = new URL(presignUrl({ ...signing, service: 'kms', url: 'http://h/', expiresSeconds: 60 }))
  const request = { method: 'GET', rawTarget: url.pathname + url.search, rawHeaders: ['Host', 'h'] }
  expect((await verify(request, undefined, EMPTY)).payload).toEqual({ kind: 'body' })
  await expect(verify(request, undefined, '0'.repeat(64))).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' })
  await expect(verify(request)).rejects.toThrow(TypeError)
})

test('UNSIGNED-PAYLOAD is accepted with any body, and says so', async () => {
  const signed = signRequest({ ...signing, url: 'http://h/b/k', payloadHash: 'UNSIGNED-PAYLOAD' })
  const request = { method: 'GET', rawTarget: '/b/k', rawHeaders: Object.entries(signed).flat() }
  expect((await verify(request, undefined, '0'.repeat(64))).payload).toEqual({ kind: 'unsigned' })
})

test('what was computed is attached in debug mode only, and never serialised', async () => {
  const credentialsOf = (): typeof credentials => ({ ...credentials, secretAccessKey: 'other' })
  const failure = (debug: boolean): Promise<unknown> =>
    verify(byHeader(), verifierWith({ debug, credentials: credentialsOf })).catch((error: unknown) => error)
  const error = (await failure(true)) as { computed: { canonicalRequest: string; stringToSign: string } }
  expect(error.computed.canonicalRequest).toBe(
    `GET\n/bucket/key\na=1\nhost:localhost:9000\nx-amz-content-sha256:${EMPTY}\nx-amz-date:20261123T120000Z\n\nhost;x-amz-content-sha256;x-amz-date\n${EMPTY}`,
  )
  expect(error.computed.stringToSign).toMatch(
    /^AWS4-HMAC-SHA256\n20261123T120000Z\n20261123\/us-east-1\/s3\/aws4_request\n[0-9a-f]{64}$/,
  )
  expect(JSON.stringify(error)).not.toContain('localhost')
  expect(await failure(false)).not.toHaveProperty('computed')
})

test('what was computed shows no token and no key, and is of what was really sent', async () => {
  const customerKey = 'c2VjcmV0LWN1c3RvbWVyLWtleS0zMi1ieXRlcyEhISE='
  const token = 'FwoGZX//tok+en=='
  const temporary = { ...credentials, sessionToken: token }
  const secrets = {
    'x-amz-server-side-encryption-customer-key': customerKey,
    'x-amz-server-side-encryption-customer-key-md5': 'bWQ1LW9mLXRoZS1rZXk=',
    cookie: 'session=hidden-cookie',
  }
  const signed = signRequest({ ...signing, credentials: temporary, url: 'http://h/b/k', headers: secrets })
  const url = new URL(presignUrl({ ...signing, credentials: temporary, url: 'http://h/b/k', expiresSeconds: 60 }))
  for (const request of [
    { method: 'GET', rawTarget: '/b/k', rawHeaders: Object.entries(signed).flat() },
    { method: 'GET', rawTarget: url.pathname + url.search, rawHeaders: ['Host', 'h'] },
  ]) {
    const computedWith = async (secretAccessKey: string) => {
      const verifier = verifierWith({ debug: true, credentials: () => ({ ...credentials, secretAccessKey }) })
      const error: unknown = await verify(request, verifier).catch((thrown: unknown) => thrown)
      return (error as { computed?: { canonicalRequest: string; stringToSign: string } }).computed
    }
    const { canonicalRequest = '', stringToSign } = (await computedWith('other')) ?? {}
    for (const secret of [customerKey, token, encodeURIComponent(token), 'bWQ1', 'hidden-cookie']) {
      expect(canonicalRequest).not.toContain(secret)
    }
    expect(canonicalRequest).toMatch(/x-amz-security-token[:=]\*\*\*/i)
    expect(canonicalRequest).toMatch(/^host:h$/m)
    // The hash in it is of the request as it came, or nobody could compare it.
    expect(stringToSign).not.toContain(createHash('sha256').update(canonicalRequest, 'latin1').digest('hex'))
    expect(await computedWith(credentials.secretAccessKey)).toBeUndefined()
  }
})

test('a changed secret counts at once', async () => {
  let secretAccessKey = credentials.secretAccessKey
  const verifier = verifierWith({ credentials: () => ({ ...credentials, secretAccessKey }) })
  await verify(byHeader(), verifier)
  secretAccessKey = 'rotated'
  await expect(verify(byHeader(), verifier)).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' })
  secretAccessKey = credentials.secretAccessKey
  await verify(byHeader(), verifier)
})
