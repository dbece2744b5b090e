import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { signRequest } from '@kms/sigv4'
import { plant, plantFields } from './log-check.ts'

export interface CallCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface CallOptions {
  readonly method?: string
  readonly body?: unknown
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Uint8Array
  /** What goes over the wire instead of what was signed. */
  readonly sent?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly credentials?: CallCredentials
  readonly service?: string
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** `false`: without a signature. */
  readonly signed?: boolean
  /** Changes the headers after signing. */
  readonly tamper?: (headers: Record<string, string>) => void
  /** For TLS: the authority to trust. */
  readonly ca?: string
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The body as JSON. */
  json(): Record<string, unknown>
}

export const ADMIN = { accessKeyId: 'admin', secretAccessKey: 'admin' } as const

/** Signs and sends a request, on a connection of its own. */
export function call(url: string, options: CallOptions = {}): Promise<Reply> {
  const { body, raw = body === undefined ? undefined : JSON.stringify(body), signed = true } = options
  const method = options.method ?? (raw === undefined ? 'GET' : 'POST')
  const headers: Record<string, string> = signed
    ? signRequest({
        method,
        url,
        body: raw,
        headers: options.headers,
        credentials: options.credentials ?? ADMIN,
        region: 'us-east-1',
        service: options.service ?? 's3',
        ...(options.now === undefined ? {} : { now: options.now }),
      })
    : { ...options.headers }
  // Node announces no length for methods that seldom have a body, and sends it all the same.
  if (raw !== undefined) headers['content-length'] = String(Buffer.byteLength(options.sent ?? raw))
  options.tamper?.(headers)
  plantFields({ ...options.credentials, ...headers })
  plantFields(body)
  const request = url.startsWith('https:') ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { method, headers, agent: false, ...(options.ca === undefined ? {} : { ca: options.ca }) },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          plant(...secretsIn(text))
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, json: () => JSON.parse(text) })
        })
      },
    )
    outgoing.on('error', reject)
    const sent = options.sent ?? raw
    // Node announces the body of a POST, but not that of a DELETE.
    if (method === 'DELETE' && sent !== undefined) outgoing.setHeader('content-length', Buffer.byteLength(sent))
    outgoing.end(sent)
  })
}

/** Plaintexts and temporary credentials of a reply, JSON or XML. */
function secretsIn(text: string): string[] {
  const json = text.matchAll(/"(?:plaintext|plaintext_key)":\s*"([^"]*)"/g)
  const xml = text.matchAll(/<(?:SecretAccessKey|SessionToken)>([^<]*)</g)
  return [...json, ...xml].map((match) => match[1] as string)
}

export interface DataKey {
  readonly key_id: string
  readonly plaintext_key: string
  readonly ciphertext_blob: string
}

/** The calls of the admin API the suites make. */
export interface Admin {
  /** Prefix of the routes. */
  readonly kms: string
  post(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Reply>
  get(path: string): Promise<Reply>
  delete(path: string, body: unknown): Promise<Reply>
  status(): Promise<Record<string, unknown>>
  /** Configures a local key store and starts it. */
  begin(keyDir: string, more?: Readonly<Record<string, unknown>>): Promise<void>
  dataKey(body?: Readonly<Record<string, unknown>>): Promise<DataKey>
  /** The plaintext of an envelope, in base64. */
  decrypt(ciphertextBlob: string): Promise<string>
}

export function createAdmin(url: string, defaults: CallOptions = {}): Admin {
  const kms = `${url}/rustfs/admin/v3/kms`
  const get = (path: string): Promise<Reply> => call(`${kms}/${path}`, defaults)
  const send = (method: string, path: string, body?: unknown, headers = {}): Promise<Reply> =>
    call(`${kms}/${path}`, { ...defaults, method, headers, ...(body === undefined ? {} : { body }) })
  const post = (path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Reply> =>
    send('POST', path, body, headers)
  return {
    kms,
    get,
    post,
    delete: (path, body) => send('DELETE', path, body),
    status: async () => (await must(get('status'))).json(),
    async begin(keyDir, more = {}) {
      await must(post('configure', { backend_type: 'local', key_dir: keyDir, default_key_id: 'main', ...more }))
      await must(post('start'))
    },
    dataKey: async (body = {}) => (await must(post('generate-data-key', body))).json() as unknown as DataKey,
    async decrypt(ciphertextBlob) {
      const reply = await must(post('decrypt', { ciphertext_blob: ciphertextBlob }))
      return reply.json()['plaintext'] as string
    },
  }
}

async function must(pending: Promise<Reply>): Promise<Reply> {
  const reply = await pending
  if (reply.status !== 200) throw new Error(`${reply.status} ${reply.text}`)
  return reply
}
