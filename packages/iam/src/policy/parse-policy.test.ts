import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { evaluate } from './evaluate.ts'
import { type ParsePolicyOptions, parsePolicy } from './parse-policy.ts'
import { isPolicyError } from './policy-error.ts'

const statement = { Effect: 'Allow', Action: 'kms:Decrypt', Resource: '*' }
const withStatement = (changes: object) => ({ Version: '2012-10-17', Statement: { ...statement, ...changes } })
const without = (name: string, changes: object = {}) =>
  withStatement({ ...changes, [name]: undefined } satisfies Record<string, unknown>)
const resource: ParsePolicyOptions = { kind: 'resource' }

function refusal(json: unknown, options?: ParsePolicyOptions): { readonly path: string; readonly message: string } {
  try {
    parsePolicy(json, options)
  } catch (error) {
    if (!isPolicyError(error)) throw error
    return { path: error.path, message: error.message }
  }
  throw new Error('was accepted')
}

describe('parsePolicy accepts', () => {
  it.each<[string, unknown, ParsePolicyOptions?]>([
    ['one statement', withStatement({})],
    ['a list of statements', { Version: '2012-10-17', Statement: [statement, statement] }],
    ['the old version', { Version: '2008-10-17', Statement: statement }],
    ['no version', { Statement: statement }],
    ['Id and Sid', { Id: 'x', Statement: { ...statement, Sid: 'y' } }],
    [
      'empty Sids, twice',
      {
        Statement: [
          { ...statement, Sid: '' },
          { ...statement, Sid: '' },
        ],
      },
    ],
    ['lists', withStatement({ Action: ['kms:*', 'S3:Get?bject'], Resource: ['arn:aws:s3:::a', '*'] })],
    ['NotAction', without('Action', { NotAction: 'kms:*' })],
    ['NotResource', without('Resource', { NotResource: 'arn:aws:kms:::key/a' })],
    ['every action', withStatement({ Action: ['*', '*:*'] })],
    ['an empty Condition', withStatement({ Condition: {} })],
    ['JSON text', JSON.stringify(withStatement({}))],
    ['variables', withStatement({ Resource: "arn:aws:s3:::${aws:PrincipalTag/team, 'all'}/*" })],
    ['anything after ${ in old documents', { Statement: { ...statement, Resource: 'arn:aws:s3:::${' } }],
    ['Principal *', withStatement({ Principal: '*' }), resource],
    ['Principal AWS', withStatement({ Principal: { AWS: ['*', 'ann', 'arn:aws:iam::123456789012:root'] } }), resource],
    ['NotPrincipal', withStatement({ NotPrincipal: { AWS: 'arn:aws:iam:::user/a' } }), resource],
    ['a resource policy without Resource', without('Resource', { Principal: '*' }), resource],
  ])('%s', (_name, json, options) => {
    expect(parsePolicy(json, options).statements.length).toBeGreaterThan(0)
  })
})

describe('parsePolicy refuses', () => {
  const condition = (operator: string, value: unknown) => withStatement({ Condition: { [operator]: { 'x:k': value } } })
  const at = (operator: string) => `Statement.Condition.${operator}.x:k`
  it.each<[string, unknown, string, ParsePolicyOptions?]>([
    ['text that is not JSON', '{', ''],
    ['nothing', undefined, ''],
    ['null', null, ''],
    ['a string', '"x"', ''],
    ['an array', [], ''],
    ['a bigint', 1n, ''],
    ['no Statement', { Version: '2012-10-17' }, ''],
    ['no statements', { Statement: [] }, 'Statement'],
    ['an unknown version', { Version: '2012-10-18', Statement: statement }, 'Version'],
    ['a version that is no string', { Version: 2012, Statement: statement }, 'Version'],
    ['an Id that is no string', { Id: 1, Statement: statement }, 'Id'],
    ['an unknown element', { Statement: statement, Foo: 1 }, ''],
    ['an element in the wrong case', withStatement({ effect: 'Deny' }), 'Statement'],
    ['__proto__', '{"Statement":[],"__proto__":{}}', ''],
    ['a statement that is no object', { Statement: [statement, 'x'] }, 'Statement[1]'],
    ['no Effect', without('Effect'), 'Statement.Effect'],
    ['Effect in the wrong case', withStatement({ Effect: 'allow' }), 'Statement.Effect'],
    [
      'a Sid twice',
      {
        Statement: [
          { ...statement, Sid: 'a' },
          { ...statement, Sid: 'a' },
        ],
      },
      'Statement',
    ],
    ['a Sid that is no string', withStatement({ Sid: 1 }), 'Statement.Sid'],
    ['no Action', without('Action'), 'Statement'],
    ['Action and NotAction', withStatement({ NotAction: 'kms:*' }), 'Statement'],
    ['an empty list of actions', withStatement({ Action: [] }), 'Statement.Action'],
    ['an action without service', withStatement({ Action: 'Decrypt' }), 'Statement.Action'],
    ['a wildcard in the service', withStatement({ Action: 'k*:Decrypt' }), 'Statement.Action'],
    ['an action that is no string', withStatement({ Action: [1] }), 'Statement.Action'],
    ['an action with a space', without('Action', { NotAction: 'kms:De crypt' }), 'Statement.NotAction'],
    ['no Resource', without('Resource'), 'Statement'],
    ['Resource and NotResource', withStatement({ NotResource: '*' }), 'Statement'],
    ['a resource that is no ARN', withStatement({ Resource: 'my-bucket/*' }), 'Statement.Resource'],
    ['a broken variable', withStatement({ Resource: 'arn:aws:s3:::${aws:username' }), 'Statement.Resource'],
    ['a lone surrogate', withStatement({ Resource: 'arn:aws:s3:::\uDC00' }), 'Statement.Resource'],
    ['a Principal in an identity policy', withStatement({ Principal: '*' }), 'Statement.Principal'],
    ['a NotPrincipal in an identity policy', withStatement({ NotPrincipal: '*' }), 'Statement.NotPrincipal'],
    ['no Principal in a resource policy', withStatement({}), 'Statement', resource],
    ['Principal and NotPrincipal', withStatement({ Principal: '*', NotPrincipal: '*' }), 'Statement', resource],
    ['a bare principal name', withStatement({ Principal: 'ann' }), 'Statement.Principal', resource],
    ['a Service principal', withStatement({ Principal: { Service: 'x' } }), 'Statement.Principal', resource],
    ['a principal wildcard', withStatement({ Principal: { AWS: 'a*' } }), 'Statement.Principal', resource],
    [
      'a role principal',
      withStatement({ Principal: { AWS: 'arn:aws:iam:::role/x' } }),
      'Statement.Principal',
      resource,
    ],
    ['an empty principal', withStatement({ Principal: { AWS: '' } }), 'Statement.Principal', resource],
    ['no principals', withStatement({ Principal: { AWS: [] } }), 'Statement.Principal.AWS', resource],
    ['a Condition that is no object', withStatement({ Condition: [] }), 'Statement.Condition'],
    ['an operator without keys', withStatement({ Condition: { Bool: {} } }), 'Statement.Condition.Bool'],
    ['an unnamed key', withStatement({ Condition: { Bool: { '': 'true' } } }), 'Statement.Condition.Bool[…]'],
    ['an unknown operator', condition('StringEqual', 'x'), at('StringEqual')],
    ['an operator in the wrong case', condition('stringEquals', 'x'), at('stringEquals')],
    ['an operator with line breaks', condition('a\nb', 'x'), 'Statement.Condition[…].x:k'],
    ['an operator called constructor', condition('constructor', 'x'), at('constructor')],
    ['IfExists alone', condition('IfExists', 'x'), at('IfExists')],
    ['an unknown set operator', condition('ForSome:Bool', 'true'), at('ForSome:Bool')],
    ['NullIfExists', condition('NullIfExists', 'true'), at('NullIfExists')],
    ['ForAnyValue:Null', condition('ForAnyValue:Null', 'true'), at('ForAnyValue:Null')],
    ['a Null that is not true or false', condition('Null', 'yes'), at('Null')],
    ['a Bool that is not true or false', condition('Bool', 'yes'), at('Bool')],
    ['a number that is none', condition('NumericEquals', 'ten'), at('NumericEquals')],
    ['a number out of range', condition('NumericEquals', '1e400'), at('NumericEquals')],
    ['a date that is none', condition('DateEquals', '2026-02-30'), at('DateEquals')],
    ['sloppy base64', condition('BinaryEquals', 'AAF='), at('BinaryEquals')],
    ['an address that is none', condition('IpAddress', '10.0.0.0/33'), at('IpAddress')],
    ['no values', condition('StringEquals', []), at('StringEquals')],
    ['a null value', condition('StringEquals', [null]), at('StringEquals')],
    ['an object value', condition('StringEquals', {}), at('StringEquals')],
    ['a member twice', '{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}', ''],
    ['a member twice, once escaped', '{"Id":"a","\\u0049d":"b","Statement":[]}', ''],
    ['a long document', withStatement({ Sid: 'x'.repeat(20_480) }), ''],
    ['a document of white space', `${JSON.stringify(withStatement({}))}${' '.repeat(100_000)}`, ''],
    ['deep nesting', `{"Statement":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, ''],
  ])('%s', (_name, json, path, options) => {
    const refused = refusal(json, options)
    expect(refused.path).toBe(path)
    expect(refused.message.startsWith(path === '' ? 'The policy ' : `${path} `)).toBe(true)
  })

  it('a cycle, a throwing getter and a proxy, with a PolicyError', () => {
    const cycle: Record<string, unknown> = {}
    cycle['Statement'] = cycle
    const getter = {
      get Statement(): never {
        throw new TypeError('no')
      },
    }
    const proxy = new Proxy({}, { ownKeys: () => ['a', 'a'] })
    for (const json of [cycle, getter, proxy]) expect(refusal(json).path).toBe('')
  })
})

describe('parsePolicy', () => {
  it('keeps the document, apart from its white space', () => {
    const text = '{ "Version": "2012-10-17",\n "Statement": [{"Effect":"Allow","Action":"*","Resource":"*"}] }'
    const { source } = parsePolicy(text)
    expect(JSON.parse(source)).toEqual(JSON.parse(text))
    expect(parsePolicy(source)).toEqual(parsePolicy(text))
  })

  it('does not keep a hold on the object it was given', () => {
    const document = { Statement: { ...statement } }
    const policy = parsePolicy(document)
    document.Statement.Action = '*'
    const request = { action: 'kms:Encrypt', resource: 'arn:aws:kms:::key/k' }
    expect(evaluate({ policies: [policy], request })).toBe('none')
  })

  it('reads a member named __proto__ as a condition key like any other', () => {
    const policy = parsePolicy(
      '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"__proto__":"x"}}}}',
    )
    const request = { action: 'kms:Decrypt', resource: 'arn:aws:kms:::key/k' }
    expect(evaluate({ policies: [policy], request })).toBe('none')
    expect(evaluate({ policies: [policy], request: { ...request, context: new Map([['__proto__', ['x']]]) } })).toBe(
      'allow',
    )
  })

  const words = fc.oneof(
    fc.constantFrom(
      'Version',
      'Statement',
      'Effect',
      'Action',
      'Resource',
      'Principal',
      'AWS',
      'Condition',
      '__proto__',
    ),
    fc.constantFrom(
      '2012-10-17',
      'Allow',
      'Deny',
      '*',
      'kms:*',
      'arn:aws:s3:::${',
      'StringLike',
      'Null',
      'constructor',
    ),
    fc.string({ unit: 'binary', maxLength: 6 }),
  )
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      words,
      fc.constantFrom(null, true, 0, 1.5),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.array(fc.tuple(words, tie('tree')), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
    ),
  }))
  const near = fc
    .record({
      Version: fc.oneof(fc.constant('2012-10-17'), tree),
      Statement: fc.record(
        {
          Effect: fc.constantFrom('Allow', 'Deny'),
          Action: fc.oneof(fc.constant('kms:*'), tree),
          Resource: fc.oneof(fc.constant('*'), words, tree),
          Principal: tree,
          Condition: fc.dictionary(fc.constantFrom('StringLike', 'ForAnyValue:ArnLike', 'Bool'), tree),
        },
        { requiredKeys: ['Effect', 'Action', 'Resource'] },
      ),
    })
    .map((document): unknown => document)

  it('throws nothing but PolicyErrors, whatever the JSON', () => {
    const kinds = fc.constantFrom<'identity' | 'resource'>('identity', 'resource')
    fc.assert(
      fc.property(fc.oneof(tree, near, fc.json(), fc.string()), fc.boolean(), kinds, (value, asText, kind) => {
        let thrown: unknown
        try {
          parsePolicy(asText ? JSON.stringify(value) : value, { kind })
        } catch (error) {
          thrown = error
        }
        expect(thrown === undefined || isPolicyError(thrown)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})
