import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { type SigningCredentials, signRequest } from '@kms/sigv4'
import { KmsClientError } from './client-error.ts'
import { failedConnection } from './connection-error.ts'
import { type OperationName, type OperationSpec, operations } from './operations.ts'
import { createRepeater } from './repeat.ts'
import { createStreamTransport, type StreamReply } from './stream-transport.ts'
import { createTransport, type Transport, type WireReply } from './transport.ts'
import type { KeyMetadata, OperationTypes, RestoreReply } from './types.ts'

export interface KmsClientOptions {
  /** `http://127.0.0.1:9000`; a path after it is kept, for servers behind a prefix. */
  readonly endpoint: string
  /** With `sessionToken` for temporary credentials; absent: requests are not signed. */
  readonly credentials?: SigningCredentials
  /** `us-east-1` unless given. */
  readonly region?: string
  /** Certificate authorities to trust instead of the system's, in PEM. */
  readonly ca?: string
  /** How long a reply may take; 60 000 unless given. */
  readonly timeoutMs?: number
  /** How often a call may be sent again where that is safe; 3 unless given. */
  readonly retries?: number
  /** For tests. Waits between attempts; a timer unless given. */
  readonly wait?: (milliseconds: number) => Promise<void>
  /** For tests. */
  readonly transport?: Transport
}

type RequestOf<N extends OperationName> = OperationTypes[N]['request']
type ReplyOf<N extends OperationName> = OperationTypes[N]['reply']

/** Operations that need nothing but their name may be called with it alone. */
type Arguments<N extends OperationName> =
  object extends RequestOf<N> ? [request?: RequestOf<N>] : unknown extends RequestOf<N> ? [] : [request: RequestOf<N>]

/** A reply with what stands around it. */
export interface Answered<R> {
  readonly reply: R
  readonly requestId: string | undefined
  /** For `ifMatch`. */
  readonly etag: string | undefined
  /** The server's clock, milliseconds since 1970, in whole seconds. */
  readonly date: number | undefined
}

/** A request of which only the server knows whether it is right. */
export interface AnyRequest {
  readonly path?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  readonly ifMatch?: string
}

/** The admin API. Every call rejects with a `KmsClientError` whose `code` says what is wrong. */
export interface KmsClient {
  /** Calls an operation by its `operationId`. */
  call<N extends OperationName>(name: N, ...request: Arguments<N>): Promise<ReplyOf<N>>
  /** The same, without types, and with what stands around the reply. */
  ask(name: OperationName, request?: AnyRequest): Promise<Answered<unknown>>
  /** Every key, page by page. */
  allKeys(query?: { readonly status?: string }): AsyncIterable<KeyMetadata>
  /**
   * An archive of the active key store, as it is made. Without a passphrase it is sealed with the server's backup key. Whoever
   * stores it keeps nothing of it when reading throws.
   */
  backup(options?: { readonly passphrase?: string }): Promise<AsyncIterable<Uint8Array>>
  /** Restores an archive. It is sent only once the server has let the caller in. */
  restore(archive: ArchiveUpload, options?: RestoreOptions): Promise<RestoreReply>
  /** An unsigned GET below the endpoint, such as `/health/ready`. */
  get(path: string): Promise<WireReply>
  close(): void
}

/** An archive that is somewhere. */
export interface ArchiveUpload {
  /** SHA-256 of its bytes in lower-case hex: the signature covers it. */
  readonly sha256: string
  /** Its length in bytes. */
  readonly size: number
  readonly bytes: AsyncIterable<Uint8Array>
}

export interface RestoreOptions {
  /** The one it was made with; absent: the server's backup key. */
  readonly passphrase?: string
  /** Only to tell what would be done. */
  readonly dryRun?: boolean
  /** What is done where archive and store disagree; `fail` unless given: nothing at all. */
  readonly conflict?: 'fail' | 'skip' | 'overwrite'
}

const ADMIN_PREFIX = '/rustfs/admin/v3'

export function createKmsClient(options: KmsClientOptions): KmsClient {
  const { credentials, region = 'us-east-1', timeoutMs = 60_000 } = options
  const repeat = createRepeater({ ...options, timeoutMs })
  const endpoint = options.endpoint.replace(/\/+$/, '')
  const transport =
    options.transport ?? createTransport({ timeoutMs, ...(options.ca === undefined ? {} : { ca: options.ca }) })
  const { origin } = new URL(endpoint)
  const streams = createStreamTransport({
    origin,
    timeoutMs: Math.max(timeoutMs, STILL_MS),
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  })

  async function attempt(spec: OperationSpec, request: AnyRequest): Promise<Answered<unknown>> {
    const { method } = spec
    const url = urlOf(endpoint, spec, request)
    const body = request.body === undefined ? undefined : JSON.stringify(request.body)
    const own = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(request.ifMatch === undefined ? {} : { 'if-match': request.ifMatch }),
    }
    const headers = signed(method, url, own, { body })
    const answer = await transport.send({ method, url, headers, body })
    return understand(answer)
  }

  function signed(
    method: string,
    url: string,
    headers: Readonly<Record<string, string>>,
    payload: { readonly body: string | undefined } | { readonly payloadHash: string },
  ): Readonly<Record<string, string>> {
    if (credentials === undefined) return headers
    return signRequest({ method, url, headers, ...payload, credentials, region, service: 's3' })
  }

  /** One call whose body and reply may be large. */
  function exchange(
    name: 'backup' | 'restore',
    request: AnyRequest,
    own: Readonly<Record<string, string>>,
    { sha256, size, bytes }: ArchiveUpload,
  ): Promise<StreamReply> {
    const { method } = operations[name]
    const url = urlOf(endpoint, operations[name], request)
    const headers = signed(method, url, own, { payloadHash: sha256 })
    return streams.send({ method, target: url.slice(origin.length), headers, body: bytes, length: size })
  }

  async function ask(name: OperationName, request: AnyRequest = {}): Promise<Answered<unknown>> {
    const spec = operations[name]
    return repeat(() => attempt(spec, request), spec.repeatable)
  }

  return {
    ask,
    call: async (name, ...[request]) => (await ask(name, request as AnyRequest | undefined)).reply as never,

    async *allKeys(query = {}) {
      let marker: string | undefined
      do {
        const page = (await ask('listKeys', { query: { ...query, limit: 1000, marker } })).reply as ReplyOf<'listKeys'>
        yield* page.keys
        marker = page.next_marker ?? undefined
      } while (marker !== undefined)
    },

    async backup({ passphrase } = {}) {
      const body = Buffer.from(JSON.stringify(passphrase === undefined ? {} : { passphrase }))
      const own = { 'content-type': 'application/json' }
      const sha256 = createHash('sha256').update(body).digest('hex')
      const answer = await exchange('backup', {}, own, { sha256, size: body.length, bytes: once(body) })
      if (answer.status !== 200) understand(await wholeOf(answer, origin))
      return readAll(answer, origin)
    },

    async restore(archive, { passphrase, dryRun, conflict } = {}) {
      const own = {
        accept: 'application/json',
        'content-type': 'application/octet-stream',
        // What is in a query ends up in logs.
        ...(passphrase === undefined ? {} : { [PASSPHRASE_HEADER]: Buffer.from(passphrase).toString('base64') }),
      }
      const answer = await exchange('restore', { query: { dry_run: dryRun, conflict } }, own, archive)
      return understand(await wholeOf(answer, origin)).reply as RestoreReply
    },

    get: (path) => transport.send({ method: 'GET', url: endpoint + path, headers: {}, body: undefined }),
    close() {
      transport.close()
      streams.close()
    },
  }
}

const PASSPHRASE_HEADER = 'x-kms-archive-passphrase'

/** A large archive is worked on for a while before the reply begins. */
const STILL_MS = 3_600_000

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}

async function* readAll({ body }: StreamReply, origin: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of body) yield chunk as Uint8Array
  } catch (error) {
    throw failedConnection(error as Error, origin)
  }
}

/** A reply that is a document after all. */
async function wholeOf(answer: StreamReply, origin: string): Promise<WireReply> {
  const chunks: Uint8Array[] = []
  for await (const chunk of readAll(answer, origin)) chunks.push(chunk)
  return { status: answer.status, headers: answer.headers, text: Buffer.concat(chunks).toString('utf8') }
}

function urlOf(endpoint: string, { path, query: known }: OperationSpec, { path: values, query }: AnyRequest): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values?.[name]
    if (value === undefined || value === '') throw new TypeError(`path.${name} is required`)
    return encodeURIComponent(value)
  })
  const parameters = Object.entries(query ?? {}).flatMap(([name, value]) => {
    if (!known.includes(name)) throw new TypeError(`query.${name} is no parameter of this operation`)
    return value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`]
  })
  return `${endpoint}${ADMIN_PREFIX}${filled}${parameters.length === 0 ? '' : `?${parameters.join('&')}`}`
}

function understand({ status, headers, text }: WireReply): Answered<unknown> {
  const requestId = typeof headers['x-request-id'] === 'string' ? headers['x-request-id'] : undefined
  let reply: unknown
  try {
    reply = JSON.parse(text)
  } catch (cause) {
    const facts = { code: 'UnreadableReply', status, requestId, retryAfterSeconds: undefined, notSent: false }
    throw new KmsClientError(`The reply (${status}) is not JSON: is this a KMS?`, facts, { cause })
  }
  if (status !== 200) {
    const { code, message } = reply as { readonly code?: unknown; readonly message?: unknown }
    const retryAfter = Number(headers['retry-after'])
    throw new KmsClientError(typeof message === 'string' ? message : `The server answered ${status}.`, {
      code: typeof code === 'string' ? code : 'UnreadableReply',
      status,
      requestId,
      retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
      notSent: false,
    })
  }
  const date = Date.parse(headers.date ?? '')
  return { reply, requestId, etag: headers.etag, date: Number.isNaN(date) ? undefined : date }
}
