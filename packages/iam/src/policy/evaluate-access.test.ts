import { describe, expect, it } from 'vitest'
import { anonymousPrincipal, type Caller } from '../principal.ts'
import { evaluateAccess } from './evaluate-access.ts'
import { parsePolicy } from './parse-policy.ts'

const request = { action: 's3:GetObject', resource: 'arn:aws:s3:::b/x' }
const statement = { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*' }
const identities = {
  allow: [parsePolicy({ Statement: statement })],
  deny: [parsePolicy({ Statement: statement }), parsePolicy({ Statement: { ...statement, Effect: 'Deny' } })],
  none: [parsePolicy({ Statement: { ...statement, Action: 's3:PutObject' } })],
  empty: [],
}
const bucket = (Effect: string, element: object) =>
  parsePolicy({ Statement: { ...statement, Effect, ...element } }, { kind: 'resource' })
const resources = {
  allow: bucket('Allow', { Principal: '*' }),
  deny: bucket('Deny', { Principal: '*' }),
  none: bucket('Allow', { Principal: { AWS: 'bob' } }),
  absent: undefined,
}

describe('identity and resource policies', () => {
  it.each<[keyof typeof identities, keyof typeof resources, string]>([
    ['allow', 'allow', 'allow'],
    ['allow', 'deny', 'deny'],
    ['allow', 'none', 'allow'],
    ['allow', 'absent', 'allow'],
    ['deny', 'allow', 'deny'],
    ['deny', 'deny', 'deny'],
    ['deny', 'none', 'deny'],
    ['deny', 'absent', 'deny'],
    ['none', 'allow', 'allow-by-resource'],
    ['none', 'deny', 'deny'],
    ['none', 'none', 'none'],
    ['none', 'absent', 'none'],
    ['empty', 'allow', 'allow-by-resource'],
    ['empty', 'deny', 'deny'],
    ['empty', 'none', 'none'],
    ['empty', 'absent', 'none'],
  ])('%s and %s make %s', (identity, resource, expected) => {
    const principal: Caller = { kind: 'user', name: 'ann' }
    const options = { identity: identities[identity], resource: resources[resource] }
    expect(evaluateAccess({ ...options, request: { ...request, principal } })).toBe(expected)
  })

  it.each<[object, object, Caller | undefined, string]>([
    [{ Principal: '*' }, {}, anonymousPrincipal, 'allow-by-resource'],
    [{ Principal: { AWS: '*' } }, {}, anonymousPrincipal, 'allow-by-resource'],
    [{ Principal: { AWS: 'ann' } }, {}, anonymousPrincipal, 'none'],
    [{ NotPrincipal: { AWS: 'ann' } }, {}, anonymousPrincipal, 'allow-by-resource'],
    [{ NotPrincipal: '*' }, {}, anonymousPrincipal, 'none'],
    [{ Principal: '*' }, {}, undefined, 'allow-by-resource'],
    [
      { Principal: '*' },
      { StringEquals: { 'aws:PrincipalType': 'Anonymous' } },
      anonymousPrincipal,
      'allow-by-resource',
    ],
    [{ Principal: '*' }, { StringLike: { 'aws:username': '*' } }, anonymousPrincipal, 'none'],
    [
      { Principal: { AWS: 'ann' } },
      { StringEquals: { 'aws:username': 'ann' } },
      { kind: 'user', name: 'ann' },
      'allow-by-resource',
    ],
  ])('%j under %j for %j: %s', (element, Condition, principal, expected) => {
    const resource = bucket('Allow', { ...element, Condition })
    const asked = { ...request, ...(principal && { principal }) }
    expect(evaluateAccess({ identity: [], resource, request: asked })).toBe(expected)
  })

  it('do not stand in for each other', () => {
    const [identity] = identities.allow
    expect(() => evaluateAccess({ identity: [], resource: identity, request })).toThrow(TypeError)
    expect(() => evaluateAccess({ identity: [resources.allow], resource: undefined, request })).toThrow(TypeError)
  })
})
