import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { presignUrl } from '@kms/sigv4'
import { describe, expect, it } from 'vitest'
import { type CallCredentials, type CallOptions, call, type Reply } from './client.ts'
import { type ServerProcess, startServer, temporaryFolder } from './server-process.ts'

// Every secret a request can carry, told apart from all other text.
const ROOT = { accessKeyId: 'operator', secretAccessKey: 'canary-root-secret' }
const ANN = { accessKeyId: 'ann', secretAccessKey: 'canary-ann-secret' }
const PASSPHRASE = 'canary-passphrase-of-the-store'
const PLAINTEXT = Buffer.from('canary-plaintext-of-a-client').toString('base64')

/** Sends all kinds of requests, good and bad, and returns what none of them may leave in a log. */
async function exercise(server: ServerProcess, folder: string): Promise<ReadonlySet<string>> {
  const secrets = new Set([ROOT.secretAccessKey, ANN.secretAccessKey, PASSPHRASE, PLAINTEXT])
  const remember = (headers: Readonly<Record<string, string>>): void => {
    const signature = /Signature=(.+)$/.exec(headers['authorization'] ?? '')?.[1]
    for (const secret of [signature, headers['x-amz-security-token']]) if (secret !== undefined) secrets.add(secret)
  }
  const send = (path: string, options: CallOptions = {}): Promise<Reply> => {
    const { tamper } = options
    const change = (headers: Record<string, string>): void => {
      remember(headers)
      tamper?.(headers)
      remember(headers)
    }
    return call(`${server.url}${path}`, { credentials: ROOT, ...options, tamper: change })
  }
  const kms = (path: string, options?: CallOptions): Promise<Reply> => send(`/rustfs/admin/v3/kms/${path}`, options)
  const expectCode = async (pending: Promise<Reply>, code: string | undefined): Promise<Reply> => {
    const reply = await pending
    const told = reply.headers['content-type']?.includes('json') === true ? reply.json()['code'] : undefined
    expect([reply.status === 200, told]).toEqual([code === undefined, code])
    return reply
  }

  // A store, its keys, data.
  const document = {
    backend_type: 'local',
    key_dir: join(folder, 'keys'),
    master_key: PASSPHRASE,
    default_key_id: 'main',
  }
  await expectCode(kms('configure', { body: document }), undefined)
  await expectCode(kms('start', { method: 'POST' }), undefined)
  await expectCode(kms('reconfigure', { body: { master_key: `${PASSPHRASE}-of-another` } }), 'RootKeyMismatch')
  await expectCode(kms('configure', { body: { ...document, master_kye: PASSPHRASE } }), 'ValidationError')
  await expectCode(kms('configure', { raw: `{"master_key":"${PASSPHRASE}"` }), 'InvalidRequest')
  const made = await expectCode(kms('generate-data-key', { body: {} }), undefined)
  secrets.add(String(made.json()['plaintext_key']))
  await expectCode(kms('encrypt', { body: { plaintext: PLAINTEXT } }), undefined)
  await expectCode(kms('decrypt', { body: { ciphertext_blob: made.json()['ciphertext_blob'] } }), undefined)
  await expectCode(kms('decrypt', { body: { ciphertext_blob: PLAINTEXT } }), 'InvalidCiphertext')

  // Users, sessions.
  const add = '/rustfs/admin/v3/add-user?accessKey=ann'
  const user = { secretKey: ANN.secretAccessKey, policy: 'KMSKeyUser' }
  await expectCode(send(add, { method: 'PUT', body: user }), undefined)
  await expectCode(send(add, { method: 'PUT', body: { ...user, secret: ANN.secretAccessKey } }), 'ValidationError')
  const assume = 'Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::1:role/any&RoleSessionName=job'
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await send('/', { raw: assume, headers: form, credentials: ANN, service: 'sts' })
  const read = (name: string): string => new RegExp(`<${name}>([^<]+)<`).exec(answer.text)?.[1] as string
  const session: Required<CallCredentials> = {
    accessKeyId: read('AccessKeyId'),
    secretAccessKey: read('SecretAccessKey'),
    sessionToken: read('SessionToken'),
  }
  secrets.add(session.secretAccessKey)
  await expectCode(kms('status', { credentials: session }), undefined)
  await expectCode(kms('start', { method: 'POST', credentials: session }), 'AccessDenied')

  // Signatures that are wrong, or are not what they should be.
  const guess = { ...ROOT, secretAccessKey: 'canary-guess' }
  secrets.add(guess.secretAccessKey)
  await expectCode(kms('status', { credentials: guess }), 'SignatureDoesNotMatch')
  const notMine = { ...session, secretAccessKey: guess.secretAccessKey }
  await expectCode(kms('status', { credentials: notMine }), 'SignatureDoesNotMatch')
  await expectCode(kms('status', { credentials: { ...session, sessionToken: 'canary-token' } }), 'InvalidTokenId')
  await expectCode(kms('status', { credentials: { ...ROOT, sessionToken: 'canary-token' } }), 'InvalidTokenId')
  await expectCode(kms('status', { credentials: { ...guess, accessKeyId: 'nobody' } }), 'InvalidAccessKeyId')
  await expectCode(kms('status', { now: () => 0 }), 'RequestTimeTooSkewed')
  for (const authorization of [
    'Bearer canary-bearer',
    'AWS operator:canary-version-2',
    'Basic canary-basic',
    'canary',
  ]) {
    secrets.add(authorization.slice(authorization.indexOf('canary')))
    const tamper = (headers: Record<string, string>): void => void Object.assign(headers, { authorization })
    const reply = await kms('status', { tamper })
    expect([reply.status, reply.json()['success']]).toEqual([400, false])
  }
  const unsignedToken = (headers: Record<string, string>): void => {
    headers['x-amz-security-token'] = 'canary-unsigned-token'
  }
  await expectCode(kms('status', { tamper: unsignedToken }), 'AccessDenied')

  // Signatures and tokens in the query.
  for (const credentials of [ROOT, session, guess, notMine]) {
    const url = new URL(
      presignUrl({
        method: 'GET',
        url: `${server.url}/rustfs/admin/v3/kms/status`,
        credentials,
        region: 'us-east-1',
        service: 's3',
        expiresSeconds: 60,
      }),
    )
    secrets.add(url.searchParams.get('X-Amz-Signature') as string)
    const code = credentials.secretAccessKey === guess.secretAccessKey ? 'SignatureDoesNotMatch' : undefined
    await expectCode(call(url.href, { signed: false }), code)
    url.pathname = '/rustfs/nowhere'
    await expectCode(call(url.href, { signed: false }), 'NoSuchRoute')
  }
  // Objects: keys of the client's own, right, wrong, malformed and in the URL; signatures in the URL; forms.
  await objects(server, secrets, send)

  // The client's own key of an object, signed and sent to the wrong door.
  const headers = { 'x-amz-server-side-encryption-customer-key': 'canary-customer-key' }
  secrets.add('canary-customer-key')
  await expectCode(kms('status', { credentials: guess, headers }), 'SignatureDoesNotMatch')
  return secrets
}

type Send = (path: string, options?: CallOptions) => Promise<Reply>

function customerKey(name: string, prefix = ''): Readonly<Record<string, string>> {
  const key = Buffer.from(name.padEnd(32, '.'))
  const start = `x-amz-${prefix}server-side-encryption-customer`
  return {
    [`${start}-algorithm`]: 'AES256',
    [`${start}-key`]: key.toString('base64'),
    [`${start}-key-md5`]: createHash('md5').update(key).digest('base64'),
  }
}

async function objects(server: ServerProcess, secrets: Set<string>, send: Send): Promise<void> {
  const mine = customerKey('canary-own-key-of-an-object')
  const other = customerKey('canary-other-key-of-an-object')
  const content = 'canary-content-of-an-object'
  for (const headers of [mine, other]) {
    const key = headers['x-amz-server-side-encryption-customer-key'] as string
    secrets.add(key).add(Buffer.from(key, 'base64').toString())
  }
  secrets.add(content)
  const expectStatus = async (pending: Promise<Reply>, status: number): Promise<void> => {
    const reply = await pending
    expect([reply.status, reply.text]).toEqual([
      status,
      status === 200 ? reply.text : expect.stringContaining('<Code>'),
    ])
  }
  await expectStatus(send('/vault', { method: 'PUT', raw: '' }), 200)
  await expectStatus(send('/vault/mine', { method: 'PUT', raw: content, headers: mine }), 200)
  await expectStatus(send('/vault/mine', { headers: mine }), 200)
  await expectStatus(send('/vault/mine', { headers: other }), 403)
  await expectStatus(send('/vault/mine'), 400)
  const cut = { ...mine, 'x-amz-server-side-encryption-customer-key': 'canary-customer-key-cut-off' }
  secrets.add('canary-customer-key-cut-off')
  await expectStatus(send('/vault/mine', { headers: cut }), 400)
  await expectStatus(send('/vault/none', { headers: mine }), 404)
  const source = { ...mine, ...customerKey('canary-own-key-of-an-object', 'copy-source-') }
  const copy = { ...source, 'x-amz-copy-source': '/vault/mine' }
  await expectStatus(send('/vault/copy', { method: 'PUT', raw: '', headers: copy }), 200)
  const body = { method: 'PUT', raw: content, sent: 'canary-content-that-was-swapped' } as const
  secrets.add(body.sent)
  await expectStatus(send('/vault/mine', { ...body, headers: mine }), 400)
  const inUrl = `?x-amz-server-side-encryption-customer-key=${encodeURIComponent(cut['x-amz-server-side-encryption-customer-key'])}`
  expect((await send(`/vault/mine${inUrl}`, { method: 'PUT', raw: '', headers: mine })).status).toBe(200)
  const presigned = (credentials: CallCredentials): string =>
    presignUrl({
      method: 'GET',
      url: `${server.url}/vault/mine`,
      credentials,
      region: 'us-east-1',
      service: 's3',
      expiresSeconds: 60,
    })
  for (const [credentials, status] of [
    [ROOT, 400],
    [{ ...ROOT, secretAccessKey: 'canary-guess' }, 403],
  ] as const) {
    const url = presigned(credentials)
    secrets.add(new URL(url).searchParams.get('X-Amz-Signature') as string)
    await expectStatus(call(url, { signed: false }), status)
    await expectStatus(call(url.replace('/vault/mine', '/vault/other'), { signed: false }), 403)
    await expectStatus(call(`${url}&X-Amz-Signature=0`, { signed: false }), 400)
  }
}

/** How a secret could stand in a log: as it is, escaped in JSON or a URL, or in base64. */
function spellingsOf(secret: string): readonly string[] {
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64').replace(/=+$/, '').slice(0, -1),
  ]
}

async function logOf(level: string): Promise<{ readonly log: string; readonly secrets: ReadonlySet<string> }> {
  const folder = temporaryFolder()
  const server = await startServer({
    env: {
      KMS_DATA_DIR: join(folder, 'data'),
      KMS_ROOT_ACCESS_KEY: ROOT.accessKeyId,
      KMS_ROOT_SECRET_KEY: ROOT.secretAccessKey,
      KMS_LOG_LEVEL: level,
      KMS_LOG_FORMAT: 'json',
    },
  })
  const secrets = await exercise(server, folder)
  await server.stop()
  return { log: server.stdout() + server.stderr(), secrets }
}

describe('the log', () => {
  it.each(['trace', 'info'])('at %s holds no signature, no token and no secret', async (level) => {
    const { log, secrets } = await logOf(level)
    const leaked = [...secrets].filter((secret) => spellingsOf(secret).some((spelling) => log.includes(spelling)))
    expect(leaked).toEqual([])
    expect(log).not.toContain('canary')
    expect(secrets.size).toBeGreaterThan(30)
    const lines = log
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
    const computed = lines.filter(({ event }) => event === 'signature_mismatch')
    if (level === 'info') {
      expect(computed).toEqual([])
      expect(log).not.toContain('AWS4-HMAC-SHA256')
      return
    }
    expect(lines.filter(({ event }) => event === 'request').length).toBeGreaterThan(25)
    expect(lines.filter(({ event }) => event === 'object_request').length).toBeGreaterThan(12)
    // What a wrong signature was compared with, and whose it was.
    expect(computed.length).toBeGreaterThan(3)
    for (const { request_id, canonical_request, string_to_sign } of computed) {
      expect(lines.find((line) => line.event === 'request' && line.request_id === request_id)).toMatchObject({
        code: 'SignatureDoesNotMatch',
      })
      expect(string_to_sign).toMatch(
        /^AWS4-HMAC-SHA256\n\d{8}T\d{6}Z\n\d{8}\/us-east-1\/s3\/aws4_request\n[0-9a-f]{64}$/,
      )
      expect(canonical_request).toMatch(/^GET\n\/rustfs\/admin\/v3\/kms\/status\n/)
    }
    expect(computed.some((line) => line.canonical_request.includes('x-amz-security-token:***'))).toBe(true)
  })
})
