import { describe, expect, it } from 'vitest'
import { createAuthorizer } from './authorizer.ts'
import { parsePolicy } from './policy/parse-policy.ts'
import { anonymousPrincipal, type Principal } from './principal.ts'

const key = (id: string) => `arn:aws:kms:::key/${id}`
const authorizer = createAuthorizer()

function user(...statements: readonly object[]): Principal {
  const policies = statements.length === 0 ? [] : [parsePolicy({ Version: '2012-10-17', Statement: statements })]
  return { kind: 'user', name: 'ann', accessKeyId: 'ann', policies }
}

function allow(action: string | readonly string[], resource: string | readonly string[] = '*'): object {
  return { Effect: 'Allow', Action: action, Resource: resource }
}

function deny(action: string | readonly string[], resource: string | readonly string[] = '*'): object {
  return { Effect: 'Deny', Action: action, Resource: resource }
}

/** Every kms action of the admin API, and whether `admin:ServerInfo` passes for it. */
const serverInfoTable: readonly [string, boolean][] = [
  ['kms:ServiceControl', true],
  ['kms:Configure', true],
  ['kms:ClearCache', true],
  ['kms:CreateKey', true],
  ['kms:ListKeys', true],
  ['kms:DescribeKey', true],
  ['kms:DeleteKey', false],
  ['kms:EnableKey', false],
  ['kms:DisableKey', false],
  ['kms:RotateKey', false],
  ['kms:UpdateKeyDescription', false],
  ['kms:TagResource', false],
  ['kms:UntagResource', false],
  ['kms:CreateAlias', false],
  ['kms:DeleteAlias', false],
  ['kms:ImportKey', false],
  ['kms:GenerateDataKey', false],
  ['kms:Encrypt', false],
  ['kms:Decrypt', false],
  ['kms:Backup', false],
  ['kms:Restore', false],
]

describe.each(serverInfoTable)('admin:ServerInfo for %s', (action, passes) => {
  const strict = createAuthorizer({ compatServerInfo: false })
  const serverInfo = user(allow('admin:ServerInfo'))
  const passed = passes ? { allowed: true, reason: 'server-info' } : { allowed: false, reason: 'not-allowed' }
  const refused = { allowed: false, reason: 'not-allowed' }
  const denied = { allowed: false, reason: 'explicit-deny' }

  it.each([undefined, key('k')])('on %s', (resource) => {
    const request = { action, ...(resource && { resource }) }
    expect(authorizer.authorize(serverInfo, request)).toEqual(passed)
    expect(authorizer.authorize(serverInfo, { ...request, action: action.toUpperCase() })).toEqual(passed)
    expect(authorizer.authorize(user(allow('admin:*')), request)).toEqual(passed)
    expect(authorizer.authorize(user(allow('admin:ServerInfo', 'arn:aws:s3:::*')), request)).toEqual(passed)
    expect(authorizer.authorize(user(), request)).toEqual(refused)
    expect(authorizer.authorize(user(allow('admin:Prometheus')), request)).toEqual(refused)
    expect(authorizer.authorize(user(allow('admin:*'), deny('admin:ServerInfo')), request)).toEqual(refused)
    expect(authorizer.authorize(user(allow('admin:*'), deny(action)), request)).toEqual(denied)
    expect(strict.authorize(serverInfo, request)).toEqual(refused)
    expect(authorizer.authorize(user(allow(action)), request)).toEqual({ allowed: true, reason: 'policy' })
    expect(strict.authorize(user(allow(action)), request)).toEqual({ allowed: true, reason: 'policy' })
  })

  it('on some key', () => {
    expect(authorizer.mayOnSomeResource(serverInfo, action)).toBe(passes)
    expect(authorizer.mayOnSomeResource(user(allow('admin:*'), deny(action)), action)).toBe(false)
    expect(strict.mayOnSomeResource(serverInfo, action)).toBe(false)
  })
})

describe('authorize', () => {
  it('lets root pass everything, known or not', () => {
    const root: Principal = { kind: 'root', name: 'admin', accessKeyId: 'admin', policies: [] }
    for (const action of ['kms:Decrypt', 's3:DeleteBucket', 'made:Up', '']) {
      expect(authorizer.authorize(root, { action })).toEqual({ allowed: true, reason: 'root' })
      expect(authorizer.mayOnSomeResource(root, action)).toBe(true)
    }
  })

  it('gives the anonymous principal nothing', () => {
    expect(authorizer.authorize(anonymousPrincipal, { action: 's3:GetObject' }).allowed).toBe(false)
    expect(authorizer.mayOnSomeResource(anonymousPrincipal, 'kms:Decrypt')).toBe(false)
  })

  it.each([
    ['*', true],
    ['arn:aws:kms:::*', true],
    ['arn:aws:kms', true],
    ['arn:aws:kms:::key/*', false],
    ['arn:aws:s3:::*', false],
  ])('judges an action without resource on the whole service: %s gives %j', (resource, allowed) => {
    expect(authorizer.authorize(user(allow('kms:*', resource)), { action: 'kms:Configure' }).allowed).toBe(allowed)
  })

  it.each<[string, readonly object[], boolean, string]>([
    ['the first', [allow('kms:CreateKey')], true, 'policy'],
    ['another', [allow('kms:Configure')], true, 'policy'],
    ['neither', [allow('kms:ListKeys')], false, 'not-allowed'],
    ['another, the first denied', [allow('kms:*'), deny('kms:CreateKey')], false, 'explicit-deny'],
    ['the first, another denied', [allow('kms:*'), deny('kms:Configure')], true, 'policy'],
    ['ServerInfo', [allow('admin:ServerInfo')], true, 'server-info'],
    ['ServerInfo, the first denied', [allow('admin:ServerInfo'), deny('kms:CreateKey')], false, 'explicit-deny'],
    ['ServerInfo, another denied', [allow('admin:ServerInfo'), deny('kms:Configure')], true, 'server-info'],
    ['ServerInfo and another', [allow(['admin:ServerInfo', 'kms:Configure'])], true, 'policy'],
  ])('takes one of several actions: allowed is %s', (_name, statements, allowed, reason) => {
    const request = { action: ['kms:CreateKey', 'kms:Configure'], resource: key('new') } as const
    expect(authorizer.authorize(user(...statements), request)).toEqual({ allowed, reason })
  })

  it('passes context and clock to the policies', () => {
    let time = Date.parse('2026-01-01T00:00:00Z')
    const clocked = createAuthorizer({ now: () => time })
    const Condition = {
      IpAddress: { 'aws:SourceIp': '10.0.0.0/8' },
      DateLessThan: { 'aws:CurrentTime': '2026-01-01T00:00:01Z' },
    }
    const ann = user({ ...allow('kms:*', key('${aws:username}')), Condition })
    const ask = (ip: string) =>
      clocked.authorize(ann, {
        action: 'kms:Decrypt',
        resource: key('ann'),
        context: new Map([['aws:SourceIp', [ip]]]),
      }).allowed
    expect(ask('10.1.1.1')).toBe(true)
    expect(ask('11.1.1.1')).toBe(false)
    time += 1000
    expect(ask('10.1.1.1')).toBe(false)
  })
})

describe('mayOnSomeResource', () => {
  const notKeys = { Effect: 'Deny', Action: 'kms:*', NotResource: 'arn:aws:kms:::alias/*' }
  const conditionalDeny = { ...deny('kms:*'), Condition: { Bool: { 'aws:SecureTransport': 'false' } } }
  const secure = { ...allow('kms:*'), Condition: { Bool: { 'aws:SecureTransport': 'true' } } }
  it.each<[string, readonly object[], boolean]>([
    ['nothing', [], false],
    ['every key', [allow('kms:*')], true],
    ['one key', [allow('kms:Decrypt', key('one'))], true],
    ['its own key', [allow('kms:Decrypt', key('${aws:username}'))], true],
    ['a key no variable names', [allow('kms:Decrypt', key('${aws:PrincipalTag/x}'))], false],
    ['another action', [allow('kms:Encrypt')], false],
    ['only what are no keys', [allow('*', ['arn:aws:s3:::*', 'arn:aws:kms:::alias/*'])], false],
    ['all but one key', [{ Effect: 'Allow', Action: 'kms:*', NotResource: key('one') }], true],
    ['all but keys', [{ Effect: 'Allow', Action: '*', NotResource: 'arn:aws:kms:::*' }], false],
    ['a deny of everything', [allow('kms:*'), deny('*')], false],
    ['a deny of every key', [allow('kms:*'), deny('kms:Decrypt', 'arn:aws:kms:::key/*')], false],
    ['a deny of all but aliases', [allow('kms:*'), notKeys], false],
    ['a deny of one key', [allow('kms:*'), deny('kms:*', key('one'))], true],
    ['a deny of another action', [allow('kms:*'), deny('kms:Encrypt')], true],
    ['a deny under a condition', [allow('kms:*'), conditionalDeny], true],
    ['an allow whose condition holds', [secure], true],
  ])('%s: %#', (_name, statements, expected) => {
    const context = new Map([['aws:SecureTransport', ['true']]])
    expect(authorizer.mayOnSomeResource(user(...statements), 'KMS:Decrypt', context)).toBe(expected)
  })

  it('judges the condition of an Allow by the context given', () => {
    const context = new Map([['aws:SecureTransport', ['false']]])
    expect(authorizer.mayOnSomeResource(user(secure), 'kms:Decrypt', context)).toBe(false)
    expect(authorizer.mayOnSomeResource(user(secure), 'kms:Decrypt')).toBe(false)
  })

  it('looks at the resources of other services as well', () => {
    expect(authorizer.mayOnSomeResource(user(allow('s3:*', 'arn:aws:s3:::b/*')), 's3:GetObject')).toBe(true)
    expect(authorizer.mayOnSomeResource(user(allow('s3:*', key('one'))), 's3:GetObject')).toBe(false)
  })
})
