import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Call, type Harness, startHarness } from './harness.ts'

let s3: Harness
beforeAll(async () => {
  s3 = await startHarness()
})
afterAll(() => s3.stop())

describe('buckets', () => {
  it('are made once, listed, and removed when they are empty', async () => {
    const made = await s3.ok({ method: 'PUT', path: '/music' })
    expect(made.headers['location']).toBe('/music')
    const again = await s3.send({ method: 'PUT', path: '/music' })
    expect([again.status, again.xml('Code')]).toEqual([409, 'BucketAlreadyOwnedByYou'])
    expect((await s3.ok({ path: '/' })).all('Name')).toEqual(['music'])
    await s3.ok({ method: 'HEAD', path: '/music' })
    await s3.ok({ method: 'PUT', path: '/music/a', body: 'x' })
    const full = await s3.send({ method: 'DELETE', path: '/music' })
    expect([full.status, full.xml('Code')]).toEqual([409, 'BucketNotEmpty'])
    await s3.ok({ method: 'DELETE', path: '/music/a' }, 204)
    await s3.ok({ method: 'DELETE', path: '/music' }, 204)
    expect((await s3.send({ method: 'HEAD', path: '/music' })).status).toBe(404)
    expect((await s3.send({ path: '/music' })).xml('Code')).toBe('NoSuchBucket')
  })

  it.each([
    'ab',
    'a'.repeat(64),
    'Upper',
    'under_score',
    '-dash',
    'dash-',
    'two..dots',
    'dot.-dash',
    '192.168.1.1',
    'xn--abc',
    'abc-s3alias',
    'rustfs',
    'minio',
    'health',
    'metrics',
    '%E6%97%A5%E6%9C%AC',
  ])('cannot be called %s', async (name) => {
    const got = await s3.send({ method: 'PUT', path: `/${name}` })
    expect([got.status, got.xml('Code')]).toEqual([400, 'InvalidBucketName'])
  })

  it.each(['abc', 'a'.repeat(63), '1-2.3-x', '192.168.1.x'])('can be called %s', async (name) => {
    expect((await s3.send({ method: 'PUT', path: `/${name}` })).status).toBe(200)
    await s3.ok({ method: 'DELETE', path: `/${name}` }, 204)
  })

  it('take any location on a server of any region, and S3’s own rules otherwise', async () => {
    const body =
      '<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>'
    await s3.ok({ method: 'PUT', path: '/placed', body })
    expect((await s3.ok({ path: '/placed?location' })).text).toContain('<LocationConstraint xmlns=')
    for (const [headers, status, code] of [
      [{ 'x-amz-acl': 'public-read' }, 400, 'AccessControlListNotSupported'],
      [{ 'x-amz-bucket-object-lock-enabled': 'true' }, 501, 'NotImplemented'],
      [{ 'x-amz-object-ownership': 'ObjectWriter' }, 501, 'NotImplemented'],
    ] as const) {
      const got = await s3.send({ method: 'PUT', path: '/refused', headers })
      expect([got.status, got.xml('Code')]).toEqual([status, code])
    }
    expect((await s3.send({ method: 'PUT', path: '/refused', body: '<Other/>' })).xml('Code')).toBe('MalformedXML')
  })

  it('are listed in pages, with a prefix', async () => {
    for (const name of ['p-1', 'p-2', 'p-3']) await s3.ok({ method: 'PUT', path: `/${name}00` })
    const first = await s3.ok({ path: '/?prefix=p-&max-buckets=2' })
    expect(first.all('Name')).toEqual(['p-100', 'p-200'])
    const token = first.xml('ContinuationToken') ?? ''
    expect((await s3.ok({ path: `/?prefix=p-&continuation-token=${token}` })).all('Name')).toEqual(['p-300'])
  })
})

describe('what a bucket has', () => {
  beforeAll(() => s3.ok({ method: 'PUT', path: '/things' }))

  it('no versions but null', async () => {
    expect((await s3.ok({ path: '/things?versioning' })).text).toContain('<VersioningConfiguration xmlns=')
    expect(
      (await s3.send({ method: 'PUT', path: '/things?versioning', body: '<VersioningConfiguration/>' })).status,
    ).toBe(501)
  })

  it.each([
    ['cors', 'NoSuchCORSConfiguration'],
    ['lifecycle', 'NoSuchLifecycleConfiguration'],
    ['object-lock', 'ObjectLockConfigurationNotFoundError'],
    ['website', 'NoSuchWebsiteConfiguration'],
    ['replication', 'ReplicationConfigurationNotFoundError'],
    ['policy', 'NoSuchBucketPolicy'],
    ['policyStatus', 'NoSuchBucketPolicy'],
    ['encryption', 'ServerSideEncryptionConfigurationNotFoundError'],
  ])('no %s', async (subresource, code) => {
    const got = await s3.send({ path: `/things?${subresource}` })
    expect([got.status, got.xml('Code')]).toEqual([404, code])
  })

  it.each(['logging', 'notification'])('an empty %s', async (subresource) => {
    expect((await s3.ok({ path: `/things?${subresource}` })).text).toMatch(/<\w+ xmlns="[^"]+"><\/\w+>$/)
  })

  it('an owner who may do everything', async () => {
    expect((await s3.ok({ path: '/things?acl' })).xml('Permission')).toBe('FULL_CONTROL')
    await s3.ok({ method: 'PUT', path: '/things?acl', headers: { 'x-amz-acl': 'private' } })
    const { text } = await s3.ok({ path: '/things?acl' })
    await s3.ok({ method: 'PUT', path: '/things?acl', body: text })
    const refusals: readonly Omit<Call, 'path'>[] = [
      { headers: { 'x-amz-acl': 'public-read' } },
      {},
      { body: text.replace('FULL_CONTROL', 'READ') },
      { body: text.replace(/(?<=<Grantee.*<ID>)0/, '1') },
      { body: text.replace(/(<Grant>.*<\/Grant>)/, (grant) => grant + grant.replace('<ID>0', '<ID>1')) },
      { headers: { 'x-amz-acl': 'private' }, body: '<AccessControlPolicy/>' },
    ]
    for (const call of refusals) {
      const got = await s3.send({ method: 'PUT', path: '/things?acl', ...call })
      expect([got.status, got.xml('Code')]).toEqual([400, 'AccessControlListNotSupported'])
    }
  })

  it('a policy, once one was put', async () => {
    const policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::things/*' }],
    })
    await s3.ok({ method: 'PUT', path: '/things?policy', body: policy }, 204)
    const got = await s3.ok({ path: '/things?policy' })
    expect([got.text, got.headers['content-type']]).toEqual([policy, 'application/json'])
    expect((await s3.ok({ path: '/things?policyStatus' })).xml('IsPublic')).toBe('true')
    for (const body of [
      '',
      'no json',
      '{}',
      policy.replace('things/*', 'other/*'),
      policy.replace('arn:aws:s3:::things/*', '*'),
      policy.replace('"Allow"', '"Maybe"'),
      policy.replace('"Principal":"*",', ''),
    ]) {
      const refused = await s3.send({ method: 'PUT', path: '/things?policy', body })
      expect([refused.status, refused.xml('Code')], body).toEqual([400, 'MalformedPolicy'])
    }
    expect((await s3.ok({ path: '/things?policy' })).text).toBe(policy)
    await s3.ok({ method: 'DELETE', path: '/things?policy' }, 204)
    expect((await s3.send({ path: '/things?policy' })).status).toBe(404)
  })

  it('a default encryption, once one was put', async () => {
    const rule = (inner: string, more = ''): string =>
      `<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ApplyServerSideEncryptionByDefault>${inner}</ApplyServerSideEncryptionByDefault>${more}</Rule></ServerSideEncryptionConfiguration>`
    const kms = '<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>master</KMSMasterKeyID>'
    await s3.ok({
      method: 'PUT',
      path: '/things?encryption',
      body: rule(kms, '<BucketKeyEnabled>true</BucketKeyEnabled>'),
    })
    const got = await s3.ok({ path: '/things?encryption' })
    expect([got.xml('SSEAlgorithm'), got.xml('KMSMasterKeyID'), got.xml('BucketKeyEnabled')]).toEqual([
      'aws:kms',
      'master',
      'true',
    ])
    for (const [body, status, code] of [
      [rule('<SSEAlgorithm>aws:fse</SSEAlgorithm>'), 400, 'InvalidArgument'],
      [rule('<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm>'), 501, 'NotImplemented'],
      [rule('<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>master</KMSMasterKeyID>'), 400, 'InvalidArgument'],
      [rule(''), 400, 'MalformedXML'],
      [rule(kms, '<Unknown/>'), 400, 'MalformedXML'],
      ['<ServerSideEncryptionConfiguration/>', 400, 'MalformedXML'],
      ['', 400, 'MalformedXML'],
    ] as const) {
      const refused = await s3.send({ method: 'PUT', path: '/things?encryption', body })
      expect([refused.status, refused.xml('Code')], body).toEqual([status, code])
    }
    await s3.ok({ method: 'DELETE', path: '/things?encryption' }, 204)
    expect((await s3.send({ path: '/things?encryption' })).status).toBe(404)
  })
})
