import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type CallOptions, call, createAdmin } from './client.ts'
import { checkOutput, plantFields, takeProblems } from './log-check.ts'
import { launch, startServer, temporaryFolder } from './server-process.ts'

const TOKEN = 'scrape-token-1234'

/** A server with a running service, and what it was started with. */
async function running(env: Readonly<Record<string, string>> = {}) {
  const folder = temporaryFolder()
  const server = await startServer({ env: { KMS_DATA_DIR: join(folder, 'data'), ...env } })
  const admin = createAdmin(server.url)
  await admin.begin(join(folder, 'keys'))
  return { folder, server, admin }
}

const bearer = (token: string): CallOptions => ({ signed: false, headers: { authorization: `Bearer ${token}` } })

describe('/metrics', () => {
  it('is for those who may read it', async () => {
    const { server } = await running({ KMS_METRICS_TOKEN: TOKEN })
    const metrics = `${server.url}/metrics`
    const users = `${server.url}/rustfs/admin/v3`
    const policy = (Action: string) => ({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action, Resource: '*' }],
    })
    for (const [name, action] of [
      ['scraper', 'admin:Prometheus'],
      ['viewer', 'admin:ServerInfo'],
      ['writer', 'kms:*'],
    ] as const) {
      const body = { secretKey: `${name}-secret-key`, status: 'enabled', policy: name }
      for (const reply of [
        await call(`${users}/add-canned-policy?name=${name}`, { method: 'PUT', body: policy(action) }),
        await call(`${users}/add-user?accessKey=${name}`, { method: 'PUT', body }),
      ]) {
        expect(reply.status, reply.text).toBe(200)
      }
    }
    const as = (name: string): CallOptions => ({
      credentials: { accessKeyId: name, secretAccessKey: `${name}-secret-key` },
    })
    for (const allowed of [{}, as('scraper'), as('viewer'), bearer(TOKEN)]) {
      const reply = await call(metrics, allowed)
      expect(reply.status, JSON.stringify(allowed)).toBe(200)
      expect(reply.headers['content-type']).toContain('text/plain; version=0.0.4')
      expect(reply.text).toContain('\nkms_state{state="Running"} 1\n')
    }
    for (const [denied, code] of [
      [as('writer'), 'AccessDenied'],
      [{ signed: false }, 'AccessDenied'],
      [bearer('scrape-token-1235'), 'AccessDenied'],
      [bearer(''), 'AccessDenied'],
      [{ credentials: { accessKeyId: 'admin', secretAccessKey: 'guessed-secret' } }, 'SignatureDoesNotMatch'],
    ] as const) {
      const reply = await call(metrics, denied)
      expect([reply.status, reply.json()['code']], JSON.stringify(denied)).toEqual([403, code])
    }
    const post = await call(metrics, { method: 'POST', ...bearer(TOKEN) })
    expect([post.status, post.json()['code']]).toEqual([405, 'MethodNotAllowed'])
  })

  it('without a token set, no bearer gets in', async () => {
    const { server } = await running()
    expect((await call(`${server.url}/metrics`, bearer('undefined'))).status).toBe(403)
  })

  it('counts what happened, and names no key', async () => {
    const { server, admin } = await running()
    await admin.post('keys', { name: 'canary-of-a-key' })
    const key = await admin.dataKey({ key_id: 'canary-of-a-key' })
    await admin.decrypt(key.ciphertext_blob)
    await admin.decrypt(key.ciphertext_blob)
    await admin.post('decrypt', { ciphertext_blob: 'AAAA' })
    await admin.post('reconfigure', { cache_ttl_seconds: 60 })
    await admin.post('reconfigure', { key_dir: '/proc/nowhere' })
    // The first scrape begins to count the keys.
    let text = ''
    while (!text.includes('kms_keys{')) text = (await call(`${server.url}/metrics`)).text
    for (const line of [
      'kms_requests_total{plane="admin",operation="decrypt",outcome="ok"} 2',
      'kms_requests_total{plane="admin",operation="decrypt",outcome="InvalidCiphertext"} 1',
      'kms_request_duration_seconds_count{plane="admin",operation="generateDataKey"} 1',
      'kms_config_changes_total{change="kms_reconfigured",outcome="ok"} 1',
      'kms_config_last_reload_successful 0',
      'kms_keys{state="Enabled"} 2',
      'kms_requests_in_flight 1',
    ]) {
      expect(text).toContain(`\n${line}\n`)
    }
    expect(text).toMatch(/^kms_backend_operations_total\{backend="local",operation="wrap",outcome="ok"\} \d+$/m)
    expect(text).not.toContain('canary-of-a-key')
    // The decrypts before the reconfiguration; the cache is a new one since.
    expect(text).toContain('\nkms_cache_hits_total 0\n')
  })

  it('counts objects by how they are encrypted, and names neither bucket nor object', async () => {
    const { server } = await running()
    const sse = { 'x-amz-server-side-encryption': 'aws:kms', 'x-amz-server-side-encryption-bucket-key-enabled': 'true' }
    await call(`${server.url}/canary-of-a-bucket`, { method: 'PUT', raw: '' })
    const path = `${server.url}/canary-of-a-bucket/canary-of-an-object`
    await call(path, { method: 'PUT', raw: 'twelve bytes', headers: sse })
    for (let i = 0; i < 3; i++) await call(path)
    await call(`${path}-plain`, { method: 'PUT', raw: 'six by' })
    const { text } = await call(`${server.url}/metrics`)
    for (const line of [
      'kms_object_operations_total{operation="PutObject",mode="SSE-KMS",outcome="ok"} 1',
      'kms_object_operations_total{operation="GetObject",mode="SSE-KMS",outcome="ok"} 3',
      'kms_object_operation_duration_seconds_count{operation="GetObject",mode="SSE-KMS"} 3',
      'kms_object_received_bytes_total{mode="SSE-KMS"} 12',
      'kms_object_sent_bytes_total{mode="SSE-KMS"} 36',
      'kms_object_received_bytes_total{mode="plain"} 6',
      'kms_bucket_key_cache_hits_total 3',
      'kms_bucket_key_cache_misses_total 1',
      'kms_requests_total{plane="s3",operation="CreateBucket",outcome="ok"} 1',
    ]) {
      expect(text).toContain(`\n${line}\n`)
    }
    expect(text).not.toContain('canary')
  })

  it('has a listener of its own, without credentials, that answers nothing else', async () => {
    const folder = temporaryFolder()
    const env = { KMS_DATA_DIR: join(folder, 'data'), KMS_METRICS_LISTEN: '127.0.0.1:0' }
    const server = await startServer({ env })
    const port = /"metrics_address":"127\.0\.0\.1:(\d+)"/.exec(server.stderr())?.[1]
    const open = (path: string, options: CallOptions = {}) =>
      call(`http://127.0.0.1:${port}${path}`, { signed: false, ...options })
    expect((await open('/metrics')).text).toContain('\nkms_state{state="NotConfigured"} 1\n')
    for (const path of ['/', '/rustfs/admin/v3/kms/status', '/health/ready', '/metrics/x']) {
      expect((await open(path)).status, path).toBe(404)
    }
    expect((await open('/metrics', { method: 'POST' })).status).toBe(404)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })

  it('a listener that cannot be had ends the start, and leaves nothing', async () => {
    const { server } = await running()
    const data = join(temporaryFolder(), 'data')
    const taken = `127.0.0.1:${server.port}`
    const second = launch({ env: { KMS_DATA_DIR: data, KMS_LISTEN: '127.0.0.1:0', KMS_METRICS_LISTEN: taken } })
    expect(await second.exited).toEqual({ code: 1, signal: null })
    expect(second.stderr()).toContain(`KMS_METRICS_LISTEN ${taken} cannot be listened on (EADDRINUSE).`)
    const third = await startServer({ env: { KMS_DATA_DIR: data } })
    expect(await third.stop()).toEqual({ code: 0, signal: null })
  })
})

describe('traces', () => {
  it('an SDK loaded before the server gets spans that hang together, below the caller', async () => {
    const otel = fileURLToPath(new URL('otel.mjs', import.meta.url))
    const { server, admin } = await running({ NODE_OPTIONS: `--import=${otel}` })
    const trace = '0af7651916cd43dd8448eb211c80319c'
    const parent = 'b7ad6b7169203331'
    const reply = await call(`${admin.kms}/generate-data-key`, {
      body: {},
      tamper: (headers) => Object.assign(headers, { traceparent: `00-${trace}-${parent}-01` }),
    })
    expect(reply.status).toBe(200)
    await server.until(`"parent":"${parent}"`)
    const spans = [...server.stdout().matchAll(/^span (.*)$/gm)].map((match) => JSON.parse(match[1] as string))
    const ours = spans.filter(({ traceId }) => traceId === trace)
    const byName = new Map(ours.map((span) => [span.name, span]))
    expect([...byName.keys()]).toEqual(['local.describe', 'local.wrap', 'data.generateDataKey', 'generateDataKey'])
    expect(byName.get('local.wrap').parent).toBe(byName.get('data.generateDataKey').spanId)
    expect(byName.get('data.generateDataKey').parent).toBe(byName.get('generateDataKey').spanId)
    expect(byName.get('generateDataKey').attributes).toMatchObject({
      'http.response.status_code': 200,
      'kms.request_id': reply.headers['x-request-id'],
      'kms.key_id': 'main',
      'kms.outcome': 'ok',
    })
  })
})

describe('traces of objects', () => {
  it('have the key, the store and the KMS below the request, and no name of an object', async () => {
    const otel = fileURLToPath(new URL('otel.mjs', import.meta.url))
    const { server } = await running({ NODE_OPTIONS: `--import=${otel}` })
    await call(`${server.url}/traced`, { method: 'PUT', raw: '' })
    const path = `${server.url}/traced/secret-name`
    await call(path, { method: 'PUT', raw: 'x', headers: { 'x-amz-server-side-encryption': 'aws:kms' } })
    const traced = async (trace: string): Promise<Map<string, Record<string, string>>> => {
      const tamper = (headers: Record<string, string>): object =>
        Object.assign(headers, { traceparent: `00-${trace}-b7ad6b7169203331-01` })
      expect((await call(path, { tamper })).text).toBe('x')
      await server.until(`"traceId":"${trace}","spanId":"`)
      await server.until('"name":"GetObject"')
      const spans = [...server.stdout().matchAll(/^span (.*)$/gm)].map((match) => JSON.parse(match[1] as string))
      return new Map(spans.filter(({ traceId }) => traceId === trace).map((span) => [span.name, span]))
    }
    const byName = await traced('0af7651916cd43dd8448eb211c80319c')
    const request = byName.get('GetObject') ?? expect.fail('no span of the request')
    for (const [name, above] of [
      ['store.bucket', 'GetObject'],
      ['store.openObject', 'GetObject'],
      ['cipher.openForRead', 'GetObject'],
      ['data.decrypt', 'cipher.openForRead'],
    ] as const) {
      expect(byName.get(name)?.['parent'], name).toBe(byName.get(above)?.['spanId'])
    }
    expect(request['attributes']).toMatchObject({
      'kms.object_mode': 'SSE-KMS',
      'kms.key_id': 'main',
      'kms.outcome': 'ok',
    })
    expect(server.stdout()).not.toContain('secret-name')
  })
})

describe('the log', () => {
  it('has a line for every request for an object, and none with its name', async () => {
    const { server } = await running({ KMS_LOG_LEVEL: 'debug' })
    await call(`${server.url}/logged`, { method: 'PUT', raw: '' })
    const path = `${server.url}/logged/secret-name`
    const headers = { 'x-amz-server-side-encryption': 'aws:kms' }
    await call(path, { method: 'PUT', raw: 'some text', headers })
    const got = await call(path)
    const missing = await call(`${path}-of-none`)
    expect([got.status, missing.status]).toEqual([200, 404])
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    const lines = [...server.stderr().matchAll(/^\{.*$/gm)].map(([line]) => JSON.parse(line) as Record<string, unknown>)
    const requests = lines.filter(({ event }) => event === 'object_request')
    expect(requests).toMatchObject([
      { operation: 'CreateBucket', bucket: 'logged', outcome: 'ok' },
      { operation: 'PutObject', bucket: 'logged', mode: 'SSE-KMS', key_id: 'main', bytes_in: 9, bytes_out: 0 },
      {
        target: 'rustfs::kms::s3',
        request_id: got.headers['x-amz-request-id'],
        operation: 'GetObject',
        method: 'GET',
        bucket: 'logged',
        principal: 'admin',
        access_key_id: 'admin',
        mode: 'SSE-KMS',
        key_id: 'main',
        status: 200,
        outcome: 'ok',
        bytes_in: 0,
        bytes_out: 9,
      },
      { operation: 'GetObject', bucket: 'logged', status: 404, code: 'NoSuchKey', outcome: 'error' },
    ])
    expect(requests.every(({ duration_ms }) => typeof duration_ms === 'number')).toBe(true)
    expect(server.stderr()).not.toContain('secret-name')
  })

  it('tells who did what, with the id of the request', async () => {
    const { server, admin } = await running()
    const created = await admin.post('keys', { name: 'orders' })
    await call(`${admin.kms}/keys`, { credentials: { accessKeyId: 'admin', secretAccessKey: 'wrong-secret' } })
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    const lines = server
      .stderr()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines.map(({ event }) => event)).toEqual(
      expect.arrayContaining([
        'server_key_generated',
        'listening',
        'kms_configured',
        'kms_started',
        'draining',
        'stopped',
      ]),
    )
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 'info',
        target: 'rustfs::kms::manager',
        event: 'kms_key_created',
        principal: 'admin',
        key_id: 'orders',
        request_id: created.headers['x-request-id'],
      }),
    )
    expect(lines).toContainEqual(
      expect.objectContaining({ event: 'request', outcome: 'denied', code: 'SignatureDoesNotMatch' }),
    )
    expect(lines.find(({ event }) => event === 'kms_started')).toMatchObject({
      target: 'rustfs::kms::manager',
      backend: { backend_type: 'local' },
    })
  })

  it('is checked in every suite: a planted secret, an unknown event and an unknown field are found', () => {
    plantFields({ nested: { master_key: 'canary-of-the-check' } })
    const line = {
      level: 'info',
      time: '2026-01-01T00:00:00Z',
      target: 'rustfs::kms::server',
      event: 'stopped',
      msg: 'm',
    }
    const check = (record: object): string[] => {
      checkOutput({ stdout: '', stderr: `${JSON.stringify(record)}\n` })
      return takeProblems()
    }
    expect(check(line)).toEqual([])
    for (const wrong of [
      { msg: 'canary-of-the-check' },
      { event: 'unheard_of' },
      { extra: 1 },
      { level: 'warn' },
      { target: 'rustfs::kms::iam' },
      { time: 'now' },
    ]) {
      expect(check({ ...line, ...wrong }), JSON.stringify(wrong)).toHaveLength(1)
    }
  })

  it('is written for people where it is asked to be', async () => {
    const env = { KMS_DATA_DIR: join(temporaryFolder(), 'data'), KMS_LOG_FORMAT: 'pretty' }
    const server = await startServer({ env })
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(server.stderr()).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}rustfs::kms::server Stopped\. event=stopped$/m)
  })
})
