import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../test/memory-store.ts'
import { createIamDirectory } from './iam-directory.ts'
import { decodeIamDocument, encodeIamDocument, type IamDocument } from './iam-document.ts'

const policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'
const times = { createdAt: '2026-01-02T03:04:05.678Z', changedAt: '2026-01-03T03:04:05.000Z' }
const user = {
  accessKeyId: '__proto__',
  secret: 'a secret ä 🔑',
  status: 'enabled',
  policies: ['constructor'],
  ...times,
}
const document = {
  format: 1,
  users: [user, { ...user, accessKeyId: 'bob', status: 'disabled', policies: [] }],
  policies: [{ name: 'constructor', document: policy, ...times }],
}

it('reads what it writes', () => {
  expect(encodeIamDocument(decodeIamDocument(document))).toEqual(document)
})

it('is what format 1 says, byte for byte', async () => {
  const store = memoryStore()
  const now = () => Date.parse(times.createdAt)
  const directory = await createIamDirectory({ store, rootAccessKeyId: 'root', now })
  await directory.addPolicy('own', policy)
  await directory.addUser({ accessKeyId: 'ann', secretAccessKey: 'ann-secret', policies: ['own', 'readonly'] })
  expect(JSON.stringify(store.document)).toBe(
    '{"format":1,"users":[{"accessKeyId":"ann","secret":"ann-secret","status":"enabled","policies":["own","readonly"],' +
      '"createdAt":"2026-01-02T03:04:05.678Z","changedAt":"2026-01-02T03:04:05.678Z"}],' +
      `"policies":[{"name":"own","document":${JSON.stringify(policy)},` +
      '"createdAt":"2026-01-02T03:04:05.678Z","changedAt":"2026-01-02T03:04:05.678Z"}]}',
  )
})

it('of a newer format is refused by name', async () => {
  const newer = { format: 2, groups: [] } as unknown as IamDocument
  const loading = createIamDirectory({ store: memoryStore(newer), rootAccessKeyId: 'root' })
  await expect(loading).rejects.toMatchObject({
    code: 'UnsupportedFormat',
    message: expect.stringContaining('format 2'),
  })
})

const withUser = (part: object) => ({ ...document, users: [{ ...user, ...part }] })
const withPolicy = (part: object) => ({ ...document, policies: [{ ...document.policies[0], ...part }] })

describe('is refused when damaged:', () => {
  it.each<[string, unknown, string]>([
    ['not an object', 'text', ''],
    ['null', null, ''],
    ['no format', { users: [], policies: [] }, ''],
    ['format 0', { ...document, format: 0 }, 'format'],
    ['format as text', { ...document, format: '2' }, 'format'],
    ['format 1.5', { ...document, format: 1.5 }, 'format'],
    ['no users', { format: 1, policies: [] }, ''],
    ['another member', { ...document, groups: [] }, ''],
    ['users no list', { ...document, users: {} }, 'users'],
    ['a user twice', { ...document, users: [user, user] }, 'users'],
    ['a user that is no object', { ...document, users: [user, []] }, 'users[1]'],
    ['a sealed secret', withUser({ secret: { $sealed: 'AA==' } }), 'users[0].secret'],
    ['a short secret', withUser({ secret: 'short' }), 'users[0]'],
    ['an access key that breaks the rules', withUser({ accessKeyId: 'a b' }), 'users[0]'],
    ['another status', withUser({ status: 'on' }), 'users[0].status'],
    ['policies no list', withUser({ policies: 'a' }), 'users[0].policies'],
    ['a policy twice', withUser({ policies: ['a', 'a'] }), 'users[0].policies'],
    ['a policy name that breaks the rules', withUser({ policies: ['a,b'] }), 'users[0].policies[0]'],
    ['a time as number', withUser({ createdAt: 1 }), 'users[0].createdAt'],
    ['a time in another form', withUser({ changedAt: '2026-01-02' }), 'users[0].changedAt'],
    ['a day that is none', withUser({ changedAt: '2026-02-30T00:00:00.000Z' }), 'users[0].changedAt'],
    ['another member of a user', withUser({ groups: [] }), 'users[0]'],
    ['a policy without a name', withPolicy({ name: '' }), 'policies[0].name'],
    ['a document as object', withPolicy({ document: {} }), 'policies[0].document'],
    ['a document that is no JSON', withPolicy({ document: '{' }), 'policies[0].document'],
    [
      'a policy that breaks the grammar',
      withPolicy({ document: policy.replace('Allow', 'Let') }),
      'policies[0].document.Statement[0].Effect',
    ],
  ])('%s', (_name, damaged, path) => {
    let thrown: unknown
    try {
      decodeIamDocument(damaged)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code: 'InvalidIamDocument', path, message: expect.stringContaining('backup') })
    expect(String(thrown)).not.toContain('a secret')
  })
})
