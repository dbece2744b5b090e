import { expect, test } from 'vitest'
import { presignUrl } from './presign-url.ts'
import { signRequest } from './sign-request.ts'
import type { RawRequest } from './signed-request.ts'
import { createVerifier } from './verifier.ts'

const NOW = Date.UTC(2026, 10, 23, 12)
const TOKEN = 'FwoGZX//tok+en=='
const credentials = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'secret' }
const signing = {
  method: 'GET',
  region: 'us-east-1',
  service: 's3',
  url: 'http://localhost/bucket/key',
  now: () => NOW,
}

function byHeader(sessionToken: string | undefined, change: (text: string) => string = (text) => text): RawRequest {
  const headers = signRequest({ ...signing, credentials: { ...credentials, sessionToken } })
  return { method: 'GET', rawTarget: '/bucket/key', rawHeaders: Object.entries(headers).flat().map(change) }
}

function byQuery(
  sessionToken: string | undefined,
  change: (search: string) => string = (search) => search,
  more: readonly string[] = [],
): RawRequest {
  const url = new URL(presignUrl({ ...signing, credentials: { ...credentials, sessionToken }, expiresSeconds: 60 }))
  return { method: 'GET', rawTarget: url.pathname + change(url.search), rawHeaders: ['Host', 'localhost', ...more] }
}

/** The token the lookup got. */
async function verify(request: RawRequest): Promise<unknown> {
  const seen: unknown[] = []
  const verifier = createVerifier({
    services: ['s3'],
    now: () => NOW,
    credentials: (_, token) => (seen.push(token), credentials),
  })
  const claim = verifier.parse(request)
  if (claim.kind === 'anonymous') throw new Error('not signed')
  await verifier.verify(claim)
  expect(seen).toEqual([claim.sessionToken])
  return seen[0]
}

const encoded = encodeURIComponent(TOKEN)
test.each([
  ['a header', byHeader(TOKEN)],
  ['the query', byQuery(TOKEN)],
])('a token in %s reaches the lookup', async (_, request) => {
  expect(await verify(request)).toBe(TOKEN)
})

test.each([
  [
    'a token added in a header',
    { ...byHeader(undefined), rawHeaders: [...byHeader(undefined).rawHeaders, 'X-Amz-Security-Token', TOKEN] },
    'AccessDenied',
  ],
  [
    'a token added in a header beside a query',
    byQuery(undefined, undefined, ['X-Amz-Security-Token', TOKEN]),
    'AccessDenied',
  ],
  [
    'the same token in an unsigned header as well',
    byQuery(TOKEN, undefined, ['X-Amz-Security-Token', TOKEN]),
    'AccessDenied',
  ],
  [
    'a token changed in a header',
    byHeader(TOKEN, (text) => (text === TOKEN ? 'other' : text)),
    'SignatureDoesNotMatch',
  ],
  ['a token made empty in a header', byHeader(TOKEN, (text) => (text === TOKEN ? '' : text)), 'SignatureDoesNotMatch'],
  ['a token whose header got lost', dropHeader(byHeader(TOKEN)), 'SignatureDoesNotMatch'],
  [
    'a token in two headers',
    { ...byHeader(TOKEN), rawHeaders: [...byHeader(TOKEN).rawHeaders, 'X-Amz-Security-Token', TOKEN] },
    'InvalidArgument',
  ],
  [
    'a token added to the query',
    byQuery(undefined, (search) => `${search}&X-Amz-Security-Token=${encoded}`),
    'SignatureDoesNotMatch',
  ],
  [
    'a token changed in the query',
    byQuery(TOKEN, (search) => search.replace(encoded, 'other')),
    'SignatureDoesNotMatch',
  ],
  [
    'a token taken from the query',
    byQuery(TOKEN, (search) => search.replace(`&X-Amz-Security-Token=${encoded}`, '')),
    'SignatureDoesNotMatch',
  ],
  [
    'a token twice in the query',
    byQuery(TOKEN, (search) => `${search}&X-Amz-Security-Token=${encoded}`),
    'AuthorizationQueryParametersError',
  ],
  [
    'a token in the query in lower case',
    byQuery(undefined, (search) => `${search}&x-amz-security-token=${encoded}`),
    'SignatureDoesNotMatch',
  ],
] as const)('%s is refused', async (_, request, code) => {
  await expect(verify(request)).rejects.toMatchObject({ code })
})

function dropHeader(request: RawRequest): RawRequest {
  const at = request.rawHeaders.indexOf('x-amz-security-token')
  return { ...request, rawHeaders: request.rawHeaders.toSpliced(at, 2) }
}
