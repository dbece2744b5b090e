import { createReadStream, createWriteStream, writeFileSync } from 'node:fs'
import { type AgentOptions, Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  paginateListObjectsV2,
  S3Client,
  type ServerSideEncryption,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { shell } from '../../../tools/pypi.ts'

export const MODES = ['plain', 'SSE-S3', 'SSE-KMS', 'SSE-C'] as const
export type Mode = (typeof MODES)[number]

/** What a tool works with. */
export interface Place {
  readonly url: string
  readonly bucket: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Key of SSE-KMS. */
  readonly kmsKey: string
  /** Key of SSE-C, and a file of it. */
  readonly customerKey: Buffer
  readonly customerKeyFile: string
  /** A file for the configuration of a tool. */
  readonly configuration: string
  /** File of the authority to trust. */
  readonly authority?: string
  readonly ca?: string
  /** Folder of the programs. */
  readonly bin: string
}

export interface Range {
  readonly first: number
  /** Included. */
  readonly last: number
}

/** A client of S3, doing what its users do with it. */
export interface S3Tool {
  put(key: string, file: string, mode: Mode): Promise<unknown>
  get(key: string, into: string, mode: Mode): Promise<unknown>
  readonly range?: (key: string, range: Range, into: string, mode: Mode) => Promise<unknown>
  copy(key: string, to: string, mode: Mode): Promise<unknown>
  list(): Promise<readonly string[]>
  readonly presign?: (key: string) => Promise<string>
  remove(key: string, mode: Mode): Promise<unknown>
}

/** The AWS SDK for JavaScript, with parts of 5 MiB. */
export function javascript(place: Place, virtualHosts = false): S3Tool {
  const { bucket: Bucket, accessKeyId, secretAccessKey, kmsKey, customerKey, ca } = place
  // Not every resolver knows *.localhost.
  const here: AgentOptions = { lookup: (_, __, found) => found(null, [{ address: '127.0.0.1', family: 4 }]) }
  const client = new S3Client({
    endpoint: virtualHosts ? place.url.replace('127.0.0.1', 'localhost') : place.url,
    forcePathStyle: !virtualHosts,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
    requestHandler:
      ca === undefined ? { httpAgent: new HttpAgent(here) } : { httpsAgent: new HttpsAgent({ ca, ...here }) },
  })
  const customer = { SSECustomerAlgorithm: 'AES256', SSECustomerKey: customerKey.toString('base64') }
  const source = {
    CopySourceSSECustomerAlgorithm: customer.SSECustomerAlgorithm,
    CopySourceSSECustomerKey: customer.SSECustomerKey,
  }
  const encrypted = (ServerSideEncryption: ServerSideEncryption) => ({ ServerSideEncryption })
  const writing = {
    plain: {},
    'SSE-S3': encrypted('AES256'),
    'SSE-KMS': { ...encrypted('aws:kms'), SSEKMSKeyId: kmsKey },
    'SSE-C': customer,
  }
  const reading = (mode: Mode) => (mode === 'SSE-C' ? customer : {})
  const fetchInto = async (command: GetObjectCommand, into: string): Promise<void> => {
    const { Body } = await client.send(command)
    await pipeline(Body as Readable, createWriteStream(into))
  }
  return {
    put: (Key, file, mode) =>
      new Upload({
        client,
        partSize: 5 * 1024 * 1024,
        params: { Bucket, Key, Body: createReadStream(file), ...writing[mode] },
      }).done(),
    get: (Key, into, mode) => fetchInto(new GetObjectCommand({ Bucket, Key, ...reading(mode) }), into),
    range: (Key, { first, last }, into, mode) =>
      fetchInto(new GetObjectCommand({ Bucket, Key, Range: `bytes=${first}-${last}`, ...reading(mode) }), into),
    copy: (key, Key, mode) =>
      client.send(
        new CopyObjectCommand({
          Bucket,
          Key,
          CopySource: `${Bucket}/${encodeURIComponent(key)}`,
          ...writing[mode],
          ...(mode === 'SSE-C' ? source : {}),
        }),
      ),
    list: async () => {
      const keys: string[] = []
      for await (const { Contents = [] } of paginateListObjectsV2({ client, pageSize: 1 }, { Bucket })) {
        keys.push(...Contents.map(({ Key }) => Key ?? ''))
      }
      return keys
    },
    presign: (Key) => getSignedUrl(client, new GetObjectCommand({ Bucket, Key })),
    remove: (Key) => client.send(new DeleteObjectCommand({ Bucket, Key })),
  }
}

const script = fileURLToPath(new URL('./s3-tools.py', import.meta.url))

function awsEnvironment(place: Place): Readonly<Record<string, string>> {
  return {
    AWS_ACCESS_KEY_ID: place.accessKeyId,
    AWS_SECRET_ACCESS_KEY: place.secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    ...(place.authority === undefined ? {} : { AWS_CA_BUNDLE: place.authority }),
  }
}

/** boto3's managed transfers. */
export function boto3(place: Place): S3Tool {
  const { bucket, bin } = place
  const environment = {
    ...awsEnvironment(place),
    ENDPOINT: place.url,
    KMS_KEY: place.kmsKey,
    CUSTOMER_KEY: place.customerKey.toString('hex'),
  }
  const run = (operation: string, mode: Mode, key: string, argument: string): Promise<string> =>
    shell(`python '${script}' ${operation} ${mode} ${bucket} '${key}' '${argument}'`, bin, environment)
  return {
    put: (key, file, mode) => run('put', mode, key, file),
    get: (key, into, mode) => run('get', mode, key, into),
    range: (key, { first, last }, into, mode) => run('range', mode, key, `${first},${last},${into}`),
    copy: (key, to, mode) => run('copy', mode, key, to),
    list: async () => linesOf(await run('list', 'plain', '', '')),
    presign: async (key) => (await run('presign', 'plain', key, '')).trim(),
    remove: (key) => run('remove', 'plain', key, ''),
  }
}

/** `aws s3` and `aws s3api`. */
export function awsCli(place: Place): S3Tool {
  const { bucket, bin, kmsKey, customerKeyFile } = place
  // Unless told, it presigns as AWS did before 2014, and there is no flag for it.
  writeFileSync(place.configuration, '[default]\ns3 =\n  signature_version = s3v4\n')
  const environment = { ...awsEnvironment(place), AWS_CONFIG_FILE: place.configuration }
  const run = (command: string): Promise<string> =>
    shell(`aws --endpoint-url '${place.url}' ${command}`, bin, environment)
  const key = `fileb://${customerKeyFile}`
  const writing = {
    plain: '',
    'SSE-S3': '--sse AES256',
    'SSE-KMS': `--sse aws:kms --sse-kms-key-id ${kmsKey}`,
    'SSE-C': `--sse-c AES256 --sse-c-key '${key}'`,
  }
  const reading = (mode: Mode, flags: string): string => (mode === 'SSE-C' ? flags : '')
  const copy = (from: string, to: string, flags: string): Promise<string> =>
    run(`s3 cp --only-show-errors '${from}' '${to}' ${flags}`)
  const path = (name: string): string => `s3://${bucket}/${name}`
  return {
    put: (name, file, mode) => copy(file, path(name), writing[mode]),
    get: (name, into, mode) => copy(path(name), into, reading(mode, writing[mode])),
    range: (name, { first, last }, into, mode) =>
      run(
        `s3api get-object --bucket ${bucket} --key '${name}' --range bytes=${first}-${last} '${into}' ` +
          reading(mode, `--sse-customer-algorithm AES256 --sse-customer-key '${key}'`),
      ),
    copy: (name, to, mode) =>
      copy(
        path(name),
        path(to),
        `${writing[mode]} ${reading(mode, `--sse-c-copy-source AES256 --sse-c-copy-source-key '${key}'`)}`,
      ),
    list: async () =>
      linesOf(await run(`s3 ls --recursive ${path('')}`)).map((line) => line.replace(/^\S+ +\S+ +\d+ /, '')),
    presign: async (name) => (await run(`s3 presign '${path(name)}'`)).trim(),
    remove: (name) => run(`s3 rm --only-show-errors '${path(name)}'`),
  }
}

/** rclone, with parts of 5 MiB. */
export function rclone(place: Place): S3Tool {
  const { bucket, bin, authority } = place
  const environment = {
    RCLONE_CONFIG: '',
    RCLONE_CONFIG_KMS_TYPE: 's3',
    RCLONE_CONFIG_KMS_PROVIDER: 'Other',
    RCLONE_CONFIG_KMS_ENDPOINT: place.url,
    RCLONE_CONFIG_KMS_REGION: 'us-east-1',
    RCLONE_CONFIG_KMS_ACCESS_KEY_ID: place.accessKeyId,
    RCLONE_CONFIG_KMS_SECRET_ACCESS_KEY: place.secretAccessKey,
    RCLONE_S3_UPLOAD_CUTOFF: '8Mi',
    RCLONE_S3_CHUNK_SIZE: '5Mi',
    ...(authority === undefined ? {} : { RCLONE_CA_CERT: authority }),
  }
  const encryption = {
    plain: {},
    'SSE-S3': { RCLONE_S3_SERVER_SIDE_ENCRYPTION: 'AES256' },
    'SSE-KMS': { RCLONE_S3_SERVER_SIDE_ENCRYPTION: 'aws:kms', RCLONE_S3_SSE_KMS_KEY_ID: place.kmsKey },
    'SSE-C': {
      RCLONE_S3_SSE_CUSTOMER_ALGORITHM: 'AES256',
      RCLONE_S3_SSE_CUSTOMER_KEY_BASE64: place.customerKey.toString('base64'),
    },
  }
  const run = (command: string, mode: Mode = 'plain'): Promise<string> =>
    shell(`rclone ${command}`, bin, { ...environment, ...encryption[mode] })
  const path = (name: string): string => `'kms:${bucket}/${name}'`
  return {
    put: (name, file, mode) => run(`copyto '${file}' ${path(name)}`, mode),
    get: (name, into, mode) => run(`copyto ${path(name)} '${into}'`, mode),
    range: (name, { first, last }, into, mode) =>
      run(`cat --offset ${first} --count ${last - first + 1} ${path(name)} > '${into}'`, mode),
    copy: (name, to, mode) => run(`copyto ${path(name)} ${path(to)}`, mode),
    list: async () => linesOf(await run(`lsf -R --files-only ${path('')}`)),
    presign: async (name) => (await run(`link --expire 1h ${path(name)}`)).trim(),
    remove: (name, mode) => run(`deletefile ${path(name)}`, mode),
  }
}

/** s3cmd, with parts of 5 MiB. It knows neither keys of customers nor ranges, and presigns as AWS did before 2014. */
export function s3cmd(place: Place): S3Tool {
  const { bucket, bin, authority, kmsKey } = place
  const { host, protocol } = new URL(place.url)
  const trust = protocol === 'http:' ? '--no-ssl' : `--ca-certs '${authority}'`
  const run = (command: string): Promise<string> =>
    shell(
      `s3cmd --config /dev/null --no-progress --host ${host} --host-bucket ${host} --region us-east-1 ${trust} ` +
        `--access_key '${place.accessKeyId}' --secret_key '${place.secretAccessKey}' ${command}`,
      bin,
    )
  const writing: Readonly<Partial<Record<Mode, string>>> = {
    'SSE-S3': '--server-side-encryption',
    'SSE-KMS': `--server-side-encryption --server-side-encryption-kms-id=${kmsKey}`,
  }
  const path = (name: string): string => `'s3://${bucket}/${name}'`
  return {
    put: (name, file, mode) => run(`put --multipart-chunk-size-mb=5 ${writing[mode] ?? ''} '${file}' ${path(name)}`),
    get: (name, into) => run(`get --force ${path(name)} '${into}'`),
    copy: (name, to, mode) => run(`cp ${writing[mode] ?? ''} ${path(name)} ${path(to)}`),
    list: async () =>
      linesOf(await run(`ls --recursive ${path('')}`)).map((line) => line.replace(/^.* s3:\/\/[^/]+\//, '')),
    remove: (name) => run(`del ${path(name)}`),
  }
}

/** curl, which signs but does not know S3. */
export function curl(place: Place): S3Tool {
  const { url, bucket, accessKeyId, secretAccessKey, authority, kmsKey, customerKey } = place
  const trust = authority === undefined ? '' : `--cacert '${authority}'`
  const run = (path: string, more: string): Promise<string> =>
    shell(
      `curl -sS --fail-with-body ${trust} --aws-sigv4 aws:amz:us-east-1:s3 --user '${accessKeyId}:${secretAccessKey}' ${more} '${url}/${bucket}${path}'`,
      '',
    )
  const sse = 'x-amz-server-side-encryption'
  const customer = (prefix: string): string =>
    [
      'algorithm: AES256',
      `key: ${customerKey.toString('base64')}`,
      `key-MD5: $(openssl dgst -md5 -binary < '${place.customerKeyFile}' | base64)`,
    ]
      .map((header) => `-H "${prefix}-customer-${header}"`)
      .join(' ')
  const writing = {
    plain: '',
    'SSE-S3': `-H '${sse}: AES256'`,
    'SSE-KMS': `-H '${sse}: aws:kms' -H '${sse}-aws-kms-key-id: ${kmsKey}'`,
    'SSE-C': customer(sse),
  }
  const reading = (mode: Mode): string => (mode === 'SSE-C' ? writing[mode] : '')
  const path = (name: string): string => `/${encodeURI(name)}`
  return {
    put: (name, file, mode) =>
      run(path(name), `-T '${file}' -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' ${writing[mode]}`),
    get: (name, into, mode) => run(path(name), `-o '${into}' ${reading(mode)}`),
    range: (name, { first, last }, into, mode) =>
      run(path(name), `-o '${into}' -H 'range: bytes=${first}-${last}' ${reading(mode)}`),
    copy: (name, to, mode) =>
      run(
        path(to),
        `-X PUT -H 'x-amz-copy-source: /${bucket}${path(name)}' ${writing[mode]} ${mode === 'SSE-C' ? customer('x-amz-copy-source-server-side-encryption') : ''}`,
      ),
    list: async () => {
      const xml = await run('?list-type=2', '')
      return [...xml.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key ?? '')
    },
    remove: (name) => run(path(name), '-X DELETE'),
  }
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '')
}
