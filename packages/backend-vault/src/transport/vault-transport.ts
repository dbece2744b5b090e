/** What is asked of Vault. */
export type VaultRequestName =
  | 'health'
  | 'mounts'
  | 'rights'
  | 'login'
  | 'unwrap-secret-id'
  | 'token-lookup'
  | 'token-renew'
  | 'token-revoke'
  | 'key-list'
  | 'key-read'
  | 'key-create'
  | 'key-import'
  | 'key-rotate'
  | 'key-config'
  | 'key-delete'
  | 'encrypt'
  | 'decrypt'
  | 'kv-list'
  | 'kv-read'
  | 'kv-write'

/** One call of Vault's HTTP API, as the rest of the package makes it. */
export interface VaultCall {
  /** A fixed word for it, for telemetry. */
  readonly request: VaultRequestName
  /** `LIST` goes out as `GET` with `list=true`, which every proxy lets pass. */
  readonly method: 'GET' | 'LIST' | 'POST' | 'DELETE'
  /** What follows `/v1/`: mounts and prefixes in one piece, names as pieces of their own; see `encodeVaultPath`. */
  readonly path: readonly string[]
  readonly query?: Readonly<Record<string, string>>
  readonly body?: Readonly<Record<string, unknown>>
  /** Outside every namespace: `sys/health` is answered in the root only. */
  readonly rootNamespace?: true
  /** Only sent again when the first attempt cannot have been seen: it takes effect each time. */
  readonly once?: true
}

export interface SendOptions {
  readonly token?: string | undefined
  readonly signal: AbortSignal
}

/** What Vault answered, of whatever status. */
export interface VaultReply {
  readonly status: number
  /** The whole body; empty when there is none or it is no JSON object. */
  readonly body: Readonly<Record<string, unknown>>
  /** Vault's own words: to be compared, never to be passed on. */
  readonly errors: readonly string[]
  /** `Retry-After`. */
  readonly retryAfterMs?: number
  /** Vault's clock, in milliseconds since the epoch. */
  readonly date?: number
}

/** The one way to Vault. Implemented over node-vault; nothing else knows it. */
export interface VaultTransport {
  /** Sends one request, once. Throws a `TransportFailure`, and nothing else. */
  send(call: VaultCall, options: SendOptions): Promise<VaultReply>
  /** Prefers the next address of the host: the node that answered cannot serve. */
  rotate(): void
  close(): void
}
