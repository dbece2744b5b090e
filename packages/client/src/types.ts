import type { OperationName } from './operations.ts'

/** A JSON object whose members the server decides on. */
export type JsonDocument = Readonly<Record<string, unknown>>

export type ServiceStatus = 'NotConfigured' | 'Configured' | 'Running' | { readonly Error: string }

export interface Done {
  readonly success: true
  readonly message: string
}

export interface KmsStatus {
  readonly status: ServiceStatus
  readonly backend_type: string | null
  readonly healthy: boolean | null
  readonly default_key_id: string | null
  readonly revision: number
  readonly config_summary: (JsonDocument & { readonly backend_summary: JsonDocument }) | null
  readonly cache: {
    readonly hits: number
    readonly misses: number
    readonly entries: number
    readonly evictions: number
  } | null
  readonly capabilities: Readonly<Record<string, boolean>> | null
  readonly retired_backends: readonly string[]
  readonly last_error: string | null
}

export interface ConfigChange {
  readonly path: string
  readonly from?: unknown
  readonly to?: unknown
}

export interface KeyMetadata {
  readonly key_id: string
  readonly aliases: readonly string[]
  readonly description: string
  readonly enabled: boolean
  readonly key_state: 'Enabled' | 'Disabled' | 'PendingDeletion' | 'Unavailable'
  readonly creation_date: string
  readonly deletion_date: string | null
  readonly rotation_enabled: boolean
  readonly rotation_period_days: number | null
  readonly next_rotation_date: string | null
  readonly current_version: number
  readonly versions: number
  readonly rotated_at: string | null
  readonly origin: 'KMS' | 'EXTERNAL'
  readonly tags: Readonly<Record<string, string>>
}

export interface RetiredStore {
  readonly realm: string
  readonly backend_type: string
  readonly summary: JsonDocument
  readonly healthy: boolean | null
  readonly last_active: string
  readonly last_error: string | null
}

export interface UserInfo {
  readonly status: 'enabled' | 'disabled'
  /** Names separated by commas. */
  readonly policyName: string
  /** Whether it came from the operator's file, which the API cannot change. */
  readonly source?: string
}

export interface PolicyInfo {
  readonly policy_name: string
  readonly policy: JsonDocument
  readonly source: string
}

/** What a restore did, or would do; lists hold the first 100. */
export interface RestoreReply extends Done {
  readonly status: ServiceStatus
  readonly revision: number
  readonly dry_run: boolean
  readonly realm: string
  /** Keys that were not there. */
  readonly restored: number
  /** Keys of which something was missing or damaged. */
  readonly repaired: number
  readonly overwritten: number
  readonly unchanged: number
  /** Keys that stay as they are, though the archive has them otherwise. */
  readonly kept: number
  readonly tombstones: number
  /** Key versions written. */
  readonly versions: number
  readonly conflicts: readonly { readonly key_id: string; readonly reason: string }[]
  readonly conflict_count: number
  readonly lost: readonly string[]
  readonly lost_count: number
  readonly unreadable: readonly string[]
  readonly unreadable_count: number
  readonly dropped_aliases: readonly string[]
  readonly postponed: readonly string[]
}

export type EncryptionContext = Readonly<Record<string, string>>

type Lifecycle = Done & { readonly status: ServiceStatus }
type Stored = Lifecycle & { readonly revision: number }
type KeyReply = Done & { readonly key_id: string; readonly key_metadata: KeyMetadata }
type AliasReply = Done & { readonly key_id: string; readonly aliases: readonly string[] }
type OnKey = { readonly body: { readonly key_id: string } }
type OnUser = { readonly query: { readonly accessKey: string } }
type Reply<R, Q = unknown> = { readonly request: Q; readonly reply: R }

/** What each operation is asked with and answers. */
export interface OperationTypes extends Record<OperationName, Reply<unknown>> {
  readonly getStatus: Reply<KmsStatus>
  readonly configure: Reply<Stored, { readonly body: JsonDocument; readonly ifMatch?: string }>
  readonly reconfigure: Reply<
    Stored & {
      readonly changed?: readonly ConfigChange[]
      /** Of a dry run. */
      readonly diff?: readonly ConfigChange[]
      readonly proof?: readonly JsonDocument[]
    },
    {
      readonly body: JsonDocument
      readonly query?: { readonly dry_run?: boolean; readonly confirm_within?: number }
      readonly ifMatch?: string
    }
  >
  readonly confirm: Reply<Stored>
  readonly rollback: Reply<Stored, { readonly body: { readonly revision: number }; readonly ifMatch?: string }>
  readonly start: Reply<Lifecycle, { readonly body?: { readonly force?: boolean } }>
  readonly stop: Reply<Lifecycle>
  readonly getConfig: Reply<JsonDocument>
  readonly getConfigHistory: Reply<{ readonly revisions: readonly JsonDocument[] }>
  readonly clearCache: Reply<Done>
  readonly listRetired: Reply<{ readonly stores: readonly RetiredStore[] }>
  readonly mendRetired: Reply<Stored, { readonly path: { readonly realm: string }; readonly body: JsonDocument }>
  readonly removeRetired: Reply<
    Stored,
    {
      readonly path: { readonly realm: string }
      readonly body: { readonly confirm_realm: string; readonly force?: boolean }
    }
  >
  readonly rotateRoot: Reply<Stored, { readonly body?: JsonDocument; readonly query?: { readonly dry_run?: boolean } }>
  /** Bytes: `KmsClient.backup` sends it. */
  readonly backup: Reply<never, never>
  /** Takes bytes: `KmsClient.restore` sends it. */
  readonly restore: Reply<RestoreReply, never>
  readonly createKey: Reply<
    KeyReply & { readonly aliases: readonly string[] },
    {
      readonly body?: {
        readonly key_name?: string
        readonly key_usage?: string
        readonly description?: string
        readonly tags?: Readonly<Record<string, string>>
      }
    }
  >
  readonly listKeys: Reply<
    Done & {
      readonly keys: readonly KeyMetadata[]
      readonly truncated: boolean
      readonly next_marker: string | null
      readonly unreadable_key_ids?: readonly string[]
    },
    {
      readonly query?: {
        readonly limit?: number
        readonly marker?: string
        readonly status?: string
        readonly usage?: string
      }
    }
  >
  readonly describeKey: Reply<
    Done & { readonly key_metadata: KeyMetadata },
    { readonly path: { readonly key_id: string } }
  >
  readonly rotateKey: Reply<KeyReply, OnKey>
  readonly setRotationPeriod: Reply<
    KeyReply,
    { readonly body: { readonly key_id: string; readonly days: number | null } }
  >
  readonly enableKey: Reply<KeyReply, OnKey>
  readonly disableKey: Reply<KeyReply, OnKey>
  readonly updateKeyDescription: Reply<
    KeyReply,
    { readonly body: { readonly key_id: string; readonly description: string } }
  >
  readonly tagKey: Reply<
    KeyReply,
    { readonly body: { readonly key_id: string; readonly tags: Readonly<Record<string, string>> } }
  >
  readonly untagKey: Reply<
    KeyReply,
    { readonly body: { readonly key_id: string; readonly tag_keys: readonly string[] } }
  >
  readonly addAlias: Reply<AliasReply, { readonly body: { readonly key_id: string; readonly alias: string } }>
  readonly removeAlias: Reply<AliasReply, { readonly body: { readonly key_id?: string; readonly alias: string } }>
  readonly getImportParameters: Reply<
    Done & { readonly token: string; readonly public_key: string; readonly valid_until: string },
    { readonly query?: { readonly key_name?: string } }
  >
  readonly importKey: Reply<
    KeyReply,
    {
      readonly body: {
        readonly key_name?: string
        readonly description?: string
        readonly tags?: Readonly<Record<string, string>>
        readonly token: string
        readonly encrypted_key_material: string
      }
    }
  >
  readonly deleteKey: Reply<
    Done & { readonly key_id: string; readonly deletion_date: string | null },
    {
      readonly body: {
        readonly key_id: string
        readonly pending_window_in_days?: number
        readonly force_immediate?: boolean
        readonly confirm_key_id?: string
      }
    }
  >
  readonly cancelKeyDeletion: Reply<KeyReply, OnKey>
  readonly generateDataKey: Reply<
    Done & {
      readonly key_id: string
      readonly key_version: number
      readonly plaintext_key: string
      readonly ciphertext_blob: string
    },
    {
      readonly body?: {
        readonly key_id?: string
        readonly key_spec?: 'AES_256' | 'AES_128'
        readonly encryption_context?: EncryptionContext
      }
    }
  >
  readonly encrypt: Reply<
    Done & { readonly key_id: string; readonly key_version: number; readonly ciphertext_blob: string },
    {
      readonly body: {
        readonly plaintext: string
        readonly key_id?: string
        readonly encryption_context?: EncryptionContext
      }
    }
  >
  readonly decrypt: Reply<
    Done & { readonly key_id: string; readonly key_version: number; readonly plaintext: string },
    {
      readonly body: {
        readonly ciphertext_blob: string
        readonly key_id?: string
        readonly encryption_context?: EncryptionContext
      }
    }
  >
  readonly batch: Reply<
    Done & { readonly results: readonly JsonDocument[] },
    { readonly body: { readonly items: readonly JsonDocument[] } }
  >
  readonly addUser: Reply<
    Done,
    OnUser & {
      readonly body: { readonly secretKey: string; readonly status?: 'enabled' | 'disabled'; readonly policy?: string }
    }
  >
  readonly removeUser: Reply<Done, OnUser>
  readonly listUsers: Reply<Readonly<Record<string, UserInfo>>>
  readonly getUser: Reply<UserInfo, OnUser>
  readonly setUserStatus: Reply<
    Done,
    { readonly query: { readonly accessKey: string; readonly status: 'enabled' | 'disabled' } }
  >
  readonly addPolicy: Reply<Done, { readonly query: { readonly name: string }; readonly body: JsonDocument }>
  readonly listPolicies: Reply<Readonly<Record<string, JsonDocument>>>
  readonly getPolicy: Reply<PolicyInfo, { readonly query: { readonly name: string } }>
  readonly removePolicy: Reply<Done, { readonly query: { readonly name: string } }>
  readonly setPolicy: Reply<
    Done,
    { readonly query: { readonly policyName: string; readonly userOrGroup: string; readonly isGroup?: boolean } }
  >
  readonly getOpenApiDocument: Reply<JsonDocument>
}
