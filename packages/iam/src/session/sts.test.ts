import { describe, expect, it } from 'vitest'
import { policyOf, setUpIam, statement, T0 } from '../../test/iam-fixture.ts'
import { anonymousPrincipal, type Principal } from '../principal.ts'
import { SESSION_SECONDS, type Sts } from './sts.ts'

const ann = { accessKeyId: 'ann', secretAccessKey: 'ann-secret' }
const operations: readonly [keyof Sts, string, number][] = [
  ['assumeRole', 'sts:AssumeRole', 3600],
  ['getSessionToken', 'sts:GetSessionToken', 43_200],
]

describe.each(operations)('%s', (operation, action, seconds) => {
  it(`gives ${seconds} seconds unless told otherwise, to anybody with a long-term key`, async () => {
    const { sts, directory, principal, temporary } = await setUpIam()
    await directory.addUser(ann)
    for (const name of ['ann', 'root']) {
      const session = await sts[operation]({ caller: await principal(name) })
      expect(session.expiration).toBe(T0 + seconds * 1000)
      expect((await temporary(session)).name).toBe(name)
    }
  })

  it.each([900, 901, 43_200])('gives %i seconds', async (durationSeconds) => {
    const { sts, principal } = await setUpIam()
    const session = await sts[operation]({ caller: await principal('root'), durationSeconds })
    expect(session.expiration).toBe(T0 + durationSeconds * 1000)
  })

  it.each([899, 43_201, 0, -900, 900.5, Number.NaN, Number.POSITIVE_INFINITY, '900' as never])(
    'does not give %j seconds',
    async (durationSeconds) => {
      const { sts, principal } = await setUpIam()
      const asking = sts[operation]({ caller: await principal('root'), durationSeconds })
      await expect(asking).rejects.toMatchObject({
        code: 'InvalidRequest',
        message: expect.stringContaining('900 to 43200'),
      })
    },
  )

  it('gives nothing to anonymous callers, to temporary credentials, to who is no longer a user', async () => {
    const { sts, directory, principal, temporary } = await setUpIam()
    await directory.addUser(ann)
    const refused = async (caller: Principal, why = 'Only a user or root') => {
      const message = expect.stringContaining(why)
      await expect(sts[operation]({ caller })).rejects.toMatchObject({
        name: 'IamError',
        code: 'AccessDenied',
        message,
      })
    }
    await refused(anonymousPrincipal)
    for (const name of ['ann', 'root']) {
      for (const [first] of operations)
        await refused(await temporary(await sts[first]({ caller: await principal(name) })), 'Temporary credentials')
    }
    const caller = await principal('ann')
    await directory.setUserStatus('ann', 'disabled')
    await refused(caller)
    await directory.removeUser('ann')
    await refused(caller)
  })

  it.each<[string, readonly object[], boolean]>([
    ['nothing is said', [], true],
    ['other things are allowed', [statement('Allow', 'kms:*')], true],
    ['it is denied', [statement('Deny', action)], false],
    ['it is allowed and denied', [statement('Allow', '*'), statement('Deny', 'sts:*')], false],
    ['it is denied on the service', [statement('Deny', action, 'arn:aws:sts:::*')], false],
    ['it is denied on the user itself', [statement('Deny', action, 'arn:aws:iam:::user/ann')], false],
    ['it is denied on another user', [statement('Deny', action, 'arn:aws:iam:::user/bob')], true],
    ['another action is denied', [statement('Deny', ['sts:GetCallerIdentity', 'kms:*'])], true],
    [
      'it is denied from elsewhere',
      [{ ...statement('Deny', action), Condition: { NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }],
      true,
    ],
    [
      'it is denied from here',
      [{ ...statement('Deny', action), Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }],
      false,
    ],
  ])('when %s', async (_name, statements, given) => {
    const { sts, directory, principal } = await setUpIam()
    if (statements.length > 0) await directory.addPolicy('own', policyOf(...statements))
    await directory.addUser({ ...ann, policies: statements.length > 0 ? ['own'] : [] })
    const context = new Map([['aws:SourceIp', ['10.1.2.3']]])
    const asking = sts[operation]({ caller: await principal('ann'), context })
    if (given) expect((await asking).accessKeyId).toMatch(/^ASIA/)
    else await expect(asking).rejects.toMatchObject({ code: 'AccessDenied', message: expect.stringContaining(action) })
  })

  it('is not what the deny of the other means', async () => {
    const { sts, directory, principal } = await setUpIam()
    const others = operations.map(([, name]) => name).filter((name) => name !== action)
    await directory.addPolicy('own', policyOf(statement('Deny', others)))
    await directory.addUser({ ...ann, policies: ['own'] })
    expect((await sts[operation]({ caller: await principal('ann') })).accessKeyId).toMatch(/^ASIA/)
  })
})

describe('assumeRole', () => {
  it('ignores the role, but for a deny of it', async () => {
    const { sts, directory, principal, temporary } = await setUpIam()
    await directory.addPolicy('own', policyOf(statement('Deny', 'sts:AssumeRole', 'arn:aws:iam::*:role/secret')))
    await directory.addUser({ ...ann, policies: ['own'] })
    const caller = await principal('ann')
    const session = await sts.assumeRole({ caller, roleArn: 'arn:aws:iam::123456789012:role/any' })
    expect(await temporary(session)).toMatchObject({ kind: 'user', name: 'ann' })
    const secret = sts.assumeRole({ caller, roleArn: 'arn:aws:iam::123456789012:role/secret' })
    await expect(secret).rejects.toMatchObject({ code: 'AccessDenied' })
  })

  it('takes an inline policy, as text or value', async () => {
    const { sts, principal, temporary } = await setUpIam()
    const policy = policyOf(statement('Allow', 'kms:Decrypt'))
    for (const form of [policy, JSON.stringify(policy), JSON.stringify(policy, null, 8)]) {
      const session = await sts.assumeRole({ caller: await principal('root'), policy: form })
      expect((await temporary(session)).session?.policy?.source).toBe(JSON.stringify(policy))
    }
  })

  const sized = (bytes: number) => {
    const empty = JSON.stringify({ Id: '', ...policyOf(statement('Allow', '*')) })
    const rest = bytes - empty.length
    return empty.replace('""', JSON.stringify('ä'.repeat(Math.floor(rest / 2)) + 'x'.repeat(rest % 2)))
  }

  it.each<[string, unknown]>([
    ['no JSON', '{'],
    ['an empty text', ''],
    ['null', null],
    ['no statement', { Version: '2012-10-17' }],
    ['a principal', policyOf({ ...statement('Allow', '*'), Principal: '*' })],
    ['2049 bytes', sized(2049)],
    ['30 000 bytes', sized(30_000)],
  ])('takes no policy with %s', async (_name, policy) => {
    const { sts, principal } = await setUpIam()
    const asking = sts.assumeRole({ caller: await principal('root'), policy })
    await expect(asking).rejects.toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringContaining('session policy'),
    })
  })

  it('takes one of 2048 bytes', async () => {
    const { sts, principal, temporary } = await setUpIam()
    expect(Buffer.byteLength(sized(2048))).toBe(2048)
    const session = await sts.assumeRole({ caller: await principal('root'), policy: sized(2048) })
    expect((await temporary(session)).session?.policy?.source).toBe(sized(2048))
  })
})

it('the bounds are AWS’s of AssumeRole', () => {
  expect(SESSION_SECONDS).toEqual({ min: 900, max: 43_200 })
})
