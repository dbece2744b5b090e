import * as fc from 'fast-check'
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

describe('with the policy of a bucket', () => {
  const object = 'arn:aws:s3:::b/x'
  const bucket = (...statements: readonly object[]) =>
    parsePolicy({ Version: '2012-10-17', Statement: statements }, { kind: 'resource' })
  const everybody = { Principal: '*' }
  const root: Principal = { kind: 'root', name: 'admin', accessKeyId: 'admin', policies: [] }

  it.each<[string, Principal, readonly object[], string]>([
    ['nobody is allowed', user(), [{ ...allow('s3:PutObject'), ...everybody }], 'not-allowed'],
    ['it allows everybody', anonymousPrincipal, [{ ...allow('s3:GetObject'), ...everybody }], 'resource-policy'],
    ['it allows the user', user(), [{ ...allow('s3:GetObject'), Principal: { AWS: 'ann' } }], 'resource-policy'],
    ['it allows another', user(), [{ ...allow('s3:GetObject'), Principal: { AWS: 'bob' } }], 'not-allowed'],
    ['it allows users', anonymousPrincipal, [{ ...allow('s3:*'), Principal: { AWS: 'anonymous' } }], 'not-allowed'],
    ['both allow', user(allow('s3:*')), [{ ...allow('s3:*'), ...everybody }], 'policy'],
    ['the user is allowed', user(allow('s3:*')), [{ ...allow('s3:PutObject'), ...everybody }], 'policy'],
    ['it denies', user(allow('s3:*')), [{ ...deny('s3:GetObject'), ...everybody }], 'explicit-deny'],
    ['it denies all but the user', user(allow('s3:*')), [{ ...deny('s3:*'), NotPrincipal: { AWS: 'ann' } }], 'policy'],
    [
      'it denies all but another',
      user(allow('s3:*')),
      [{ ...deny('s3:*'), NotPrincipal: { AWS: 'bob' } }],
      'explicit-deny',
    ],
    ['the user is denied', user(deny('s3:*')), [{ ...allow('s3:*'), ...everybody }], 'explicit-deny'],
    ['it denies root', root, [{ ...deny('*'), ...everybody }], 'root'],
  ])('when %s', (_name, principal, statements, reason) => {
    const request = { action: 's3:GetObject', resource: object, resourcePolicy: bucket(...statements) }
    expect(authorizer.authorize(principal, request).reason).toBe(reason)
  })

  it('says nothing about the service as a whole', () => {
    const resourcePolicy = bucket({ ...allow('*'), ...everybody })
    expect(authorizer.authorize(user(), { action: 's3:ListAllMyBuckets', resourcePolicy }).allowed).toBe(false)
    const request = {
      action: 'kms:Configure',
      resource: key('k'),
      resourcePolicy: bucket({ ...allow('admin:*'), ...everybody }),
    }
    expect(authorizer.authorize(user(), request).allowed).toBe(false)
  })

  it('of the wrong kind is a mistake of the program', () => {
    const identity = parsePolicy({ Statement: allow('s3:*') })
    const request = { action: 's3:GetObject', resource: object, resourcePolicy: identity }
    expect(() => authorizer.authorize(anonymousPrincipal, request)).toThrow(TypeError)
  })
})

describe('a session', () => {
  const limitedTo = (principal: Principal, ...statements: readonly object[]): Principal => ({
    ...principal,
    session: { policy: parsePolicy({ Version: '2012-10-17', Statement: statements }), expiresAt: 0 },
  })
  const root: Principal = { kind: 'root', name: 'admin', accessKeyId: 'admin', policies: [] }
  const all = allow('*')

  it.each<[string, Principal, boolean, string]>([
    ['without a policy has what its parent has', { ...user(all), session: { expiresAt: 0 } }, true, 'policy'],
    ['of root without a policy is root', { ...root, session: { expiresAt: 0 } }, true, 'root'],
    ['may what both allow', limitedTo(user(all), allow('kms:Decrypt')), true, 'policy'],
    ['may not what only its parent may', limitedTo(user(all), allow('kms:Encrypt')), false, 'not-allowed'],
    ['may not what only its policy allows', limitedTo(user(), all), false, 'not-allowed'],
    ['is denied what its parent is', limitedTo(user(all, deny('kms:Decrypt')), all), false, 'explicit-deny'],
    ['is denied what its parent is, allowed or not', limitedTo(user(deny('*')), allow('s3:*')), false, 'explicit-deny'],
    ['is denied what its policy denies', limitedTo(user(all), all, deny('kms:Decrypt')), false, 'explicit-deny'],
    ['is denied even what its parent may not', limitedTo(user(), all, deny('kms:*')), false, 'explicit-deny'],
    ['of root may what its policy allows', limitedTo(root, allow('kms:*')), true, 'root'],
    ['of root may nothing else', limitedTo(root, allow('s3:*')), false, 'not-allowed'],
    ['of root is denied what its policy denies', limitedTo(root, all, deny('kms:*')), false, 'explicit-deny'],
  ])('%s', (_name, principal, allowed, reason) => {
    expect(authorizer.authorize(principal, { action: 'kms:Decrypt', resource: key('k') })).toEqual({ allowed, reason })
    expect(authorizer.mayOnSomeResource(principal, 'kms:Decrypt')).toBe(allowed)
  })

  it('gets from a bucket policy no more than its own policy allows', () => {
    const resourcePolicy = parsePolicy({ Statement: { ...allow('s3:*'), Principal: '*' } }, { kind: 'resource' })
    const request = { action: 's3:GetObject', resource: 'arn:aws:s3:::b/x', resourcePolicy }
    const reason = (principal: Principal) => authorizer.authorize(principal, request).reason
    expect(reason(limitedTo(user(), allow('s3:GetObject')))).toBe('resource-policy')
    expect(reason(limitedTo(user(), allow('s3:PutObject')))).toBe('not-allowed')
  })

  it.each([
    ['its parent has', user(allow('admin:ServerInfo')), [all], true],
    ['its policy has', user(all), [allow('admin:ServerInfo')], true],
    ['both have', user(allow('admin:*')), [allow('admin:ServerInfo')], true],
    ['its policy lacks', user(allow('admin:ServerInfo')), [allow('kms:Decrypt')], false],
    ['its policy denies', user(allow('admin:ServerInfo')), [all, deny('kms:Configure')], false],
  ])('passes for what admin:ServerInfo stands for when %s it', (_name, principal, statements, allowed) => {
    const session = limitedTo(principal, ...statements)
    expect(authorizer.authorize(session, { action: 'kms:Configure' }).allowed).toBe(allowed)
    expect(authorizer.mayOnSomeResource(session, 'kms:Configure')).toBe(allowed)
  })

  it('has its own policy judged by context and clock as well', () => {
    const when = {
      Condition: {
        DateLessThan: { 'aws:CurrentTime': '2026-01-01T00:00:00Z' },
        StringEquals: { 'aws:username': 'ann' },
      },
    }
    const at = (time: string) => createAuthorizer({ now: () => Date.parse(time) })
    const session = limitedTo(user(all), { ...all, ...when })
    const ask = (time: string) => at(time).authorize(session, { action: 'kms:Decrypt', resource: key('k') }).allowed
    expect([ask('2025-12-31T23:59:59Z'), ask('2026-01-01T00:00:00Z')]).toEqual([true, false])
  })
})

describe('whatever the policies', () => {
  const actions = ['kms:Decrypt', 'kms:Configure', 'kms:ListKeys', 's3:GetObject', 'admin:ServerInfo'] as const
  const element = fc.record({
    Effect: fc.constantFrom('Allow', 'Allow', 'Deny'),
    Action: fc.subarray(['*', 'kms:*', 's3:*', ...actions], { minLength: 1 }),
    Resource: fc.subarray(['*', key('one'), key('${aws:username}'), 'arn:aws:s3:::b/*', 'arn:aws:kms:::*'], {
      minLength: 1,
    }),
  })
  const named = fc
    .tuple(element, fc.constantFrom('*', { AWS: 'ann' }, { AWS: ['bob'] }), fc.boolean())
    .map(([one, principal, not]) => ({ ...one, [not ? 'NotPrincipal' : 'Principal']: principal }))
  const identity = fc
    .array(element, { minLength: 1, maxLength: 4 })
    .map((all) => parsePolicy({ Version: '2012-10-17', Statement: all }))
  const bucket = fc
    .array(named, { minLength: 1, maxLength: 3 })
    .map((all) => parsePolicy({ Version: '2012-10-17', Statement: all }, { kind: 'resource' }))
  const parent = fc.oneof(
    fc
      .array(identity, { maxLength: 2 })
      .map((policies): Principal => ({ kind: 'user', name: 'ann', accessKeyId: 'ann', policies })),
    fc.constant<Principal>({ kind: 'root', name: 'root', accessKeyId: 'root', policies: [] }),
    fc.constant(anonymousPrincipal),
  )
  const request = fc.record(
    {
      action: fc.oneof(fc.constantFrom(...actions), fc.tuple(fc.constantFrom(...actions), fc.constantFrom(...actions))),
      resource: fc.constantFrom(key('one'), key('ann'), 'arn:aws:s3:::b/x'),
      resourcePolicy: bucket,
    },
    { requiredKeys: ['action'] },
  )
  const first = ({ action }: { readonly action: string | readonly [string, ...string[]] }) =>
    typeof action === 'string' ? action : action[0]
  const numRuns = process.env['SLOW'] === '1' ? 20_000 : 1000

  it('a session may exactly what its parent and its policy both allow', () => {
    fc.assert(
      fc.property(parent, identity, request, (principal, policy, asked) => {
        const session = { ...principal, session: { policy, expiresAt: 0 } }
        const alone: Principal = {
          kind: principal.kind === 'root' ? 'root' : 'user',
          name: principal.name,
          policies: [policy],
        }
        const policyAllows = authorizer.authorize({ ...alone, kind: 'user' }, { ...asked, resourcePolicy: undefined })
        const parentAllows = authorizer.authorize(principal, asked).allowed
        const allowed = authorizer.authorize(session, asked).allowed
        if (allowed) expect(parentAllows).toBe(true)
        // The names differ for root and anonymous callers, so `${aws:username}` may.
        if (principal.kind === 'user') expect(allowed).toBe(parentAllows && policyAllows.allowed)
        for (const action of actions) {
          if (authorizer.mayOnSomeResource(session, action))
            expect(authorizer.mayOnSomeResource(principal, action)).toBe(true)
        }
      }),
      { numRuns },
    )
  })

  it('an explicit deny wins, wherever it stands', () => {
    const where = fc.constantFrom('identity', 'session', 'bucket')
    fc.assert(
      fc.property(parent, identity, request, where, (principal, policy, asked, place) => {
        fc.pre(place === 'session' || principal.kind !== 'root')
        fc.pre(place !== 'bucket' || asked.resource !== undefined)
        const no = { ...deny(first(asked)), ...(place === 'bucket' && { Principal: '*' }) }
        const statements =
          JSON.parse(place === 'bucket' ? (asked.resourcePolicy?.source ?? '{}') : policy.source).Statement ?? []
        const denying = parsePolicy(
          { Version: '2012-10-17', Statement: [...statements, no] },
          { kind: place === 'bucket' ? 'resource' : 'identity' },
        )
        const denied: Principal = {
          ...principal,
          ...(place === 'identity' && { policies: [...principal.policies, denying] }),
          ...(place === 'session' && { session: { policy: denying, expiresAt: 0 } }),
        }
        const decision = authorizer.authorize(denied, {
          ...asked,
          ...(place === 'bucket' && { resourcePolicy: denying }),
        })
        expect(decision).toEqual({ allowed: false, reason: 'explicit-deny' })
      }),
      { numRuns },
    )
  })
})
