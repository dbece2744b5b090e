import { cannedPolicies } from '@kms/iam'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assume, createHarness, type Harness, root, sendSts, stateOf, type User } from './harness.ts'
import { type Sample, samplesFor, signedEndpoints, targetOf } from './samples.ts'

/**
 * The rights matrix: every signed route, at every path and method it has, for everybody below. A route without a row fails
 * the suite. Whoever is not named in a row is refused, with exactly `AccessDenied`, before anything it sent is looked at,
 * and with nothing changed.
 */
const PRINCIPALS = [
  'root',
  ...cannedPolicies.keys(),
  'own key',
  'other key',
  'switcher of own key',
  'nothing',
  'everything but kms',
  'generate only',
  'all but decrypt',
  'server info',
  'session of KMSKeyUser',
  'session of root for KMSAuditor',
  'session of consoleAdmin for KMSKeyUser',
  'session of KMSAuditor for everything',
  'anonymous',
] as const

/** Who is nobody at all, and what that is called. */
const STRANGERS: Readonly<Record<string, readonly [status: number, code: string]>> = {
  'a wrong secret': [403, 'SignatureDoesNotMatch'],
  'an unknown access key': [403, 'InvalidAccessKeyId'],
  'a removed user': [403, 'InvalidAccessKeyId'],
  'a disabled user': [403, 'InvalidAccessKeyId'],
  'a session of a disabled user': [403, 'InvalidTokenId'],
  'a session without its token': [403, 'InvalidAccessKeyId'],
  'a session with the token of another': [403, 'InvalidTokenId'],
  'a session with a wrong secret': [403, 'SignatureDoesNotMatch'],
  'a session that has ended': [400, 'ExpiredToken'],
  'a user with a token': [403, 'InvalidTokenId'],
}

const describers = [
  'KMSKeyAdministrator',
  'KMSKeyUser',
  'KMSAuditor',
  'session of KMSKeyUser',
  'session of root for KMSAuditor',
  'session of consoleAdmin for KMSKeyUser',
  'session of KMSAuditor for everything',
  'server info',
]
const wrappers = ['KMSKeyUser', 'own key', 'session of KMSKeyUser', 'session of consoleAdmin for KMSKeyUser']
const auditors = ['KMSAuditor', 'session of root for KMSAuditor', 'session of KMSAuditor for everything']
const keepers = ['KMSKeyAdministrator', 'own key']
const operators = ['server info']
const nobody: readonly string[] = []

/**
 * By operation, on `main-key` but for `disableKey` and `deleteKey`, which are about `other`: who may, besides root, consoleAdmin
 * and a user allowed `kms:*` without Decrypt (last column).
 */
const ROWS: Readonly<Record<string, readonly [allowed: readonly string[], allButDecrypt: boolean]>> = {
  getStatus: [describers, true],
  configure: [operators, true],
  reconfigure: [operators, true],
  start: [operators, true],
  stop: [operators, true],
  getConfig: [operators, true],
  getConfigHistory: [operators, true],
  rollback: [operators, true],
  confirm: [operators, true],
  listRetired: [operators, true],
  mendRetired: [operators, true],
  removeRetired: [operators, true],
  clearCache: [operators, true],
  rotateRoot: [operators, true],
  // Who operates the service does not thereby take the keys away, nor bring others.
  backup: [nobody, true],
  restore: [nobody, true],
  createKey: [['KMSKeyAdministrator', 'server info'], true],
  listKeys: [['KMSKeyAdministrator', 'server info', ...auditors], true],
  describeKey: [[...describers, 'own key'], true],
  describeKeyByQuery: [[...describers, 'own key'], true],
  rotateKey: [keepers, true],
  setRotationPeriod: [keepers, true],
  enableKey: [[...keepers, 'switcher of own key'], true],
  disableKey: [['KMSKeyAdministrator', 'other key'], true],
  deleteKey: [['KMSKeyAdministrator', 'other key'], true],
  cancelKeyDeletion: [keepers, true],
  // Into a key of any name; the administrators of keys do not bring their material.
  getImportParameters: [nobody, true],
  importKey: [nobody, true],
  updateKeyDescription: [keepers, true],
  tagKey: [keepers, true],
  untagKey: [keepers, true],
  addAlias: [[...keepers, 'server info'], true],
  removeAlias: [[...keepers, 'server info'], true],
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

/** Who may do to another key what it may not do to the one the sample is about: told so only once the request can be read. */
function mayElsewhere(name: string, { scope, permission }: (typeof signedEndpoints)[number]['route']): boolean {
  if (scope !== 'key') return false
  if (name === 'own key' || name === 'other key') return true
  if (name === 'switcher of own key') return ['kms:EnableKey', 'kms:DisableKey'].includes(permission[0])
  return name === 'all but decrypt' && permission[0] === 'kms:Decrypt'
}

let harness: Harness
let samples: ReadonlyMap<string, Sample>
const users = new Map<string, User | undefined>([['root', root]])
const secretAccessKey = 'battery staple'

async function makeUser(name: string, policies: readonly string[]): Promise<User> {
  const user = { accessKeyId: name.replaceAll(' ', '-'), secretAccessKey }
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

async function makeStrangers(): Promise<void> {
  const administrator = ['consoleAdmin']
  const ended = await assume(harness, root)
  harness.clock.advance(3_600_001)
  users.set('a session that has ended', ended)
  users.set('a wrong secret', { ...root, secretAccessKey: 'a guess' })
  users.set('an unknown access key', { accessKeyId: 'nobody-knows', secretAccessKey })
  users.set('a user with a token', { ...(await makeUser('with token', administrator)), sessionToken: 'token' })
  await makeUser('a removed user', administrator)
  await harness.directory.removeUser('a-removed-user')
  const disabled = await makeUser('a disabled user', administrator)
  users.set('a session of a disabled user', await assume(harness, disabled))
  await harness.directory.setUserStatus(disabled.accessKeyId, 'disabled')
  const [one, other] = [await assume(harness, root), await assume(harness, root)]
  users.set('a session without its token', { accessKeyId: one.accessKeyId, secretAccessKey: one.secretAccessKey })
  users.set('a session with the token of another', { ...one, sessionToken: other.sessionToken })
  users.set('a session with a wrong secret', { ...one, secretAccessKey: other.secretAccessKey })
}

beforeAll(async () => {
  harness = await createHarness()
  await harness.run()
  samples = await samplesFor(harness)
  for (const name of cannedPolicies.keys()) await makeUser(name, [name])
  const mainKey = 'arn:aws:kms:::key/main-key'
  await makeUserWith('own key', { Effect: 'Allow', Action: 'kms:*', Resource: mainKey })
  await makeUserWith('other key', { Effect: 'Allow', Action: 'kms:*', Resource: 'arn:aws:kms:::key/other' })
  await makeUserWith('switcher of own key', {
    Effect: 'Allow',
    Action: ['kms:EnableKey', 'kms:DisableKey'],
    Resource: mainKey,
  })
  await makeUser('nothing', [])
  await makeUserWith('everything but kms', { Effect: 'Allow', NotAction: ['kms:*', 'admin:*'], Resource: '*' })
  await makeUserWith('generate only', { Effect: 'Allow', Action: 'kms:GenerateDataKey', Resource: '*' })
  await makeUserWith(
    'all but decrypt',
    { Effect: 'Allow', Action: 'kms:*', Resource: '*' },
    { Effect: 'Deny', Action: 'kms:Decrypt', Resource: mainKey },
  )
  await makeUserWith('server info', { Effect: 'Allow', Action: 'admin:ServerInfo', Resource: '*' })
  await makeStrangers()
  const user = users.get('KMSKeyUser') as User
  users.set('session of KMSKeyUser', await assume(harness, user))
  users.set('session of root for KMSAuditor', await assume(harness, root, documentOf('KMSAuditor')))
  const admin = users.get('consoleAdmin') as User
  users.set('session of consoleAdmin for KMSKeyUser', await assume(harness, admin, documentOf('KMSKeyUser')))
  const auditor = users.get('KMSAuditor') as User
  users.set('session of KMSAuditor for everything', await assume(harness, auditor, documentOf('consoleAdmin')))
  users.set('anonymous', undefined)
})
afterAll(() => harness.close())

/** What a refused request must leave as it was. */
function stateOfAll(): unknown {
  const { directory } = harness
  return [stateOf(harness), directory.listUsers(), directory.listPolicies()]
}

it('has a row for every signed route, and a caller for every name', () => {
  const operations = new Set(signedEndpoints.map(({ route }) => route.operation))
  expect(Object.keys(ROWS).sort()).toEqual([...operations].sort())
  const names = [...PRINCIPALS, ...Object.keys(STRANGERS)]
  expect(names.filter((name) => !users.has(name))).toEqual([])
  const named = Object.values(ROWS).flatMap(([allowed]) => allowed)
  expect(named.filter((name) => !(PRINCIPALS as readonly string[]).includes(name))).toEqual([])
})

describe.each(signedEndpoints.map((e) => [`${e.method} ${e.path}`, e] as const))('%s', (_, { route, method, path }) => {
  async function send(name: string, body?: unknown): Promise<readonly [status: number, code: unknown]> {
    const sample = samples.get(route.operation) as Sample
    const sent = method === 'GET' ? {} : { body: body ?? sample.body }
    const { status, json } = await harness.send(method, targetOf(path, sample), { as: users.get(name), ...sent })
    return [status, json['code']]
  }

  async function prepare(): Promise<void> {
    await harness.manager.start({ force: false }, { principal: 'test' })
    await samples.get(route.operation)?.prepare?.()
  }

  it.each(PRINCIPALS)('%s', async (name) => {
    const [allowed, allButDecrypt] = ROWS[route.operation] as (typeof ROWS)[string]
    const passes =
      name === 'root' ||
      name === 'consoleAdmin' ||
      allowed.includes(name) ||
      (name === 'all but decrypt' && allButDecrypt)
    await prepare()
    const before = stateOfAll()
    if (!passes) {
      expect(await send(name)).toEqual([403, 'AccessDenied'])
      const unread = mayElsewhere(name, route) && method !== 'GET' ? [400, 'InvalidRequest'] : [403, 'AccessDenied']
      expect(await send(name, '{"not": JSON')).toEqual(unread)
      expect(stateOfAll()).toEqual(before)
    } else expect(await send(name)).toEqual([200, undefined])
  })

  it.each(Object.entries(STRANGERS))('%s', async (name, answer) => {
    await prepare()
    const before = stateOfAll()
    expect(await send(name)).toEqual(answer)
    expect(await send(name, '{"not": JSON')).toEqual(answer)
    expect(stateOfAll()).toEqual(before)
  })
})

describe('a key by any of its names is the key it is', () => {
  const spellings: Readonly<Record<string, (key: string) => string>> = {
    'its alias': (key) => `${key}-alias`,
    'alias/…': (key) => `alias/${key}-alias`,
    'the ARN of the key': (key) => `arn:aws:kms:us-east-1:000000000000:key/${key}`,
    'the ARN of the alias': (key) => `arn:aws:kms:::alias/${key}-alias`,
  }
  /** The samples that name a key by its id; the others name none, or several. */
  const spelled = (sample: Sample, spell: (key: string) => string): Sample | undefined => {
    const body: { readonly key_id?: string } | undefined = sample.body
    if (body?.key_id !== undefined) return { ...sample, body: { ...body, key_id: spell(body.key_id) } }
    if (sample.pathKey !== undefined) return { ...sample, pathKey: spell(sample.pathKey) }
    const key = /^\?keyId=(.+)$/.exec(sample.query ?? '')?.[1]
    return key === undefined ? undefined : { ...sample, query: `?keyId=${encodeURIComponent(spell(key))}` }
  }
  const insider = { authorize: () => {}, caller: { principal: 'test' } }
  const keyEndpoints = signedEndpoints.filter(({ route }) => route.scope === 'key')

  it.each(keyEndpoints.map((e) => [`${e.method} ${e.path}`, e] as const))('%s', async (_, { route, method, path }) => {
    const sample = samples.get(route.operation) as Sample
    const [allowed] = ROWS[route.operation] as (typeof ROWS)[string]
    for (const [spelling, spell] of Object.entries(spellings)) {
      for (const name of ['root', 'own key', 'other key', 'nothing']) {
        await harness.manager.start({ force: false }, { principal: 'test' })
        await sample.prepare?.()
        for (const key of ['main-key', 'other']) {
          await harness.manager.keys.addAlias({ key, alias: `${key}-alias`, ...insider }).catch(() => {})
        }
        const changed = spelled(sample, spell)
        if (changed === undefined) return
        const sent = method === 'GET' ? {} : { body: changed.body }
        const { status } = await harness.send(method, targetOf(path, changed), { as: users.get(name), ...sent })
        expect([spelling, name, status]).toEqual([
          spelling,
          name,
          name === 'root' || allowed.includes(name) ? 200 : 403,
        ])
      }
    }
  })

  it('covers every operation that names one key', () => {
    const named = [...samples].filter(([, sample]) => spelled(sample, (key) => key) !== undefined).map(([name]) => name)
    expect(named).toEqual(
      expect.arrayContaining(['describeKey', 'describeKeyByQuery', 'generateDataKey', 'disableKey']),
    )
    expect(named.length).toBeGreaterThan(12)
  })
})

describe('STS', () => {
  /** Whoever has a long-term key assumes itself; who is what it is already knows that. */
  const isSession = (name: string): boolean => name.startsWith('session')
  const actions: Readonly<Record<string, (name: string) => boolean>> = {
    AssumeRole: (name) => name !== 'anonymous' && !isSession(name),
    GetSessionToken: (name) => name !== 'anonymous' && !isSession(name),
    GetCallerIdentity: (name) => name !== 'anonymous',
  }

  async function send(action: string, name: string): Promise<readonly [status: number, code: unknown]> {
    const form = { Action: action, ...(action === 'AssumeRole' ? { RoleArn: 'arn:x', RoleSessionName: 's' } : {}) }
    const { status, text } = await sendSts(harness, form, { as: users.get(name) })
    return [status, text('Code')]
  }

  describe.each(Object.entries(actions))('%s', (action, may) => {
    it.each(PRINCIPALS)('%s', async (name) => {
      expect(await send(action, name)).toEqual(may(name) ? [200, undefined] : [403, 'AccessDenied'])
    })

    it.each(Object.entries(STRANGERS))('%s', async (name, answer) => {
      expect(await send(action, name)).toEqual(answer)
    })
  })
})
