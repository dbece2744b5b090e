import { describe, expect, it } from 'vitest'
import { cannedPolicies } from '../canned-policies.ts'
import { parseIamFile } from './iam-file-content.ts'

const policy = { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 'kms:*', Resource: '*' } }
const user = { accessKey: 'ann', secretKey: 'ann-secret' }
const parse = (value: unknown) =>
  parseIamFile(typeof value === 'string' ? value : JSON.stringify(value), { rootAccessKeyId: 'root' })

it('holds users and policies', () => {
  const content = parse({
    format: 1,
    users: [
      user,
      { ...user, accessKey: '__proto__', status: 'disabled', policies: ['constructor', 'KMSKeyUser'], policy },
      { ...user, accessKey: 'admin', status: 'enabled', policies: [] },
    ],
    policies: [{ name: 'constructor', document: policy }],
  })
  const source = JSON.stringify(policy)
  expect([...content.users.values()].map((each) => ({ ...each, policies: each.policies.length }))).toMatchObject([
    { accessKeyId: 'ann', secretAccessKey: 'ann-secret', status: 'enabled', policyNames: [], policies: 0 },
    { accessKeyId: '__proto__', status: 'disabled', policyNames: ['constructor', 'KMSKeyUser'], policies: 3 },
    { accessKeyId: 'admin', status: 'enabled', policyNames: [], policies: 0 },
  ])
  const sources = content.users.get('__proto__')?.policies.map((each) => each.source)
  expect(sources).toEqual([source, cannedPolicies.get('KMSKeyUser')?.source, source])
  expect(content.users.get('ann')?.inlinePolicy).toBeUndefined()
  expect(content.policies.get('constructor')?.source).toBe(source)
})

it('may hold nothing', () => {
  expect(parse({ format: 1 })).toEqual({ users: new Map(), policies: new Map() })
})

const withUser = (part: object) => ({ format: 1, users: [user, { ...user, accessKey: 'bob', ...part }] })
const withPolicy = (part: object) => ({ format: 1, policies: [{ name: 'own', document: policy, ...part }] })

describe('is refused for', () => {
  it.each<[string, unknown, string]>([
    ['no JSON', '{"format":1,"users":[{"accessKey":"ann","secretKey":"ann-secret"]}', ''],
    ['nothing', '', ''],
    ['a byte order mark', '\uFEFF{"format":1}', ''],
    ['a list', [], ''],
    ['null', 'null', ''],
    ['too much', ' '.repeat(8_388_609), ''],
    ['a member twice', '{"format":1,"users":[],"users":[]}', ''],
    ['a member twice, deep inside', '{"format":1,"users":[{"accessKey":"a","\\u0061ccessKey":"b"}]}', ''],
    ['no format', { users: [] }, ''],
    ['format 0', { format: 0 }, 'format'],
    ['format as text', { format: '1' }, 'format'],
    ['an unknown member', { format: 1, groups: [] }, ''],
    ['users that are no list', { format: 1, users: { ann: user } }, 'users'],
    ['policies that are no list', { format: 1, policies: {} }, 'policies'],
    ['a user that is no object', { format: 1, users: ['ann'] }, 'users[0]'],
    ['an unknown member of a user', withUser({ group: 'a' }), 'users[1]'],
    ['no access key', { format: 1, users: [{ secretKey: 'ann-secret' }] }, 'users[0]'],
    ['no secret', { format: 1, users: [{ accessKey: 'ann' }] }, 'users[0]'],
    ['an access key that is no text', withUser({ accessKey: 1 }), 'users[1].accessKey'],
    ['an access key that breaks the rules', withUser({ accessKey: 'a,b,c' }), 'users[1].accessKey'],
    ['a short secret', withUser({ secretKey: 'geheim' }), 'users[1].secretKey'],
    [
      'a lone surrogate',
      '{"format":1,"users":[{"accessKey":"ann","secretKey":"secret-\\ud800"}]}',
      'users[0].secretKey',
    ],
    ['the default credentials', withUser({ accessKey: 'admin', secretKey: 'admin' }), 'users[1].secretKey'],
    ['the root access key', withUser({ accessKey: 'root' }), 'users[1].accessKey'],
    ['an access key twice', withUser({ accessKey: 'ann' }), 'users[1].accessKey'],
    ['another status', withUser({ status: 'on' }), 'users[1].status'],
    ['a status null', withUser({ status: null }), 'users[1].status'],
    ['policies of a user that are no list', withUser({ policies: 'readonly' }), 'users[1].policies'],
    ['an unknown policy', withUser({ policies: ['readonly', 'own'] }), 'users[1].policies[1]'],
    ['a policy name that is no text', withUser({ policies: [1] }), 'users[1].policies[0]'],
    ['a policy named twice', withUser({ policies: ['readonly', 'readonly'] }), 'users[1].policies[1]'],
    ['an inline policy as text', withUser({ policy: JSON.stringify(policy) }), 'users[1].policy'],
    ['an inline policy null', withUser({ policy: null }), 'users[1].policy'],
    ['an inline policy that says nothing', withUser({ policy: {} }), 'users[1].policy'],
    [
      'an inline policy with a principal',
      withUser({ policy: { Statement: { ...policy.Statement, Principal: '*' } } }),
      'users[1].policy.Statement.Principal',
    ],
    ['a policy that is no object', { format: 1, policies: [policy, 1] }, 'policies[0]'],
    ['a policy without a document', { format: 1, policies: [{ name: 'own' }] }, 'policies[0]'],
    ['an unknown member of a policy', withPolicy({ id: 1 }), 'policies[0]'],
    ['a policy name that breaks the rules', withPolicy({ name: 'a b' }), 'policies[0].name'],
    ['the name of a canned policy', withPolicy({ name: 'readonly' }), 'policies[0].name'],
    [
      'a policy twice',
      { format: 1, policies: [...withPolicy({}).policies, ...withPolicy({}).policies] },
      'policies[1].name',
    ],
    ['a document as text', withPolicy({ document: JSON.stringify(policy) }), 'policies[0].document'],
    [
      'a document that breaks the grammar',
      withPolicy({ document: { Statement: [{ ...policy.Statement, Action: 'kms' }] } }),
      'policies[0].document.Statement[0].Action',
    ],
  ])('%s', (_name, value, path) => {
    let thrown: unknown
    try {
      parse(value)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ name: 'IamError', code: 'InvalidIamFile', path })
    expect((thrown as Error).message).toMatch(
      path === '' ? /^The file of users / : new RegExp(`^${path.replace(/[[\].]/g, '\\$&')} [a-z]`),
    )
    expect((thrown as Error).message).toMatch(/[^.]\.$/)
    expect(String(thrown)).not.toMatch(/ann-secret|geheim|secret-/)
  })

  it('a newer format, by name', () => {
    const newer = expect.objectContaining({ code: 'UnsupportedFormat', message: expect.stringContaining('format 7') })
    expect(() => parse({ format: 7, other: true })).toThrow(newer)
  })
})
