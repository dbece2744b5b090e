import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { assume, createHarness, type Harness, root, sendPresigned, sendSts, type User } from './harness.ts'

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/'

let harness: Harness
const ann: User = { accessKeyId: 'ann', secretAccessKey: 'battery staple' }

beforeEach(async () => {
  harness = await createHarness()
  await harness.run()
  await harness.directory.addUser({ ...ann, policies: ['KMSKeyUser', 'KMSAuditor'] })
})
afterEach(() => harness.close())

const statusOf = async (method: string, target: string, as: User, body?: object): Promise<unknown> => {
  const { status, json } = await harness.send(method, target, { as, body })
  return status === 200 ? 200 : json['code']
}

describe('GetCallerIdentity', () => {
  it.each<[string, () => Promise<User> | User, string, string]>([
    ['root', () => root, 'arn:aws:iam:::root', 'root'],
    ['a user', () => ann, 'arn:aws:iam:::user/ann', 'ann'],
    ['a session', () => assume(harness, ann), 'arn:aws:iam:::user/ann', 'ann'],
  ])('tells %s', async (_, who, arn, name) => {
    const reply = await sendSts(harness, { Action: 'GetCallerIdentity' }, { as: await who() })
    expect([reply.status, reply.text('Arn'), reply.text('UserId'), reply.text('Account')]).toEqual([200, arn, name, ''])
    expect(reply.xml).toContain(`<GetCallerIdentityResponse xmlns="${NAMESPACE}"><GetCallerIdentityResult>`)
    expect(reply.headers.get('content-type')).toBe('text/xml; charset=utf-8')
    expect(reply.text('RequestId')).toBe(reply.headers.get('x-request-id'))
  })

  it('writes names as text', async () => {
    const odd = { accessKeyId: '<a>&"b"', secretAccessKey: 'battery staple' }
    await harness.directory.addUser(odd)
    const { xml } = await sendSts(harness, { Action: 'GetCallerIdentity' }, { as: odd })
    expect(xml).toContain('<UserId>&#60;a&#62;&#38;&#34;b&#34;</UserId>')
  })
})

describe('temporary credentials', () => {
  it('of AssumeRole have the rights of the user, for an hour', async () => {
    const reply = await sendSts(
      harness,
      { Action: 'AssumeRole', RoleArn: 'arn:x', RoleSessionName: 'job' },
      { as: ann },
    )
    expect(reply.text('Expiration')).toBe('2026-11-23T13:00:00.000Z')
    expect(reply.text('AssumedRoleId')).toBe('ann:job')
    const session = await assume(harness, ann)
    expect(await statusOf('GET', '/kms/keys', session)).toBe(200)
    expect(await statusOf('POST', '/kms/stop', session)).toBe('AccessDenied')
    harness.clock.advance(3_599_000)
    expect(await statusOf('GET', '/kms/keys', session)).toBe(200)
    harness.clock.advance(1000)
    expect(await statusOf('GET', '/kms/keys', session)).toBe('ExpiredToken')
    expect((await harness.send('GET', '/kms/keys', { as: session })).status).toBe(400)
  })

  it('of GetSessionToken last as long as asked', async () => {
    const reply = await sendSts(harness, { Action: 'GetSessionToken', DurationSeconds: '900' }, { as: ann })
    expect([reply.status, reply.text('Expiration')]).toEqual([200, '2026-11-23T12:15:00.000Z'])
    expect(reply.xml).not.toContain('AssumedRoleUser')
  })

  it('with a policy may what both allow', async () => {
    const policy = {
      Version: '2012-10-17',
      Statement: { Effect: 'Allow', Action: ['kms:Encrypt', 'kms:Configure'], Resource: '*' },
    }
    const session = await assume(harness, ann, policy)
    expect(await statusOf('POST', '/kms/encrypt', session, { plaintext: 'AAAA' })).toBe(200)
    expect(await statusOf('GET', '/kms/keys', session)).toBe('AccessDenied')
    expect(await statusOf('GET', '/kms/config', session)).toBe('AccessDenied')
    expect(await statusOf('GET', '/kms/config', await assume(harness, root, policy))).toBe(200)
    expect(await statusOf('GET', '/kms/keys', await assume(harness, root, policy))).toBe('AccessDenied')
  })

  it('sign queries as well', async () => {
    const session = await assume(harness, ann)
    expect((await sendPresigned(harness, 'GET', '/kms/keys', session)).status).toBe(200)
    const other = { ...session, sessionToken: (await assume(harness, ann)).sessionToken }
    const refused = await sendPresigned(harness, 'GET', '/kms/keys', other)
    expect([refused.status, refused.json['code']]).toEqual([403, 'InvalidTokenId'])
  })

  it.each<[string, () => Promise<unknown>]>([
    ['disabled', () => harness.directory.setUserStatus('ann', 'disabled')],
    ['removed', () => harness.directory.removeUser('ann')],
    ['given another secret', () => harness.directory.addUser({ ...ann, secretAccessKey: 'another secret' })],
  ])('end when the user is %s', async (_, change) => {
    const session = await assume(harness, ann)
    await change()
    expect(await statusOf('GET', '/kms/keys', session)).toBe('InvalidTokenId')
    expect((await sendSts(harness, { Action: 'GetCallerIdentity' }, { as: session })).text('Code')).toBe(
      'InvalidTokenId',
    )
  })

  it('give no further ones', async () => {
    const session = await assume(harness, ann)
    for (const Action of ['AssumeRole', 'GetSessionToken']) {
      const { status, text } = await sendSts(harness, { Action }, { as: session })
      expect([status, text('Code')]).toEqual([403, 'AccessDenied'])
    }
  })

  it('are never logged', async () => {
    const session = await assume(harness, ann)
    await harness.send('GET', '/kms/keys', { as: session })
    const text = JSON.stringify(harness.log)
    expect(text).not.toContain(session.secretAccessKey)
    expect(text).not.toContain(session.sessionToken)
    expect(harness.log[0]).toMatchObject({ operation: 'AssumeRole', principal: 'ann', path: '/', status: 200 })
  })
})

it('an explicit deny of sts:AssumeRole wins', async () => {
  await harness.directory.addPolicy('no-sessions', {
    Version: '2012-10-17',
    Statement: { Effect: 'Deny', Action: 'sts:AssumeRole', Resource: '*' },
  })
  await harness.directory.setUserPolicies('ann', ['no-sessions'])
  const { status, text } = await sendSts(harness, { Action: 'AssumeRole' }, { as: ann })
  expect([status, text('Code')]).toEqual([403, 'AccessDenied'])
})

describe('refused in XML', () => {
  it.each<[string, Record<string, string> | string, object, number, string]>([
    ['nothing signed', { Action: 'GetCallerIdentity' }, { as: undefined }, 403, 'AccessDenied'],
    [
      'a wrong secret',
      { Action: 'GetCallerIdentity' },
      { as: { ...ann, secretAccessKey: 'x' } },
      403,
      'SignatureDoesNotMatch',
    ],
    [
      'an unknown key',
      { Action: 'GetCallerIdentity' },
      { as: { ...ann, accessKeyId: 'who' } },
      403,
      'InvalidAccessKeyId',
    ],
    [
      'a signature for s3',
      { Action: 'GetCallerIdentity' },
      { sign: { service: 's3' } },
      400,
      'AuthorizationHeaderMalformed',
    ],
    [
      'a token for a long-term key',
      { Action: 'GetCallerIdentity' },
      { as: { ...ann, sessionToken: 'x' } },
      403,
      'InvalidTokenId',
    ],
    ['no action', {}, {}, 400, 'ValidationError'],
    ['an action there is none of', { Action: 'AssumeRoleWithWebIdentity' }, {}, 501, 'UnsupportedOperation'],
    ['another version', { Action: 'GetCallerIdentity', Version: '2010-01-01' }, {}, 400, 'ValidationError'],
    ['a parameter twice', 'Action=GetCallerIdentity&Action=AssumeRole&Version=2011-06-15', {}, 400, 'ValidationError'],
    [
      'a duration below the least',
      { Action: 'AssumeRole', DurationSeconds: '899' },
      { as: ann },
      400,
      'InvalidRequest',
    ],
    [
      'a duration above the most',
      { Action: 'GetSessionToken', DurationSeconds: '43201' },
      { as: ann },
      400,
      'InvalidRequest',
    ],
    ['a duration that is none', { Action: 'AssumeRole', DurationSeconds: '1e4' }, { as: ann }, 400, 'ValidationError'],
    ['a policy that is none', { Action: 'AssumeRole', Policy: '{}' }, { as: ann }, 400, 'InvalidRequest'],
    [
      'limits that are not there',
      { Action: 'AssumeRole', 'PolicyArns.member.1.arn': 'x' },
      { as: ann },
      400,
      'ValidationError',
    ],
    ['a broken escape', 'Action=%zz', {}, 400, 'InvalidRequest'],
    [
      'parameters in the query',
      { Action: 'GetCallerIdentity' },
      { target: '/?Action=AssumeRole' },
      400,
      'InvalidRequest',
    ],
    ['another path', { Action: 'GetCallerIdentity' }, { target: '/x' }, 400, 'InvalidRequest'],
  ])('%s', async (_, form, options, status, code) => {
    const reply = await sendSts(harness, form, options)
    expect([reply.status, reply.text('Code')]).toEqual([status, code])
    expect(reply.xml).toContain(`<ErrorResponse xmlns="${NAMESPACE}"><Error><Type>`)
    expect(reply.text('RequestId')).toBe(reply.headers.get('x-request-id'))
    expect(reply.xml).not.toContain('battery')
  })

  it('with what XML can write only', async () => {
    const { xml, status } = await sendSts(harness, { Action: 'GetCallerIdentity', '\u0001<\ud83d\ude00>\r\n': '' })
    expect(status).toBe(400)
    expect(xml).toContain(
      '<Message>\ufffd&#60;\ud83d\ude00&#62;\ufffd\n: is not supported for GetCallerIdentity</Message>',
    )
  })

  it('GET', async () => {
    const response = await harness.api.stsApp.request('http://kms.test/')
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
  })

  it('a server without sessions', async () => {
    const bare = await createHarness({ sts: undefined as never })
    expect((await sendSts(bare, { Action: 'AssumeRole' })).status).toBe(501)
    await bare.close()
  })
})
