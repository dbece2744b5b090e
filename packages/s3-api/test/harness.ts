import { Buffer } from 'node:buffer'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createFileCanaryStore,
  createFileConfigStore,
  createKmsManager,
  createServerKey,
  type KmsManager,
  systemRandom,
} from '@kms/core'
import { memoryDriver } from '@kms/core/testing'
import { createRootCredentials, parsePolicy, type StoredCredential } from '@kms/iam'
import { signRequest } from '@kms/sigv4'
import { createObjectCipher, dataPlaneKeyWrapping, type ObjectCipher } from '@kms/sse'
import type { S3LogEntry } from '../src/log-entry.ts'
import { createS3Api, type S3ApiOptions } from '../src/s3-api.ts'
import type { ObjectStore } from '../src/store/object-store.ts'
import { createMemoryObjectStore } from '../src/testing/memory-object-store.ts'

export interface Call {
  readonly method?: string
  /** Undecoded target. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** What is sent instead of the body that was signed. */
  readonly sent?: string
  /** Who signs; root unless given, nobody when `null`. */
  readonly as?: string | null
}

export interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly bytes: Buffer
  readonly text: string
  /** Text of the first element of a name. */
  xml(name: string): string | undefined
  /** Texts of all elements of a name. */
  all(name: string): readonly string[]
}

/** An S3 API on a real socket, with a KMS that runs. */
export interface Harness {
  readonly url: string
  readonly port: number
  readonly store: ObjectStore
  readonly cipher: ObjectCipher
  readonly manager: KmsManager
  readonly log: S3LogEntry[]
  send(call: Call): Promise<Got>
  /** Sends, and expects a status. */
  ok(call: Call, status?: number): Promise<Got>
  /** Adds a user with policies of these statements. */
  user(name: string, ...statements: readonly object[]): void
  stop(): Promise<void>
}

const ROOT = { accessKeyId: 'root', secretAccessKey: 'correct horse battery' }
const secretOf = (name: string): string => (name === 'root' ? ROOT.secretAccessKey : `secret of ${name}`)

export async function startHarness(options: Partial<S3ApiOptions> = {}): Promise<Harness> {
  const directory = await mkdtemp(join(tmpdir(), 's3-api-'))
  const serverKeys = { current: createServerKey(systemRandom(32)) }
  const drivers = [memoryDriver()]
  const manager = createKmsManager({
    drivers,
    configStore: await createFileConfigStore({
      directory,
      drivers,
      keys: serverKeys,
      random: systemRandom,
      onRecovered: () => {},
    }),
    canaryStore: createFileCanaryStore({
      directory: join(directory, 'canaries'),
      random: systemRandom,
      onDamaged: () => {},
    }),
  })
  const caller = { principal: 'root' }
  await manager.boot()
  await manager.configure({ backend_type: 'memory', name: directory, default_key_id: 'master' }, caller)
  await manager.start({ force: false }, caller)
  const cipher = createObjectCipher({ keys: dataPlaneKeyWrapping(manager.data), serverKeys })
  const store = options.store ?? createMemoryObjectStore()
  const root = createRootCredentials(ROOT)
  const users = new Map<string, StoredCredential>()
  const log: S3LogEntry[] = []
  const api = createS3Api({
    store,
    cipher,
    credentials: { find: (accessKeyId) => users.get(accessKeyId) ?? root.find(accessKeyId) },
    log: (entry) => log.push(entry),
    ...options,
    settings: { domains: ['localhost'], ...options.settings },
  })
  const server = createServer(api.listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`

  async function send({ method = 'GET', path, headers = {}, body = '', sent, as = 'root' }: Call): Promise<Got> {
    const signed =
      as === null
        ? headers
        : signRequest({
            method,
            url: `http://${headers['host'] ?? `127.0.0.1:${port}`}${path}`,
            headers,
            body,
            region: 'us-east-1',
            service: 's3',
            credentials: { accessKeyId: as, secretAccessKey: secretOf(as) },
          })
    return await exchange(port, { method, path, headers: { ...headers, ...signed }, body: sent ?? body })
  }

  return {
    url,
    port,
    store,
    cipher,
    manager,
    log,
    send,
    async ok(call, status = 200) {
      const got = await send(call)
      if (got.status !== status) throw new Error(`${call.method ?? 'GET'} ${call.path}: ${got.status} ${got.text}`)
      return got
    },
    user(name, ...statements) {
      const policies = statements.length === 0 ? [] : [parsePolicy({ Version: '2012-10-17', Statement: statements })]
      const principal = { kind: 'user', name, accessKeyId: name, policies } as const
      users.set(name, { principal, secretAccessKey: secretOf(name) })
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await manager.close()
      await rm(directory, { recursive: true })
    },
  }
}

/** One request, its target and headers exactly as given. */
export function exchange(
  port: number,
  { method = 'GET', path, headers = {}, body = '' }: Omit<Call, 'as'>,
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(body)
    const sends = bytes.length > 0 || method === 'PUT' || method === 'POST'
    const length = sends && headers['content-length'] === undefined ? { 'content-length': String(bytes.length) } : {}
    const outgoing = httpRequest({ port, host: '127.0.0.1', method, path, headers: { ...headers, ...length } })
    outgoing.on('response', (incoming) => void collect(incoming).then(resolve, reject))
    outgoing.on('error', reject)
    outgoing.end(bytes)
  })
}

async function collect(incoming: IncomingMessage): Promise<Got> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  const text = bytes.toString('utf8')
  const all = (name: string): readonly string[] =>
    [...text.matchAll(new RegExp(`<${name}(?: [^>]*)?>([^<]*)</${name}>`, 'g'))].map(([, value = '']) =>
      unescape(value),
    )
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers as Record<string, string | undefined>,
    bytes,
    text,
    all,
    xml: (name) => all(name)[0],
  }
}

function unescape(text: string): string {
  return text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

/** Bytes that differ everywhere. */
export function pattern(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size)
  let state = seed * 2_654_435_761
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    bytes[i] = state >>> 24
  }
  return bytes
}
