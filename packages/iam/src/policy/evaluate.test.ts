import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anonymousPrincipal, type Caller } from '../principal.ts'
import { evaluate, type PolicyRequest, type Verdict } from './evaluate.ts'
import { parsePolicy } from './parse-policy.ts'
import type { Policy } from './policy.ts'

const ann: Caller = { kind: 'user', name: 'ann' }
const key = (id: string) => `arn:aws:kms:::key/${id}`

function policy(...statements: readonly object[]): Policy {
  return parsePolicy({ Version: '2012-10-17', Statement: statements })
}

function decide(statements: readonly object[], request: Partial<PolicyRequest> = {}): Verdict {
  return evaluate({
    policies: [policy(...statements)],
    request: { action: 'kms:Decrypt', resource: key('one'), principal: ann, ...request },
  })
}

const allow = { Effect: 'Allow', Action: '*', Resource: '*' }
const deny = { Effect: 'Deny', Action: '*', Resource: '*' }

describe('actions', () => {
  it.each([
    ['kms:Decrypt', 'kms:Decrypt', 'allow'],
    ['KMS:decrypt', 'kms:DECRYPT', 'allow'],
    ['kms:De*', 'kms:Decrypt', 'allow'],
    ['kms:?ecrypt', 'kms:Decrypt', 'allow'],
    ['kms:*', 'kms:Decrypt', 'allow'],
    ['*:*', 'kms:Decrypt', 'allow'],
    ['kms:Decryp', 'kms:Decrypt', 'none'],
    ['s3:*', 'kms:Decrypt', 'none'],
    ['kms:*', 'kmsx:Decrypt', 'none'],
  ])('Action %s on %s: %s', (pattern, action, expected) => {
    expect(decide([{ ...allow, Action: pattern }], { action })).toBe(expected)
    const opposite = { Effect: 'Allow', NotAction: ['x:y', pattern], Resource: '*' }
    expect(decide([opposite], { action })).toBe(expected === 'allow' ? 'none' : 'allow')
  })
})

describe('resources', () => {
  it.each([
    ['*', key('one'), 'allow'],
    ['arn:aws:kms:::key/one', key('one'), 'allow'],
    ['arn:aws:kms:::key/One', key('one'), 'none'],
    ['arn:aws:kms:::key/o?e', key('one'), 'allow'],
    ['arn:aws:kms:::key/*', key('one'), 'allow'],
    ['arn:aws:kms:*:*:key/one', key('one'), 'allow'],
    ['arn:aws:kms', key('one'), 'allow'],
    ['arn:aws:kms:*', key('one'), 'allow'],
    ['arn:aws:s3', key('one'), 'none'],
    ['arn:aws:kms:::key/${aws:username}', key('ann'), 'allow'],
    ['arn:aws:kms:::key/${aws:userid}', key('ann'), 'allow'],
    ['arn:aws:kms:::key/${aws:username}', key('bob'), 'none'],
    ['arn:aws:s3:::b/${*}', 'arn:aws:s3:::b/*', 'allow'],
    ['arn:aws:s3:::b/${*}', 'arn:aws:s3:::b/x', 'none'],
  ])('Resource %s on %s: %s', (pattern, resource, expected) => {
    expect(decide([{ ...allow, Resource: pattern }], { resource })).toBe(expected)
    const opposite = { Effect: 'Allow', Action: '*', NotResource: ['arn:aws:x:::y', pattern] }
    expect(decide([opposite], { resource })).toBe(expected === 'allow' ? 'none' : 'allow')
  })

  it('with a variable that has no value never widen an Allow', () => {
    const resource = 'arn:aws:s3:::b/${aws:PrincipalTag/team}'
    const notResource = { Action: '*', NotResource: resource }
    expect(decide([{ ...allow, Resource: resource }])).toBe('none')
    expect(decide([{ Effect: 'Allow', ...notResource }])).toBe('none')
    expect(decide([allow, { Effect: 'Deny', ...notResource }])).toBe('deny')
    expect(decide([allow, { ...deny, Resource: resource }])).toBe('allow')
    expect(decide([{ ...allow, Resource: [resource, '*'] }])).toBe('allow')
  })
})

describe('what identifies the caller', () => {
  const when = (condition: object) => [{ ...allow, Condition: condition }]

  it('is not taken from the context', () => {
    const context = new Map([['AWS:username', ['bob']]])
    expect(decide(when({ StringEquals: { 'aws:username': 'bob' } }), { context })).toBe('none')
    expect(decide(when({ StringEquals: { 'aws:username': 'ann' } }), { context })).toBe('allow')
    expect(decide(when({ Null: { 'aws:username': 'true' } }), { context, principal: anonymousPrincipal })).toBe('allow')
  })

  it.each<[Caller, string, string | undefined, string | undefined]>([
    [ann, 'User', 'ann', 'arn:aws:iam:::user/ann'],
    [{ kind: 'root', name: 'r' }, 'Account', undefined, 'arn:aws:iam:::root'],
    [anonymousPrincipal, 'Anonymous', undefined, undefined],
  ])('of %o', (principal, type, name, arn) => {
    const equals = (keyName: string, value: string | undefined) =>
      decide(when(value === undefined ? { Null: { [keyName]: 'true' } } : { StringEquals: { [keyName]: value } }), {
        principal,
      })
    expect(equals('aws:PrincipalType', type)).toBe('allow')
    expect(equals('aws:username', name)).toBe('allow')
    expect(equals('aws:userid', name)).toBe('allow')
    expect(equals('aws:PrincipalArn', arn)).toBe('allow')
  })

  it('and the time', () => {
    const time = Date.parse('2026-06-01T12:00:00.900Z')
    const context = new Map([['aws:CurrentTime', ['2030-01-01']]])
    const window = {
      DateGreaterThan: { 'aws:CurrentTime': '2026-06-01T12:00:00Z' },
      NumericEquals: { 'aws:EpochTime': '1780315200' },
      DateLessThan: { 'aws:EpochTime': '2026-06-02' },
    }
    expect(decide(when(window), { time, context })).toBe('allow')
    expect(decide(when(window), { time: time + 1000, context })).toBe('none')
    expect(decide(when({ Null: { 'aws:CurrentTime': 'true' } }), { context })).toBe('allow')
  })
})

describe('principals of resource policies', () => {
  const bob: Caller = { kind: 'user', name: 'bob' }
  const root: Caller = { kind: 'root', name: 'admin' }
  const decideFor = (element: object, principal: Caller | undefined): Verdict =>
    evaluate({
      policies: [parsePolicy({ Statement: { ...allow, ...element } }, { kind: 'resource' })],
      request: { action: 's3:GetObject', resource: 'arn:aws:s3:::b/x', ...(principal && { principal }) },
    })

  it.each<[unknown, readonly [ann: boolean, bob: boolean, root: boolean, anonymous: boolean]]>([
    ['*', [true, true, true, true]],
    [{ AWS: '*' }, [true, true, true, true]],
    [{ AWS: ['ann', '*'] }, [true, true, true, true]],
    [{ AWS: 'ann' }, [true, false, false, false]],
    [{ AWS: ['ann', 'bob'] }, [true, true, false, false]],
    [{ AWS: 'arn:aws:iam:::user/ann' }, [true, false, false, false]],
    [{ AWS: 'arn:aws:iam::123456789012:user/ann' }, [true, false, false, false]],
    [{ AWS: 'arn:aws:iam::123456789012:root' }, [false, false, true, false]],
    [{ AWS: ['admin', 'anonymous', 'Ann'] }, [false, false, false, false]],
  ])('%j', (principal, expected) => {
    for (const [index, caller] of [ann, bob, root, anonymousPrincipal].entries()) {
      expect(decideFor({ Principal: principal }, caller) === 'allow').toBe(expected[index])
      expect(decideFor({ NotPrincipal: principal }, caller) === 'allow').toBe(!expected[index])
    }
    expect(decideFor({ Principal: principal }, undefined) === 'allow').toBe(expected[3])
  })

  it('without Resource cover whatever the policy is attached to', () => {
    expect(decideFor({ Principal: '*', Resource: undefined }, ann)).toBe('allow')
  })
})

describe('the verdict', () => {
  it.each([
    [[], 'none'],
    [[allow], 'allow'],
    [[deny], 'deny'],
    [[allow, deny], 'deny'],
    [[deny, allow], 'deny'],
    [[allow, { ...deny, Resource: key('two') }], 'allow'],
    [[allow, { ...deny, Condition: { Bool: { 'x:y': 'true' } } }], 'allow'],
    [[allow, { ...deny, Condition: { BoolIfExists: { 'x:y': 'true' } } }], 'deny'],
  ])('of %j is %s', (statements, expected) => {
    const policies = statements.length === 0 ? [] : [policy(...statements)]
    expect(evaluate({ policies, request: { action: 'kms:Decrypt', resource: key('one') } })).toBe(expected)
  })

  const statement = fc.record(
    {
      Effect: fc.constantFrom('Allow', 'Allow', 'Deny'),
      Action: fc.subarray(['*', 'kms:*', 'kms:Decrypt', 's3:*', 'kms:De*'], { minLength: 1 }),
      Resource: fc.subarray(['*', key('one'), key('o*'), key('${aws:username}'), 'arn:aws:s3:::*'], { minLength: 1 }),
      Condition: fc.constantFrom(
        { StringEquals: { 'x:k': 'a' } },
        { StringNotLike: { 'x:k': 'b*' } },
        { 'ForAllValues:StringEquals': { 'x:k': ['a', 'b'] } },
      ),
    },
    { requiredKeys: ['Effect', 'Action', 'Resource'] },
  )
  const request = fc.record({
    action: fc.constantFrom('kms:Decrypt', 'KMS:Describekey', 's3:GetObject'),
    resource: fc.constantFrom(key('one'), key('two'), key('ann'), 'arn:aws:s3:::b/x'),
    principal: fc.constantFrom(ann, anonymousPrincipal),
    context: fc
      .option(fc.subarray(['a', 'b', 'c']), { nil: undefined })
      .map((values) => new Map(values === undefined ? [] : [['x:k', values]])),
  })
  const shuffled = fc
    .array(statement, { minLength: 1, maxLength: 6 })
    .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }), fc.nat(all.length)))

  it('is unaffected by the order of statements and by how they are spread over policies', () => {
    fc.assert(
      fc.property(shuffled, request, ([original, permuted, cut], asked) => {
        const parts = [permuted.slice(0, cut), permuted.slice(cut)].filter((part) => part.length > 0)
        const policies = parts.map((part) => policy(...part))
        expect(evaluate({ policies, request: asked })).toBe(
          evaluate({ policies: [policy(...original)], request: asked }),
        )
      }),
    )
  })

  it('is what its statements say one by one: any deny, else any allow', () => {
    fc.assert(
      fc.property(fc.array(statement, { minLength: 1, maxLength: 6 }), request, (statements, asked) => {
        const verdicts = statements.map((one) => evaluate({ policies: [policy(one)], request: asked }))
        const expected = verdicts.includes('deny') ? 'deny' : verdicts.includes('allow') ? 'allow' : 'none'
        expect(evaluate({ policies: [policy(...statements)], request: asked })).toBe(expected)
      }),
    )
  })

  it('is deny wherever a matching deny is put', () => {
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 5 }), fc.nat(5), request, (others, index, asked) => {
        expect(evaluate({ policies: [policy(...others.toSpliced(index, 0, deny as never))], request: asked })).toBe(
          'deny',
        )
      }),
    )
  })
})
