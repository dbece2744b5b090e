import { hash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createVerifier, isSigV4Error, presignUrl, type RawRequest, signRequest } from '../src/index.ts'
import { type ArbitraryRequest, arbitraryRequest, credentials, HOST, NOW, received, runs } from './arbitrary-request.ts'
import { sameMeaning } from './same-meaning.ts'

const verifier = createVerifier({
  services: ['s3', 'execute-api', 'kms', 'sts'],
  now: () => NOW,
  credentials: (accessKeyId) => (accessKeyId === credentials.accessKeyId ? credentials : undefined),
})

async function outcome(request: RawRequest, body: string): Promise<'accepted' | 'refused'> {
  try {
    const claim = verifier.parse(request)
    if (claim.kind === 'anonymous') return 'refused'
    await verifier.verify(claim, hash('sha256', body, 'hex'))
    return 'accepted'
  } catch (error) {
    if (isSigV4Error(error)) return 'refused'
    throw error
  }
}

function sign(request: ArbitraryRequest): RawRequest {
  const { method, target, service, body, sessionToken } = request
  const signed = signRequest({
    method,
    target,
    host: HOST,
    headers: request.headers,
    body,
    service,
    region: 'us-east-1',
    credentials: { ...credentials, sessionToken },
    now: () => NOW,
  })
  return received(method, target, signed)
}

function presign(request: ArbitraryRequest): RawRequest {
  const url = new URL(
    presignUrl({
      method: request.method,
      url: `http://${HOST}${request.target}`,
      service: 's3',
      region: 'us-east-1',
      credentials: { ...credentials, sessionToken: request.sessionToken },
      expiresSeconds: 600,
      now: () => NOW,
    }),
  )
  return received(request.method, url.pathname + url.search, { host: HOST })
}

/** Where and with what to overwrite one byte: a place anywhere in a text, and a visible character. */
const change = fc.record({
  at: fc.nat(),
  to: fc.integer({ min: 0x21, max: 0x7e }).map((unit) => String.fromCharCode(unit)),
})
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

function overwrite(text: string, { at, to }: Change): string {
  const index = at % text.length
  return text.slice(0, index) + to + text.slice(index + 1)
}

test('an unchanged request is accepted', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryRequest, async (request) => {
      expect(await outcome(sign(request), request.body)).toBe('accepted')
      expect(await outcome(presign(request), request.body)).toBe('accepted')
    }),
    runs,
  )
})

test.each([
  ['header', sign],
  ['query', presign],
] as const)('one changed byte of the target is refused (%s)', async (_, signer) => {
  await fc.assert(
    fc.asyncProperty(arbitraryRequest, change, async (request, byte) => {
      const signed = signer(request)
      const rawTarget = overwrite(signed.rawTarget, byte)
      fc.pre(!sameMeaning(signed.rawTarget, rawTarget))
      expect(await outcome({ ...signed, rawTarget }, request.body)).toBe('refused')
    }),
    runs,
  )
})

test('one changed byte of a header, name or value, is refused', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryRequest, change, fc.nat(), async (request, byte, which) => {
      const signed = sign(request)
      const index = which % signed.rawHeaders.length
      const before = signed.rawHeaders[index] as string
      const after = overwrite(before, byte)
      fc.pre(index % 2 === 1 ? after !== before : after.toLowerCase() !== before.toLowerCase())
      const rawHeaders = signed.rawHeaders.with(index, after)
      expect(await outcome({ ...signed, rawHeaders }, request.body)).toBe('refused')
    }),
    runs,
  )
})

test('another method, another body, a header less or a signed header twice are refused', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryRequest, change, fc.nat(), async (request, byte, which) => {
      const signed = sign(request)
      expect(await outcome({ ...signed, method: request.method === 'GET' ? 'HEAD' : 'GET' }, request.body)).toBe(
        'refused',
      )
      expect(await outcome(signed, `${request.body}x`)).toBe('refused')
      const index = (which % (signed.rawHeaders.length / 2)) * 2
      expect(await outcome({ ...signed, rawHeaders: signed.rawHeaders.toSpliced(index, 2) }, request.body)).toBe(
        'refused',
      )
      const twice = [...signed.rawHeaders, ...signed.rawHeaders.slice(index, index + 2)]
      expect(await outcome({ ...signed, rawHeaders: twice }, request.body)).toBe('refused')
      const smuggled = [...signed.rawHeaders, 'X-Amz-Copy-Source', byte.to]
      expect(await outcome({ ...signed, rawHeaders: smuggled }, request.body)).toBe('refused')
    }),
    runs,
  )
})
