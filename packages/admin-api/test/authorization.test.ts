import { cannedPolicies } from '@kms/iam'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assume, createHarness, type Harness, root, type User } from './harness.ts'
import { type Sample, samplesFor, signedEndpoints, targetOf } from './samples.ts'

/** Every canned policy, and the shapes of users that go wrong elsewhere. Whoever is not named in a row is refused. */
const PRINCIPALS = [
  ...cannedPolicies.keys(),
  'own key',
  'other key',
  'nothing',
  'generate only',
  'all but decrypt',
  'session of KMSKeyUser',
  'session of root for KMSAuditor',
  'session of consoleAdmin for KMSKeyUser',
  'anonymous',
] as const

const describers = [
  'KMSKeyAdministrator',
  'KMSKeyUser',
  'KMSAuditor',
  'session of KMSKeyUser',
  'session of root for KMSAuditor',
  'session of consoleAdmin for KMSKeyUser',
]
const wrappers = ['KMSKeyUser', 'own key', 'session of KMSKeyUser', 'session of consoleAdmin for KMSKeyUser']
const listers = ['KMSKeyAdministrator', 'KMSAuditor', 'session of root for KMSAuditor']
const keepers = ['KMSKeyAdministrator', 'own key']
const nobody: readonly string[] = []

/** By operation, on `main-key` but for `disableKey` and `deleteKey`, which are about `other`: who may, besides root, consoleAdmin and a user allowed `kms:*` without Decrypt (last column). */
const ROWS: Readonly<Record<string, readonly [allowed: readonly string[], allButDecrypt: boolean]>> = {
  getStatus: [describers, true],
  configure: [nobody, true],
  reconfigure: [nobody, true],
  start: [nobody, true],
  stop: [nobody, true],
  getConfig: [nobody, true],
  getConfigHistory: [nobody, true],
  rollback: [nobody, true],
  confirm: [nobody, true],
  listRetired: [nobody, true],
  mendRetired: [nobody, true],
  removeRetired: [nobody, true],
  clearCache: [nobody, true],
  rotateRoot: [nobody, true],
  createKey: [['KMSKeyAdministrator'], true],
  listKeys: [listers, true],
  describeKey: [[...describers, 'own key'], true],
  describeKeyByQuery: [[...describers, 'own key'], true],
  rotateKey: [keepers, true],
  setRotationPeriod: [keepers, true],
  enableKey: [keepers, true],
  disableKey: [['KMSKeyAdministrator', 'other key'], true],
  deleteKey: [['KMSKeyAdministrator', 'other key'], true],
  cancelKeyDeletion: [keepers, true],
  updateKeyDescription: [keepers, true],
  tagKey: [keepers, true],
  untagKey: [keepers, true],
  addAlias: [keepers, true],
  removeAlias: [keepers, true],
  generateDataKey: [[...wrappers, 'generate only'], true],
  encrypt: [wrappers, true],
  decrypt: [wrappers, false],
  // Whoever may do one of its operations on some key is let in, and refused item by item.
  batch: [[...wrappers, 'generate only', 'other key'], true],
  addUser: [nobody, false],
  removeUser: [nobody, false],
  listUsers: [nobody, false],
  getUser: [nobody, false],
  setUserStatus: [nobody, false],
  addPolicy: [nobody, false],
  listPolicies: [nobody, false],
  getPolicy: [nobody, false],
  removePolicy: [nobody, false],
  setPolicy: [nobody, false],
}

let harness: Harness
let samples: ReadonlyMap<string, Sample>
const users = new Map<string, User | undefined>([['root', root]])

async function makeUser(name: string, policies: readonly string[]): Promise<User> {
  const user = { accessKeyId: name.replaceAll(' ', '-'), secretAccessKey: 'battery staple' }
  await harness.directory.addUser({ ...user, policies })
  users.set(name, user)
  return user
}

async function makeUserWith(name: string, ...Statement: readonly object[]): Promise<void> {
  const policy = name.replaceAll(' ', '-')
  await harness.directory.addPolicy(policy, { Version: '2012-10-17', Statement })
  await makeUser(name, [policy])
}

function documentOf(name: string): object {
  return JSON.parse(cannedPolicies.get(name)?.source as string) as object
}

beforeAll(async () => {
  harness = await createHarness()
  await harness.run()
  samples = await samplesFor(harness)
  for (const name of cannedPolicies.keys()) await makeUser(name, [name])
  await makeUserWith('own key', { Effect: 'Allow', Action: 'kms:*', Resource: 'arn:aws:kms:::key/main-key' })
  await makeUserWith('other key', { Effect: 'Allow', Action: 'kms:*', Resource: 'arn:aws:kms:::key/other' })
  await makeUser('nothing', [])
  await makeUserWith('generate only', { Effect: 'Allow', Action: 'kms:GenerateDataKey', Resource: '*' })
  await makeUserWith(
    'all but decrypt',
    { Effect: 'Allow', Action: 'kms:*', Resource: '*' },
    { Effect: 'Deny', Action: 'kms:Decrypt', Resource: 'arn:aws:kms:::key/main-key' },
  )
  const user = users.get('KMSKeyUser') as User
  users.set('session of KMSKeyUser', await assume(harness, user))
  users.set('session of root for KMSAuditor', await assume(harness, root, documentOf('KMSAuditor')))
  const admin = users.get('consoleAdmin') as User
  users.set('session of consoleAdmin for KMSKeyUser', await assume(harness, admin, documentOf('KMSKeyUser')))
  users.set('anonymous', undefined)
})
afterAll(() => harness.close())

it('has a row for every signed route', () => {
  const operations = new Set(signedEndpoints.map(({ route }) => route.operation))
  expect(Object.keys(ROWS).sort()).toEqual([...operations].sort())
})

describe.each(signedEndpoints.map((e) => [`${e.method} ${e.path}`, e] as const))('%s', (_, { route, method, path }) => {
  it.each(['root', ...PRINCIPALS])('%s', async (name) => {
    const sample = samples.get(route.operation) as Sample
    await harness.manager.start({ force: false }, { principal: 'test' })
    await sample.prepare?.()
    const [allowed, allButDecrypt] = ROWS[route.operation] as (typeof ROWS)[string]
    const passes =
      name === 'root' ||
      name === 'consoleAdmin' ||
      allowed.includes(name) ||
      (name === 'all but decrypt' && allButDecrypt)
    const options = { as: users.get(name), ...(method === 'GET' ? {} : { body: sample.body }) }
    const { status, json } = await harness.send(method, targetOf(path, sample), options)
    expect([status, json['code']]).toEqual(passes ? [200, undefined] : [403, 'AccessDenied'])
  })
})
