import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { signRequest } from '@kms/sigv4'
import { describe, expect, it } from 'vitest'
import { ADMIN, call, createAdmin } from './client.ts'
import { bundle, launch, startServer, temporaryFolder } from './server-process.ts'

const KEY = Buffer.alloc(32, 1).toString('base64')

/** A signed POST of which the head and the first half of the body are sent. */
async function beginSlowRequest(url: string) {
  const { port, hostname } = new URL(url)
  const target = `${url}/rustfs/admin/v3/kms/generate-data-key`
  const body = JSON.stringify({ encryption_context: { purpose: 'slow' } })
  const headers = signRequest({
    method: 'POST',
    url: target,
    body,
    credentials: ADMIN,
    region: 'us-east-1',
    service: 's3',
  })
  const head = Object.entries({ ...headers, 'content-length': body.length, expect: '100-continue' })
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  const closed = new Promise<string>((resolve, reject) => {
    socket.on('close', () => resolve(text)).on('error', reject)
  })
  socket.write(
    `POST /rustfs/admin/v3/kms/generate-data-key HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
  )
  // Invited: so the server is reading the body.
  await new Promise<void>((resolve, reject) => {
    socket.once('data', () => resolve()).once('error', reject)
  })
  expect(text).toBe('HTTP/1.1 100 Continue\r\n\r\n')
  socket.write(body.slice(0, 10))
  return { finish: () => socket.write(body.slice(10)), closed, socket }
}

describe('signals', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s lets a request under way finish, and exits 0', async (signal) => {
    const folder = temporaryFolder()
    const data = join(folder, 'data')
    const server = await startServer({ env: { KMS_DATA_DIR: data } })
    await createAdmin(server.url).begin(join(folder, 'keys'))
    const slow = await beginSlowRequest(server.url)
    const unfinished = connect(server.port, '127.0.0.1')
    let ready = ''
    unfinished.setEncoding('utf8').on('data', (part: string) => {
      ready += part
    })
    // The second request is known to have arrived when the first, in the same write, is answered.
    unfinished.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health/ready HTTP/1.1\r\n')
    await new Promise((resolve) => unfinished.once('data', resolve))

    server.kill(signal)
    await server.until('"draining"')
    // Reset: the connection stood in the backlog at the moment the listener closed.
    await expect(call(`${server.url}/health/live`, { signed: false })).rejects.toMatchObject({
      code: expect.stringMatching(/^ECONN(?:REFUSED|RESET)$/),
    })
    unfinished.write('Host: localhost\r\n\r\n')
    await new Promise((resolve) => unfinished.once('close', resolve))
    expect(ready).toContain('HTTP/1.1 503')
    expect(ready).toContain('"reason":"draining"')

    slow.finish()
    const reply = await slow.closed
    expect(reply).toContain('HTTP/1.1 200 OK')
    expect(reply).toContain('"ciphertext_blob"')
    expect(await server.exited).toEqual({ code: 0, signal: null })
    expect(existsSync(join(data, 'server.lock'))).toBe(false)
    expect(readdirSync(data).filter((name) => name.endsWith('.sock'))).toEqual([])
  })

  it('a request that does not finish is cut off after KMS_DRAIN_SECONDS', async () => {
    const folder = temporaryFolder()
    const server = await startServer({ env: { KMS_DATA_DIR: join(folder, 'data'), KMS_DRAIN_SECONDS: '1' } })
    await createAdmin(server.url).begin(join(folder, 'keys'))
    const slow = await beginSlowRequest(server.url)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(await slow.closed).not.toContain('HTTP/1.1 200')
  })

  it('a second signal ends it at once; the next server takes over', async () => {
    const folder = temporaryFolder()
    const env = { KMS_DATA_DIR: join(folder, 'data'), KMS_DRAIN_SECONDS: '300' }
    const server = await startServer({ env })
    const admin = createAdmin(server.url)
    await admin.begin(join(folder, 'keys'))
    const key = await admin.dataKey()
    await beginSlowRequest(server.url)
    server.kill('SIGTERM')
    await server.until('"draining"')
    server.kill('SIGTERM')
    expect(await server.exited).toEqual({ code: 1, signal: null })
    const next = await startServer({ env })
    expect(await createAdmin(next.url).decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
  })

  it('SIGHUP without TLS changes nothing', async () => {
    const server = await startServer({ env: { KMS_DATA_DIR: join(temporaryFolder(), 'data') } })
    server.kill('SIGHUP')
    expect((await call(`${server.url}/health/live`, { signed: false })).status).toBe(200)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })
})

describe('one server for each data directory', () => {
  it('a second one is refused, naming the holder, and harms nothing', async () => {
    const data = join(temporaryFolder(), 'data')
    const first = await startServer({ env: { KMS_DATA_DIR: data } })
    const second = launch({ env: { KMS_DATA_DIR: data, KMS_LISTEN: '127.0.0.1:0' } })
    expect(await second.exited).toEqual({ code: 3, signal: null })
    expect(second.stderr()).toContain(
      `Another server (pid ${first.pid}, listening on 127.0.0.1:${first.port}) uses ${data}.`,
    )
    expect(second.stdout()).toBe('')
    expect((await createAdmin(first.url).status())['status']).toBe('NotConfigured')
    expect(await first.stop()).toEqual({ code: 0, signal: null })
  })

  it('after kill -9 the next one takes over; state and keys are as they were', async () => {
    const folder = temporaryFolder()
    const env = { KMS_DATA_DIR: join(folder, 'data') }
    const first = await startServer({ env })
    const admin = createAdmin(first.url)
    await admin.begin(join(folder, 'keys'))
    const key = await admin.dataKey()
    const before = await admin.status()
    first.kill('SIGKILL')
    await first.exited
    expect(existsSync(join(folder, 'data', 'server.lock'))).toBe(true)

    const second = await startServer({ env })
    expect(second.stdout()).toContain('status  Running')
    const again = createAdmin(second.url)
    const cache = expect.anything()
    expect(await again.status()).toEqual({ ...before, cache })
    expect(await again.decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
    expect(readdirSync(join(folder, 'data')).filter((name) => name.endsWith('.sock'))).toHaveLength(1)
  })

  it('of several that start at once after a kill, one serves', async () => {
    const data = join(temporaryFolder(), 'data')
    const first = await startServer({ env: { KMS_DATA_DIR: data } })
    first.kill('SIGKILL')
    await first.exited
    const starters = Array.from({ length: 4 }, () => launch({ env: { KMS_DATA_DIR: data, KMS_LISTEN: '127.0.0.1:0' } }))
    const ends = await Promise.all(
      starters.map(async (starter) => {
        const won = await starter.until('\n  status ').then(
          () => true,
          () => false,
        )
        return won ? 'serves' : (await starter.exited).code
      }),
    )
    for (const starter of starters) starter.kill('SIGTERM')
    await Promise.all(starters.map(({ exited }) => exited))
    expect(ends.map(String).toSorted()).toEqual(['3', '3', '3', 'serves'])
  })
})

describe('the bundle', () => {
  it('runs alone with what lies beside it, and keeps its data where it is started', async () => {
    const folder = temporaryFolder()
    const dist = temporaryFolder()
    const script = join(dist, 'kms-server.mjs')
    cpSync(dirname(bundle), dist, { recursive: true })
    const server = await startServer({ script, cwd: folder })
    expect(server.stdout()).toContain(`data    ${join(folder, '.kms', 'data')}`)
    await createAdmin(server.url).begin(join(folder, 'keys'))
    expect((await createAdmin(server.url).dataKey()).key_id).toBe('main')
    expect(statSync(join(folder, '.kms', 'data')).mode & 0o777).toBe(0o700)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(readdirSync(folder).toSorted()).toEqual(['.kms', 'keys'])
  })

  it('is a program', () => {
    expect(readFileSync(bundle, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(statSync(bundle).mode & 0o111).toBe(0o111)
  })

  it.each([
    ['--version', /^kms-server \d+\.\d+\.\d+\n$/],
    ['--help', /KMS_LISTEN {2}--kms-listen <host:port>/],
  ])('%s prints and creates nothing', async (flag, expected) => {
    const cwd = temporaryFolder()
    const run = launch({ args: [flag], cwd })
    expect(await run.exited).toEqual({ code: 0, signal: null })
    expect(run.stdout()).toMatch(expected)
    expect(readdirSync(cwd)).toEqual([])
  })
})

describe('settings', () => {
  it.each<[string, Record<string, string>, string[], number, RegExp]>([
    [
      'a bad value',
      { KMS_DRAIN_SECONDS: 'long' },
      [],
      2,
      /KMS_DRAIN_SECONDS in the environment must be a whole number/,
    ],
    ['an unknown name', { KMS_LISTNE: 'x' }, [], 2, /KMS_LISTNE .*did you mean KMS_LISTEN\?/],
    ['an unknown flag', {}, ['--kms-lsten=x'], 2, /did you mean --kms-listen\?/],
    [
      'default credentials for everybody',
      { KMS_LISTEN: '0.0.0.0:0' },
      [],
      2,
      /KMS_ROOT_ACCESS_KEY and KMS_ROOT_SECRET_KEY/,
    ],
    [
      'a certificate that is not there',
      { KMS_TLS_CERT: '/absent', KMS_TLS_KEY: '/absent' },
      [],
      2,
      /KMS_TLS_(CERT|KEY) names a file/,
    ],
    [
      'a backend of another release',
      { RUSTFS_KMS_ENABLE: 'on', RUSTFS_KMS_BACKEND: 'static' },
      [],
      2,
      /RUSTFS_KMS_BACKEND must be/,
    ],
  ])('%s: refused before anything is created', async (_, env, args, code, message) => {
    const data = join(temporaryFolder(), 'data')
    const run = launch({ env: { KMS_LISTEN: '127.0.0.1:0', KMS_DATA_DIR: data, ...env }, args })
    expect(await run.exited).toEqual({ code, signal: null })
    expect(run.stderr()).toMatch(message)
    expect(run.stderr()).not.toMatch(/\n\s+at /)
    expect(existsSync(data)).toBe(false)
  })

  it('a data directory that is a file is refused', async () => {
    const data = join(temporaryFolder(), 'data')
    writeFileSync(data, 'x')
    const run = launch({ env: { KMS_LISTEN: '127.0.0.1:0', KMS_DATA_DIR: data } })
    expect(await run.exited).toEqual({ code: 2, signal: null })
    expect(run.stderr()).toContain('KMS_DATA_DIR')
  })

  it('a port that is taken: exit 1, and the data directory is free again', async () => {
    const folder = temporaryFolder()
    const first = await startServer({ env: { KMS_DATA_DIR: join(folder, 'one') } })
    const data = join(folder, 'two')
    const run = launch({ env: { KMS_LISTEN: `127.0.0.1:${first.port}`, KMS_DATA_DIR: data } })
    expect(await run.exited).toEqual({ code: 1, signal: null })
    expect(run.stderr()).toContain('EADDRINUSE')
    expect(existsSync(join(data, 'server.lock'))).toBe(false)
  })

  it("RustFS's settings configure and start a new server; afterwards what is stored wins", async () => {
    const folder = temporaryFolder()
    const bootstrap = { RUSTFS_KMS_ENABLE: 'true', RUSTFS_KMS_BACKEND: 'local', RUSTFS_KMS_DEFAULT_KEY_ID: 'boot' }
    const env = { KMS_DATA_DIR: join(folder, 'data'), ...bootstrap, RUSTFS_KMS_KEY_DIR: join(folder, 'keys') }
    const first = await startServer({ env })
    expect((await createAdmin(first.url).status())['status']).toBe('Running')
    const key = await createAdmin(first.url).dataKey()
    expect(key.key_id).toBe('boot')
    await createAdmin(first.url).post('stop')
    await first.stop()

    const other = join(folder, 'other-keys')
    const second = await startServer({ env: { ...env, RUSTFS_KMS_KEY_DIR: other } })
    expect((await createAdmin(second.url).status())['status']).toBe('Configured')
    expect(second.stderr()).toMatch(
      /"event":"bootstrap_ignored","settings":\["RUSTFS_KMS_ENABLE","RUSTFS_KMS_BACKEND","RUSTFS_KMS_KEY_DIR"/,
    )
    expect(existsSync(other)).toBe(false)
    await createAdmin(second.url).post('start')
    expect(await createAdmin(second.url).decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
  })

  it('a bootstrap that fails stores nothing, so that the next start tries again', async () => {
    const folder = temporaryFolder()
    const keys = join(folder, 'keys')
    writeFileSync(keys, 'not a directory')
    const env = {
      KMS_LISTEN: '127.0.0.1:0',
      KMS_DATA_DIR: join(folder, 'data'),
      RUSTFS_KMS_ENABLE: 'on',
      RUSTFS_KMS_KEY_DIR: keys,
    }
    const failed = launch({ env })
    expect((await failed.exited).code).toBeGreaterThan(0)
    expect(failed.stderr()).toContain(keys)
    const next = await startServer({ env: { ...env, RUSTFS_KMS_KEY_DIR: join(folder, 'keys-2') } })
    expect((await createAdmin(next.url).status())['status']).toBe('Running')
  })

  it('credentials of its own work from anywhere; the default ones do not exist then', async () => {
    const credentials = { accessKeyId: 'operator', secretAccessKey: 'a long secret' }
    const env = { KMS_ROOT_ACCESS_KEY: credentials.accessKeyId, KMS_ROOT_SECRET_KEY: credentials.secretAccessKey }
    const server = await startServer({
      env: { KMS_DATA_DIR: join(temporaryFolder(), 'data'), KMS_LISTEN: '0.0.0.0:0', ...env },
    })
    const status = `${server.url}/rustfs/admin/v3/kms/status`
    expect((await call(status, { credentials, headers: { origin: 'https://console.example' } })).status).toBe(200)
    expect((await call(status)).json()).toMatchObject({ code: 'InvalidAccessKeyId' })
    expect(server.stdout() + server.stderr()).not.toContain('a long secret')
  })

  it.each([
    ['a Host that only points here', { host: 'kms.example.com' }],
    ['an Origin', { origin: 'http://localhost' }],
    ['a proxy', { 'x-forwarded-for': '192.0.2.1' }],
  ])('the default credentials are refused with %s', async (_, headers) => {
    const server = await startServer({ env: { KMS_DATA_DIR: join(temporaryFolder(), 'data') } })
    const status = `${server.url}/rustfs/admin/v3/kms/status`
    const reply = await call(status, { headers })
    expect(reply.status).toBe(403)
    expect(reply.json()).toMatchObject({
      code: 'AccessDenied',
      message: expect.stringContaining('default credentials'),
    })
    expect((await call(status)).status).toBe(200)
  })
})

describe('the server key', () => {
  /** A server that has sealed a secret, stopped. */
  async function sealed(env: Record<string, string> = {}) {
    const folder = temporaryFolder()
    const data = join(folder, 'data')
    const server = await startServer({ env: { KMS_DATA_DIR: data, ...env } })
    const admin = createAdmin(server.url)
    await admin.begin(join(folder, 'keys'), { master_key: 'correct horse battery staple' })
    const key = await admin.dataKey()
    await server.stop()
    return { data, key, serverKey: join(data, 'server.key') }
  }

  it('is made once, for its owner only, and seals what is stored', async () => {
    const { data, serverKey } = await sealed()
    expect(statSync(serverKey).mode & 0o777).toBe(0o600)
    const state = readFileSync(join(data, 'state', 'state.json'), 'utf8')
    expect(state).toContain('"$sealed"')
    expect(state).not.toContain('correct horse')
  })

  it('missing: refused, nothing is generated; brought back, everything opens', async () => {
    const { data, key, serverKey } = await sealed()
    const kept = readFileSync(serverKey, 'utf8')
    rmSync(serverKey)
    const run = launch({ env: { KMS_LISTEN: '127.0.0.1:0', KMS_DATA_DIR: data } })
    expect(await run.exited).toEqual({ code: 4, signal: null })
    expect(run.stderr()).toContain(`Restore ${serverKey}`)
    expect(existsSync(serverKey)).toBe(false)
    expect(existsSync(join(data, 'server.lock'))).toBe(false)

    const file = join(data, '..', 'kept.key')
    writeFileSync(file, kept)
    const server = await startServer({ env: { KMS_DATA_DIR: data, KMS_SERVER_KEY_FILE: file } })
    expect(await createAdmin(server.url).decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
    expect(existsSync(serverKey)).toBe(false)
  })

  it('wrong: refused, naming both keys; as the previous key it opens', async () => {
    const { data, key, serverKey } = await sealed()
    const before = readFileSync(join(data, 'state', 'state.json'), 'utf8')
    const run = launch({ env: { KMS_LISTEN: '127.0.0.1:0', KMS_DATA_DIR: data, KMS_SERVER_KEY: KEY } })
    expect(await run.exited).toEqual({ code: 4, signal: null })
    expect(run.stderr()).toMatch(/sealed under server key [0-9a-f]{16}; the one supplied is [0-9a-f]{16}/)
    expect(readFileSync(join(data, 'state', 'state.json'), 'utf8')).toBe(before)

    const previous = readFileSync(serverKey, 'utf8').trim()
    const env = { KMS_DATA_DIR: data, KMS_SERVER_KEY: KEY, KMS_SERVER_KEY_PREVIOUS: previous }
    const server = await startServer({ env })
    expect(await createAdmin(server.url).decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
  })
})

describe('health', () => {
  it('live from the start, ready while it is meant to serve and serves', async () => {
    const folder = temporaryFolder()
    const server = await startServer({ env: { KMS_DATA_DIR: join(folder, 'data') } })
    const admin = createAdmin(server.url)
    const look = async () => {
      const [live, ready] = await Promise.all(
        ['live', 'ready'].map((name) => call(`${server.url}/health/${name}`, { signed: false })),
      )
      return [live?.status, ready?.status, ready?.json()['reason']]
    }
    expect(await look()).toEqual([200, 503, 'NotConfigured'])
    await admin.post('configure', { backend_type: 'local', key_dir: join(folder, 'keys') })
    expect(await look()).toEqual([200, 503, 'Configured'])
    await admin.post('start')
    expect(await look()).toEqual([200, 200, undefined])
    await admin.post('stop')
    expect(await look()).toEqual([200, 503, 'Configured'])
    expect((await call(`${server.url}/health/x`, { signed: false })).json()).toMatchObject({ code: 'NoSuchRoute' })
    expect((await call(`${server.url}/bucket`, { signed: false })).text).toContain('<Code>AccessDenied</Code>')
  })

  it('a store that is gone at boot: the listener opens, status and readiness tell, and it heals', async () => {
    const folder = temporaryFolder()
    const env = { KMS_DATA_DIR: join(folder, 'data') }
    const keys = join(folder, 'keys')
    const first = await startServer({ env })
    await createAdmin(first.url).begin(keys)
    const key = await createAdmin(first.url).dataKey()
    await first.stop()
    renameSync(keys, `${keys}-away`)
    const second = await startServer({ env })
    const admin = createAdmin(second.url)
    expect(second.stdout()).toContain('status  Error: ')
    expect((await admin.status())['status']).toMatchObject({ Error: expect.stringContaining(keys) })
    expect((await call(`${second.url}/health/ready`, { signed: false })).json()).toMatchObject({ reason: 'Error' })
    expect(existsSync(keys)).toBe(false)
    renameSync(`${keys}-away`, keys)
    await second.until('recovered by itself')
    expect(await admin.decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
    expect((await call(`${second.url}/health/ready`, { signed: false })).status).toBe(200)
  })
})
