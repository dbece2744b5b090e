import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type CallCredentials, type CallOptions, call, createAdmin, type Reply } from './client.ts'
import { launch, startServer, temporaryFolder } from './server-process.ts'

const ROOT = { accessKeyId: 'operator', secretAccessKey: 'correct horse battery' }
const ANN = { accessKeyId: 'ann', secretAccessKey: 'battery staple' }
const BOB = { accessKeyId: 'bob', secretAccessKey: 'from the operator' }

function settings(folder: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    KMS_DATA_DIR: join(folder, 'data'),
    KMS_ROOT_ACCESS_KEY: ROOT.accessKeyId,
    KMS_ROOT_SECRET_KEY: ROOT.secretAccessKey,
    ...more,
  }
}

function send(url: string, path: string, options: CallOptions = {}): Promise<Reply> {
  return call(`${url}/rustfs/admin/v3${path}`, { credentials: ROOT, ...options })
}

async function codeOf(url: string, credentials: CallCredentials, headers = {}): Promise<unknown> {
  const reply = await send(url, '/kms/status', { credentials, headers })
  return reply.status === 200 ? 200 : reply.json()['code']
}

async function addAnn(url: string): Promise<void> {
  const body = { secretKey: ANN.secretAccessKey, policy: 'KMSKeyUser' }
  expect((await send(url, '/add-user?accessKey=ann', { method: 'PUT', body })).status).toBe(200)
}

async function assume(url: string): Promise<CallCredentials> {
  const reply = await call(`${url}/`, {
    raw: 'Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::1:role/any&RoleSessionName=job',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    credentials: ANN,
    service: 'sts',
  })
  const read = (name: string): string => new RegExp(`<${name}>([^<]+)<`).exec(reply.text)?.[1] as string
  return {
    accessKeyId: read('AccessKeyId'),
    secretAccessKey: read('SecretAccessKey'),
    sessionToken: read('SessionToken'),
  }
}

describe('users of the API', () => {
  it('and their sessions survive kill -9; nothing of a secret is on disk or in the log', async () => {
    const folder = temporaryFolder()
    const env = settings(folder, { KMS_LOG_LEVEL: 'trace' })
    const first = await startServer({ env })
    await createAdmin(first.url, { credentials: ROOT }).begin(join(folder, 'keys'))
    await addAnn(first.url)
    const session = await assume(first.url)
    expect([await codeOf(first.url, ANN), await codeOf(first.url, session)]).toEqual([200, 200])
    first.kill('SIGKILL')
    await first.exited

    const second = await startServer({ env })
    expect([await codeOf(second.url, ANN), await codeOf(second.url, session)]).toEqual([200, 200])
    for (const name of ['iam.json', 'iam.last-good.json']) {
      const text = readFileSync(join(folder, 'data', 'state', name), 'utf8')
      expect(text).not.toMatch(/battery|staple/)
      expect(text).toContain('"ann"')
    }
    for (const secret of [ANN.secretAccessKey, session.secretAccessKey, session.sessionToken as string]) {
      expect(first.stderr() + second.stderr()).not.toContain(secret)
    }
    await send(second.url, '/set-user-status?accessKey=ann&status=disabled', { method: 'PUT' })
    expect([await codeOf(second.url, ANN), await codeOf(second.url, session)]).toEqual([
      'InvalidAccessKeyId',
      'InvalidTokenId',
    ])
  })

  it('a damaged iam.json is read from its copy; without one the server refuses to start', async () => {
    const folder = temporaryFolder()
    const env = settings(folder)
    const first = await startServer({ env })
    await addAnn(first.url)
    await first.stop()
    const state = join(folder, 'data', 'state')
    writeFileSync(join(state, 'iam.json'), 'damaged')
    const second = await startServer({ env })
    expect(second.stderr()).toContain('iam.last-good.json was used instead')
    expect(await codeOf(second.url, ANN)).toBe(200)
    await second.stop()
    for (const name of ['iam.json', 'iam.last-good.json']) writeFileSync(join(state, name), 'damaged')
    const third = launch({ env: { ...env, KMS_LISTEN: '127.0.0.1:0' } })
    expect(await third.exited).toEqual({ code: 4, signal: null })
    expect(third.stderr()).toContain('iam.json is damaged')
  })
})

describe('KMS_IAM_FILE', () => {
  const fileOf = (...users: readonly object[]): string => JSON.stringify({ format: 1, users })
  const bob = { accessKey: BOB.accessKeyId, secretKey: BOB.secretAccessKey, policies: ['KMSAuditor'] }

  it('is taken over when it changes; a bad one keeps the last good one', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'iam.json')
    const replace = (text: string): void => {
      writeFileSync(`${file}.new`, text)
      renameSync(`${file}.new`, file)
    }
    replace(fileOf(bob))
    const server = await startServer({ env: settings(folder, { KMS_IAM_FILE: file }) })
    expect(await codeOf(server.url, BOB)).toBe(200)
    await addAnn(server.url)
    const body = { secretKey: 'another secret' }
    const refused = await send(server.url, '/add-user?accessKey=bob', { method: 'PUT', body })
    expect([refused.status, refused.json()['code']]).toEqual([409, 'ManagedByFile'])
    expect((await send(server.url, '/list-users')).json()).toMatchObject({
      ann: { source: 'api' },
      bob: { source: 'file', policyName: 'KMSAuditor' },
    })

    replace(fileOf({ accessKey: 'bob' }))
    await server.until('iam_file_kept')
    expect(server.stderr()).toContain('users[0] has no secretKey')
    expect(await codeOf(server.url, BOB)).toBe(200)

    replace(fileOf({ ...bob, status: 'disabled' }))
    await server.until('iam_file_reloaded')
    expect([await codeOf(server.url, BOB), await codeOf(server.url, ANN)]).toEqual(['InvalidAccessKeyId', 200])
    expect(server.stderr()).not.toContain(BOB.secretAccessKey)
  })

  it.each([
    ['is not there', undefined],
    ['is no JSON', '{"secretKey": "hidden secret'],
    ['names root', fileOf({ ...bob, accessKey: ROOT.accessKeyId, secretKey: 'hidden secret' })],
  ])('that %s at the start: refused', async (_, text) => {
    const folder = temporaryFolder()
    const file = join(folder, 'iam.json')
    if (text !== undefined) writeFileSync(file, text)
    const server = launch({ env: settings(folder, { KMS_LISTEN: '127.0.0.1:0', KMS_IAM_FILE: file }) })
    expect(await server.exited).toEqual({ code: 2, signal: null })
    expect(server.stderr()).toContain('KMS_IAM_FILE cannot be used')
    expect(server.stderr()).not.toContain('hidden')
  })
})

describe('strangers', () => {
  it('are throttled by the address a trusted proxy names; who signs correctly never is', async () => {
    const folder = temporaryFolder()
    const more = { KMS_AUTH_FAILURES_PER_MINUTE: '2', KMS_TRUSTED_PROXIES: '127.0.0.0/8' }
    const server = await startServer({ env: settings(folder, more) })
    const guess = { ...ROOT, secretAccessKey: 'guessed guessed' }
    const from = (address: string) => ({ 'x-forwarded-for': `127.0.0.9, ${address}` })
    const codes: unknown[] = []
    for (let i = 0; i < 5; i++) codes.push(await codeOf(server.url, guess, from('203.0.113.1')))
    // A minute may have ended between two of them.
    expect(codes.filter((code) => code === 'TooManyRequests').length).toBeGreaterThan(0)
    expect(codes.slice(0, 2)).toEqual(['SignatureDoesNotMatch', 'SignatureDoesNotMatch'])
    expect(await codeOf(server.url, ROOT, from('203.0.113.1'))).toBe(200)
    expect(await codeOf(server.url, guess, from('203.0.113.2'))).toBe('SignatureDoesNotMatch')
  })

  it.each([
    ['believed from trusted proxies', '127.0.0.1', 200],
    ['not believed from others', '192.0.2.0/24', 'AccessDenied'],
  ])('aws:SourceIp: forwarding headers are %s', async (_, proxies, expected) => {
    const folder = temporaryFolder()
    const server = await startServer({ env: settings(folder, { KMS_TRUSTED_PROXIES: proxies }) })
    const Condition = { IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } }
    const Statement = { Effect: 'Allow', Action: 'kms:DescribeKey', Resource: '*', Condition }
    const body = { Version: '2012-10-17', Statement }
    expect((await send(server.url, '/add-canned-policy?name=office', { method: 'PUT', body })).status).toBe(200)
    const user = { secretKey: ANN.secretAccessKey, policy: 'office' }
    await send(server.url, '/add-user?accessKey=ann', { method: 'PUT', body: user })
    expect(await codeOf(server.url, ANN, { forwarded: 'for=203.0.113.7;proto=https' })).toBe(expected)
    expect(await codeOf(server.url, ANN)).toBe('AccessDenied')
  })
})
