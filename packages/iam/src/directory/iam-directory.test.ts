import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../test/memory-store.ts'
import { cannedPolicies } from '../canned-policies.ts'
import { createIamFile } from '../file/iam-file.ts'
import { type AddUserRequest, createIamDirectory, type IamDirectory } from './iam-directory.ts'
import type { IamDocument } from './iam-document.ts'

const T0 = Date.parse('2026-01-02T03:04:05.678Z')
const allow = (action: string) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: action, Resource: '*' }],
})
const fileContent = {
  format: 1,
  users: [
    { accessKey: 'filed', secretKey: 'filed-secret', policies: ['filed-policy', 'KMSAuditor'], policy: allow('s3:*') },
    { accessKey: 'off', secretKey: 'off-secret-1', status: 'disabled' },
  ],
  policies: [{ name: 'filed-policy', document: allow('kms:Decrypt') }],
}

async function setUp(document?: IamDocument) {
  const store = memoryStore(document)
  const clock = { time: T0 }
  const text = { now: JSON.stringify(fileContent) }
  const now = () => clock.time
  const file = await createIamFile({ read: async () => text.now, rootAccessKeyId: 'root', now })
  const directory = await createIamDirectory({ store, rootAccessKeyId: 'root', file, now })
  return { store, clock, text, file, directory }
}

const ann = { accessKeyId: 'ann', secretAccessKey: 'ann-secret' }

/** Every operation on a name, for what is the same for all of them. */
const onUser: readonly [string, (directory: IamDirectory, name: string) => Promise<unknown>][] = [
  ['addUser', (directory, accessKeyId) => directory.addUser({ accessKeyId, secretAccessKey: 'some-secret' })],
  ['removeUser', (directory, name) => directory.removeUser(name)],
  ['setUserStatus', (directory, name) => directory.setUserStatus(name, 'disabled')],
  ['setUserPolicies', (directory, name) => directory.setUserPolicies(name, [])],
  ['userInfo', async (directory, name) => directory.userInfo(name)],
]
const onPolicy: readonly [string, (directory: IamDirectory, name: string) => Promise<unknown>][] = [
  ['addPolicy', (directory, name) => directory.addPolicy(name, allow('kms:*'))],
  ['removePolicy', (directory, name) => directory.removePolicy(name)],
  ['policyInfo', async (directory, name) => directory.policyInfo(name)],
]

describe('users', () => {
  it('are added, changed and removed, durably', async () => {
    const { store, clock, directory } = await setUp()
    const added = await directory.addUser({ ...ann, policies: ['readonly', 'KMSKeyUser', 'readonly'] })
    const info = { accessKeyId: 'ann', status: 'enabled', source: 'api', createdAt: T0, changedAt: T0 }
    expect(added).toEqual({ ...info, policies: ['readonly', 'KMSKeyUser'] })
    expect(directory.userInfo('ann')).toEqual(added)

    clock.time += 1000
    expect(await directory.setUserPolicies('ann', ['filed-policy'])).toEqual({ ...info, policies: ['filed-policy'] })
    clock.time += 1000
    const changedAt = T0 + 2000
    expect(await directory.setUserStatus('ann', 'disabled')).toEqual({
      ...info,
      policies: ['filed-policy'],
      status: 'disabled',
      changedAt,
    })
    expect(store.document).toEqual({
      format: 1,
      users: [
        {
          accessKeyId: 'ann',
          secret: 'ann-secret',
          status: 'disabled',
          policies: ['filed-policy'],
          createdAt: '2026-01-02T03:04:05.678Z',
          changedAt: '2026-01-02T03:04:07.678Z',
        },
      ],
      policies: [],
    })
    const again = await createIamDirectory({ store, rootAccessKeyId: 'root' })
    expect(again.userInfo('ann')).toEqual(directory.userInfo('ann'))
    await directory.removeUser('ann')
    expect(store.document?.users).toEqual([])
    expect(() => directory.userInfo('ann')).toThrow(expect.objectContaining({ code: 'NoSuchUser' }))
  })

  it('added again keep what the request does not name', async () => {
    const { clock, directory } = await setUp()
    await directory.addUser({ ...ann, policies: ['readonly'], status: 'disabled' })
    clock.time += 5
    const info = await directory.addUser({ ...ann, secretAccessKey: 'another-secret' })
    expect(info).toMatchObject({ status: 'disabled', policies: ['readonly'], createdAt: T0, changedAt: T0 + 5 })
    expect(directory.account('ann')?.credential.secretAccessKey).toBe('another-secret')
    clock.time += 5
    expect(await directory.addUser({ ...ann, secretAccessKey: 'another-secret', policies: [] })).toMatchObject({
      policies: [],
      changedAt: T0 + 5,
    })
    expect(await directory.addUser({ ...ann, status: 'enabled' })).toMatchObject({
      status: 'enabled',
      changedAt: T0 + 10,
    })
  })

  it('change at ever later times, though the clock stands still or goes back', async () => {
    const { clock, directory } = await setUp()
    const times: (number | undefined)[] = []
    for (const secretAccessKey of ['secret-1', 'secret-2', 'secret-3']) {
      times.push((await directory.addUser({ ...ann, secretAccessKey })).changedAt)
      clock.time -= 10
    }
    expect(times).toEqual([T0, T0 + 1, T0 + 2])
  })

  it('that would stay as they are are not saved', async () => {
    const { store, directory } = await setUp()
    await directory.addUser({ ...ann, policies: ['readonly'] })
    await directory.addPolicy('own', allow('kms:*'))
    expect(store.saves).toBe(2)
    await directory.addUser(ann)
    await directory.setUserStatus('ann', 'enabled')
    await directory.setUserPolicies('ann', ['readonly'])
    await directory.addPolicy('own', JSON.stringify(allow('kms:*'), null, 2))
    expect(store.saves).toBe(2)
  })

  it('are listed with those of the file, by name', async () => {
    const { directory } = await setUp()
    for (const accessKeyId of ['zoe', '__proto__', 'constructor']) await directory.addUser({ ...ann, accessKeyId })
    expect(directory.listUsers().map(({ accessKeyId, source }) => [accessKeyId, source])).toEqual([
      ['__proto__', 'api'],
      ['constructor', 'api'],
      ['filed', 'file'],
      ['off', 'file'],
      ['zoe', 'api'],
    ])
    expect(directory.userInfo('filed')).toEqual({
      accessKeyId: 'filed',
      status: 'enabled',
      policies: ['filed-policy', 'KMSAuditor'],
      source: 'file',
      inlinePolicy: JSON.stringify(allow('s3:*')),
    })
    expect(JSON.stringify(directory.listUsers())).not.toContain('secret')
  })

  it.each<[string, Partial<AddUserRequest>]>([
    ['a short access key', { accessKeyId: 'an' }],
    ['a blank in the access key', { accessKeyId: 'an n' }],
    ['a comma in the access key', { accessKeyId: 'an,n' }],
    ['a short secret', { secretAccessKey: '1234567' }],
    ['a secret with a line break', { secretAccessKey: 'secret\nsecret' }],
    ['the default credentials', { accessKeyId: 'admin', secretAccessKey: 'admin' }],
    ['another status', { status: 'on' as never }],
  ])('are refused for %s', async (_name, part) => {
    const { store, directory } = await setUp()
    const refusal = directory.addUser({ ...ann, ...part })
    await expect(refusal).rejects.toMatchObject({ code: 'InvalidRequest' })
    await expect(refusal).rejects.not.toThrow(part.secretAccessKey ?? ann.secretAccessKey)
    expect([store.saves, directory.listUsers().length]).toEqual([0, 2])
  })

  it.each(onUser)('of the file and root are out of reach of %s', async (name, operate) => {
    const { store, directory } = await setUp()
    if (name === 'userInfo') {
      await expect(operate(directory, 'filed')).resolves.toMatchObject({ source: 'file' })
      await expect(operate(directory, 'root')).rejects.toMatchObject({ code: 'NoSuchUser' })
    } else {
      await expect(operate(directory, 'filed')).rejects.toMatchObject({ code: 'ManagedByFile' })
      await expect(operate(directory, 'root')).rejects.toMatchObject({ code: 'ReservedName' })
    }
    expect(store.saves).toBe(0)
  })

  it.each(onUser.slice(1))('that do not exist: %s', async (_name, operate) => {
    const { directory } = await setUp()
    for (const name of ['nobody', '__proto__', '']) {
      await expect(operate(directory, name)).rejects.toMatchObject({ code: 'NoSuchUser' })
    }
  })

  it('take no status and no policy that does not exist', async () => {
    const { store, directory } = await setUp()
    await directory.addUser(ann)
    await expect(directory.setUserStatus('ann', 'gone' as never)).rejects.toMatchObject({ code: 'InvalidRequest' })
    for (const name of ['nothing', '__proto__', '', 'x'.repeat(200), 'a\nb']) {
      const missing = { code: 'NoSuchPolicy' }
      await expect(directory.setUserPolicies('ann', ['readonly', name])).rejects.toMatchObject(missing)
      await expect(directory.addUser({ ...ann, policies: [name] })).rejects.toMatchObject(missing)
    }
    expect(directory.userInfo('ann')).toMatchObject({ status: 'enabled', policies: [] })
    expect(store.saves).toBe(1)
  })

  it('named like root or like a user of the file are hidden by them', async () => {
    const { directory: first, store } = await setUp()
    await first.addUser(ann)
    await first.addUser({ ...ann, accessKeyId: 'bob' })
    const file = JSON.stringify({ format: 1, users: [{ accessKey: 'bob', secretKey: 'file-secret' }] })
    const iamFile = await createIamFile({ read: async () => file, rootAccessKeyId: 'ann' })
    const directory = await createIamDirectory({ store, rootAccessKeyId: 'ann', file: iamFile })
    expect(directory.listUsers()).toEqual([{ accessKeyId: 'bob', status: 'enabled', policies: [], source: 'file' }])
  })
})

describe('policies', () => {
  it('are added, replaced and removed, durably', async () => {
    const { store, clock, directory } = await setUp()
    const added = await directory.addPolicy('own', allow('kms:*'))
    expect(added).toMatchObject({ name: 'own', source: 'api', createdAt: T0, changedAt: T0 })
    clock.time += 1000
    const replaced = await directory.addPolicy('own', JSON.stringify(allow('s3:*')))
    expect(replaced).toMatchObject({ createdAt: T0, changedAt: T0 + 1000 })
    expect(directory.policyInfo('own').policy.source).toBe(JSON.stringify(allow('s3:*')))
    const again = await createIamDirectory({ store, rootAccessKeyId: 'root' })
    expect(again.policyInfo('own')).toEqual(replaced)
    await directory.removePolicy('own')
    expect(store.document?.policies).toEqual([])
  })

  it('are listed from all three places', async () => {
    const { directory } = await setUp()
    await directory.addPolicy('__proto__', allow('kms:*'))
    const listed = directory.listPolicies().map(({ name, source }) => `${name} ${source}`)
    const canned = Array.from(cannedPolicies.keys(), (name) => `${name} canned`)
    expect(listed).toEqual([...canned, 'filed-policy file', '__proto__ api'].sort())
    expect(directory.policyInfo('consoleAdmin')).toMatchObject({ source: 'canned' })
  })

  it.each(['', ' ', 'a b', 'a,b', 'a/b', 'ä', 'x'.repeat(129), 'a\n'])('have no name like %j', async (name) => {
    const { store, directory } = await setUp()
    await expect(directory.addPolicy(name, allow('kms:*'))).rejects.toMatchObject({ code: 'InvalidRequest' })
    expect(store.saves).toBe(0)
  })

  it.each(['a', 'x'.repeat(128), 'A-z0_9+=.@-', '__proto__'])('may be called %s', async (name) => {
    const { directory } = await setUp()
    await directory.addPolicy(name, allow('kms:*'))
    expect((await directory.addUser({ ...ann, policies: [name] })).policies).toEqual([name])
  })

  it.each([[{}], ['{'], [undefined], [{ ...allow('kms:*'), Extra: 1 }]])(
    'are not documents like %j',
    async (document) => {
      const { store, directory } = await setUp()
      await expect(directory.addPolicy('own', document)).rejects.toMatchObject({ code: 'MalformedPolicyDocument' })
      expect(store.saves).toBe(0)
    },
  )

  it.each(onPolicy)('that are canned or of the file are out of reach of %s', async (name, operate) => {
    const { store, directory } = await setUp()
    if (name === 'policyInfo') {
      await expect(operate(directory, 'filed-policy')).resolves.toMatchObject({ source: 'file' })
    } else {
      await expect(operate(directory, 'filed-policy')).rejects.toMatchObject({ code: 'ManagedByFile' })
      for (const canned of cannedPolicies.keys()) {
        await expect(operate(directory, canned)).rejects.toMatchObject({ code: 'ReservedName' })
      }
    }
    expect(store.saves).toBe(0)
  })

  it.each(onPolicy.slice(1))('that do not exist: %s', async (_name, operate) => {
    const { directory } = await setUp()
    await expect(operate(directory, 'nothing')).rejects.toMatchObject({ code: 'NoSuchPolicy' })
  })

  it('are not removed while attached, to a disabled user either', async () => {
    const { directory } = await setUp()
    await directory.addPolicy('own', allow('kms:*'))
    await directory.addUser({ ...ann, policies: ['own'], status: 'disabled' })
    await expect(directory.removePolicy('own')).rejects.toMatchObject({ code: 'PolicyInUse' })
    await directory.setUserPolicies('ann', [])
    await directory.removePolicy('own')
    expect(() => directory.policyInfo('own')).toThrow(expect.objectContaining({ code: 'NoSuchPolicy' }))
  })
})

describe('changes', () => {
  it('that can not be saved change nothing, and the next ones can', async () => {
    const { store, directory } = await setUp()
    await directory.addUser({ ...ann, policies: ['readonly'] })
    await directory.addPolicy('own', allow('kms:*'))
    const shown = () => JSON.stringify([directory.listUsers(), directory.listPolicies(), directory.account('ann')])
    const before = shown()
    store.failures = Array<boolean>(6).fill(true)
    const changes = [
      directory.addUser({ ...ann, secretAccessKey: 'another-secret' }),
      directory.addUser({ ...ann, accessKeyId: 'bob' }),
      directory.setUserStatus('ann', 'disabled'),
      directory.setUserPolicies('ann', []),
      directory.removeUser('ann'),
      directory.removePolicy('own'),
    ]
    for (const change of changes) await expect(change).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(shown()).toBe(before)
    expect(directory.account('ann')?.credential.secretAccessKey).toBe('ann-secret')
    await directory.removeUser('ann')
    expect(directory.account('ann')).toBeUndefined()
  })

  it('are saved one at a time, and seen only once saved', async () => {
    const { store, directory } = await setUp()
    const adding = directory.addUser(ann)
    const attaching = directory.setUserPolicies('ann', ['readonly'])
    expect(directory.account('ann')).toBeUndefined()
    await Promise.all([adding, attaching])
    expect(store.overlapped).toBe(false)
    expect(directory.userInfo('ann').policies).toEqual(['readonly'])
  })

  it('are what was asked for, whatever the caller does with its objects later', async () => {
    const { directory } = await setUp()
    const policies = ['readonly']
    const adding = directory.addUser({ ...ann, policies })
    policies.push('consoleAdmin')
    expect((await adding).policies).toEqual(['readonly'])
    const attaching = directory.setUserPolicies('ann', policies)
    policies.length = 0
    expect((await attaching).policies).toEqual(['readonly', 'consoleAdmin'])
  })
})

describe('accounts', () => {
  it('are made once and again after each change that concerns them', async () => {
    const { text, file, directory } = await setUp()
    await directory.addPolicy('own', allow('kms:Encrypt'))
    await directory.addUser({ ...ann, policies: ['own', 'filed-policy'] })
    const sources = () => directory.account('ann')?.credential.principal.policies.map(({ source }) => source)
    const account = directory.account('ann')
    expect(directory.account('ann')).toBe(account)
    expect(sources()).toEqual([allow('kms:Encrypt'), allow('kms:Decrypt')].map((policy) => JSON.stringify(policy)))

    await directory.addPolicy('own', allow('kms:ListKeys'))
    expect(sources()?.[0]).toBe(JSON.stringify(allow('kms:ListKeys')))
    text.now = text.now.replace('kms:Decrypt', 'kms:Backup')
    await file.reload()
    expect(sources()?.[1]).toBe(JSON.stringify(allow('kms:Backup')))
    expect(directory.account('nobody')).toBeUndefined()
  })

  it('are denied everything while one of their policies is gone', async () => {
    const { text, file, directory } = await setUp()
    await directory.addUser({ ...ann, policies: ['consoleAdmin', 'filed-policy'] })
    text.now = JSON.stringify({ format: 1 })
    await file.reload()
    const statements = directory.account('ann')?.credential.principal.policies.flatMap((policy) => policy.statements)
    expect(statements?.map(({ effect, action }) => [effect, action.globs.length])).toEqual([
      ['Allow', 3],
      ['Deny', 1],
    ])
  })
})
