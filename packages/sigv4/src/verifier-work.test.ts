import { beforeEach, expect, test, vi } from 'vitest'
import { signPostPolicy } from './sign-post-policy.ts'
import { signRequest } from './sign-request.ts'
import type { SignedRequest } from './signed-request.ts'
import { createVerifier, type Verifier } from './verifier.ts'

const work = vi.hoisted(() => ({ hmacs: 0, hashes: 0 }))

vi.mock('node:crypto', async (importOriginal) => {
  const crypto = await importOriginal<typeof import('node:crypto')>()
  return {
    ...crypto,
    createHmac: (...args: Parameters<typeof crypto.createHmac>) => {
      work.hmacs++
      return crypto.createHmac(...args)
    },
    hash: (...args: Parameters<typeof crypto.hash>) => {
      work.hashes++
      return crypto.hash(...args)
    },
  }
})

const NOW = Date.UTC(2026, 10, 23)
const known = { accessKeyId: 'KNOWN', secretAccessKey: 'secret' }
const DERIVATION = 4

beforeEach(() => {
  work.hmacs = 0
  work.hashes = 0
})

function verifier(maxCachedKeys = 1000): Verifier<typeof known> {
  return createVerifier({
    services: ['s3', 'kms'],
    now: () => NOW,
    maxCachedKeys,
    credentials: (accessKeyId) => (accessKeyId.startsWith('KNOWN') ? { ...known, accessKeyId } : undefined),
  })
}

/** The HMACs and hashes one verification costs. */
async function costOf(
  { parse, verify }: Verifier<typeof known>,
  accessKeyId: string,
  secretAccessKey: string,
): Promise<{ hmacs: number; hashes: number; accepted: boolean }> {
  const signed = signRequest({
    method: 'GET',
    url: 'http://h/bucket/a%20b?acl',
    region: 'us-east-1',
    service: 'kms',
    credentials: { accessKeyId, secretAccessKey },
    now: () => NOW,
  })
  const request = { method: 'GET', rawTarget: '/bucket/a%20b?acl', rawHeaders: Object.entries(signed).flat() }
  const claim = parse(request) as SignedRequest
  const before = { ...work }
  const accepted = await verify(claim).then(
    () => true,
    () => false,
  )
  return { hmacs: work.hmacs - before.hmacs, hashes: work.hashes - before.hashes, accepted }
}

test('a cached signing key leaves one HMAC and two small hashes', async () => {
  const one = verifier()
  expect((await costOf(one, 'KNOWN', 'secret')).hmacs).toBe(DERIVATION + 1)
  expect(await costOf(one, 'KNOWN', 'secret')).toEqual({ hmacs: 1, hashes: 2, accepted: true })
})

test('an unknown access key costs what a wrong secret costs, cached or not', async () => {
  const one = verifier()
  const wrongSecretCold = await costOf(one, 'KNOWN', 'wrong')
  await costOf(one, 'KNOWN', 'secret')
  const wrongSecretWarm = await costOf(one, 'KNOWN', 'wrong')
  const unknown = await costOf(one, 'NOBODY', 'secret')
  const unknownAgain = await costOf(one, 'NOBODY', 'secret')
  expect(wrongSecretCold).toMatchObject({ accepted: false })
  expect([wrongSecretWarm, unknown, unknownAgain]).toEqual([wrongSecretCold, wrongSecretCold, wrongSecretCold])
})

test('the cache is bounded, drops the least recently used, and failing requests displace nothing', async () => {
  const one = verifier(2)
  const hmacs = async (accessKeyId: string, secret = 'secret'): Promise<number> =>
    (await costOf(one, accessKeyId, secret)).hmacs
  await hmacs('KNOWN1')
  await hmacs('KNOWN2')
  for (const accessKeyId of ['KNOWN3', 'KNOWN4', 'NOBODY']) await hmacs(accessKeyId, 'wrong')
  expect(await hmacs('KNOWN1')).toBe(1)
  await hmacs('KNOWN3')
  expect(await hmacs('KNOWN1')).toBe(1)
  expect(await hmacs('KNOWN2')).toBe(DERIVATION + 1)
})

test('maxCachedKeys 0 caches nothing', async () => {
  const one = verifier(0)
  await costOf(one, 'KNOWN', 'secret')
  expect((await costOf(one, 'KNOWN', 'secret')).hmacs).toBe(DERIVATION + 1)
})

test('a POST form with an unknown access key costs what one with a wrong secret costs', async () => {
  const one = createVerifier({
    services: ['s3'],
    now: () => NOW,
    credentials: (accessKeyId) => (accessKeyId === 'KNOWN' ? known : undefined),
  })
  const hmacsOf = async (accessKeyId: string, secretAccessKey: string): Promise<number> => {
    const credentials = { accessKeyId, secretAccessKey }
    const options = { bucket: 'bucket', key: 'key', expiresSeconds: 60, region: 'us-east-1', credentials }
    const fields = new Map(Object.entries(signPostPolicy({ ...options, now: () => NOW })))
    const before = work.hmacs
    await one.verifyPostPolicy(fields, { bucket: 'bucket' }).catch(() => undefined)
    return work.hmacs - before
  }
  expect(await hmacsOf('KNOWN', 'wrong')).toBe(await hmacsOf('NOBODY', 'secret'))
  expect(await hmacsOf('KNOWN', 'secret')).toBe(DERIVATION + 1)
  expect(await hmacsOf('KNOWN', 'secret')).toBe(1)
})
