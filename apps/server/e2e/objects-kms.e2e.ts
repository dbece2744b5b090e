import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, renameSync } from 'node:fs'
import { type ClientRequest, request } from 'node:http'
import { join } from 'node:path'
import { signRequest } from '@kms/sigv4'
import { describe, expect, it } from 'vitest'
import { startTcpProxy } from '../../../tools/openbao/tcp-proxy.ts'
import { ADMIN, type CallOptions, call, type Reply } from './client.ts'
import { type Home, startHome } from './home.ts'
import { startVault } from './vault.ts'

const SSE = 'x-amz-server-side-encryption'
const BUCKET_KEY = { [`${SSE}-bucket-key-enabled`]: 'true' }
const SSE_S3 = { [SSE]: 'AES256' }
const kmsUnder = (key: string): Readonly<Record<string, string>> => ({
  [SSE]: 'aws:kms',
  [`${SSE}-aws-kms-key-id`]: key,
})
const customerKey = Buffer.from('the 32 bytes a customer keeps...')
const CUSTOMER = {
  [`${SSE}-customer-algorithm`]: 'AES256',
  [`${SSE}-customer-key`]: customerKey.toString('base64'),
  [`${SSE}-customer-key-md5`]: createHash('md5').update(customerKey).digest('base64'),
}
/** Destructions of a key, later and later after the beginning of writes under it. */
const ROUNDS = 30
const TEXT = 'what must be nowhere on the disk'

/** A running service with a bucket. */
async function startSite(config: object = {}, env: Readonly<Record<string, string>> = {}): Promise<Home> {
  const home = await startHome(env)
  await home.admin.begin(home.keys, { ...config })
  expect((await s3(home, 'PUT', '')).status).toBe(200)
  return home
}

/** `path` below the bucket. */
function s3(home: Home, method: string, path: string, options: CallOptions = {}): Promise<Reply> {
  return call(`${home.server.url}/box${path}`, { method, ...options })
}

const put = (home: Home, key: string, headers: Readonly<Record<string, string>>, raw = TEXT): Promise<Reply> =>
  s3(home, 'PUT', `/${key}`, { headers, raw })

/** Status and code of a reply of the S3 plane. */
async function answerOf(pending: Promise<Reply>): Promise<[number, string | undefined]> {
  const { status, text } = await pending
  return [status, /<Code>([^<]*)<\/Code>/.exec(text)?.[1]]
}

const uploadIdOf = ({ text }: Reply): string => /<UploadId>(.*)<\/UploadId>/.exec(text)?.[1] ?? ''

async function begin(home: Home, key: string, headers: Readonly<Record<string, string>>): Promise<string> {
  return uploadIdOf(await s3(home, 'POST', `/${key}?uploads`, { headers }))
}

/** A PUT that has sent the first half of its body and waits. */
async function halfSent(home: Home, key: string, headers: Readonly<Record<string, string>>) {
  const url = `${home.server.url}/box/${key}`
  const signed = signRequest({
    method: 'PUT',
    url,
    headers,
    payloadHash: 'UNSIGNED-PAYLOAD',
    credentials: ADMIN,
    region: 'us-east-1',
    service: 's3',
  })
  const half = Buffer.alloc(500_000, 'x')
  const outgoing: ClientRequest = request(url, {
    method: 'PUT',
    agent: false,
    headers: { ...signed, 'content-length': String(2 * half.length), expect: '100-continue' },
  })
  const status = once(outgoing, 'response').then(([incoming]) => {
    incoming.resume()
    return incoming.statusCode as number
  })
  status.catch(() => {})
  outgoing.flushHeaders()
  // It is invited once its key was wrapped and that use counted.
  await once(outgoing, 'continue')
  outgoing.write(half)
  return {
    async finish(): Promise<number> {
      outgoing.end(half)
      return await status
    },
    goAway(): void {
      outgoing.on('error', () => {})
      outgoing.destroy()
    },
  }
}

/** What the KMS was asked, by operation. */
async function backendCalls(home: Home): Promise<Record<string, number>> {
  const { text } = await call(`${home.server.url}/metrics`)
  const counts: Record<string, number> = {}
  for (const [, operation = '', count] of text.matchAll(
    /^kms_backend_operations_total\{.*operation="(\w+)".*\} (\d+)$/gm,
  )) {
    counts[operation] = (counts[operation] ?? 0) + Number(count)
  }
  return counts
}

describe('bucket keys', () => {
  it('spare the KMS 99 of 100 calls for small objects, written and read', async () => {
    const home = await startSite()
    const before = await backendCalls(home)
    const objects = 1000
    const headers = { ...kmsUnder('main'), ...BUCKET_KEY }
    const names = Array.from({ length: objects }, (_, i) => `small/${i}`)
    const inTurns = async (work: (name: string) => Promise<Reply>): Promise<void> => {
      const left = [...names]
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let name = left.pop(); name !== undefined; name = left.pop()) expect((await work(name)).status).toBe(200)
        }),
      )
    }
    await inTurns((name) => put(home, name, headers, name))
    const written = await backendCalls(home)
    await home.restart()
    await inTurns(async (name) => {
      const got = await s3(home, 'GET', `/${name}`)
      expect(got.text).toBe(name)
      return got
    })
    const read = await backendCalls(home)
    const made = (counts: Record<string, number>, operation: string): number => counts[operation] ?? 0
    expect(made(written, 'wrap') - made(before, 'wrap')).toBeLessThanOrEqual(10)
    expect(made(read, 'unwrap')).toBeLessThanOrEqual(10)
    // Without one, each object takes a call; probes of the service make some of their own.
    const plainKms = await backendCalls(home)
    for (const name of names.slice(0, 20)) await put(home, name, kmsUnder('main'), name)
    expect(made(await backendCalls(home), 'wrap') - made(plainKms, 'wrap')).toBeGreaterThanOrEqual(20)
  })
})

describe('while the service is stopped on purpose', () => {
  it('objects with an offline copy are read, and nothing that needs the KMS is written', async () => {
    const home = await startSite({ allow_offline_decryption: true })
    const { admin } = home
    await admin.post('keys', { key_name: 'orders' })
    await admin.post('keys', { key_name: 'leaving' })
    const bucketKey = { ...kmsUnder('orders'), ...BUCKET_KEY }
    await put(home, 's3', SSE_S3)
    await put(home, 'kms', kmsUnder('orders'))
    await put(home, 'bucket-key', bucketKey)
    await put(home, 'plain', {})
    await put(home, 'customer', CUSTOMER)
    const uploadId = await begin(home, 'parts', kmsUnder('orders'))
    const part = await s3(home, 'PUT', `/parts?partNumber=1&uploadId=${uploadId}`, { raw: TEXT })
    const rows = `<Part><PartNumber>1</PartNumber><ETag>${String(part.headers['etag'])}</ETag></Part>`
    await admin.post('reconfigure', { allow_offline_decryption: false })
    await put(home, 'later', kmsUnder('orders'))
    await admin.post('stop')
    const unavailable = [503, 'ServiceUnavailable']
    for (const round of ['stopped', 'restarted']) {
      for (const key of ['s3', 'kms', 'bucket-key', 'plain']) {
        expect((await s3(home, 'GET', `/${key}`)).text, `${key} ${round}`).toBe(TEXT)
        const range = await s3(home, 'GET', `/${key}`, { headers: { range: 'bytes=5-8' } })
        expect([range.status, range.text]).toEqual([206, TEXT.slice(5, 9)])
      }
      expect((await s3(home, 'GET', '/customer', { headers: CUSTOMER })).text).toBe(TEXT)
      // Written while no copies were to be made.
      expect(await answerOf(s3(home, 'GET', '/later'))).toEqual(unavailable)
      for (const headers of [SSE_S3, kmsUnder('orders'), bucketKey]) {
        expect(await answerOf(put(home, 'new', headers))).toEqual(unavailable)
      }
      expect(await answerOf(s3(home, 'POST', '/new?uploads', { headers: SSE_S3 }))).toEqual(unavailable)
      expect(await answerOf(s3(home, 'PUT', `/parts?partNumber=2&uploadId=${uploadId}`, { raw: TEXT }))).toEqual(
        unavailable,
      )
      expect((await s3(home, 'GET', '/new')).status).toBe(404)
      await home.restart()
    }
    // Completing needs neither KMS nor key.
    const completed = await s3(home, 'POST', `/parts?uploadId=${uploadId}`, {
      raw: `<CompleteMultipartUpload>${rows}</CompleteMultipartUpload>`,
    })
    expect(completed.status).toBe(200)
    expect((await s3(home, 'GET', '/parts')).text).toBe(TEXT)
    // A copy of what is readable, to where no KMS is needed.
    const copied = await s3(home, 'PUT', '/copy', { headers: { 'x-amz-copy-source': 'box/kms' } })
    expect([copied.status, (await s3(home, 'GET', '/copy')).text]).toEqual([200, TEXT])
    expect((await home.admin.post('start')).status).toBe(200)
    expect((await s3(home, 'GET', '/later')).text).toBe(TEXT)
  })

  it('nobody reads offline who may not decrypt, and nobody at all while it merely cannot start', async () => {
    const home = await startSite({ allow_offline_decryption: true })
    const { admin } = home
    await admin.post('keys', { key_name: 'orders' })
    await put(home, 'kms', kmsUnder('orders'))
    const reader = { accessKeyId: 'reader', secretAccessKey: 'secret of the reader' }
    const iam = `${home.server.url}/rustfs/admin/v3`
    const policy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::*' }],
    }
    await call(`${iam}/add-canned-policy?name=s3`, { method: 'PUT', body: policy })
    const user = { secretKey: reader.secretAccessKey, status: 'enabled', policy: 's3' }
    expect((await call(`${iam}/add-user?accessKey=reader`, { method: 'PUT', body: user })).status).toBe(200)
    await admin.post('stop')
    expect((await s3(home, 'GET', '/kms')).text).toBe(TEXT)
    expect(await answerOf(s3(home, 'GET', '/kms', { credentials: reader }))).toEqual([403, 'AccessDenied'])
    await admin.post('start')
    // Meant to run, and cannot: the copies stay shut.
    home.server.kill('SIGKILL')
    await home.server.exited
    renameSync(home.keys, `${home.keys}-away`)
    await home.restart()
    expect((await home.admin.status())['status']).toEqual({ Error: expect.any(String) as unknown })
    expect(await answerOf(s3(home, 'GET', '/kms'))).toEqual([503, 'ServiceUnavailable'])
    await home.admin.post('stop')
    expect((await s3(home, 'GET', '/kms')).text).toBe(TEXT)
  })
})

describe('what needs a key', () => {
  it('is counted from its first byte on, and keeps the key, and its store when that is retired', async () => {
    const home = await startSite()
    const { admin } = home
    await admin.post('keys', { key_name: 'orders' })
    const orders = kmsUnder('orders')
    const refusal = async (): Promise<string> => {
      const { status, text } = await admin.delete('keys/delete', { key_id: 'orders' })
      return status === 409 ? (/ (\d+) objects/.exec(text)?.[1] ?? text) : String(status)
    }
    await put(home, 'one', orders)
    expect(await refusal()).toBe('1')
    const held = await halfSent(home, 'two', orders)
    expect(await refusal()).toBe('2')
    const uploadId = await begin(home, 'three', { ...orders, ...BUCKET_KEY })
    expect(await refusal()).toBe('3')
    await s3(home, 'PUT', `/three?partNumber=1&uploadId=${uploadId}`, { raw: TEXT })
    await s3(home, 'PUT', `/three?partNumber=2&uploadId=${uploadId}`, { raw: TEXT })
    expect(await refusal()).toBe('3')
    await s3(home, 'PUT', '/copy', { headers: { ...orders, 'x-amz-copy-source': 'box/one' } })
    expect(await refusal()).toBe('4')
    // Another store takes over; the one before is needed by all of them, the default key's objects included.
    await put(home, 'default', SSE_S3)
    await admin.post('reconfigure', { key_dir: `${home.keys}-next` })
    const [realm = ''] = (await admin.status())['retired_backends'] as string[]
    const giveUp = (): Promise<Reply> => admin.delete(`retired/${realm}`, { confirm_realm: realm })
    const refused = await giveUp()
    expect([refused.status, refused.json()['code']]).toEqual([409, 'KeyStoreInUse'])
    expect(refused.text).toMatch(/\b5\b/)
    // What is under way under the old store ends well.
    expect(await held.finish()).toBe(200)
    expect((await s3(home, 'GET', '/two')).text).toHaveLength(1_000_000)
    const gone = await halfSent(home, 'gone', SSE_S3)
    gone.goAway()
    for (const key of ['one', 'two', 'copy', 'default']) await s3(home, 'DELETE', `/${key}`)
    expect((await giveUp()).text).toMatch(/\b1\b/)
    await s3(home, 'DELETE', `/three?uploadId=${uploadId}`)
    expect((await giveUp()).status).toBe(200)
    expect((await admin.status())['retired_backends']).toEqual([])
  })

  it('is never lost to a key that is destroyed while it is written', async () => {
    const home = await startSite({}, { KMS_ALLOW_IMMEDIATE_DELETION: 'true' })
    const { admin } = home
    for (let round = 0; round < ROUNDS; round++) {
      const key = `key-${round}`
      await admin.post('keys', { key_name: key })
      const headers = round % 2 === 0 ? kmsUnder(key) : { ...kmsUnder(key), ...BUCKET_KEY }
      const names = Array.from({ length: 4 }, (_, i) => `${key}/${i}`)
      const writing = names.map((name) => put(home, name, headers))
      for (let turn = 0; turn < 2 * round; turn++) await new Promise((resolve) => setImmediate(resolve))
      if (round === ROUNDS - 1) await writing[0]
      const destroyed = await admin.delete('keys/delete', { key_id: key, force_immediate: true, confirm_key_id: key })
      const written = await Promise.all(writing)
      expect([200, 409]).toContain(destroyed.status)
      if (round === ROUNDS - 1) expect(destroyed.status).toBe(409)
      for (const [index, reply] of written.entries()) {
        const got = await s3(home, 'GET', `/${names[index]}`)
        if (reply.status === 200) expect([got.status, got.text]).toEqual([200, TEXT])
        else expect([reply.status < 500, got.status]).toEqual([true, 404])
      }
    }
  })
})

describe('a KMS that', () => {
  it('does not let a key be used answers with the code S3 has for it; nothing is half written', async () => {
    const home = await startSite({}, { KMS_ALLOW_IMMEDIATE_DELETION: 'true' })
    const { admin } = home
    for (const key of ['disabled', 'leaving', 'gone']) await admin.post('keys', { key_name: key })
    await put(home, 'disabled', kmsUnder('disabled'))
    await put(home, 'plain', {})
    await admin.post('keys/disable', { key_id: 'disabled' })
    await admin.delete('keys/delete', { key_id: 'leaving' })
    await admin.delete('keys/delete', { key_id: 'gone', force_immediate: true, confirm_key_id: 'gone' })
    const state = [400, 'KMS.KMSInvalidStateException']
    const codes: Readonly<Record<string, unknown>> = {
      disabled: [400, 'KMS.DisabledException'],
      leaving: state,
      gone: [400, 'KMS.NotFoundException'],
      never: [400, 'KMS.NotFoundException'],
    }
    for (const [key, code] of Object.entries(codes)) {
      for (const headers of [kmsUnder(key), { ...kmsUnder(key), ...BUCKET_KEY }]) {
        expect(await answerOf(put(home, 'new', headers)), key).toEqual(code)
        expect(await answerOf(s3(home, 'POST', '/new?uploads', { headers })), key).toEqual(code)
        const copy = { ...headers, 'x-amz-copy-source': 'box/plain' }
        expect(await answerOf(s3(home, 'PUT', '/new', { headers: copy })), key).toEqual(code)
      }
    }
    expect((await s3(home, 'GET', '/new')).status).toBe(404)
    expect((await s3(home, 'GET', '?uploads')).text).not.toContain('<Upload>')
    // A disabled key still opens what it wrapped.
    expect((await s3(home, 'GET', '/disabled')).text).toBe(TEXT)
    expect((await s3(home, 'GET', '/plain')).text).toBe(TEXT)
    const bodies = join(home.folder, 'data', 'objects', 'bodies')
    const files = readdirSync(bodies, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    expect(files).toHaveLength(2)
  })

  it('cannot be reached leaves everything that does not need it alone', async ({ skip }) => {
    const vault = await startVault(skip)
    const proxy = await startTcpProxy({ target: () => vault })
    const home = await startHome(vault.trust)
    try {
      const address = `https://127.0.0.1:${proxy.port}`
      const config = await vault.config({ address, timeout_seconds: 2, retry_attempts: 0, enable_cache: false })
      expect((await home.admin.post('configure', config)).status).toBe(200)
      expect((await home.admin.post('start')).status).toBe(200)
      await s3(home, 'PUT', '')
      await put(home, 'kms', kmsUnder('rustfs-master'))
      await put(home, 'plain', {})
      await put(home, 'customer', CUSTOMER)
      const uploadId = await begin(home, 'parts', SSE_S3)
      const part = await s3(home, 'PUT', `/parts?partNumber=1&uploadId=${uploadId}`, { raw: TEXT })
      proxy.mode = 'reset'
      const status = async (pending: Promise<Reply>): Promise<number> => (await pending).status
      for (const headers of [SSE_S3, kmsUnder('rustfs-master'), { ...kmsUnder('rustfs-master'), ...BUCKET_KEY }]) {
        expect([503, 504]).toContain(await status(put(home, 'new', headers)))
        expect([503, 504]).toContain(await status(s3(home, 'POST', '/new?uploads', { headers })))
      }
      expect([503, 504]).toContain(await status(s3(home, 'GET', '/kms')))
      expect(await status(s3(home, 'HEAD', '/kms'))).toBe(200)
      expect(await status(s3(home, 'GET', '?list-type=2'))).toBe(200)
      expect((await s3(home, 'GET', '/plain')).text).toBe(TEXT)
      expect((await s3(home, 'GET', '/customer', { headers: CUSTOMER })).text).toBe(TEXT)
      expect(await status(put(home, 'more', {}))).toBe(200)
      expect(await status(put(home, 'more-of-it', CUSTOMER))).toBe(200)
      const rows = `<Part><PartNumber>1</PartNumber><ETag>${String(part.headers['etag'])}</ETag></Part>`
      const raw = `<CompleteMultipartUpload>${rows}</CompleteMultipartUpload>`
      expect(await status(s3(home, 'POST', `/parts?uploadId=${uploadId}`, { raw }))).toBe(200)
      expect(await status(s3(home, 'GET', '/new'))).toBe(404)
      proxy.mode = 'pass'
      await expect.poll(() => status(s3(home, 'GET', '/kms')), { timeout: 20_000 }).toBe(200)
      expect((await s3(home, 'GET', '/parts')).text).toBe(TEXT)
    } finally {
      await proxy.close()
    }
  })
})

describe('the disk', () => {
  it('holds neither plaintext nor a customer key, at no moment of an upload', async () => {
    const home = await startSite()
    const secrets = [
      Buffer.from(TEXT),
      customerKey,
      ...(['base64', 'hex'] as const).map((encoding) => Buffer.from(customerKey.toString(encoding))),
      Buffer.from(CUSTOMER[`${SSE}-customer-key-md5`]),
    ]
    const found = (): readonly string[] =>
      readdirSync(home.folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((path) => {
          const bytes = readFileSync(path)
          return secrets.some((secret) => bytes.includes(secret))
        })
    const context = { [`${SSE}-context`]: Buffer.from('{"team":"red"}').toString('base64') }
    for (const [mode, headers] of Object.entries({
      s3: SSE_S3,
      kms: { ...kmsUnder('main'), ...context },
      c: CUSTOMER,
    })) {
      const read = mode === 'c' ? CUSTOMER : {}
      const long = TEXT.repeat(10_000)
      expect((await put(home, mode, headers, long)).status).toBe(200)
      expect(found(), mode).toEqual([])
      const uploadId = await begin(home, `parts-${mode}`, headers)
      const part = await s3(home, 'PUT', `/parts-${mode}?partNumber=1&uploadId=${uploadId}`, {
        raw: long,
        headers: read,
      })
      expect(found(), mode).toEqual([])
      const rows = `<Part><PartNumber>1</PartNumber><ETag>${String(part.headers['etag'])}</ETag></Part>`
      const raw = `<CompleteMultipartUpload>${rows}</CompleteMultipartUpload>`
      expect((await s3(home, 'POST', `/parts-${mode}?uploadId=${uploadId}`, { raw, headers: read })).status).toBe(200)
      expect((await s3(home, 'GET', `/parts-${mode}`, { headers: read })).text === long).toBe(true)
    }
    await home.server.stop()
    expect(found()).toEqual([])
  })
})
