import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type Iam, KEY, policyOf, setUpIam, statement, T0 } from '../../test/iam-fixture.ts'
import { createCredentialStore } from '../credential-store.ts'
import { createSessions, type SessionCredentials } from './sessions.ts'

const ann = { accessKeyId: 'ann', secretAccessKey: 'ann-secret' }
const invalid = { name: 'IamError', code: 'InvalidTokenId' }

async function setUp(options: Parameters<typeof setUpIam>[0] = {}) {
  const iam = await setUpIam(options)
  await iam.directory.addUser({ ...ann, policies: ['KMSKeyUser'] })
  const session = await iam.sts.assumeRole({ caller: await iam.principal('ann') })
  return { ...iam, session }
}

/** `find` may throw at once or later; a server awaits it. */
async function find({ credentials }: Pick<Iam, 'credentials'>, accessKeyId: string, token: string) {
  return credentials.find(accessKeyId, token)
}

/** The token with one character of its tag changed. */
function tampered(token: string): string {
  const at = token.length - 10
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
}

describe('a session', () => {
  it('is found by access key and token, as its parent', async () => {
    const { session, ...iam } = await setUp()
    const found = await find(iam, session.accessKeyId, session.sessionToken)
    expect(found?.secretAccessKey).toBe(session.secretAccessKey)
    expect(found?.principal).toMatchObject({
      kind: 'user',
      name: 'ann',
      accessKeyId: session.accessKeyId,
      session: { expiresAt: session.expiration },
    })
    expect(session.expiration).toBe(T0 + 3_600_000)
    expect(inspect(found, { showHidden: true, getters: true, depth: 9 })).not.toContain(session.secretAccessKey)
  })

  it('differs from every other', async () => {
    const { sts, principal } = await setUp()
    const caller = await principal('ann')
    const sessions = await Promise.all(Array.from({ length: 20 }, () => sts.getSessionToken({ caller })))
    for (const of of ['accessKeyId', 'secretAccessKey', 'sessionToken'] as const) {
      expect(new Set(sessions.map((one) => one[of])).size).toBe(20)
    }
  })

  it('is the same object until something changes, and found without waiting', async () => {
    const { session, ...iam } = await setUp()
    const first = await find(iam, session.accessKeyId, session.sessionToken)
    expect(iam.credentials.find(session.accessKeyId, session.sessionToken)).toBe(first)
    await iam.directory.addPolicy('other', policyOf(statement('Allow', 'kms:*')))
    const second = iam.credentials.find(session.accessKeyId, session.sessionToken)
    expect(second).not.toBeInstanceOf(Promise)
    expect(second).not.toBe(first)
  })

  it('has the policies its parent has now', async () => {
    const { session, ...iam } = await setUp()
    const sources = async () => (await iam.temporary(session)).policies.map((policy) => policy.source)
    const before = await sources()
    await iam.directory.setUserPolicies('ann', ['KMSAuditor'])
    expect(await sources()).not.toEqual(before)
    expect(await sources()).toEqual((await iam.principal('ann')).policies.map((policy) => policy.source))
  })

  it('can be root', async () => {
    const iam = await setUpIam()
    const session = await iam.sts.getSessionToken({ caller: await iam.principal('root') })
    expect(await iam.temporary(session)).toMatchObject({ kind: 'root', name: 'root', session: {} })
  })
})

describe('a session is refused', () => {
  it.each<[string, (session: SessionCredentials, other: SessionCredentials) => [string, string]]>([
    ['with the access key of another', (session, other) => [other.accessKeyId, session.sessionToken]],
    ['with the access key of its parent', (session) => ['ann', session.sessionToken]],
    ['with the access key of root', (session) => ['root', session.sessionToken]],
    ['with an empty token', (session) => [session.accessKeyId, '']],
    ['with a tampered token', (session) => [session.accessKeyId, tampered(session.sessionToken)]],
    ['with a token that is none', (session) => [session.accessKeyId, 'x'.repeat(100)]],
  ])('%s', async (_name, request) => {
    const { session, ...iam } = await setUp()
    const other = await iam.sts.assumeRole({ caller: await iam.principal('ann') })
    for (let i = 0; i < 2; i += 1) {
      const [accessKeyId, token] = request(session, other)
      await expect(find(iam, accessKeyId, token)).rejects.toMatchObject(invalid)
      await find(iam, session.accessKeyId, session.sessionToken)
    }
  })

  it('of a server with another key, and taken by one that had it before', async () => {
    const { session } = await setUp()
    const other = Buffer.alloc(32, 9)
    const foreign = createSessions({ key: other, now: () => T0 })
    const parentOf = () => expect.fail('nobody is asked for')
    await expect(foreign.find(session.accessKeyId, session.sessionToken, parentOf)).rejects.toMatchObject(invalid)

    const iam = await setUpIam()
    await iam.directory.addUser({ ...ann, status: 'enabled' })
    iam.clock.time += 10
    const old = await iam.sts.assumeRole({ caller: await iam.principal('ann') })
    const rotated = createSessions({ key: other, previousKey: KEY, now: () => T0 })
    const found = await rotated.find(old.accessKeyId, old.sessionToken, iam.credentials.account)
    expect(found.secretAccessKey).toBe(old.secretAccessKey)
    const account = iam.credentials.account('ann') ?? expect.fail()
    const fresh = await rotated.issue({ parent: account, durationSeconds: 900 })
    await expect(find(iam, fresh.accessKeyId, fresh.sessionToken)).rejects.toMatchObject(invalid)
  })

  it('without its token: its access key alone is unknown', async () => {
    const { session, credentials } = await setUp()
    expect(await credentials.find(session.accessKeyId)).toBeUndefined()
  })

  it('from the millisecond it expires, whether its token was seen before or not', async () => {
    for (const seen of [true, false]) {
      const { session, clock, ...iam } = await setUp()
      clock.time = session.expiration - 1
      if (seen) await find(iam, session.accessKeyId, session.sessionToken)
      clock.time += 1
      const expired = { name: 'IamError', code: 'ExpiredToken' }
      await expect(find(iam, session.accessKeyId, session.sessionToken)).rejects.toMatchObject(expired)
      await expect(find(iam, 'ASIAAAAAAAAAAAAAAAAA', session.sessionToken)).rejects.toMatchObject(invalid)
    }
  })
})

describe('a session ends at once and for good when its parent', () => {
  const endings: readonly [string, (iam: Iam) => Promise<unknown>][] = [
    [
      'is disabled and enabled again',
      async ({ directory }) => {
        await directory.setUserStatus('ann', 'disabled')
        await directory.setUserStatus('ann', 'enabled')
      },
    ],
    [
      'is replaced by a disabled one and by an enabled one again',
      async ({ directory }) => {
        await directory.addUser({ ...ann, status: 'disabled' })
        await directory.addUser({ ...ann, status: 'enabled' })
      },
    ],
    [
      'is removed and added again',
      async ({ directory }) => {
        await directory.removeUser('ann')
        await directory.addUser(ann)
      },
    ],
    ['gets another secret', ({ directory }) => directory.addUser({ ...ann, secretAccessKey: 'another-secret' })],
    [
      'gets another secret and the old one again',
      async ({ directory }) => {
        await directory.addUser({ ...ann, secretAccessKey: 'another-secret' })
        await directory.addUser(ann)
      },
    ],
    ['is disabled', ({ directory }) => directory.setUserStatus('ann', 'disabled')],
    ['is removed', ({ directory }) => directory.removeUser('ann')],
    [
      'comes to be another of the same name, in the file',
      async ({ disk, file }) => {
        disk.users = [{ accessKey: 'ann', secretKey: 'other-secret' }]
        await file.reload()
      },
    ],
    [
      'comes to be disabled in the file',
      async ({ disk, file }) => {
        disk.users = [{ accessKey: 'ann', secretKey: 'ann-secret', status: 'disabled' }]
        await file.reload()
      },
    ],
  ]

  // The clock stands still: issuing and ending fall into one millisecond.
  it.each(endings)('%s', async (_name, end) => {
    for (const seen of [true, false]) {
      const { session, ...iam } = await setUp()
      if (seen) await find(iam, session.accessKeyId, session.sessionToken)
      await end(iam)
      await expect(find(iam, session.accessKeyId, session.sessionToken)).rejects.toMatchObject(invalid)
    }
  })

  it.each(endings.slice(0, 5))('%s, but those asked for afterwards are good', async (_name, end) => {
    const iam = await setUp()
    await end(iam)
    const session = await iam.sts.assumeRole({ caller: await iam.principal('ann') })
    expect(await iam.temporary(session)).toMatchObject({ name: 'ann' })
  })

  it('is root and the server starts with another root secret', async () => {
    const iam = await setUpIam()
    const session = await iam.sts.getSessionToken({ caller: await iam.principal('root') })
    const root = { accessKeyId: 'root', secretAccessKey: 'new-root-secret' }
    const credentials = createCredentialStore({ root, directory: iam.directory, sessions: iam.sessions })
    await expect(find({ credentials }, session.accessKeyId, session.sessionToken)).rejects.toMatchObject(invalid)
    expect(await iam.temporary(session)).toMatchObject({ kind: 'root' })
  })

  it('is a user of the file whose secret changed while the server was down', async () => {
    const started = (secretKey: string) => setUpIam({ users: [{ accessKey: 'filed', secretKey }] })
    const iam = await started('filed-secret')
    const session = await iam.sts.assumeRole({ caller: await iam.principal('filed') })
    expect(await (await started('filed-secret')).temporary(session)).toMatchObject({ name: 'filed' })
    await expect((await started('other-secret')).temporary(session)).rejects.toMatchObject(invalid)
  })
})

it('as many opened tokens as told are remembered', async () => {
  const { session, ...iam } = await setUp({ maxCachedTokens: 1 })
  const other = await iam.sts.assumeRole({ caller: await iam.principal('ann') })
  await iam.temporary(session)
  expect(iam.credentials.find(session.accessKeyId, session.sessionToken)).not.toBeInstanceOf(Promise)
  await iam.temporary(other)
  const pushedOut = iam.credentials.find(session.accessKeyId, session.sessionToken)
  expect(pushedOut).toBeInstanceOf(Promise)
  expect((await pushedOut)?.principal.name).toBe('ann')
})

it.each([0, 16, 31, 33])('keys of %i bytes are refused', (length) => {
  expect(() => createSessions({ key: Buffer.alloc(length) })).toThrow(TypeError)
  expect(() => createSessions({ key: KEY, previousKey: Buffer.alloc(length) })).toThrow(TypeError)
})
