import { Buffer } from 'node:buffer'
import { constants, createPublicKey, generateKeyPairSync, publicEncrypt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Capabilities,
  createFileCanaryStore,
  createFileConfigStore,
  createFileImportStore,
  createKmsManager,
  createServerKey,
  type KmsManager,
  type KmsManagerOptions,
  systemRandom,
} from '@kms/core'
import { createManualClock, type ManualClock, type MemoryDriver, memoryDriver } from '@kms/core/testing'
import {
  type CredentialStore,
  createAuthorizer,
  createCredentialStore,
  createIamDirectory,
  createSessions,
  createSts,
  type IamDirectory,
  type IamDocument,
  type Policy,
  type Principal,
  parsePolicy,
  type StoredCredential,
} from '@kms/iam'
import { presignUrl, type SignRequestOptions, signRequest } from '@kms/sigv4'
import { type AdminApi, type AdminApiOptions, type AdminLogEntry, createAdminApi } from '../src/index.ts'

export const ADMIN = '/rustfs/admin/v3'
export const HOST = 'kms.test'
export const NOW: number = Date.UTC(2026, 10, 23, 12)
export const DOCUMENT = { backend_type: 'memory', name: 'main', default_key_id: 'main-key' }

/** Smaller than a real one, and the same each time: making one takes a while. */
const WRAPPING_KEY = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'der' },
})

/** What the server seals archives with. */
const ARCHIVE_KEY: Uint8Array = new Uint8Array(32).fill(7)

/** Someone to sign as. */
export interface User {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export const root: User = { accessKeyId: 'root', secretAccessKey: 'root-secret' }

export type Statement = Readonly<Record<string, unknown>>

export interface SendOptions {
  /** `undefined`: not signed. */
  readonly as?: User | undefined
  /** Text goes as it is, everything else as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly sign?: Partial<Pick<SignRequestOptions, 'service' | 'region' | 'now' | 'payloadHash'>>
  /** Changes what is sent after it was signed. */
  readonly tamper?: (headers: Record<string, string>) => void
  readonly secure?: boolean
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; `{}` for another. */
  readonly json: Record<string, unknown>
  readonly bytes: Buffer
}

/** A manager over an in-memory backend, its admin API, and a signing client. */
export interface Harness {
  readonly manager: KmsManager
  readonly driver: MemoryDriver
  readonly clock: ManualClock
  readonly api: AdminApi
  readonly log: AdminLogEntry[]
  /** Users and policies of the API; `user` makes others, which it does not know. */
  readonly directory: IamDirectory
  /** Makes a user with these statements as its policy. */
  user(name: string, ...statements: readonly Statement[]): User
  /** Signs and sends; `target` is relative to the admin prefix unless it begins with `/minio` or `/rustfs`. */
  send(method: string, target: string, options?: SendOptions): Promise<Answer>
  /** Configures the memory backend and starts it, with the default key `main-key`. */
  run(): Promise<void>
  close(): Promise<void>
}

export type HarnessOptions = Partial<Omit<AdminApiOptions, 'credentials' | 'clock' | 'elapsed' | 'log'>>

export async function createHarness(
  options: HarnessOptions = {},
  capabilities: Partial<Capabilities> = {},
  more: Pick<KmsManagerOptions, 'keyUse' | 'allowImmediateDeletion'> = {},
): Promise<Harness> {
  const folder = await mkdtemp(join(tmpdir(), 'kms-admin-api-'))
  const clock = createManualClock(NOW)
  const driver = memoryDriver({ capabilities })
  const unexpected = (message: string): never => {
    throw new Error(message)
  }
  const keys = { current: createServerKey(systemRandom(32)) }
  const manager = createKmsManager({
    drivers: [driver],
    configStore: await createFileConfigStore({
      directory: join(folder, 'state'),
      drivers: [driver],
      keys,
      random: systemRandom,
      onRecovered: unexpected,
    }),
    canaryStore: createFileCanaryStore({
      directory: join(folder, 'canaries'),
      random: systemRandom,
      onDamaged: unexpected,
    }),
    spoolDirectory: join(folder, 'spool'),
    clock,
    importStore: await createFileImportStore({ directory: join(folder, 'imports'), keys, random: systemRandom }),
    generateWrappingKey: async () => ({ ...WRAPPING_KEY, privateKey: Buffer.from(WRAPPING_KEY.privateKey) }),
    ...more,
  })
  await manager.boot()

  const users = new Map<string, StoredCredential>()
  const add = (user: User, kind: Principal['kind'], policies: readonly Policy[]): User => {
    const { accessKeyId, secretAccessKey } = user
    const principal: Principal = { kind, name: accessKeyId, accessKeyId, policies }
    users.set(accessKeyId, { principal, secretAccessKey })
    return user
  }

  let saved: IamDocument | undefined
  const directory = await createIamDirectory({
    store: {
      load: async () => saved,
      save: async (document) => {
        saved = document
      },
    },
    rootAccessKeyId: root.accessKeyId,
    now: clock.now,
  })
  const sessions = createSessions({ key: new Uint8Array(32), now: clock.now })
  const stored = createCredentialStore({ root, directory, sessions })
  const sts = createSts({ accounts: stored, sessions, authorizer: createAuthorizer({ now: clock.now }) })
  const credentials: CredentialStore = {
    find: (accessKeyId, sessionToken) => users.get(accessKeyId) ?? stored.find(accessKeyId, sessionToken),
  }
  const log: AdminLogEntry[] = []
  const api = createAdminApi({
    manager,
    directory,
    sts,
    archiveKey: ARCHIVE_KEY,
    ...options,
    credentials,
    clock,
    elapsed: clock.now,
    log: (entry) => log.push(entry),
  })

  return {
    manager,
    driver,
    clock,
    api,
    log,
    directory,
    user(name, ...statements) {
      const policies = statements.length === 0 ? [] : [parsePolicy({ Version: '2012-10-17', Statement: statements })]
      return add({ accessKeyId: name, secretAccessKey: `${name}-secret-key` }, 'user', policies)
    },
    send: (method, target, sendOptions) => send(api, clock, method, target, sendOptions),
    async run() {
      await manager.configure(DOCUMENT, { principal: 'test' })
      await manager.start({ force: false }, { principal: 'test' })
    },
    async close() {
      await manager.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function send(
  api: AdminApi,
  clock: ManualClock,
  method: string,
  target: string,
  options: SendOptions = {},
): Promise<Answer> {
  const { headers = {}, tamper, secure = false } = options
  const { body } = options
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const bytes = body instanceof Uint8Array ? Buffer.from(body) : text
  const full = /^\/(minio|rustfs)\//.test(target) ? target : ADMIN + target
  const url = `${secure ? 'https' : 'http'}://${HOST}${full}`
  const credentials = 'as' in options ? options.as : root
  const hash = options.sign?.payloadHash
  const signed: Record<string, string> =
    credentials === undefined
      ? { host: HOST, ...headers }
      : signRequest({
          method,
          url,
          headers,
          credentials,
          region: 'us-east-1',
          service: 's3',
          now: clock.now,
          ...(hash === undefined && bytes !== undefined ? { body: bytes } : {}),
          ...options.sign,
        })
  tamper?.(signed)
  const init = { method, headers: signed, ...(bytes === undefined ? {} : { body: bytes }) }
  return readAnswer(await api.app.request(url, init))
}

/** What STS answered. */
export interface StsReply {
  readonly status: number
  readonly headers: Headers
  readonly xml: string
  /** Text of the first element of this name. */
  text(name: string): string | undefined
}

/** Sends a form to `POST /`, signed for `sts` unless told otherwise. */
export async function sendSts(
  { api, clock }: Harness,
  form: Readonly<Record<string, string>> | string,
  options: Pick<SendOptions, 'as' | 'sign' | 'headers' | 'tamper'> & { readonly target?: string } = {},
): Promise<StsReply> {
  const body = typeof form === 'string' ? form : new URLSearchParams({ Version: '2011-06-15', ...form }).toString()
  const url = `http://${HOST}${options.target ?? '/'}`
  const credentials = 'as' in options ? options.as : root
  const type = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', ...options.headers }
  const shared = { method: 'POST', url, body, region: 'us-east-1', service: 'sts', now: clock.now, headers: type }
  const headers: Record<string, string> =
    credentials === undefined ? { host: HOST, ...type } : signRequest({ ...shared, credentials, ...options.sign })
  options.tamper?.(headers)
  const response = await api.stsApp.request(url, { method: 'POST', headers, body })
  const xml = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    xml,
    text: (name) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1],
  }
}

/** Temporary credentials of a user, by AssumeRole. */
export async function assume(harness: Harness, as: User, policy?: object): Promise<Required<User>> {
  const limit: Record<string, string> = policy === undefined ? {} : { Policy: JSON.stringify(policy) }
  const reply = await sendSts(
    harness,
    { Action: 'AssumeRole', RoleArn: 'arn:x', RoleSessionName: 's', ...limit },
    { as },
  )
  const [accessKeyId, secretAccessKey, sessionToken] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken'].map((name) =>
    reply.text(name),
  )
  if (accessKeyId === undefined || secretAccessKey === undefined || sessionToken === undefined) {
    throw new Error(reply.xml)
  }
  return { accessKeyId, secretAccessKey, sessionToken }
}

/** A URL signed in its query, and the answer to it. */
export async function sendPresigned(
  harness: Harness,
  method: string,
  target: string,
  user: User = root,
): Promise<Answer> {
  const url = presignUrl({
    method,
    url: `http://${HOST}${ADMIN}${target}`,
    credentials: user,
    region: 'us-east-1',
    service: 's3',
    expiresSeconds: 60,
    now: harness.clock.now,
  })
  return readAnswer(await harness.api.app.request(url, { method, headers: { host: HOST } }))
}

async function readAnswer(response: Response): Promise<Answer> {
  const bytes = Buffer.from(await response.arrayBuffer())
  const text = bytes.toString('utf8')
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true && text !== ''
  const json = (isJson ? JSON.parse(text) : {}) as Record<string, unknown>
  return { status: response.status, headers: response.headers, text, json, bytes }
}

/** Wraps key material as a client does, under the base64 of an import's public key; base64. */
export function wrapMaterial(material: Uint8Array, publicKey: unknown): string {
  const key = createPublicKey({ key: Buffer.from(String(publicKey), 'base64'), type: 'spki', format: 'der' })
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, material).toString(
    'base64',
  )
}

/** What a refused request must leave as it was. */
export function stateOf({ manager, driver }: Harness): unknown {
  const stores = [...driver.stores].map(([place, store]) => [place, [...store.keys], [...store.aliases]])
  // How often the cache was asked is no state.
  const status = { ...manager.status(), cache: undefined }
  return JSON.parse(JSON.stringify({ status, config: manager.config(), stores }))
}
