import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createHarness, type Harness, root, type Statement } from './harness.ts'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
  await harness.run()
})
afterEach(() => harness.close())

const ann = { accessKeyId: 'ann', secretAccessKey: 'battery staple' }
const ADD = '/add-user?accessKey=ann'
const policyOf = (...Statement: readonly Statement[]): object => ({ Version: '2012-10-17', Statement })
const add = (more: object = {}) =>
  harness.send('PUT', ADD, { body: { secretKey: ann.secretAccessKey, status: 'enabled', ...more } })

describe('a user', () => {
  it('is added, gets rights, uses them, loses them, and is removed', async () => {
    expect((await harness.send('GET', '/kms/keys', { as: ann })).json['code']).toBe('InvalidAccessKeyId')
    expect((await add()).json).toEqual({ success: true, message: 'User stored.' })
    expect((await harness.send('GET', '/kms/keys', { as: ann })).json['code']).toBe('AccessDenied')
    const attached = await harness.send('PUT', '/set-policy?policyName=KMSAuditor&userOrGroup=ann&isGroup=false')
    expect(attached.status).toBe(200)
    expect((await harness.send('GET', '/kms/keys', { as: ann })).status).toBe(200)
    await harness.send('PUT', '/set-user-status?accessKey=ann&status=disabled')
    expect((await harness.send('GET', '/kms/keys', { as: ann })).json['code']).toBe('InvalidAccessKeyId')
    await harness.send('PUT', '/set-user-status?accessKey=ann&status=enabled')
    expect((await harness.send('GET', '/kms/keys', { as: ann })).status).toBe(200)
    await harness.send('PUT', '/set-user-or-group-policy?policyName=&userOrGroup=ann')
    expect((await harness.send('GET', '/kms/keys', { as: ann })).json['code']).toBe('AccessDenied')
    expect((await harness.send('DELETE', '/remove-user?accessKey=ann')).status).toBe(200)
    expect((await harness.send('GET', '/kms/keys', { as: ann })).json['code']).toBe('InvalidAccessKeyId')
    expect((await harness.send('GET', '/list-users')).json).toEqual({})
  })

  it('is shown without its secret, in RustFS’s names', async () => {
    await add({ policy: 'KMSAuditor,KMSKeyUser' })
    const shown = {
      status: 'enabled',
      policyName: 'KMSAuditor,KMSKeyUser',
      source: 'api',
      createdAt: '2026-11-23T12:00:00.000Z',
      updatedAt: '2026-11-23T12:00:00.000Z',
    }
    const info = await harness.send('GET', '/user-info?accessKey=ann')
    expect(info.json).toEqual(shown)
    const list = await harness.send('GET', '/list-users')
    expect(list.json).toEqual({ ann: shown })
    for (const text of [info.text, list.text, JSON.stringify(harness.log)]) expect(text).not.toContain('battery')
  })

  it('may be called like a member of every object', async () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const body = { secretKey: 'battery staple' }
      expect((await harness.send('PUT', `/add-user?accessKey=${name}`, { body })).status).toBe(200)
    }
    const { text } = await harness.send('GET', '/list-users')
    for (const name of ['__proto__', 'constructor', 'toString']) expect(text).toContain(`"${name}": {`)
  })

  it('given another secret keeps the rest', async () => {
    await add({ policy: 'KMSAuditor' })
    const body = { secretKey: 'another secret' }
    await harness.send('PUT', ADD, { body })
    expect((await harness.send('GET', '/kms/keys', { as: ann })).json['code']).toBe('SignatureDoesNotMatch')
    const renewed = { ...ann, secretAccessKey: body.secretKey }
    expect((await harness.send('GET', '/kms/keys', { as: renewed })).status).toBe(200)
  })
})

describe('a policy', () => {
  const document = policyOf({ Effect: 'Allow', Action: 'kms:ListKeys', Resource: '*' })
  it('is added, shown, attached, replaced, and removed once nobody has it', async () => {
    expect((await harness.send('PUT', '/add-canned-policy?name=listing', { body: document })).status).toBe(200)
    expect((await harness.send('GET', '/info-canned-policy?name=listing')).json).toEqual({
      policy_name: 'listing',
      policy: document,
      source: 'api',
      create_date: '2026-11-23T12:00:00.000Z',
      update_date: '2026-11-23T12:00:00.000Z',
    })
    const listed = (await harness.send('GET', '/list-canned-policies')).json
    expect(listed['listing']).toEqual(document)
    expect(Object.keys(listed)).toContain('KMSKeyUser')
    await add({ policy: 'listing' })
    expect((await harness.send('GET', '/kms/keys', { as: ann })).status).toBe(200)
    const used = await harness.send('DELETE', '/remove-canned-policy?name=listing')
    expect([used.status, used.json['code']]).toEqual([409, 'PolicyInUse'])
    const other = policyOf({ Effect: 'Allow', Action: 'kms:DescribeKey', Resource: '*' })
    await harness.send('PUT', '/add-canned-policy?name=listing', { body: other })
    expect((await harness.send('GET', '/kms/keys', { as: ann })).status).toBe(403)
    await harness.send('DELETE', '/remove-user?accessKey=ann')
    expect((await harness.send('DELETE', '/remove-canned-policy?name=listing')).status).toBe(200)
    expect((await harness.send('GET', '/info-canned-policy?name=listing')).status).toBe(404)
  })
})

describe('refused, changing nothing', () => {
  it.each<[string, string, unknown, number, string]>([
    ['PUT', '/add-user', { secretKey: 'battery staple' }, 400, 'ValidationError'],
    ['PUT', '/add-user?accessKey=', { secretKey: 'battery staple' }, 400, 'ValidationError'],
    ['PUT', '/add-user?accessKey=ab', { secretKey: 'battery staple' }, 400, 'InvalidRequest'],
    ['PUT', '/add-user?accessKey=a%20b', { secretKey: 'battery staple' }, 400, 'InvalidRequest'],
    ['PUT', '/add-user?accessKey=bob', {}, 400, 'ValidationError'],
    ['PUT', '/add-user?accessKey=bob', { secretKey: 'short' }, 400, 'InvalidRequest'],
    ['PUT', '/add-user?accessKey=bob', { secretKey: 12345678 }, 400, 'ValidationError'],
    ['PUT', '/add-user?accessKey=bob', { secretKey: 'battery staple', status: 'on' }, 400, 'ValidationError'],
    ['PUT', '/add-user?accessKey=bob', { secretKey: 'battery staple', policy: 'none' }, 404, 'NoSuchPolicy'],
    ['PUT', '/add-user?accessKey=root', { secretKey: 'battery staple' }, 409, 'ReservedName'],
    ['DELETE', '/remove-user?accessKey=bob', undefined, 404, 'NoSuchUser'],
    ['DELETE', '/remove-user?accessKey=root', undefined, 409, 'ReservedName'],
    ['DELETE', '/remove-user?accessKey=ann&force=true', undefined, 400, 'ValidationError'],
    ['DELETE', '/remove-user?accessKey=ann', { really: true }, 400, 'ValidationError'],
    ['GET', '/user-info?accessKey=bob', undefined, 404, 'NoSuchUser'],
    ['GET', '/user-info?accessKey=root', undefined, 404, 'NoSuchUser'],
    ['PUT', '/set-user-status?accessKey=bob&status=enabled', undefined, 404, 'NoSuchUser'],
    ['PUT', '/set-user-status?accessKey=ann&status=off', undefined, 400, 'ValidationError'],
    ['PUT', '/set-user-status?accessKey=ann', undefined, 400, 'ValidationError'],
    ['PUT', '/set-policy?policyName=none&userOrGroup=ann', undefined, 404, 'NoSuchPolicy'],
    ['PUT', '/set-policy?policyName=KMSAuditor&userOrGroup=bob', undefined, 404, 'NoSuchUser'],
    ['PUT', '/set-policy?userOrGroup=ann', undefined, 400, 'ValidationError'],
    ['PUT', '/set-policy?policyName=KMSAuditor&userOrGroup=ann&isGroup=yes', undefined, 400, 'ValidationError'],
    ['PUT', '/set-policy?policyName=KMSAuditor&userOrGroup=ann&isGroup=true', undefined, 501, 'UnsupportedOperation'],
    ['PUT', '/add-canned-policy?name=new', {}, 400, 'MalformedPolicyDocument'],
    ['PUT', '/add-canned-policy?name=new', '"{}"', 400, 'ValidationError'],
    ['PUT', '/add-canned-policy?name=readonly', policyOf(), 400, 'MalformedPolicyDocument'],
    [
      'PUT',
      '/add-canned-policy?name=readonly',
      policyOf({ Effect: 'Allow', Action: '*', Resource: '*' }),
      409,
      'ReservedName',
    ],
    ['DELETE', '/remove-canned-policy?name=readonly', undefined, 409, 'ReservedName'],
    ['DELETE', '/remove-canned-policy?name=none', undefined, 404, 'NoSuchPolicy'],
    ['GET', '/info-canned-policy?name=none', undefined, 404, 'NoSuchPolicy'],
    ['GET', '/info-canned-policy', undefined, 400, 'ValidationError'],
  ])('%s %s %j', async (method, target, body, status, code) => {
    await add({ policy: 'KMSAuditor' })
    const before = [harness.directory.listUsers(), harness.directory.listPolicies()]
    const { json, status: answered, text } = await harness.send(method, target, { body })
    expect([answered, json['code']]).toEqual([status, code])
    expect([harness.directory.listUsers(), harness.directory.listPolicies()]).toEqual(before)
    expect(text).not.toMatch(/battery|12345678/)
  })
})

describe('rights over users', () => {
  const helper = (...actions: readonly string[]) =>
    harness.user('helper', { Effect: 'Allow', Action: actions, Resource: '*' })

  it('making users is not giving rights', async () => {
    const as = helper('admin:CreateUser')
    const body = { secretKey: 'battery staple' }
    expect((await harness.send('PUT', ADD, { as, body: { ...body, policy: 'consoleAdmin' } })).status).toBe(403)
    expect(harness.directory.listUsers()).toEqual([])
    expect((await harness.send('PUT', ADD, { as, body })).status).toBe(200)
    const both = helper('admin:CreateUser', 'admin:AttachUserOrGroupPolicy')
    expect((await harness.send('PUT', ADD, { as: both, body: { ...body, policy: 'readonly' } })).status).toBe(200)
  })

  it('disabling is not enabling', async () => {
    await add()
    const as = helper('admin:DisableUser')
    const status = (to: string) => harness.send('PUT', `/set-user-status?accessKey=ann&status=${to}`, { as })
    expect((await status('disabled')).status).toBe(200)
    expect((await status('enabled')).status).toBe(403)
    expect(harness.directory.userInfo('ann').status).toBe('disabled')
  })
})

describe('what madmin sends encrypted', () => {
  it.each(['PUT /add-user?accessKey=x', 'GET /list-users', 'PUT /add-canned-policy?name=x'])(
    '%s is 501',
    async (line) => {
      const [method = '', target = ''] = line.split(' ')
      const { status, json } = await harness.send(method, `/minio/admin/v3${target}`)
      expect([status, json['code']]).toEqual([501, 'UnsupportedOperation'])
    },
  )
})

it('a server without users says so', async () => {
  const bare = await createHarness({ directory: undefined as never })
  const { status, json } = await bare.send('GET', '/list-users', { as: root })
  expect([status, json['code']]).toEqual([501, 'UnsupportedOperation'])
  await bare.close()
})
