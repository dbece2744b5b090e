import { createHash, createHmac, type Hash, type Hmac, hash } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import aws4 from 'aws4'
import { AwsV4Signer } from 'aws4fetch'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  createVerifier,
  presignUrl,
  type RawRequest,
  type SignedRequest,
  signRequest,
  UNSIGNED_PAYLOAD,
} from '../src/index.ts'
import {
  type ArbitraryRequest,
  arbitraryRequest,
  credentials,
  encode,
  HOST,
  NOW,
  received,
  runs,
  TIMESTAMP,
} from './arbitrary-request.ts'

const region = 'eu-central-1'
const verifier = createVerifier({
  services: ['s3', 'execute-api', 'kms', 'sts'],
  region,
  now: () => NOW,
  credentials: (accessKeyId) => (accessKeyId === credentials.accessKeyId ? credentials : undefined),
})

async function verify(request: RawRequest, body: string): Promise<SignedRequest> {
  const claim = verifier.parse(request)
  if (claim.kind === 'anonymous') throw new Error('not signed')
  await verifier.verify(claim, hash('sha256', body, 'hex'))
  return claim
}

class NodeSha256 {
  readonly #state: Hash | Hmac
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#state =
      secret === undefined
        ? createHash('sha256')
        : createHmac('sha256', typeof secret === 'string' ? secret : new Uint8Array(secret as ArrayBuffer))
  }
  update(data: string | Uint8Array): void {
    this.#state.update(data)
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#state.digest()))
  }
  reset(): void {
    throw new Error('not used by the signer')
  }
}

function smithy(request: ArbitraryRequest): SignatureV4 {
  return new SignatureV4({
    credentials: { ...credentials, ...(request.sessionToken ? { sessionToken: request.sessionToken } : {}) },
    region,
    service: request.service,
    sha256: NodeSha256,
    uriEscapePath: request.service !== 's3',
  })
}

function smithyRequest(
  request: ArbitraryRequest,
): Parameters<SignatureV4['sign']>[0] & { headers: Record<string, string> } {
  return {
    method: request.method,
    protocol: 'http:',
    hostname: 'kms.example.com',
    path: request.rawPath,
    query: Object.fromEntries(request.query),
    headers: { ...request.headers, host: HOST },
    body: request.body,
  }
}

function ours(request: ArbitraryRequest): Record<string, string> {
  const { method, target, headers, body, service, sessionToken } = request
  return signRequest({
    method,
    target,
    host: HOST,
    headers,
    body,
    service,
    region,
    credentials: { ...credentials, sessionToken },
    now: () => NOW,
  })
}

test('what @smithy/signature-v4 signs verifies, and our signer makes the same header', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryRequest, async (request) => {
      const signed = await smithy(request).sign(smithyRequest(request), { signingDate: new Date(NOW) })
      const claim = await verify(received(request.method, request.target, signed.headers), request.body)
      expect(claim.sessionToken).toBe(request.sessionToken)
      expect(ours(request)['authorization']).toBe(signed.headers['authorization'])
    }),
    runs,
  )
})

test('what @smithy/signature-v4 presigns for S3 verifies', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryRequest, async (generated) => {
      const request = { ...generated, service: 's3', body: '' }
      // As @aws-sdk/s3-request-presigner calls it; the header ends up in the query.
      const unsigned = { ...smithyRequest(request), headers: { host: HOST, 'X-Amz-Content-Sha256': UNSIGNED_PAYLOAD } }
      const signed = await smithy(request).presign(unsigned, { signingDate: new Date(NOW), expiresIn: 600 })
      const query = Object.entries(signed.query ?? {}).map(
        ([name, value]) => `${encode(name)}=${encode(String(value))}`,
      )
      const target = `${signed.path}?${query.join('&')}`
      const claim = await verify(received(request.method, target, signed.headers), '')
      expect(claim).toMatchObject({ via: 'query', expiresSeconds: 600, sessionToken: request.sessionToken })
    }),
    runs,
  )
})

test('what aws4 signs verifies, and given our headers it makes our signature', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryRequest, async (request) => {
      const { method, target, service, body } = request
      const keys = { ...credentials, ...(request.sessionToken ? { sessionToken: request.sessionToken } : {}) }
      const options = { host: HOST, path: target, method, service, region, body }
      const date = { 'X-Amz-Date': TIMESTAMP, Host: HOST }
      const signed = aws4.sign({ ...options, headers: { ...request.headers, ...date } }, keys)
      await verify(received(method, signed.path, signed.headers), body)

      const { authorization, ...headers } = ours(request)
      const theirs = aws4.sign({ ...options, body: '', headers }, keys).headers['Authorization']
      expect(String(theirs).split('Signature=')[1]).toBe(authorization?.split('Signature=')[1])
    }),
    runs,
  )
})

test.each(['header', 'query'] as const)('what aws4fetch signs by %s verifies', async (via) => {
  await fc.assert(
    fc.asyncProperty(arbitraryRequest, async (generated) => {
      const request = via === 'query' ? { ...generated, service: 's3', body: '' } : generated
      const signer = new AwsV4Signer({
        method: request.method,
        url: `http://${HOST}${request.target}`,
        headers: via === 'query' ? {} : request.headers,
        ...(request.body === '' ? {} : { body: request.body }),
        ...credentials,
        ...(request.sessionToken ? { sessionToken: request.sessionToken } : {}),
        service: request.service,
        region,
        datetime: TIMESTAMP,
        signQuery: via === 'query',
      })
      const signed = await signer.sign()
      const headers = { ...Object.fromEntries(signed.headers), host: HOST }
      const claim = await verify(
        received(request.method, signed.url.pathname + signed.url.search, headers),
        request.body,
      )
      expect(claim).toMatchObject({ via, sessionToken: request.sessionToken })
    }),
    runs,
  )
})

test('what we presign for S3 carries the signature @smithy/signature-v4 makes', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryRequest, async (generated) => {
      const request = { ...generated, service: 's3', body: '' }
      const url = presignUrl({
        method: request.method,
        url: `http://${HOST}${request.target}`,
        service: 's3',
        region,
        credentials: { ...credentials, sessionToken: request.sessionToken },
        expiresSeconds: 600,
        payloadHash: UNSIGNED_PAYLOAD,
        now: () => NOW,
      })
      const { pathname, search, searchParams } = new URL(url)
      await verify(received(request.method, pathname + search, { host: HOST }), '')
      const unsigned = {
        ...smithyRequest(request),
        headers: { host: HOST, 'X-Amz-Content-Sha256': UNSIGNED_PAYLOAD },
      }
      const signed = await smithy(request).presign(unsigned, { signingDate: new Date(NOW), expiresIn: 600 })
      expect(searchParams.get('X-Amz-Signature')).toBe(signed.query?.['X-Amz-Signature'])
    }),
    runs,
  )
})
