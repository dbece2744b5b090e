import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN, type Admin, type CallOptions, call, createAdmin, type DataKey } from './client.ts'
import { type Cleanup, type ServerProcess, startServer, temporaryFolder } from './server-process.ts'

const cleanups: (() => Promise<void> | void)[] = []
const atEnd: Cleanup = (work) => void cleanups.unshift(work)

/** What an operator sees of the state; the cache counts calls. */
async function observe(admin: Admin): Promise<unknown> {
  const { cache: _, ...status } = await admin.status()
  const [config, keys] = await Promise.all([admin.get('config'), admin.get('keys')])
  return { status, config: config.text, etag: config.headers['etag'], keys: keys.json()['keys'] }
}

let server: ServerProcess
let admin: Admin
let folder: string
let envelope: DataKey
beforeAll(async () => {
  folder = temporaryFolder(atEnd)
  server = await startServer({ env: { KMS_DATA_DIR: join(folder, 'data') } }, atEnd)
  admin = createAdmin(server.url)
  await admin.begin(join(folder, 'keys'))
  envelope = await admin.dataKey({ encryption_context: { a: '1' } })
})
afterAll(async () => {
  for (const work of cleanups) await work()
})

type Row = readonly [
  name: string,
  path: string,
  options: CallOptions,
  status: number,
  code: string,
  message?: string | RegExp,
]

const LOCAL = { backend_type: 'local', key_dir: '/somewhere' }
const configure = (name: string, body: unknown, code: string, message: string | RegExp): Row => [
  name,
  'configure',
  { body },
  400,
  code,
  message,
]

const requests: readonly Row[] = [
  ['malformed JSON', 'configure', { raw: '{"backend_type":' }, 400, 'InvalidRequest', /JSON/],
  ['JSON with more behind it', 'start', { raw: '{} {}' }, 400, 'InvalidRequest', /JSON/],
  ['a duplicate key', 'configure', { raw: '{"key_dir":"/a","key_dir":"/b"}' }, 400, 'InvalidRequest', /key_dir/],
  ['a body that is not UTF-8', 'configure', { raw: Buffer.from([0x22, 0xff, 0x22]) }, 400, 'InvalidRequest', /UTF-8/],
  ['nesting without end', 'configure', { raw: '['.repeat(100_000) }, 400, 'InvalidRequest'],
  ['a body larger than 1 MiB', 'configure', { raw: `"${'x'.repeat(1_048_576)}"` }, 413, 'EntityTooLarge', '1048576'],
  ['an empty document', 'configure', { raw: '' }, 400, 'ValidationError'],
  configure('an array', [LOCAL], 'ValidationError', /object/),
  configure('null', null, 'ValidationError', /object/),
  configure('an unknown backend', { backend_type: 'floppy' }, 'ValidationError', /^backend_type/),
  configure('an unknown field', { ...LOCAL, key_dri: 1 }, 'ValidationError', /key_dri.*key_dir/),
  configure('__proto__', { ...LOCAL, ['__proto__']: undefined, constructor: 1 }, 'ValidationError', /constructor/),
  configure('a number for a path', { ...LOCAL, key_dir: 5 }, 'ValidationError', /^key_dir/),
  configure(
    'a relative key_dir',
    { ...LOCAL, key_dir: 'keys' },
    'ValidationError',
    /^key_dir: must be an absolute path/,
  ),
  configure('dots in key_dir', { ...LOCAL, key_dir: '/a/../b' }, 'ValidationError', /^key_dir/),
  configure('text for a number', { ...LOCAL, timeout_seconds: '30' }, 'ValidationError', /^timeout_seconds/),
  configure('a timeout of 0', { ...LOCAL, timeout_seconds: 0 }, 'ValidationError', /^timeout_seconds/),
  configure('a timeout of 301', { ...LOCAL, timeout_seconds: 301 }, 'ValidationError', /^timeout_seconds/),
  configure('11 retries', { ...LOCAL, retry_attempts: 11 }, 'ValidationError', /^retry_attempts/),
  configure('an endless cache', { ...LOCAL, cache_ttl_seconds: 86_401 }, 'ValidationError', /^cache_ttl_seconds/),
  configure('permissions for others', { ...LOCAL, file_permissions: '0644' }, 'ValidationError', /^file_permissions/),
  configure('two root keys', { ...LOCAL, master_key: 'a', master_key_env: 'B' }, 'ValidationError', /^master_key/),
  configure(
    'a setting as root key',
    { ...LOCAL, master_key_env: 'KMS_SERVER_KEY' },
    'ValidationError',
    /^master_key_env/,
  ),
  configure('a bad default key', { ...LOCAL, default_key_id: '../x' }, 'ValidationError', /^default_key_id/),
  ['configure while running', 'configure', { body: LOCAL }, 409, 'AlreadyRunning', /reconfigure/],
  ['a force that is not a truth value', 'start', { body: { force: 'yes' } }, 400, 'ValidationError', /force/],
  ['an unknown field of start', 'start', { body: { froce: true } }, 400, 'ValidationError', /froce/],
  [
    'an unknown query parameter',
    'reconfigure?dryrun=true',
    { body: {} },
    400,
    'ValidationError',
    /dryrun.*did you mean "dry_run"/,
  ],
  [
    'a dry_run that is neither true nor false',
    'reconfigure?dry_run=1',
    { body: {} },
    400,
    'ValidationError',
    /dry_run/,
  ],
  [
    'a stale If-Match',
    'reconfigure',
    { body: { timeout_seconds: 9 }, headers: { 'if-match': '"1-0"' } },
    412,
    'PreconditionFailed',
  ],
  ['an unknown field of a patch', 'reconfigure', { body: { timeout: 9 } }, 400, 'ValidationError', /timeout/],
  [
    'a default key that is not there',
    'reconfigure',
    { body: { default_key_id: 'absent' } },
    409,
    'DefaultKeyMissing',
    /absent/,
  ],
  ['a method that is not there', 'configure', { method: 'GET' }, 405, 'MethodNotAllowed', /POST/],
  ['another one', 'keys', { method: 'PATCH', raw: '{}' }, 405, 'MethodNotAllowed'],
  ['a route that is not there', 'nothing', {}, 404, 'NoSuchRoute'],
  [
    'a wrong secret',
    'stop',
    { method: 'POST', credentials: { ...ADMIN, secretAccessKey: 'nimda' } },
    403,
    'SignatureDoesNotMatch',
  ],
  [
    'an unknown access key',
    'stop',
    { method: 'POST', credentials: { ...ADMIN, accessKeyId: 'root' } },
    403,
    'InvalidAccessKeyId',
  ],
  ['no signature', 'stop', { method: 'POST', signed: false }, 403, 'AccessDenied', /not signed/],
  [
    'a signature of yesterday',
    'stop',
    { method: 'POST', now: () => Date.now() - 86_400_000 },
    403,
    'RequestTimeTooSkewed',
  ],
  [
    'a signature of 16 minutes ago',
    'stop',
    { method: 'POST', now: () => Date.now() - 960_000 },
    403,
    'RequestTimeTooSkewed',
  ],
  [
    'a signature of tomorrow',
    'stop',
    { method: 'POST', now: () => Date.now() + 86_400_000 },
    403,
    'RequestTimeTooSkewed',
  ],
  [
    'a signature for another service',
    'stop',
    { method: 'POST', service: 'ec2' },
    400,
    'AuthorizationHeaderMalformed',
    /ec2|service/,
  ],
  [
    'half a signature',
    'stop',
    { method: 'POST', tamper: (headers) => void (headers['authorization'] = 'AWS4-HMAC-SHA256 Credential=admin') },
    400,
    'AuthorizationHeaderMalformed',
  ],
  ['another body than was signed', 'start', { raw: '{}', sent: '{"force":true}' }, 400, 'XAmzContentSHA256Mismatch'],
  [
    'generate-data-key with an unknown key',
    'generate-data-key',
    { body: { key_id: 'absent' } },
    404,
    'KeyNotFound',
    /absent/,
  ],
  [
    'generate-data-key with a bad name',
    'generate-data-key',
    { body: { key_id: '../etc/passwd' } },
    400,
    'ValidationError',
  ],
  [
    'generate-data-key of another size',
    'generate-data-key',
    { body: { key_spec: 'AES_512' } },
    400,
    'ValidationError',
    /key_spec/,
  ],
  [
    'a context that is not text',
    'generate-data-key',
    { body: { encryption_context: { a: 1 } } },
    400,
    'ValidationError',
    /encryption_context/,
  ],
  [
    'a reserved context key',
    'generate-data-key',
    { body: { encryption_context: { 'aws:s3:arn': 'x' } } },
    400,
    'ValidationError',
    /aws:/,
  ],
  ['encrypt nothing', 'encrypt', { body: { plaintext: '' } }, 400, 'ValidationError', /plaintext/],
  [
    'encrypt too much',
    'encrypt',
    { body: { plaintext: Buffer.alloc(4097).toString('base64') } },
    400,
    'ValidationError',
    /4096/,
  ],
  ['sloppy base64', 'encrypt', { body: { plaintext: 'YQ' } }, 400, 'ValidationError', /base64/],
  ['decrypt what is no envelope', 'decrypt', { body: { ciphertext_blob: 'AAAA' } }, 400, 'InvalidCiphertext'],
  ['decrypt nothing', 'decrypt', { body: {} }, 400, 'ValidationError', /ciphertext_blob/],
  ['a taken name', 'keys', { body: { name: 'main' } }, 409, 'KeyAlreadyExists', /main/],
  ['a name with a slash', 'keys', { body: { name: 'a/b' } }, 400, 'ValidationError', /name/],
  ['a key for signing', 'keys', { body: { KeyUsage: 'SIGN_VERIFY' } }, 400, 'ValidationError', /ENCRYPT_DECRYPT/],
  ['a limit that is no number', 'keys?limit=abc', {}, 400, 'ValidationError', /limit/],
  ['a negative limit', 'keys?limit=-1', {}, 400, 'ValidationError', /limit/],
  ['a marker of somebody else', 'keys?marker=%2e%2e', {}, 400, 'ValidationError', /marker/],
  ['a key that is not there', 'keys/absent', {}, 404, 'KeyNotFound', /absent/],
]

describe('a request with', () => {
  for (const [name, path, options, status, code, message = /./] of requests) {
    it(name, async () => {
      const before = await observe(admin)
      const reply = await call(`${admin.kms}/${path}`, options)
      expect([reply.status, reply.json()['code']]).toEqual([status, code])
      const body = reply.json()
      expect(body).toMatchObject({ success: false, request_id: reply.headers['x-request-id'] })
      expect(body['message']).toMatch(message)
      expect(reply.headers['content-type']).toBe('application/json; charset=utf-8')
      expect(reply.text).not.toMatch(/\bat .*:\d+:\d+|node:|\.ts\b/)
      expect(await observe(admin)).toEqual(before)
    })
  }

  it('no backend_type, where none is stored', async () => {
    const fresh = createAdmin((await startServer({ env: { KMS_DATA_DIR: join(temporaryFolder(), 'data') } })).url)
    for (const path of ['configure', 'reconfigure']) {
      const refused = await fresh.post(path, { key_dir: '/k' })
      expect(refused.status).toBe(400)
      expect(refused.json()).toMatchObject({ code: 'ValidationError', message: expect.stringMatching(/^backend_type/) })
    }
    expect(await fresh.status()).toMatchObject({ status: 'NotConfigured', revision: 0 })
  })

  it('the wrong encryption context, or one byte of the envelope changed', async () => {
    const before = await observe(admin)
    const blob = Buffer.from(envelope.ciphertext_blob, 'base64')
    for (const index of [0, 8, 40, blob.length - 1]) {
      const damaged = Buffer.from(blob)
      damaged[index] = (damaged[index] as number) ^ 1
      const body = { ciphertext_blob: damaged.toString('base64'), encryption_context: { a: '1' } }
      expect((await admin.post('decrypt', body)).status).toBe(400)
    }
    for (const context of [undefined, {}, { a: '2' }, { a: '1', b: '' }]) {
      const body = { ciphertext_blob: envelope.ciphertext_blob, encryption_context: context }
      expect((await admin.post('decrypt', body)).json()).toMatchObject({ code: 'InvalidCiphertext' })
    }
    const right = await admin.post('decrypt', {
      ciphertext_blob: envelope.ciphertext_blob,
      encryption_context: { a: '1' },
    })
    expect(right.json()).toMatchObject({ plaintext: envelope.plaintext_key })
    expect(await observe(admin)).toEqual(before)
  })
})

/** Places a key store cannot be, made in an empty folder; the code, and what the message names. */
type Place = readonly [name: string, make: (folder: string) => string, status: number, code: string, message: RegExp]

const places: readonly Place[] = [
  ['a file', (at) => put(join(at, 'file'), 'x'), 400, 'ValidationError', /file/],
  ['below a file', (at) => join(put(join(at, 'file'), 'x'), 'keys'), 400, 'ValidationError', /file/],
  [
    'not empty and not ours',
    (at) => join(put(join(at, 'photos', 'cat.jpg'), 'x'), '..'),
    409,
    'StoreNotOurs',
    /photos/,
  ],
  ['a link', (at) => link(at, 'link'), 400, 'ValidationError', /link/],
  ['the data directory', (at) => join(at, 'data'), 400, 'PolicyViolation', /key_dir/],
  ['inside the data directory', (at) => join(at, 'data', 'keys'), 400, 'PolicyViolation', /key_dir/],
  ['around the data directory', (at) => at, 400, 'PolicyViolation', /key_dir/],
  ['in /proc', () => '/proc/self/keys', 400, 'PolicyViolation', /key_dir/],
  ['in /etc', () => '/etc/kms-keys', 400, 'PolicyViolation', /key_dir/],
]

function put(path: string, content: string): string {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, content)
  return path
}

function link(at: string, name: string): string {
  mkdirSync(join(at, 'target'))
  symlinkSync(join(at, 'target'), join(at, name))
  return join(at, name)
}

/** Every file of a folder with its content. */
function snapshot(at: string): Record<string, string> {
  const entries = readdirSync(at, { recursive: true, withFileTypes: true })
  return Object.fromEntries(
    entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => [join(parentPath, name), readFileSync(join(parentPath, name), 'latin1')]),
  )
}

describe('a key directory that is', () => {
  it.each(places)('%s', async (_, make, status, code, message) => {
    const at = temporaryFolder()
    const fresh = await startServer({ env: { KMS_DATA_DIR: join(at, 'data') } })
    const there = createAdmin(fresh.url)
    const keyDir = make(at)

    // From a running service: nothing changes, it keeps serving.
    await there.begin(join(at, 'good'), { default_key_id: 'main' })
    const key = await there.dataKey()
    const before = await observe(there)
    const files = snapshot(at)
    const refused = await there.post('reconfigure', { key_dir: keyDir })
    expect([refused.status, refused.json()['code']]).toEqual([status, code])
    expect(refused.json()).toMatchObject({ success: false, status: 'Running', message: expect.stringMatching(message) })
    expect(await observe(there)).toEqual(before)
    expect(snapshot(at)).toEqual(files)
    expect(await there.decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
  })

  it.each(places)('%s, on a new server', async (_, make, status, code, message) => {
    const at = temporaryFolder()
    const fresh = await startServer({ env: { KMS_DATA_DIR: join(at, 'data') } })
    const there = createAdmin(fresh.url)
    const keyDir = make(at)
    const configured = await there.post('configure', { backend_type: 'local', key_dir: keyDir })
    if (configured.status !== 200) {
      expect([configured.status, configured.json()['code']]).toEqual([status, code])
      expect((await there.status())['status']).toBe('NotConfigured')
      return
    }
    const refused = await there.post('start')
    expect([refused.status, refused.json()['code']]).toEqual([status, code])
    expect(refused.json()['message']).toMatch(message)
    expect((await there.status())['status']).toEqual({ Error: refused.json()['message'] })
    expect((await there.status())['revision']).toBe(1)
    // A better document ends the error.
    expect((await there.post('configure', { backend_type: 'local', key_dir: join(at, 'good') })).status).toBe(200)
    expect((await there.post('start')).json()).toMatchObject({ status: 'Running' })
  })
})

/** What can happen to a key store while the service is stopped. */
type Mishap = readonly [
  name: string,
  harm: (at: { keys: string; data: string; aside: string }) => void,
  status: number,
  code: string,
]

const mishaps: readonly Mishap[] = [
  ['is gone', ({ keys, aside }) => renameSync(keys, aside), 409, 'RealmMissing'],
  [
    'is an empty directory',
    ({ keys, aside }) => {
      renameSync(keys, aside)
      mkdirSync(keys)
    },
    409,
    'RealmMissing',
  ],
  ['has lost its root key', ({ data }) => rmSync(join(data, 'root-keys'), { recursive: true }), 409, 'RootKeyMissing'],
  ['has a damaged store.json', ({ keys }) => flip(join(keys, 'store.json')), 409, 'StoreDamaged'],
  ['has a cut store.json', ({ keys }) => truncateSync(join(keys, 'store.json'), 10), 409, 'StoreDamaged'],
  ['has lost store.json', ({ keys }) => rmSync(join(keys, 'store.json')), 409, 'RealmMissing'],
]

/** Changes one digit of the MAC behind the JSON. */
function flip(path: string): void {
  const text = readFileSync(path, 'utf8').trimEnd()
  writeFileSync(path, `${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}\n`)
}

describe('a key store that', () => {
  it.each<Mishap>([...mishaps])(
    '%s: start says so, makes nothing new, and works again once it is mended',
    async (_, harm, status, code) => {
      const at = temporaryFolder()
      const paths = { keys: join(at, 'keys'), data: join(at, 'data'), aside: join(at, 'aside') }
      const fresh = await startServer({ env: { KMS_DATA_DIR: paths.data } })
      const there = createAdmin(fresh.url)
      await there.begin(paths.keys)
      const key = await there.dataKey()
      await there.post('stop')
      const revision = (await there.status())['revision']
      const good = join(at, 'good')
      execFileSync('cp', ['-a', paths.keys, good])
      execFileSync('cp', ['-a', join(paths.data, 'root-keys'), join(at, 'good-root-keys')])
      harm(paths)
      const files = existsSync(paths.keys) ? snapshot(paths.keys) : undefined

      const refused = await there.post('start')
      expect([refused.status, refused.json()['code']]).toEqual([status, code])
      expect((await there.status())['status']).toEqual({ Error: refused.json()['message'] })
      expect((await there.status())['revision']).toBe(revision)
      expect(existsSync(paths.keys) ? snapshot(paths.keys) : undefined).toEqual(files)

      rmSync(paths.keys, { recursive: true, force: true })
      renameSync(good, paths.keys)
      rmSync(join(paths.data, 'root-keys'), { recursive: true, force: true })
      renameSync(join(at, 'good-root-keys'), join(paths.data, 'root-keys'))
      expect((await there.post('start')).json()).toMatchObject({ status: 'Running' })
      expect(await there.decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
    },
  )

  it('has a damaged key file: that key says so, the others serve', async () => {
    const at = temporaryFolder()
    const fresh = await startServer({ env: { KMS_DATA_DIR: join(at, 'data') } })
    const there = createAdmin(fresh.url)
    await there.begin(join(at, 'keys'))
    await there.post('keys', { name: 'other' })
    const [main, other] = [await there.dataKey(), await there.dataKey({ key_id: 'other' })]
    await there.post('stop')
    const file = join(at, 'keys', 'keys', 'other.json')
    const good = readFileSync(file)
    flip(file)
    expect((await there.post('start')).json()).toMatchObject({ status: 'Running' })
    const refused = await there.post('generate-data-key', { key_id: 'other' })
    expect([refused.status, refused.json()['code']]).toEqual([409, 'KeyUnavailable'])
    expect((await there.post('decrypt', { ciphertext_blob: other.ciphertext_blob })).status).toBe(409)
    expect(await there.decrypt(main.ciphertext_blob)).toBe(main.plaintext_key)
    expect((await there.get('keys')).json()).toMatchObject({ unreadable_key_ids: ['other'] })
    writeFileSync(file, good)
    expect((await there.post('start', { force: true })).json()).toMatchObject({ status: 'Running' })
    expect(await there.decrypt(other.ciphertext_blob)).toBe(other.plaintext_key)
  })

  it.each([
    ['another passphrase', { master_key: 'not the one' }, 400, 'RootKeyMismatch'],
    ['a raw key instead', { master_key: Buffer.alloc(32, 3).toString('base64') }, 400, 'RootKeyMismatch'],
    ['no root key', {}, 409, 'RootKeyMissing'],
  ])('is given %s', async (_, config, status, code) => {
    const at = temporaryFolder()
    const fresh = await startServer({ env: { KMS_DATA_DIR: join(at, 'data') } })
    const there = createAdmin(fresh.url)
    const document = { backend_type: 'local', key_dir: join(at, 'keys'), default_key_id: 'main' }
    await there.begin(join(at, 'keys'), { master_key: 'the right one' })
    const key = await there.dataKey()
    await there.post('stop')
    const files = snapshot(join(at, 'keys'))
    // A new server does not know the passphrase: it has only what it is told.
    const other = await startServer({ env: { KMS_DATA_DIR: join(at, 'other-data') } })
    const elsewhere = createAdmin(other.url)
    expect((await elsewhere.post('configure', { ...document, ...config })).status).toBe(200)
    const refused = await elsewhere.post('start')
    expect([refused.status, refused.json()['code']]).toEqual([status, code])
    expect(refused.text).not.toMatch(/the right one|not the one|AwMD/)
    expect(snapshot(join(at, 'keys'))).toEqual(files)
    expect((await there.post('start')).json()).toMatchObject({ status: 'Running' })
    expect(await there.decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
  })
})

/** Why file systems cannot be mounted here, if they cannot. */
function mountProblem(): string | undefined {
  try {
    execFileSync('sh', ['-c', 'unshare --mount mount -t tmpfs tmpfs /mnt'], { stdio: 'pipe' })
    return undefined
  } catch {
    return 'mounting a small file system is not permitted here'
  }
}

describe('a file system that', () => {
  const problem = mountProblem()
  if (problem !== undefined) process.stderr.write(`skipped: ${problem}\n`)

  it('is read-only: refused, and the service keeps serving', async ({ skip }) => {
    if (problem !== undefined) return skip(problem)
    const at = temporaryFolder()
    mkdirSync(join(at, 'sealed'))
    const fresh = await startServer({
      env: { KMS_DATA_DIR: join(at, 'data') },
      mounts: `mount -t tmpfs -o ro,mode=0700 tmpfs ${join(at, 'sealed')}`,
    })
    const there = createAdmin(fresh.url)
    await there.begin(join(at, 'keys'))
    const before = await observe(there)
    for (const keyDir of [join(at, 'sealed'), join(at, 'sealed', 'keys')]) {
      const refused = await there.post('reconfigure', { key_dir: keyDir })
      expect([refused.status, refused.json()['code']]).toEqual([409, 'StoreUnwritable'])
      expect(refused.json()['message']).toContain(keyDir)
      expect(refused.json()['message']).toContain('read-only')
    }
    expect(await observe(there)).toEqual(before)
  })

  it('is full: a key is made whole or not at all, and what was made is still served', async ({ skip }) => {
    if (problem !== undefined) return skip(problem)
    const at = temporaryFolder()
    const small = join(at, 'small')
    mkdirSync(small)
    const fresh = await startServer({
      env: { KMS_DATA_DIR: join(at, 'data') },
      mounts: `mount -t tmpfs -o size=256k tmpfs ${small}`,
    })
    const there = createAdmin(fresh.url)
    await there.begin(join(small, 'keys'))
    const key = await there.dataKey()
    const before = await observe(there)
    // The server's mount as seen from here.
    const filler = `/proc/${fresh.pid}/root${join(small, 'filler')}`
    fill(filler)
    const refused = await there.post('keys', { name: 'one-more' })
    expect([refused.status, refused.json()['code']]).toEqual([503, 'StorageFailed'])
    expect(refused.json()['message']).toContain('no space is left')
    expect(await observe(there)).toEqual(before)
    expect(await there.decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
    rmSync(filler)
    expect((await there.post('keys', { name: 'one-more' })).status).toBe(200)
  })

  it('is full where the state is kept: the configuration stays as it was', async ({ skip }) => {
    if (problem !== undefined) return skip(problem)
    const at = temporaryFolder()
    const data = join(at, 'data')
    mkdirSync(data, { mode: 0o700 })
    const fresh = await startServer({
      env: { KMS_DATA_DIR: data },
      mounts: `mount -t tmpfs -o size=512k,mode=0700 tmpfs ${data}`,
    })
    const there = createAdmin(fresh.url)
    await there.begin(join(at, 'keys'))
    const key = await there.dataKey()
    const before = await observe(there)
    const filler = `/proc/${fresh.pid}/root${join(data, 'filler')}`
    fill(filler)
    const refused = await there.post('reconfigure', { timeout_seconds: 7 })
    expect([refused.status, refused.json()['code']]).toEqual([503, 'StorageFailed'])
    expect(await observe(there)).toEqual(before)
    expect(await there.decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
    rmSync(filler)
    expect((await there.post('reconfigure', { timeout_seconds: 7 })).status).toBe(200)
  })

  it('is full where objects are: writes are refused whole, the rest goes on, and deleting makes room', async ({
    skip,
  }) => {
    if (problem !== undefined) return skip(problem)
    const at = temporaryFolder()
    const data = join(at, 'data')
    mkdirSync(data, { mode: 0o700 })
    const fresh = await startServer({
      env: { KMS_DATA_DIR: data },
      mounts: `mount -t tmpfs -o size=8m,mode=0700 tmpfs ${data}`,
    })
    await createAdmin(fresh.url).begin(join(at, 'keys'))
    const inside = `/proc/${fresh.pid}/root${data}`
    const bodies = (): number =>
      readdirSync(join(inside, 'objects', 'bodies'), { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isFile(),
      ).length
    const headers = { 'x-amz-server-side-encryption': 'aws:kms' }
    const ask = async (method: string, path: string, size?: number): Promise<readonly [number, string]> => {
      const raw = size === undefined ? {} : { raw: 'x'.repeat(size), headers }
      const { status, text } = await call(`${fresh.url}/box${path}`, { method, ...raw })
      return [status, status < 300 ? String(text.length) : (/<Code>(.*)<\/Code>/.exec(text)?.[1] ?? '')]
    }
    const full = [503, 'ServiceUnavailable']
    expect((await ask('PUT', ''))[0]).toBe(200)
    expect((await ask('PUT', '/kept', 1_000_000))[0]).toBe(200)
    expect((await ask('PUT', '/dropped', 2_500_000))[0]).toBe(200)
    // Larger than what is left: refused on the way, and what was there stays.
    expect(await ask('PUT', '/kept', 5_000_000)).toEqual(full)
    expect(bodies()).toBe(2)
    fill(join(inside, 'filler'))
    const refused = await Promise.all(Array.from({ length: 6 }, (_, i) => ask('PUT', `/more/${i}`, 300_000)))
    for (const reply of refused) expect(reply).toEqual(full)
    expect(await ask('GET', '/kept')).toEqual([200, '1000000'])
    expect((await ask('GET', '?list-type=2'))[0]).toBe(200)
    expect(await ask('GET', '/more/0')).toEqual([404, 'NoSuchKey'])
    expect((await ask('DELETE', '/dropped'))[0]).toBe(204)
    await expect.poll(bodies).toBe(1)
    expect((await ask('PUT', '/again', 300_000))[0]).toBe(200)
    expect(await ask('GET', '/again')).toEqual([200, '300000'])
    expect(await ask('GET', '/kept')).toEqual([200, '1000000'])
  })
})

/** Takes up what is left of a file system. */
function fill(path: string): void {
  try {
    writeFileSync(path, Buffer.alloc(4 * 1024 * 1024))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
