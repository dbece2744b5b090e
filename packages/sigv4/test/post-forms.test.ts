import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createVerifier, isSigV4Error, type SigV4ErrorCode, signPostPolicy } from '../src/index.ts'
import { parseTimestamp } from '../src/timestamp.ts'
import { credentials, NOW, runs } from './arbitrary-request.ts'

interface Form {
  readonly client: string
  readonly name: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly bucket: string
  readonly key: string
  readonly fields: Readonly<Record<string, string>>
  readonly refused?: SigV4ErrorCode
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/post-forms.json', import.meta.url), 'utf8'),
) as readonly Form[]

async function verify(form: Form, changes: Readonly<Record<string, string | undefined>> = {}) {
  const seen: unknown[] = []
  const date = Object.entries(form.fields).find(([name]) => name.toLowerCase() === 'x-amz-date')?.[1] ?? ''
  const verifier = createVerifier({
    services: ['s3'],
    now: () => parseTimestamp(date) ?? 0,
    credentials: (accessKeyId, token) => (seen.push(token), accessKeyId === form.accessKeyId ? form : undefined),
  })
  const fields = new Map(Object.entries({ ...form.fields, ...changes }).filter((entry) => entry[1] !== undefined))
  const verified = await verifier.verifyPostPolicy(fields as Map<string, string>, form)
  return { verified, seen }
}

test.each(vectors.map((form) => [`${form.client}, ${form.name}`, form] as const))('%s', async (name, form) => {
  if (form.refused !== undefined) {
    await expect(verify(form)).rejects.toMatchObject({ code: form.refused })
    return
  }
  const { verified, seen } = await verify(form)
  expect(verified).toMatchObject({ kind: 'signed', accessKeyId: form.accessKeyId, credentials: form })
  expect(seen).toEqual([name.includes('session token') ? 'FwoGZX//token==' : undefined])
  const other = { ...form, secretAccessKey: 'other' }
  await expect(verify(other)).rejects.toMatchObject({ code: 'SignatureDoesNotMatch', status: 403 })
  await expect(verify({ ...form, bucket: 'another' })).rejects.toMatchObject({ code: 'AccessDenied' })
  await expect(verify({ ...form, key: 'elsewhere' })).rejects.toMatchObject({ code: 'AccessDenied' })
  await expect(verify(form, { extra: 'x' })).rejects.toMatchObject({
    code: 'AccessDenied',
    message: 'Invalid according to Policy: Extra input fields: extra',
  })
  await expect(verify(form, { 'x-ignore-extra': 'x', file: 'x' })).resolves.toBeDefined()
})

const verifier = createVerifier({
  services: ['s3'],
  region: 'us-east-1',
  now: () => NOW,
  credentials: (accessKeyId) => (accessKeyId === credentials.accessKeyId ? credentials : undefined),
})
const options = { bucket: 'bucket', key: 'user/${filename}', expiresSeconds: 60, credentials, region: 'us-east-1' }
const sign = (more: Partial<Parameters<typeof signPostPolicy>[0]> = {}): Record<string, string> =>
  signPostPolicy({ ...options, now: () => NOW, ...more })
const target = { bucket: 'bucket', key: 'user/a.txt' }
const verifyFields = (fields: Readonly<Record<string, string | undefined>>): Promise<unknown> =>
  verifier.verifyPostPolicy(
    new Map(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined)),
    target,
  )

test('what the signer makes verifies, and says how large the file may be', async () => {
  const sessionToken = 'FwoGZX//token=='
  const fields = sign({
    fields: { acl: 'private', 'x-amz-meta-colour': 'grün €' },
    conditions: [['content-length-range', 1, 10], ['starts-with', '$Content-Type', 'image/'], { 'x-amz-meta-a': 'b' }],
    credentials: { ...credentials, sessionToken },
  })
  const form = { ...fields, 'Content-Type': 'image/png', 'X-Amz-Meta-A': 'b' }
  expect(Object.keys(fields)).toEqual([
    'key',
    'acl',
    'x-amz-meta-colour',
    'x-amz-algorithm',
    'x-amz-credential',
    'x-amz-date',
    'x-amz-security-token',
    'policy',
    'x-amz-signature',
  ])
  expect(await verifyFields(form)).toEqual({
    kind: 'signed',
    accessKeyId: credentials.accessKeyId,
    credentials,
    contentLengthRange: { minBytes: 1, maxBytes: 10 },
  })
  const { policy } = sign({ key: 'exactly/this' })
  expect(JSON.parse(Buffer.from(policy as string, 'base64').toString())).toMatchObject({
    expiration: '2026-11-23T01:03:03.000Z',
    conditions: expect.arrayContaining([{ bucket: 'bucket' }, { key: 'exactly/this' }]),
  })
})

test.each([0, 1.5, Number.NaN])('%d seconds are no lifetime', (expiresSeconds) => {
  expect(() => sign({ expiresSeconds })).toThrow(RangeError)
})

test.each(['Policy', 'key', 'x-amz-security-token', 'file'])('the field %s is the signer’s', (name) => {
  expect(() => sign({ fields: { [name]: 'x' } })).toThrow(TypeError)
})

const fields = sign()
const missing = (name: string): string =>
  `Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the fields.`
const credential = fields['x-amz-credential'] as string

test.each([
  [{ 'x-amz-algorithm': undefined }, 'InvalidArgument', missing('X-Amz-Algorithm')],
  [{ 'x-amz-algorithm': undefined, 'x-amz-credential': undefined }, 'InvalidArgument', missing('X-Amz-Algorithm')],
  [{ 'x-amz-credential': undefined }, 'InvalidArgument', missing('X-Amz-Credential')],
  [{ 'x-amz-date': undefined }, 'InvalidArgument', missing('X-Amz-Date')],
  [{ policy: undefined }, 'InvalidArgument', missing('Policy')],
  [{ 'x-amz-signature': undefined }, 'InvalidArgument', missing('X-Amz-Signature')],
  [{ 'X-AMZ-DATE': 'x' }, 'InvalidArgument', "The form must contain the field 'x-amz-date' only once."],
  [
    { AWSAccessKeyId: 'x' },
    'InvalidRequest',
    'This authorization mechanism is not supported. Please use AWS4-HMAC-SHA256.',
  ],
  [{ 'x-amz-algorithm': 'AWS4-ECDSA-P256-SHA256' }, 'InvalidArgument', undefined],
  [{ 'x-amz-credential': 'x' }, 'InvalidArgument', undefined],
  [
    { 'x-amz-credential': credential.replace('/s3/', '/execute-api/') },
    'InvalidArgument',
    'incorrect service "execute-api". This endpoint belongs to "s3".',
  ],
  [
    { 'x-amz-credential': credential.replace('us-east-1', 'eu-west-1') },
    'InvalidArgument',
    "the region 'eu-west-1' is wrong; expecting 'us-east-1'",
  ],
  [{ 'x-amz-credential': credential.replace('20261123', '20261122') }, 'InvalidArgument', undefined],
  [{ 'x-amz-date': '2026-11-23' }, 'InvalidArgument', undefined],
  [{ 'x-amz-signature': fields['x-amz-signature']?.toUpperCase() }, 'InvalidArgument', undefined],
  [{ 'x-amz-signature': '0'.repeat(64) }, 'SignatureDoesNotMatch', undefined],
  [{ 'x-amz-credential': credential.replace('AKID', 'AKIX') }, 'InvalidAccessKeyId', undefined],
  [{ policy: 'not base64' }, 'SignatureDoesNotMatch', undefined],
  [
    { 'x-amz-security-token': 'smuggled' },
    'AccessDenied',
    'Invalid according to Policy: Extra input fields: x-amz-security-token',
  ],
  [{ 'X-Amz-Acl': 'public-read' }, 'AccessDenied', 'Invalid according to Policy: Extra input fields: X-Amz-Acl'],
] as const)('%j is refused', async (changes, code, message) => {
  await expect(verifyFields({ ...fields, ...changes })).rejects.toMatchObject({
    code,
    ...(message === undefined ? {} : { message }),
  })
})

test('the policy has expired, and is only looked at once the signature holds', async () => {
  const expired = signPostPolicy({ ...options, now: () => NOW - 61_000 })
  await expect(verifyFields(expired)).rejects.toMatchObject({
    message: 'Invalid according to Policy: Policy expired.',
  })
  await expect(verifyFields({ ...expired, 'x-amz-signature': '0'.repeat(64) })).rejects.toMatchObject({
    code: 'SignatureDoesNotMatch',
  })
})

test.each([{}, { key: 'a' }, { key: 'a', policy: fields['policy'] }])('%j is nobody’s', async (sent) => {
  expect(await verifyFields(sent)).toEqual({ kind: 'anonymous' })
})

test('a verifier of other services knows no forms', async () => {
  const other = createVerifier({ services: ['kms'], now: () => NOW, credentials: () => credentials })
  await expect(other.verifyPostPolicy(new Map(Object.entries(fields)), target)).rejects.toThrow(TypeError)
})

test('one changed character of any field, name or value, is refused', async () => {
  const complete = sign({ fields: { acl: 'private', 'x-amz-meta-a': 'grün' } })
  const entries = Object.entries(complete)
  const character = fc.integer({ min: 0x20, max: 0x7e }).map((unit) => String.fromCharCode(unit))
  const place = fc.record({ field: fc.nat(entries.length - 1), inValue: fc.boolean(), at: fc.nat(), to: character })
  await expect(verifyFields(complete)).resolves.toBeDefined()
  await fc.assert(
    fc.asyncProperty(place, async ({ field, inValue, at, to }) => {
      const [name, value] = entries[field] as [string, string]
      const overwrite = (text: string): string => {
        const index = at % text.length
        return text.slice(0, index) + to + text.slice(index + 1)
      }
      const changed: [string, string] = inValue ? [name, overwrite(value)] : [overwrite(name), value]
      // The key counts as it will be used, after ${filename} was replaced.
      fc.pre(inValue ? changed[1] !== value && name !== 'key' : changed[0].toLowerCase() !== name)
      const form = new Map(entries.with(field, changed))
      const outcome: unknown = await verifier.verifyPostPolicy(form, target).catch((error: unknown) => error)
      expect(isSigV4Error(outcome)).toBe(true)
    }),
    { numRuns: runs.numRuns * 2 },
  )
})
