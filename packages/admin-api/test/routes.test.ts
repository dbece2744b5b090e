import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routes } from '../src/routes/route-table.ts'
import { type Answer, createHarness, type Harness, root, type User } from './harness.ts'
import { type Endpoint, endpoints, type Sample, samplesFor, signedEndpoints, targetOf } from './samples.ts'

let harness: Harness
let samples: ReadonlyMap<string, Sample>

beforeAll(async () => {
  harness = await createHarness()
  await harness.run()
  samples = await samplesFor(harness)
})
afterAll(() => harness.close())

async function call({ route, method, path }: Endpoint, as: User | undefined): Promise<Answer> {
  const sample = samples.get(route.operation) as Sample
  await sample.prepare?.()
  const body = method === 'GET' ? undefined : sample.body
  return harness.send(method, targetOf(path, sample), { as, body })
}

it('has a sample for every route, and no other', () => {
  expect([...samples.keys()].sort()).toEqual(routes.map((route) => route.operation).sort())
})

it('names every operation and every method of a path once', () => {
  expect(new Set(routes.map((route) => route.operation)).size).toBe(routes.length)
  expect(new Set(endpoints.map(({ method, path }) => `${method} ${path}`)).size).toBe(endpoints.length)
})

describe.each(endpoints.map((endpoint) => [`${endpoint.method} ${endpoint.path}`, endpoint] as const))(
  '%s',
  (_, endpoint) => {
    const { route } = endpoint

    it('answers root, in the shape the document promises', async () => {
      await harness.manager.start({ force: false }, { principal: 'test' })
      const { status, json, text, headers } = await call(endpoint, root)
      expect(status, text).toBe(200)
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
      if (route.answersBytes === true) {
        expect(headers.get('content-type')).toBe('application/octet-stream')
        return
      }
      expect(route.reply.safeParse(json).error?.issues).toBeUndefined()
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
      expect(text.includes('\n  "')).toBe(route.indented)
    })
  },
)

it('answers anybody who asks for the document', async () => {
  expect(endpoints.length - signedEndpoints.length).toBe(1)
  expect((await harness.send('GET', '/openapi.json', { as: undefined })).status).toBe(200)
})

describe.each(signedEndpoints.map((endpoint) => [`${endpoint.method} ${endpoint.path}`, endpoint] as const))(
  '%s',
  (_, endpoint) => {
    const { route } = endpoint
    const id = `${endpoint.method}${endpoint.path}`.replace(/\W+/g, '-')

    it.each(route.permission)('answers a user who is allowed %s and nothing else', async (action) => {
      await harness.manager.start({ force: false }, { principal: 'test' })
      const actions = [action, ...((samples.get(route.operation) as Sample).needs ?? [])]
      const user = harness.user(`allowed-${id}-${action}`, { Effect: 'Allow', Action: actions, Resource: '*' })
      expect((await call(endpoint, user)).status).toBe(200)
    })

    it('refuses a user who is allowed everything else', async () => {
      const user = harness.user(`denied-${id}`, {
        Effect: 'Allow',
        NotAction: [...route.permission, 'admin:ServerInfo'],
        Resource: '*',
      })
      const { status, json } = await call(endpoint, user)
      expect([status, json['code']]).toEqual([403, 'AccessDenied'])
      expect(json).not.toHaveProperty('status')
    })

    it('refuses a user whose right to the operation is denied, whatever else allows it', async () => {
      const user = harness.user(
        `forbidden-${id}`,
        { Effect: 'Allow', Action: ['kms:*', 'admin:*'], Resource: '*' },
        {
          Effect: 'Deny',
          Action: route.scope === 'items' ? [...route.permission] : route.permission[0],
          Resource: '*',
        },
      )
      expect((await call(endpoint, user)).status).toBe(403)
    })

    it('refuses who signs nothing', async () => {
      const { status, json } = await call(endpoint, undefined)
      expect([status, json['code']]).toEqual([403, 'AccessDenied'])
      expect(json).not.toHaveProperty('status')
    })

    const gated = [
      'kms:ServiceControl',
      'kms:Configure',
      'kms:ClearCache',
      'kms:CreateKey',
      'kms:ListKeys',
      'kms:DescribeKey',
    ]
    it('lets admin:ServerInfo pass for what the playbook does with it, and for no data key', async () => {
      await harness.manager.start({ force: false }, { principal: 'test' })
      const user = harness.user(`info-${id}`, { Effect: 'Allow', Action: 'admin:ServerInfo', Resource: '*' })
      const expected = route.permission.some((action) => gated.includes(action)) ? 200 : 403
      expect((await call(endpoint, user)).status).toBe(expected)
    })
  },
)

it('lets admin:ServerInfo pass for nothing when that is switched off', async () => {
  const strict = await createHarness({ settings: { compatServerInfo: false } })
  const user = strict.user('info', { Effect: 'Allow', Action: 'admin:ServerInfo', Resource: '*' })
  expect((await strict.send('GET', '/kms/status', { as: user })).status).toBe(403)
  await strict.close()
})

it('answers HEAD as GET, without a body', async () => {
  const { status, text, headers } = await harness.send('HEAD', '/kms/status')
  expect([status, text]).toEqual([200, ''])
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
  const denied = await harness.send('HEAD', '/kms/status', { as: undefined })
  expect([denied.status, denied.text]).toEqual([403, ''])
})

describe('a path that is not there', () => {
  it.each([
    'POST /kms/backups',
    'GET /kms/keys/',
    'GET /kms/keys/a/b',
    'POST /kms/retired/',
    'POST /kms/retired/a/b',
    'GET /kms',
    'GET /',
    'GET /KMS/STATUS',
    'GET /kms/%73tatus',
    'GET /minio/admin/v3/kms/configure',
    'GET /minio/admin/v3/openapi.json',
    'GET /rustfs/admin/v4/kms/status',
  ])('%s is 404 NoSuchRoute', async (line) => {
    const [method, target] = line.split(' ') as [string, string]
    const { status, json } = await harness.send(method, target)
    expect([status, json['code'], json['success']]).toEqual([404, 'NoSuchRoute', false])
    expect(json['request_id']).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('a method that is not there', () => {
  it.each([
    ['PUT', '/kms/configure', 'POST'],
    ['GET', '/kms/configure', 'POST'],
    ['GET', '/kms/start', 'POST'],
    ['DELETE', '/kms/keys', 'GET, HEAD, POST'],
    ['DELETE', '/kms/keys/main-key', 'GET, HEAD'],
    ['PATCH', '/kms/status', 'GET, HEAD, POST'],
    ['OPTIONS', '/kms/config', 'GET, HEAD'],
    ['GET', '/kms/decrypt', 'POST'],
    ['GET', '/kms/keys/delete', 'DELETE'],
    ['POST', '/kms/keys/delete', 'DELETE'],
    ['GET', '/kms/keys/alias', 'DELETE, POST'],
    ['POST', '/openapi.json', 'GET, HEAD'],
    ['GET', '/minio/admin/v3/kms/key/create', 'POST'],
  ])('%s %s is 405 with Allow: %s', async (method, target, allow) => {
    const { status, json, headers } = await harness.send(method, target)
    expect([status, json['code'], headers.get('allow')]).toEqual([405, 'MethodNotAllowed', allow])
  })
})
