import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { verifyAudit } from '@kms/audit'
import { expect, it } from 'vitest'
import { type CallOptions, call, createAdmin, type Reply } from './client.ts'
import { launch, type ServerProcess, startServer, temporaryFolder } from './server-process.ts'

const FIRST = 'audit-00000001.jsonl'

function places() {
  const folder = temporaryFolder()
  const directory = join(folder, 'audit')
  const env = { KMS_DATA_DIR: join(folder, 'data'), KMS_AUDIT_DIR: directory }
  return { folder, directory, env }
}

it('every decision has a line before its answer goes out, and the lines verify, over a restart and kill -9', async () => {
  const { folder, directory, env } = places()
  const first = await startServer({ env })
  const admin = createAdmin(first.url)
  await admin.begin(join(folder, 'keys'))
  const key = await admin.dataKey()
  await Promise.all(Array.from({ length: 20 }, () => admin.decrypt(key.ciphertext_blob)))
  const denied = { credentials: { accessKeyId: 'admin', secretAccessKey: 'wrong-secret' } }
  expect((await call(`${admin.kms}/stop`, { ...denied, method: 'POST' })).status).toBe(403)
  // configure, start, the data key and twenty decrypts; who proves nothing about itself makes no line.
  expect(await verifyAudit(directory)).toMatchObject({ problems: [], records: 23 })
  first.kill('SIGKILL')
  await first.exited

  const second = await startServer({ env })
  const [, publicKey] = /"public_key":"([0-9a-f]{64})"/.exec(second.stderr()) ?? []
  await createAdmin(second.url).decrypt(key.ciphertext_blob)
  expect(await second.stop()).toEqual({ code: 0, signal: null })
  const [, head] = /"event":"audit_checkpoint"[^\n]*"head":"([0-9a-f]{64})"/.exec(second.stderr()) ?? []
  const report = await verifyAudit(directory, { publicKeys: [publicKey as string], expectHead: head as string })
  expect(report).toMatchObject({ problems: [], files: 2, records: 24, sealed: true, fromTheBeginning: true })
  expect(existsSync(join(directory, 'server.lock'))).toBe(false)
})

it('a full disk stops all work, and is told; looking still works; with room it goes on by itself', async ({ skip }) => {
  if (process.getuid?.() !== 0) skip('mounting a small disk needs root')
  const { folder, directory, env } = places()
  const mounts = `mkdir -p ${directory} && mount -t tmpfs -o size=64k tmpfs ${directory}`
  const server = await startServer({ env: { ...env, KMS_METRICS_TOKEN: 'scrape-token' }, mounts })
  const admin = createAdmin(server.url)
  await admin.begin(join(folder, 'keys'))
  let last = await admin.post('generate-data-key', {})
  for (let i = 0; i < 300 && last.status === 200; i++) last = await admin.post('generate-data-key', {})
  expect([last.status, last.json()['code']]).toEqual([503, 'AuditUnavailable'])
  expect(last.text).not.toContain('plaintext')
  await server.until('"audit_failing"')
  const refused = await admin.post('keys', { name: 'not-made' })
  expect(refused.json()['message']).toContain('no space is left on the device')
  expect((await admin.status())['status']).toBe('Running')
  expect((await admin.get('keys/not-made')).status).toBe(404)
  const scraped = await call(`${server.url}/metrics`, {
    signed: false,
    headers: { authorization: 'Bearer scrape-token' },
  })
  expect(scraped.text).toContain('\nkms_audit_writing 0\n')
  expect(await server.stop()).toEqual({ code: 0, signal: null })
})

const KMS = { 'x-amz-server-side-encryption': 'aws:kms', 'x-amz-server-side-encryption-aws-kms-key-id': 'main' }

function object(server: ServerProcess, path: string, options: CallOptions = {}): Promise<Reply> {
  return call(`${server.url}${path}`, options)
}

it('objects: every use of a key and every denial has a line before its answer goes out; samples leave out no denial', async () => {
  const { folder, directory, env } = places()
  const server = await startServer({ env: { ...env, KMS_AUDIT_DATA_PERCENT: '0' } })
  const admin = createAdmin(server.url)
  await admin.begin(join(folder, 'keys'))
  const user = { secretKey: 'secret-of-ann', policy: 'KMSAuditor' }
  await call(`${server.url}/rustfs/admin/v3/add-user?accessKey=ann`, { method: 'PUT', body: user })
  await object(server, '/box', { method: 'PUT', raw: '' })
  expect((await object(server, '/box/a', { method: 'PUT', raw: 'x', headers: KMS })).status).toBe(200)
  for (let i = 0; i < 10; i++) expect((await object(server, '/box/a')).text).toBe('x')
  const denied = await object(server, '/box/a', {
    credentials: { accessKeyId: 'ann', secretAccessKey: 'secret-of-ann' },
  })
  expect(denied.status).toBe(403)
  const lines = readFileSync(join(directory, FIRST), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines.filter(({ plane }) => plane === 'data')).toMatchObject([
    { operation: 'CreateBucket', action: 's3:CreateBucket', principal: 'admin', decision: 'allow', outcome: 'ok' },
    {
      operation: 'GetObject',
      principal: 'ann',
      decision: 'deny',
      outcome: 'AccessDenied',
      request_id: denied.headers['x-amz-request-id'],
      skipped: 11,
    },
  ])
  expect(await server.stop()).toEqual({ code: 0, signal: null })
  expect((await verifyAudit(directory)).problems).toEqual([])
})

it.for(['block', 'drop'] as const)('objects on a full disk: %s', async (policy, { skip }) => {
  if (process.getuid?.() !== 0) skip('mounting a small disk needs root')
  const { folder, directory, env } = places()
  const mounts = `mkdir -p ${directory} && mount -t tmpfs -o size=64k tmpfs ${directory}`
  const server = await startServer({ env: { ...env, KMS_AUDIT_FULL: policy }, mounts })
  const admin = createAdmin(server.url)
  await admin.begin(join(folder, 'keys'))
  await object(server, '/box', { method: 'PUT', raw: '' })
  expect((await object(server, '/box/plain', { method: 'PUT', raw: 'plain' })).status).toBe(200)
  let last = await object(server, '/box/a', { method: 'PUT', raw: 'secret', headers: KMS })
  for (let i = 0; i < 300 && last.status === 200 && !server.stderr().includes('audit_failing'); i++)
    last = await object(server, '/box/a')
  await server.until('"audit_failing"')
  const read = await object(server, '/box/a')
  const written = await object(server, '/box/b', { method: 'PUT', raw: 'secret', headers: KMS })
  if (policy === 'drop') expect([read.text, written.status]).toEqual(['secret', 200])
  else {
    for (const { status, text } of [read, written]) {
      expect([status, text.includes('secret')]).toEqual([503, false])
      expect(text).toContain('no space is left on the device')
    }
    expect((await object(server, '/box/b')).status).toBe(404)
  }
  expect((await object(server, '/box/plain')).text).toBe('plain')
  expect(await server.stop()).toEqual({ code: 0, signal: null })
})

it('a second server on the directory is refused, and so is one that cannot write there', async () => {
  const { folder, directory, env } = places()
  const first = await startServer({ env })
  const other = { KMS_LISTEN: '127.0.0.1:0', KMS_DATA_DIR: join(folder, 'other') }
  const second = launch({ env: { ...other, KMS_AUDIT_DIR: directory } })
  expect(await second.exited).toEqual({ code: 3, signal: null })
  expect(second.stderr()).toContain(`uses ${directory}`)
  const third = launch({ env: { ...other, KMS_AUDIT_DIR: join(folder, 'data', 'server.key') } })
  expect(await third.exited).toEqual({ code: 2, signal: null })
  expect(third.stderr()).toContain('KMS_AUDIT_DIR')
  expect(await first.stop()).toEqual({ code: 0, signal: null })
  expect(readdirSync(directory).filter((name) => name.endsWith('.jsonl'))).toEqual([FIRST])
})
