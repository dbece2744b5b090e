import { type ErrorCode, errorCatalogue, KmsError, kmsError } from '@kms/core'
import { SigV4Error, type SigV4ErrorCode, sigV4ErrorStatuses } from '@kms/sigv4'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { publicError } from '../src/error-reply.ts'
import { createAdminApi } from '../src/index.ts'
import { createHarness, type Harness, root, sendPresigned } from './harness.ts'

const SECRET = 'hvs.do-not-tell-anyone'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
  await harness.run()
})
afterEach(() => harness.close())

describe('an error that is not ours', () => {
  const foreign = Object.assign(new Error(`connect to vault with ${SECRET}`, { cause: SECRET }), {
    status: 418,
    code: 'ETEAPOT',
    message: `token ${SECRET}`,
  })

  it.each<[string, string, string]>([
    ['POST', '/kms/reconfigure', 'reconfigure'],
    ['POST', '/kms/start', 'start'],
    ['GET', '/kms/status', 'status'],
    ['POST', '/kms/clear-cache', 'clearCache'],
  ])('is 500 and nothing more on %s %s', async (method, target, verb) => {
    const original = harness.manager.status
    Object.assign(harness.manager, {
      [verb]: () => {
        Object.assign(harness.manager, { status: original })
        throw foreign
      },
    })
    const { status, json, text, headers } = await harness.send(method, target)
    expect([status, json['code']]).toEqual([500, 'InternalError'])
    expect(text + JSON.stringify([...headers])).not.toContain(SECRET)
    expect(json['message']).toBe(kmsError('InternalError').message)
    const requestId = headers.get('x-request-id')
    expect(json['request_id']).toBe(requestId)
    expect(harness.log).toContainEqual({ event: 'failure', requestId, error: foreign })
    expect(JSON.stringify(harness.log.filter(({ event }) => event === 'request'))).not.toContain(SECRET)
  })

  it.each([
    ['a string', SECRET],
    ['undefined', undefined],
    ['null', null],
    ['a look-alike', { name: 'KmsError', code: 'constructor' }],
  ])('is 500 when it is %s', async (_, thrown) => {
    Object.assign(harness.manager.data, { encrypt: () => Promise.reject(thrown) })
    const { status, text } = await harness.send('POST', '/kms/encrypt', { body: { plaintext: 'AAAA' } })
    expect(status).toBe(500)
    expect(text).not.toContain(SECRET)
  })

  it('is 500 even while another is being answered', async () => {
    Object.assign(harness.manager, {
      status: () => {
        throw foreign
      },
    })
    const { status, json, text } = await harness.send('POST', '/kms/start', { body: { force: 1 } })
    expect([status, json['code']]).toEqual([500, 'InternalError'])
    expect(text).not.toContain(SECRET)
  })

  it('is 500 from the credential store too', async () => {
    const log: unknown[] = []
    const credentials = { find: () => Promise.reject(foreign) }
    const api = createAdminApi({
      manager: harness.manager,
      credentials,
      clock: harness.clock,
      log: (entry) => log.push(entry),
    })
    const broken: Harness = { ...harness, api }
    const { status, text } = await sendPresigned(broken, 'GET', '/kms/status')
    expect(status).toBe(500)
    expect(text).not.toContain(SECRET)
    expect(log).toContainEqual(expect.objectContaining({ event: 'failure', error: foreign }))
  })
})

it('keeps the cause of our own errors', async () => {
  const error = kmsError(
    'BackendUnavailable',
    { store: 'main', reason: 'the token was refused' },
    { cause: new Error(SECRET), retryAfterSeconds: 7 },
  )
  harness.driver.stores.get('main')?.faults.fail('wrap', error)
  const { status, json, text, headers } = await harness.send('POST', '/kms/generate-data-key', { body: {} })
  expect([status, json['code'], headers.get('retry-after')]).toEqual([503, 'BackendUnavailable', '7'])
  expect(Object.keys(json)).toEqual(['success', 'code', 'message', 'request_id'])
  expect(text).not.toContain(SECRET)
})

it('gives every code of the catalogue its status', async () => {
  for (const [code, { status }] of Object.entries(errorCatalogue)) {
    const error = new KmsError(code as ErrorCode, 'told', { cause: SECRET })
    Object.assign(harness.manager, {
      clearCache: () => {
        throw error
      },
    })
    const answer = await harness.send('POST', '/kms/clear-cache')
    expect(answer.status, code).toBe(status)
    expect(answer.json).toEqual({ success: false, code, message: 'told', request_id: expect.any(String) })
  }
})

it('answers every error of a signature under its own code, or as InvalidRequest when only the data plane knows it', () => {
  for (const code of Object.keys(sigV4ErrorStatuses)) {
    const told = publicError(new SigV4Error(code as SigV4ErrorCode, 'told'))
    const expected = Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : 'InvalidRequest'
    expect(told).toMatchObject({ code: expected, status: errorCatalogue[expected].status, message: 'told' })
    expect(Math.floor(told.status / 100)).toBe(4)
  }
})

it.each([
  ['InvalidRequest', 400],
  ['NoSuchUser', 404],
  ['NoSuchPolicy', 404],
  ['PolicyInUse', 409],
  ['ManagedByFile', 409],
  ['ReservedName', 409],
  ['AccessDenied', 403],
  ['InvalidTokenId', 403],
  ['ExpiredToken', 400],
])('tells an IamError %s as it is', (code, status) => {
  const error = Object.assign(new Error('told'), { name: 'IamError', code })
  expect(publicError(error)).toEqual({ code, status, message: 'told', retryAfterSeconds: undefined })
})

it.each(['InvalidIamFile', 'InvalidIamDocument', 'UnsupportedFormat'])('keeps an IamError %s to itself', (code) => {
  const error = Object.assign(new Error(SECRET), { name: 'IamError', code })
  expect(publicError(error)).toMatchObject({ code: 'InternalError', status: 500 })
  expect(publicError(error).message).not.toContain(SECRET)
})

describe('the log', () => {
  it('has one entry for every request', async () => {
    const api = await createHarness({ peer: () => ({ address: '10.0.0.9', secure: false }), requestId: () => 'id-1' })
    await api.run()
    api.clock.advance(5)
    const made = await api.send('POST', '/kms/generate-data-key', { body: {} })
    expect(made.headers.get('x-request-id')).toBe('id-1')
    await api.send('POST', '/kms/decrypt?x=secret', { as: undefined, body: {} })
    await api.send('GET', '/kms/nothing?x=secret')
    const shared = { event: 'request', requestId: 'id-1', milliseconds: 0 }
    const nobody = { principal: undefined, accessKeyId: undefined, address: undefined, keyId: undefined }
    const known = { principal: 'root', accessKeyId: 'root', address: '10.0.0.9' }
    const path = (end: string): string => `/rustfs/admin/v3/kms/${end}`
    expect(api.log).toEqual([
      {
        ...shared,
        ...known,
        operation: 'generateDataKey',
        action: 'kms:GenerateDataKey',
        effect: 'use',
        method: 'POST',
        path: path('generate-data-key'),
        keyId: 'main-key',
        status: 200,
        code: undefined,
      },
      {
        ...shared,
        ...nobody,
        operation: 'decrypt',
        action: 'kms:Decrypt',
        effect: 'use',
        method: 'POST',
        path: path('decrypt'),
        status: 403,
        code: 'AccessDenied',
      },
      {
        ...shared,
        ...nobody,
        operation: undefined,
        action: undefined,
        effect: undefined,
        method: 'GET',
        path: path('nothing'),
        status: 404,
        code: 'NoSuchRoute',
      },
    ])
    await api.close()
  })

  it('is told how a signature was computed, and only when asked to be', async () => {
    const options = { as: { ...root, secretAccessKey: 'guessed' } }
    await harness.send('GET', '/kms/status', options)
    expect(harness.log.map(({ event }) => event)).toEqual(['request'])
    const debug = await createHarness({ settings: { debugSignatures: true } })
    const { text } = await debug.send('GET', '/kms/status', options)
    expect(text).not.toContain('GET\\n')
    expect(debug.log[0]).toMatchObject({
      event: 'signature',
      computed: { canonicalRequest: expect.stringContaining('GET\n') },
    })
    await debug.close()
  })
})
