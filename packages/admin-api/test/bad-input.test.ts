import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_PREFIX, type Route } from '../src/routes/route.ts'
import {
  createHarness,
  type Harness,
  NOW,
  root,
  type SendOptions,
  sendPresigned,
  stateOf,
  type User,
} from './harness.ts'
import { bodyEndpoints, type Sample, samplesFor, signedEndpoints, targetOf } from './samples.ts'

let harness: Harness
let samples: ReadonlyMap<string, Sample>
let nobody: User

beforeAll(async () => {
  harness = await createHarness()
  await harness.run()
  samples = await samplesFor(harness)
  await harness.manager.keys.create({ name: 'spare', authorize: () => {}, caller: { principal: 'test' } })
  nobody = harness.user('nobody')
})
afterAll(() => harness.close())

/** What came of a request, and whether it left everything as it was. */
interface Attempt {
  readonly status: number
  readonly code: unknown
  readonly message: unknown
  /** Whether the body names the request as the header does. */
  readonly named: boolean
  readonly changed: boolean
}

async function attempt(method: string, target: string, options: SendOptions): Promise<Attempt> {
  const before = stateOf(harness)
  const { status, json, headers } = await harness.send(method, target, options)
  return {
    status,
    code: json['code'],
    message: json['message'],
    named: json['request_id'] === headers.get('x-request-id'),
    changed: !isDeepStrictEqual(stateOf(harness), before),
  }
}

function refusal(status: number, code: string, message: unknown = expect.any(String)): Attempt {
  return { status, code, message, named: true, changed: false }
}

const OTHER_HASH = '0'.repeat(64)

/** What is wrong with the signature, and the answer, on every route. */
const badSignatures: readonly (readonly [string, SendOptions, number, string])[] = [
  ['nothing signed', { as: undefined }, 403, 'AccessDenied'],
  ['an unknown access key', { as: { accessKeyId: 'who', secretAccessKey: 'is-this' } }, 403, 'InvalidAccessKeyId'],
  ['a wrong secret', { as: { ...root, secretAccessKey: 'guessed' } }, 403, 'SignatureDoesNotMatch'],
  ['an old date', { sign: { now: () => NOW - 15 * 60_000 - 1000 } }, 403, 'RequestTimeTooSkewed'],
  ['a date to come', { sign: { now: () => NOW + 15 * 60_000 + 1000 } }, 403, 'RequestTimeTooSkewed'],
  ['a foreign service', { sign: { service: 'ec2' } }, 400, 'AuthorizationHeaderMalformed'],
  ['a body that is not the one signed', { sign: { payloadHash: OTHER_HASH } }, 400, 'XAmzContentSHA256Mismatch'],
  [
    'a header that is no signature',
    { tamper: (headers) => void (headers['authorization'] = 'AWS4-HMAC-SHA256 Credential=x') },
    400,
    'AuthorizationHeaderMalformed',
  ],
  ['another scheme', { tamper: (headers) => void (headers['authorization'] = 'Bearer x') }, 400, 'InvalidRequest'],
  ['an amz header that was not signed', { tamper: (headers) => void (headers['x-amz-x'] = '1') }, 403, 'AccessDenied'],
  [
    'a signed header that was changed',
    { headers: { 'if-match': 'a' }, tamper: (headers) => void (headers['if-match'] = 'b') },
    403,
    'SignatureDoesNotMatch',
  ],
]

describe.each(signedEndpoints.map((e) => [`${e.method} ${e.path}`, e] as const))(
  '%s refuses',
  (_, { method, path, route }) => {
    it.each(badSignatures)('%s', async (_name, options, status, code) => {
      const sample = samples.get(route.operation) as Sample
      const body = method === 'POST' || method === 'PUT' ? JSON.stringify(sample.body ?? {}) : undefined
      expect(await attempt(method, targetOf(path, sample), { body, ...options })).toEqual(refusal(status, code))
    })

    it('a request for another path than the one signed', async () => {
      const sample = samples.get(route.operation) as Sample
      const headers: Record<string, string> = {}
      await harness.send(method, '/kms/other', { tamper: (signed) => void Object.assign(headers, signed) })
      const url = `http://kms.test${targetOf(path, sample)}`
      const response = await harness.api.app.request(url, { method, headers })
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
        403,
        'SignatureDoesNotMatch',
      ])
    })
  },
)

describe('a region of its own', () => {
  it('is required when it is set, and any will do when it is not', async () => {
    const strict = await createHarness({ settings: { region: 'eu-west-1' } })
    const wrong = await strict.send('GET', '/kms/status')
    expect([wrong.status, wrong.json['code']]).toEqual([400, 'AuthorizationHeaderMalformed'])
    expect((await strict.send('GET', '/kms/status', { sign: { region: 'eu-west-1' } })).status).toBe(200)
    expect((await harness.send('GET', '/kms/status', { sign: { region: 'mars' } })).status).toBe(200)
    await strict.close()
  })
})

describe.each(['s3', 'execute-api', 'kms', 'sts'])('a signature for %s', (service) => {
  it('is accepted', async () => {
    expect((await harness.send('GET', '/kms/status', { sign: { service } })).status).toBe(200)
    expect((await harness.send('POST', '/kms/generate-data-key', { body: {}, sign: { service } })).status).toBe(200)
  })
})

describe('UNSIGNED-PAYLOAD', () => {
  const sign = { payloadHash: 'UNSIGNED-PAYLOAD' }
  it.each(bodyEndpoints.map(({ method, path, route }) => [method, path, route.operation] as const))(
    'on %s %s needs TLS',
    async (method, path, operation) => {
      const sample = samples.get(operation) as Sample
      const target = targetOf(path, sample)
      await sample.prepare?.()
      const body = JSON.stringify(sample.body ?? {})
      expect(await attempt(method, target, { body, sign })).toEqual(refusal(400, 'InvalidRequest'))
      const { status } = await harness.send(method, target, { body, sign, secure: true })
      expect(status).toBe(200)
      await harness.manager.start({ force: false }, { principal: 'test' })
    },
  )
  it('is good enough for reading', async () => {
    expect((await harness.send('GET', '/kms/status', { sign })).status).toBe(200)
  })
})

describe('a signature in the query', () => {
  it('reads', async () => {
    expect((await sendPresigned(harness, 'GET', '/kms/status')).status).toBe(200)
    expect((await sendPresigned(harness, 'GET', '/kms/keys?limit=1')).json['keys']).toHaveLength(1)
    expect((await sendPresigned(harness, 'HEAD', '/kms/status')).status).toBe(200)
  })
  it.each(bodyEndpoints.map(({ method, path }) => [method, path.slice(ADMIN_PREFIX.length)] as const))(
    'does not %s %s',
    async (method, path) => {
      const before = stateOf(harness)
      const { status, json } = await sendPresigned(harness, method, path)
      expect([status, json['code']]).toEqual([400, 'AuthorizationQueryParametersError'])
      expect(stateOf(harness)).toEqual(before)
    },
  )
  it('ends', async () => {
    const before = harness.clock.now()
    const late = { ...harness, clock: { ...harness.clock, now: () => before - 61_000 } }
    const { status, json } = await sendPresigned(late, 'GET', '/kms/status')
    expect([status, json['code']]).toEqual([403, 'AccessDenied'])
  })
})

const deep = '['.repeat(17) + ']'.repeat(17)

/** What is wrong with the body, and the answer, on every route that takes one. */
const badBodies: readonly (readonly [string, string | Uint8Array | ((limit: number) => string), number, string])[] = [
  ['text that is no JSON', '{"force": tru', 400, 'InvalidRequest'],
  ['a form', 'a=b&c=d', 400, 'InvalidRequest'],
  ['a name that stands twice', '{"a":1,"a":2}', 400, 'InvalidRequest'],
  ['bytes that are not UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 400, 'InvalidRequest'],
  ['a lone surrogate', '{"key_id":"\\ud800"}', 400, 'InvalidRequest'],
  ['nesting without end', deep, 400, 'InvalidRequest'],
  ['an array', '[]', 400, 'ValidationError'],
  ['a string', '"x"', 400, 'ValidationError'],
  ['null', 'null', 400, 'ValidationError'],
  ['an unknown field', '{"nonsense":1}', 400, 'ValidationError'],
  ['__proto__', '{"__proto__":{"force":true}}', 400, 'ValidationError'],
  ['constructor', '{"constructor":1}', 400, 'ValidationError'],
  ['more than it may have', (limit) => `"${'x'.repeat(limit - 1)}"`, 413, 'EntityTooLarge'],
]

function bodyFor(route: Route, body: string | Uint8Array | ((limit: number) => string)): string | Uint8Array {
  const limit = (route.scope === 'public' ? undefined : route.maxBodyBytes) ?? 1_048_576
  return typeof body === 'function' ? body(limit) : body
}

/** Policies have a grammar of their own: an object with the wrong members is a bad policy. */
function isPolicyShaped(body: string | Uint8Array): boolean {
  return typeof body === 'string' && /^\{"(?:nonsense|__proto__|constructor)"/.test(body)
}

describe.each(bodyEndpoints.map((e) => [`${e.method} ${e.path}`, e] as const))(
  '%s refuses',
  (_, { method, path, route }) => {
    it.each(badBodies)('%s', async (_name, content, status, code) => {
      const body = bodyFor(route, content)
      const target = targetOf(path, samples.get(route.operation) as Sample)
      const grammar = route.operation === 'addPolicy' && isPolicyShaped(body)
      const expected = grammar ? 'MalformedPolicyDocument' : code
      expect(await attempt(method, target, { body })).toEqual(refusal(status, expected))
    })

    it.each(badBodies)('%s, with a denial where nothing is allowed', async (_name, content, status) => {
      const body = bodyFor(route, content)
      const target = targetOf(path, samples.get(route.operation) as Sample)
      const [expected, code] = status === 413 ? ([413, 'EntityTooLarge'] as const) : ([403, 'AccessDenied'] as const)
      expect(await attempt(method, target, { body, as: nobody })).toEqual(refusal(expected, code))
    })

    // A name without a value is refused by routes that know it too.
    const known = Object.keys((route.scope === 'public' ? undefined : route.query)?.schema.shape ?? {})
    const unknown = ['dry_run=true', 'constructor=1', 'confirm_within=60'].filter(
      (query) => !known.some((name) => query.startsWith(`${name}=`)),
    )
    it.each([...unknown, 'dry_run', 'confirm_within'])('the query parameter %s', async (query) => {
      const sample = samples.get(route.operation) as Sample
      const body = JSON.stringify(sample.body ?? {})
      expect(await attempt(method, `${path}?${query}`, { body })).toEqual(refusal(400, 'ValidationError'))
      expect(await attempt(method, `${path}?${query}`, { body, as: nobody })).toEqual(refusal(403, 'AccessDenied'))
    })
  },
)

describe('values', () => {
  const b64 = 'c2VjcmV0'
  const long = 'x'.repeat(8193)
  const forced = { key_id: 'spare', force_immediate: true, confirm_key_id: 'spare' }
  const seven = { key_id: 'spare', pending_window_in_days: 7 }
  it.each<[string, string, unknown, string]>([
    ['POST', '/kms/configure', { backend_type: 'floppy' }, 'backend_type'],
    ['POST', '/kms/configure', { backend_type: 'memory' }, 'name'],
    ['POST', '/kms/configure', { backend_type: 'memory', name: 'x', timeout_seconds: 0 }, 'timeout_seconds'],
    ['POST', '/kms/reconfigure', { cache_ttl_second: 5 }, 'cache_ttl_second'],
    ['POST', '/kms/reconfigure', { enable_cache: 'yes' }, 'enable_cache'],
    ['POST', '/kms/reconfigure?dry_run=yes', {}, 'dry_run'],
    ['POST', '/kms/reconfigure?dry_run=True', {}, 'dry_run'],
    ['POST', '/kms/reconfigure?dry_run=', {}, 'dry_run'],
    ['POST', '/kms/reconfigure?dry_run=true&dry_run=false', {}, 'dry_run'],
    ['POST', '/kms/reconfigure?dry-run=true', {}, 'dry-run'],
    ['POST', '/kms/reconfigure?confirm_within=0', {}, 'confirm_within'],
    ['POST', '/kms/reconfigure?confirm_within=86401', {}, 'confirm_within'],
    ['POST', '/kms/reconfigure?confirm_within=-5', {}, 'confirm_within'],
    ['POST', '/kms/reconfigure?confirm_within=1.5', {}, 'confirm_within'],
    ['POST', '/kms/reconfigure?confirm_within=1m', {}, 'confirm_within'],
    ['POST', '/kms/reconfigure?confirm_within=99999999999999999999', {}, 'confirm_within'],
    ['POST', '/kms/reconfigure?dry_run=true&confirm_within=0', {}, 'confirm_within'],
    ['POST', '/kms/rollback', {}, 'revision'],
    ['POST', '/kms/rollback', { revision: '1' }, 'revision'],
    ['POST', '/kms/rollback', { revision: 0 }, 'revision'],
    ['POST', '/kms/rollback', { revision: 1.5 }, 'revision'],
    ['POST', '/kms/rollback', { revision: null }, 'revision'],
    ['POST', '/kms/rollback', { revison: 1 }, 'revison'],
    ['POST', '/kms/confirm', { revision: 1 }, 'revision'],
    ['DELETE', '/kms/retired/00000000000000000000000000000000', {}, 'confirm_realm'],
    ['DELETE', '/kms/retired/00000000000000000000000000000000', { confirm_realm: 7 }, 'confirm_realm'],
    ['DELETE', '/kms/retired/0', { confirm_realm: '0', force: 'yes' }, 'force'],
    ['POST', '/kms/start', { force: 'true' }, 'force'],
    ['POST', '/kms/start', { force: 1 }, 'force'],
    ['POST', '/kms/stop', { force: true }, 'force'],
    ['POST', '/kms/keys', { key_name: 7 }, 'key_name'],
    ['POST', '/kms/keys', { KeyName: '../x' }, 'key_name'],
    ['POST', '/kms/keys', { name: 'delete' }, 'key_name'],
    ['POST', '/kms/keys', { name: '' }, 'key_name'],
    ['POST', '/kms/keys', { tags: { name: 'a b' } }, 'key_name'],
    ['POST', '/kms/keys', { key_name: 'a', KeyName: 'a' }, 'key_name'],
    ['POST', '/kms/keys', { key_usage: 'SIGN_VERIFY' }, 'key_usage'],
    ['POST', '/kms/keys', { KeyUsage: 3 }, 'key_usage'],
    ['POST', '/kms/keys', { KeyUsage: 'ENCRYPT_DECRYPT', key_usage: 'ENCRYPT_DECRYPT' }, 'key_usage'],
    ['POST', '/kms/keys', { tags: [] }, 'tags'],
    ['POST', '/kms/keys', { tags: { a: 1 } }, 'tags'],
    ['POST', '/kms/keys', { tags: { '': 'x' } }, 'tags'],
    ['POST', '/kms/keys', { Description: 5 }, 'description'],
    ['POST', '/kms/keys', { description: long }, 'description'],
    ['POST', '/kms/keys', { Descripton: 'x' }, 'Descripton'],
    ['POST', '/kms/key/create?key-id=a', { name: 'b' }, 'key-id'],
    ['POST', '/kms/key/create?key-id=', undefined, 'key_name'],
    ['POST', '/kms/key/create?key-id=a&key-id=b', undefined, 'key-id'],
    ['POST', '/kms/keys/rotate', {}, 'key_id'],
    ['POST', '/kms/keys/rotate', { key_id: '' }, 'key_id'],
    ['POST', '/kms/keys/rotate', { key_id: 5 }, 'key_id'],
    ['POST', '/kms/keys/rotate', { key_id: 'a b' }, 'key_id'],
    ['POST', '/kms/keys/rotate', { key_id: 'main-key', keyId: 'main-key' }, 'key_id'],
    ['POST', '/kms/keys/rotate?keyId=', undefined, 'key_id'],
    ['POST', '/kms/keys/rotate?keyId=other', { key_id: 'main-key' }, 'key_id'],
    ['POST', '/kms/keys/enable?force=true', { key_id: 'main-key' }, 'force'],
    ['POST', '/kms/keys/enable', { key: 'main-key' }, 'key'],
    ['POST', '/kms/keys/update-description', { key_id: 'main-key' }, 'description'],
    ['POST', '/kms/keys/update-description', { key_id: 'main-key', description: null }, 'description'],
    ['POST', '/kms/keys/update-description', { key_id: 'main-key', description: long }, 'description'],
    ['POST', '/kms/keys/tag', { key_id: 'main-key' }, 'tags'],
    ['POST', '/kms/keys/tag', { key_id: 'main-key', tags: [] }, 'tags'],
    ['POST', '/kms/keys/tag', { key_id: 'main-key', tags: { a: null } }, 'tags'],
    ['POST', '/kms/keys/tag', { key_id: 'main-key', tags: { name: 'x' } }, 'tags'],
    ['POST', '/kms/keys/untag', { key_id: 'main-key' }, 'tag_keys'],
    ['POST', '/kms/keys/untag', { key_id: 'main-key', tag_keys: 'a' }, 'tag_keys'],
    ['POST', '/kms/keys/untag', { key_id: 'main-key', tag_keys: [1] }, 'tag_keys.0'],
    ['POST', '/kms/keys/untag', { key_id: 'main-key', tag_keys: ['name'] }, 'tag_keys'],
    ['POST', '/kms/keys/rotation-period', { key_id: 'main-key' }, 'days'],
    ['POST', '/kms/keys/rotation-period', { key_id: 'main-key', days: '90' }, 'days'],
    ['POST', '/kms/keys/rotation-period', { key_id: 'main-key', days: 0 }, 'days'],
    ['POST', '/kms/keys/rotation-period', { key_id: 'main-key', days: 1.5 }, 'days'],
    ['POST', '/kms/keys/rotation-period', { key_id: 'main-key', days: 3651 }, 'days'],
    ['POST', '/kms/keys/alias', { key_id: 'main-key' }, 'alias'],
    ['POST', '/kms/keys/alias', { key_id: 'main-key', alias: 'a b' }, 'alias'],
    ['POST', '/kms/keys/alias', { key_id: 'main-key', alias: 'alias/' }, 'alias'],
    ['POST', '/kms/keys/alias', { alias: 'a' }, 'key_id'],
    ['DELETE', '/kms/keys/alias', {}, 'alias'],
    ['DELETE', '/kms/keys/alias?alias=a', { alias: 'b' }, 'alias'],
    ['DELETE', '/kms/keys/alias?keyId=other', { alias: 'b', key_id: 'main-key' }, 'key_id'],
    ['DELETE', '/kms/keys/delete', {}, 'key_id'],
    ['DELETE', '/kms/keys/delete', { key_id: '..' }, 'key_id'],
    ['DELETE', '/kms/keys/delete', { key_id: 'spare', pending_window_in_days: 6 }, 'pending_window_in_days'],
    ['DELETE', '/kms/keys/delete', { key_id: 'spare', pending_window_in_days: 31 }, 'pending_window_in_days'],
    ['DELETE', '/kms/keys/delete', { key_id: 'spare', pending_window_in_days: 7.5 }, 'pending_window_in_days'],
    ['DELETE', '/kms/keys/delete', { key_id: 'spare', pending_window_in_days: '7' }, 'pending_window_in_days'],
    ['DELETE', '/kms/keys/delete', { key_id: 'spare', force_immediate: 'true' }, 'force_immediate'],
    ['DELETE', '/kms/keys/delete', { key_id: 'spare', force_immediate: 1 }, 'force_immediate'],
    ['DELETE', '/kms/keys/delete', { key_id: 'spare', confirm_key_id: 'spare' }, 'confirm_key_id'],
    ['DELETE', '/kms/keys/delete', { key_id: 'spare', forceImmediate: true }, 'forceImmediate'],
    ['DELETE', '/kms/keys/delete', { ...forced, pending_window_in_days: 7 }, 'pending_window_in_days'],
    ['DELETE', '/kms/keys/delete?pending_window_in_days=8', { ...seven }, 'pending_window_in_days'],
    ['DELETE', '/kms/keys/delete?keyId=spare&pending_window_in_days=', undefined, 'pending_window_in_days'],
    ['DELETE', '/kms/keys/delete?keyId=spare&pending_window_in_days=-7', undefined, 'pending_window_in_days'],
    ['DELETE', '/kms/keys/delete?keyId=spare&pending_window_in_days=6', undefined, 'pending_window_in_days'],
    ['DELETE', '/kms/keys/delete?keyId=spare&pending_window_in_days=1e1', undefined, 'pending_window_in_days'],
    ['DELETE', '/kms/keys/delete?keyId=spare&force_immediate=true', undefined, 'force_immediate'],
    ['DELETE', '/kms/keys/delete?keyId=spare&force_immediate', undefined, 'force_immediate'],
    ['DELETE', '/kms/keys/delete?keyId=spare&force_immediate=TRUE', undefined, 'force_immediate'],
    ['DELETE', '/kms/keys/delete?keyId=spare&confirm_key_id=spare', undefined, 'confirm_key_id'],
    ['DELETE', '/kms/keys/delete?force_immediate=true', forced, 'force_immediate'],
    ['DELETE', '/kms/keys/delete?keyId=other', { key_id: 'spare' }, 'key_id'],
    ['POST', '/kms/generate-data-key', { key_spec: 'AES_512' }, 'key_spec'],
    ['POST', '/kms/generate-data-key', { key_spec: 256 }, 'key_spec'],
    ['POST', '/kms/generate-data-key', { key_id: 5 }, 'key_id'],
    ['POST', '/kms/generate-data-key', { key_id: '' }, 'key_id'],
    ['POST', '/kms/generate-data-key', { key_id: 'a b' }, 'key_id'],
    ['POST', '/kms/generate-data-key', { encryption_context: 'x' }, 'encryption_context'],
    ['POST', '/kms/generate-data-key', { encryption_context: { a: 1 } }, 'encryption_context'],
    ['POST', '/kms/generate-data-key', { encryption_context: { 'aws:s3:arn': 'x' } }, 'encryption_context'],
    ['POST', '/kms/generate-data-key', { number_of_bytes: 32 }, 'number_of_bytes'],
    ['POST', '/kms/encrypt', {}, 'plaintext'],
    ['POST', '/kms/encrypt', { plaintext: null }, 'plaintext'],
    ['POST', '/kms/encrypt', { plaintext: 5 }, 'plaintext'],
    ['POST', '/kms/encrypt', { plaintext: '' }, 'plaintext'],
    ['POST', '/kms/encrypt', { plaintext: `${b64}\n` }, 'plaintext'],
    ['POST', '/kms/encrypt', { plaintext: 'c2VjcmV' }, 'plaintext'],
    ['POST', '/kms/encrypt', { plaintext: '_-__' }, 'plaintext'],
    ['POST', '/kms/encrypt', { plaintext: Buffer.alloc(4097).toString('base64') }, 'plaintext'],
    ['POST', '/kms/decrypt', {}, 'ciphertext_blob'],
    ['POST', '/kms/decrypt', { ciphertext_blob: '***' }, 'ciphertext_blob'],
    ['POST', '/kms/decrypt', { ciphertext: b64 }, 'ciphertext'],
    ['GET', '/kms/keys?limit=abc', undefined, 'limit'],
    ['GET', '/kms/keys?limit=-1', undefined, 'limit'],
    ['GET', '/kms/keys?limit=', undefined, 'limit'],
    ['GET', '/kms/keys?limit', undefined, 'limit'],
    ['GET', '/kms/keys?limit=1.5', undefined, 'limit'],
    ['GET', '/kms/keys?limit=+1', undefined, 'limit'],
    ['GET', '/kms/keys?limit=1&limit=2', undefined, 'limit'],
    ['GET', '/kms/keys?marker=', undefined, 'marker'],
    ['GET', '/kms/keys?marker=%C3%A9', undefined, 'marker'],
    ['GET', '/kms/keys?status=', undefined, 'status'],
    ['GET', '/kms/keys?status=Sleeping', undefined, 'status'],
    ['GET', '/kms/keys?usage=hashing', undefined, 'usage'],
    ['GET', '/kms/list-keys?limit=abc', undefined, 'limit'],
    ['GET', '/kms/keys/a%20b', undefined, 'key_id'],
    ['GET', '/kms/keys/arn:aws:s3:::bucket', undefined, 'key_id'],
    ['GET', '/kms/describe-key', undefined, 'keyId'],
    ['GET', '/kms/key/status?key-id=', undefined, 'keyId'],
    ['GET', '/kms/describe-key?keyId=..', undefined, 'key_id'],
  ])('%s %s %j is 400 at %s', async (method, target, body, path) => {
    const message: unknown = expect.stringMatching(new RegExp(`^${path}: `))
    expect(await attempt(method, target, { body })).toEqual(refusal(400, 'ValidationError', message))
    expect(await attempt(method, target, { body, as: nobody })).toEqual(refusal(403, 'AccessDenied'))
  })

  it('names the nearest field, or parameter', async () => {
    expect(await attempt('POST', '/kms/keys', { body: { descripton: 'x' } })).toEqual(
      refusal(400, 'ValidationError', 'descripton: is not a known field; did you mean "description"?'),
    )
    expect(await attempt('POST', '/kms/keys?keyid=x', {})).toEqual(
      refusal(400, 'ValidationError', 'keyid: is not a query parameter of this route; did you mean "key-id"?'),
    )
  })

  it('refuses damaged ciphertexts and ciphertexts of other releases', async () => {
    const { json } = await harness.send('POST', '/kms/encrypt', { body: { plaintext: b64 } })
    const good = Buffer.from(json['ciphertext_blob'] as string, 'base64')
    const damaged = Buffer.from(good)
    damaged[good.length - 1] = (damaged[good.length - 1] as number) ^ 1
    const newer = Buffer.from(good)
    newer[4] = 9
    for (const [bytes, code] of [
      [damaged, 'InvalidCiphertext'],
      [good.subarray(1), 'InvalidCiphertext'],
      [Buffer.alloc(0), 'InvalidCiphertext'],
      [newer, 'UnsupportedFormat'],
    ] as const) {
      const body = { ciphertext_blob: bytes.toString('base64') }
      expect(await attempt('POST', '/kms/decrypt', { body })).toEqual(refusal(400, code))
      expect(await attempt('POST', '/kms/decrypt', { body, as: nobody })).toEqual(refusal(403, 'AccessDenied'))
    }
  })

  it('refuses a broken escape', async () => {
    expect(await attempt('GET', '/kms/keys?limit=%zz', { as: undefined, headers: { authorization: 'x' } })).toEqual(
      refusal(400, 'InvalidRequest'),
    )
  })
})

describe('whatever JSON is sent', () => {
  const fields = [
    'key_id',
    'plaintext',
    'ciphertext_blob',
    'encryption_context',
    'key_spec',
    'key_name',
    'tags',
    'force',
  ]
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('main-key', 'c2VjcmV0', 'alias/x', '__proto__'))
  const body = fc.oneof(fc.dictionary(fc.oneof(fc.constantFrom(...fields), fc.string()), value), fc.jsonValue())
  const targets = bodyEndpoints
    .map(({ method, path }) => [method, path] as const)
    .filter(([, path]) => !/configure|stop|start|create|keys$/.test(path))

  it('nobody gets more than a denial, and root no internal error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...targets), body, async ([method, target], json) => {
        const options = { body: JSON.stringify(json) }
        const answer = await harness.send(method, target, options)
        expect(answer.status, answer.text).toBeLessThan(500)
        const denied = await harness.send(method, target, { ...options, as: nobody })
        expect([denied.status, denied.json['code']]).toEqual([403, 'AccessDenied'])
      }),
      { numRuns: 150 },
    )
  })
})
