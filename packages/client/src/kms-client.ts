import { type SigningCredentials, signRequest } from '@kms/sigv4'
import { KmsClientError } from './client-error.ts'
import { type OperationName, type OperationSpec, operations } from './operations.ts'
import { createRepeater } from './repeat.ts'
import { createTransport, type Transport, type WireReply } from './transport.ts'
import type { KeyMetadata, OperationTypes } from './types.ts'

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
  /** An unsigned GET below the endpoint, such as `/health/ready`. */
  get(path: string): Promise<WireReply>
  close(): void
}

const ADMIN_PREFIX = '/rustfs/admin/v3'

export function createKmsClient(options: KmsClientOptions): KmsClient {
  const { credentials, region = 'us-east-1', timeoutMs = 60_000 } = options
  const repeat = createRepeater({ ...options, timeoutMs })
  const endpoint = options.endpoint.replace(/\/+$/, '')
  const transport =
    options.transport ?? createTransport({ timeoutMs, ...(options.ca === undefined ? {} : { ca: options.ca }) })

  async function attempt(spec: OperationSpec, request: AnyRequest): Promise<Answered<unknown>> {
    const { method } = spec
    const url = urlOf(endpoint, spec, request)
    const body = request.body === undefined ? undefined : JSON.stringify(request.body)
    const own = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(request.ifMatch === undefined ? {} : { 'if-match': request.ifMatch }),
    }
    const headers =
      credentials === undefined
        ? own
        : signRequest({ method, url, headers: own, body, credentials, region, service: 's3' })
    const answer = await transport.send({ method, url, headers, body })
    return understand(answer)
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

    get: (path) => transport.send({ method: 'GET', url: endpoint + path, headers: {}, body: undefined }),
    close: () => transport.close(),
  }
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
