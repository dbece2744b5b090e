import { createHash, createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request as requestHttp } from 'node:http'
import { Agent, request as requestHttps } from 'node:https'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AssumeRoleCommand, GetCallerIdentityCommand, GetSessionTokenCommand, STSClient } from '@aws-sdk/client-sts'
import { SignatureV4 } from '@smithy/signature-v4'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority, makeCertificate } from '../../../tools/certificates.ts'
import { findPythonTools, type PythonTools, requireTools, shell } from '../../../tools/pypi.ts'
import { findAwscurl } from './awscurl.ts'
import { type CallCredentials, call, createAdmin } from './client.ts'
import { type ServerProcess, startServer, temporaryFolder } from './server-process.ts'

const ROOT = { accessKeyId: 'operator', secretAccessKey: 'correct horse battery' }
const ANN = { accessKeyId: 'ann', secretAccessKey: 'battery/staple+horse=' }
const ANN_ARN = 'arn:aws:iam:::user/ann'
const KEYS = '/rustfs/admin/v3/kms/keys'
const DATA_KEY = '/rustfs/admin/v3/kms/generate-data-key'
const STOP = '/rustfs/admin/v3/kms/stop'
const script = fileURLToPath(new URL('./clients.py', import.meta.url))

let awscurl: PythonTools
let python: PythonTools
beforeAll(() => {
  awscurl = findAwscurl()
  python = findPythonTools('aws-clients-1.46.3', ['awscli==1.46.3', 'boto3==1.44.5'])
}, 300_000)

describe.each(['http', 'https'])('over %s', (scheme) => {
  const cleanups: (() => Promise<void> | void)[] = []
  let server: ServerProcess
  let session: Required<CallCredentials>
  /** File of the authority, and what is in it. */
  let authority: string | undefined
  let ca: string | undefined

  beforeAll(async () => {
    const cleanup = (work: () => Promise<void> | void): void => void cleanups.unshift(work)
    const folder = temporaryFolder(cleanup)
    const env: Record<string, string> = {
      KMS_DATA_DIR: join(folder, 'data'),
      KMS_ROOT_ACCESS_KEY: ROOT.accessKeyId,
      KMS_ROOT_SECRET_KEY: ROOT.secretAccessKey,
    }
    if (scheme === 'https') {
      const signer = makeAuthority(folder)
      const { cert, key } = makeCertificate(folder, 'server', signer)
      Object.assign(env, { KMS_TLS_CERT: cert, KMS_TLS_KEY: key })
      authority = signer.cert
      ca = readFileSync(authority, 'utf8')
    }
    server = await startServer({ env }, cleanup)
    const trust = ca === undefined ? {} : { ca }
    await createAdmin(server.url, { credentials: ROOT, ...trust }).begin(join(folder, 'keys'))
    const added = await call(`${server.url}/rustfs/admin/v3/add-user?accessKey=ann`, {
      method: 'PUT',
      body: { secretKey: ANN.secretAccessKey, status: 'enabled', policy: 'KMSKeyUser,KMSAuditor' },
      credentials: ROOT,
      ...trust,
    })
    if (added.status !== 200) throw new Error(added.text)
    const made = await sdk(ANN).send(new GetSessionTokenCommand({ DurationSeconds: 900 }))
    session = {
      accessKeyId: made.Credentials?.AccessKeyId as string,
      secretAccessKey: made.Credentials?.SecretAccessKey as string,
      sessionToken: made.Credentials?.SessionToken as string,
    }
  })
  afterAll(async () => {
    for (const cleanup of cleanups) await cleanup()
  })

  function sdk(credentials: CallCredentials): STSClient {
    return new STSClient({
      endpoint: server.url,
      region: 'us-east-1',
      credentials,
      ...(ca === undefined ? {} : { requestHandler: { httpsAgent: new Agent({ ca }) } }),
    })
  }

  const kinds: readonly [string, () => CallCredentials][] = [
    ['a long-term key', () => ANN],
    ['a session', () => session],
  ]

  describe.each(kinds)('with %s', (_, who) => {
    it('awscurl', async ({ skip }) => {
      const bin = requireTools(awscurl, skip)
      const { accessKeyId, secretAccessKey, sessionToken } = who()
      const token = sessionToken === undefined ? '' : ` --session_token '${sessionToken}'`
      const send = (path: string, more = ''): Promise<string> =>
        shell(
          `awscurl --service s3 --region us-east-1 --access_key '${accessKeyId}' --secret_key '${secretAccessKey}'${token} ${more} '${server.url}${path}'`,
          bin,
          authority === undefined ? {} : { REQUESTS_CA_BUNDLE: authority },
        )
      expect(JSON.parse(await send(KEYS))).toMatchObject({ success: true, keys: [{ key_id: 'main' }] })
      expect(JSON.parse(await send(DATA_KEY, `-X POST -d '{"key_id":"main"}'`))).toMatchObject({ key_id: 'main' })
      expect(JSON.parse(await send(STOP, '-X POST').catch(outputOf))).toMatchObject({ code: 'AccessDenied' })
    })

    it('curl --aws-sigv4', async () => {
      const { accessKeyId, secretAccessKey, sessionToken } = who()
      const token = sessionToken === undefined ? '' : ` -H 'x-amz-security-token: ${sessionToken}'`
      const trust = authority === undefined ? '' : ` --cacert '${authority}'`
      const send = (path: string, more = ''): Promise<string> =>
        shell(
          `curl -sS${trust} --aws-sigv4 aws:amz:us-east-1:s3 --user '${accessKeyId}:${secretAccessKey}'${token} ${more} '${server.url}${path}'`,
          '',
        )
      expect(JSON.parse(await send(KEYS))).toMatchObject({ success: true, keys: [{ key_id: 'main' }] })
      expect(JSON.parse(await send(DATA_KEY, `-d '{"key_id":"main"}'`))).toMatchObject({ key_id: 'main' })
      expect(JSON.parse(await send(STOP, '-X POST'))).toMatchObject({ code: 'AccessDenied' })
    })

    it('boto3', async ({ skip }) => {
      const bin = requireTools(python, skip)
      const { accessKeyId, secretAccessKey, sessionToken } = who()
      const printed = await shell(`python '${script}' '${server.url}'`, bin, {
        ACCESS_KEY: accessKeyId,
        SECRET_KEY: secretAccessKey,
        ...(sessionToken === undefined ? {} : { SESSION_TOKEN: sessionToken }),
        ...(authority === undefined ? {} : { CA_FILE: authority }),
      })
      const keys = [200, { success: true, keys: [{ key_id: 'main' }] }]
      expect(JSON.parse(printed)).toMatchObject({
        arn: ANN_ARN,
        'keys kms': keys,
        'keys execute-api': keys,
        'keys s3': keys,
        'keys sts': keys,
        presigned: keys,
        dataKey: [200, { key_id: 'main' }],
        denied: [403, { code: 'AccessDenied' }],
        ...(sessionToken === undefined ? { assumedArn: ANN_ARN, assumedKeys: keys } : {}),
      })
    })

    it('the AWS CLI', async ({ skip }) => {
      const bin = requireTools(python, skip)
      const { accessKeyId, secretAccessKey, sessionToken } = who()
      const trust = authority === undefined ? '' : ` --ca-bundle '${authority}'`
      const printed = await shell(
        `aws sts get-caller-identity --endpoint-url '${server.url}' --region us-east-1 --output json${trust}`,
        bin,
        {
          AWS_ACCESS_KEY_ID: accessKeyId,
          AWS_SECRET_ACCESS_KEY: secretAccessKey,
          ...(sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: sessionToken }),
        },
      )
      expect(JSON.parse(printed)).toMatchObject({ Arn: ANN_ARN, UserId: 'ann' })
    })

    it('the AWS SDK for JavaScript', async () => {
      const credentials = who()
      const identity = await sdk(credentials).send(new GetCallerIdentityCommand({}))
      expect([identity.Arn, identity.UserId]).toEqual([ANN_ARN, 'ann'])
      const assume = sdk(credentials).send(
        new AssumeRoleCommand({ RoleArn: 'arn:aws:iam::000000000000:role/any', RoleSessionName: 'job' }),
      )
      if (credentials.sessionToken === undefined) {
        const expiration = (await assume).Credentials?.Expiration?.getTime() as number
        expect(Math.abs(expiration - Date.now() - 3_600_000)).toBeLessThan(60_000)
      } else await expect(assume).rejects.toMatchObject({ name: 'AccessDenied', $metadata: { httpStatusCode: 403 } })
    })

    it('its signer', async () => {
      const { accessKeyId, secretAccessKey, sessionToken } = who()
      const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
      const signer = new SignatureV4({ credentials, region: 'us-east-1', service: 'kms', sha256: Sha256 })
      const { protocol, hostname, port, host } = new URL(server.url)
      const send = async (method: string, path: string, body?: string): Promise<Record<string, unknown>> => {
        const headers = { host, 'content-type': 'application/json' }
        const target = { method, protocol, hostname, port: Number(port), path, headers }
        const signed = await signer.sign(body === undefined ? target : { ...target, body })
        return sendSigned(`${server.url}${path}`, method, signed.headers, body, ca)
      }
      expect(await send('GET', KEYS)).toMatchObject({ success: true, keys: [{ key_id: 'main' }] })
      expect(await send('POST', DATA_KEY, '{"key_id":"main"}')).toMatchObject({ key_id: 'main' })
      expect(await send('POST', STOP, '{}')).toMatchObject({ code: 'AccessDenied' })
    })
  })
})

/** What a program that failed had printed. */
function outputOf(error: unknown): string {
  return (error as { readonly stdout: string }).stdout
}

/** SHA-256 and HMAC-SHA-256 as the signer wants them. */
class Sha256 {
  readonly #hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret))
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data))
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }

  reset(): void {}
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data)
  if (data instanceof ArrayBuffer) return Buffer.from(data)
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

function sendSigned(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: string | undefined,
  ca: string | undefined,
): Promise<Record<string, unknown>> {
  const request = url.startsWith('https:') ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { method, headers, agent: false, ...(ca === undefined ? {} : { ca }) },
      (incoming) => {
        let text = ''
        incoming.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        incoming.on('error', reject)
        incoming.on('end', () => resolve(JSON.parse(text) as Record<string, unknown>))
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
