import type { Secret } from '@kms/core'
import type { z } from 'zod'
import {
  absoluteDirectory,
  bearerToken,
  choice,
  integer,
  keyBytes,
  type ListenAddress,
  list,
  listenAddress,
  network,
  onOff,
  path,
  pattern,
  secretText,
  text,
} from './setting-kinds.ts'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Every setting there is, by its name in the environment. */
export interface Settings {
  readonly KMS_LISTEN: ListenAddress
  readonly KMS_DATA_DIR: string
  readonly KMS_ROOT_ACCESS_KEY: string
  readonly KMS_ROOT_SECRET_KEY: Secret
  readonly KMS_REGION?: string
  readonly KMS_TLS_CERT?: string
  readonly KMS_TLS_KEY?: string
  readonly KMS_S3_DOMAINS: readonly string[]
  readonly KMS_LOG_LEVEL: LogLevel
  readonly KMS_LOG_FORMAT?: 'json' | 'pretty'
  readonly KMS_SERVER_KEY?: Secret
  readonly KMS_SERVER_KEY_FILE?: string
  readonly KMS_SERVER_KEY_PREVIOUS?: Secret
  readonly KMS_BACKUP_KEY?: Secret
  readonly KMS_BACKUP_KEY_FILE?: string
  readonly KMS_IAM_FILE?: string
  readonly KMS_TRUSTED_PROXIES?: readonly string[]
  readonly KMS_AUTH_FAILURES_PER_MINUTE: number
  readonly KMS_DRAIN_SECONDS: number
  readonly KMS_METRICS_LISTEN?: ListenAddress
  readonly KMS_METRICS_TOKEN?: Secret
  readonly KMS_AUDIT_DIR?: string
  readonly KMS_AUDIT_SYNC: 'always' | 'interval' | 'never'
  readonly KMS_AUDIT_FULL: 'block' | 'drop'
  readonly KMS_AUDIT_FILE_MIB: number
  readonly KMS_AUDIT_DATA_PERCENT: number
  readonly KMS_ALLOW_KEY_DIRS?: readonly string[]
  readonly KMS_ALLOW_VAULT_HOSTS?: readonly string[]
  readonly KMS_ALLOW_HTTP_VAULT?: boolean
  readonly KMS_ALLOW_SKIP_TLS_VERIFY?: boolean
  readonly KMS_ALLOW_SECRET_FILES?: readonly string[]
  readonly KMS_ALLOW_IMMEDIATE_DELETION?: boolean
  readonly KMS_ALLOW_INSECURE_SSE_C?: boolean
  readonly KMS_COMPAT_SERVER_INFO: boolean
  readonly RUSTFS_KMS_ENABLE?: boolean
  readonly RUSTFS_KMS_BACKEND?: string
  readonly RUSTFS_KMS_KEY_DIR?: string
  readonly RUSTFS_KMS_LOCAL_KEY_DIR?: string
  readonly RUSTFS_KMS_LOCAL_MASTER_KEY?: Secret
  readonly RUSTFS_KMS_DEFAULT_KEY_ID?: string
  readonly RUSTFS_KMS_TIMEOUT_SECS?: number
  readonly RUSTFS_KMS_RETRY_ATTEMPTS?: number
  readonly RUSTFS_KMS_ENABLE_CACHE?: boolean
  readonly RUSTFS_KMS_VAULT_ADDRESS?: string
  readonly RUSTFS_KMS_VAULT_TOKEN?: Secret
  readonly RUSTFS_KMS_VAULT_TOKEN_FILE?: string
  readonly RUSTFS_KMS_VAULT_NAMESPACE?: string
  readonly RUSTFS_KMS_VAULT_MOUNT_PATH?: string
  readonly RUSTFS_KMS_VAULT_KV_MOUNT?: string
  readonly RUSTFS_KMS_VAULT_KEY_PREFIX?: string
  readonly RUSTFS_KMS_VAULT_SKIP_TLS_VERIFY?: boolean
  readonly RUSTFS_KMS_VAULT_APPROLE_ROLE_ID?: string
  readonly RUSTFS_KMS_VAULT_APPROLE_SECRET_ID?: Secret
  readonly RUSTFS_KMS_VAULT_APPROLE_SECRET_ID_FILE?: string
  readonly RUSTFS_KMS_VAULT_APPROLE_MOUNT?: string
  readonly RUSTFS_KMS_VAULT_KUBERNETES_ROLE?: string
  readonly RUSTFS_KMS_VAULT_KUBERNETES_MOUNT?: string
  readonly RUSTFS_KMS_VAULT_KUBERNETES_JWT_PATH?: string
}

export type SettingName = keyof Settings

/** What the help, the documentation and the reader need to know of a setting. */
export interface SettingSpec<T = unknown> {
  readonly schema: z.ZodType<T>
  /** How a value looks. */
  readonly value: string
  /** One line. */
  readonly summary: string
  /** As text, read like a value that was given. */
  readonly default?: string
}

type SettingTable = { readonly [N in SettingName]-?: SettingSpec<Exclude<Settings[N], undefined>> }

const HOST = pattern(/^[A-Za-z0-9.-]{1,253}$/, 'must be host names')

/** The settings, in the order they are documented. */
export const settingTable: SettingTable = {
  KMS_LISTEN: {
    schema: listenAddress,
    value: 'host:port',
    default: '127.0.0.1:9000',
    summary: 'Where to listen; port 0 takes any free one.',
  },
  KMS_DATA_DIR: {
    schema: path,
    value: 'directory',
    default: './.kms/data',
    summary: "The server's own files: configuration, server key, canaries, generated root keys. One server each.",
  },
  KMS_ROOT_ACCESS_KEY: {
    schema: text,
    value: 'text',
    default: 'admin',
    summary: 'Access key of the root principal. The default pair is taken on loopback only.',
  },
  KMS_ROOT_SECRET_KEY: {
    schema: secretText,
    value: 'secret',
    default: 'admin',
    summary: 'Secret key of the root principal, 8 to 128 characters. Set both or neither.',
  },
  KMS_REGION: {
    schema: pattern(/^[a-z0-9-]{1,64}$/, 'must be lower-case letters, digits and dashes'),
    value: 'name',
    summary: 'The one region signatures may name. Unset: any.',
  },
  KMS_TLS_CERT: {
    schema: path,
    value: 'file',
    summary: 'Certificate chain in PEM; turns TLS on. Read again on SIGHUP.',
  },
  KMS_TLS_KEY: { schema: path, value: 'file', summary: 'Private key of the certificate in PEM. Read again on SIGHUP.' },
  KMS_S3_DOMAINS: {
    schema: list(HOST),
    value: 'names',
    default: 'localhost',
    summary: 'Domains under which a bucket may be named in the host.',
  },
  KMS_LOG_LEVEL: {
    schema: choice(LOG_LEVELS),
    value: LOG_LEVELS.join('|'),
    default: 'info',
    summary:
      'Least level that is logged; debug has a line for every request, and what a wrong signature was compared with.',
  },
  KMS_LOG_FORMAT: {
    schema: choice(['json', 'pretty']),
    value: 'json|pretty',
    summary: 'How logs are written to standard error. Unset: pretty on a terminal, else json.',
  },
  KMS_SERVER_KEY: {
    schema: keyBytes,
    value: 'base64',
    summary:
      'Server key, 32 bytes in base64: seals stored secrets. Unset: generated once as server.key in the data directory.',
  },
  KMS_SERVER_KEY_FILE: {
    schema: path,
    value: 'file',
    summary: 'File with the server key in base64, instead of KMS_SERVER_KEY.',
  },
  KMS_SERVER_KEY_PREVIOUS: {
    schema: keyBytes,
    value: 'base64',
    summary: 'The server key before this one: still opens what it sealed, seals nothing.',
  },
  KMS_BACKUP_KEY: {
    schema: keyBytes,
    value: 'base64',
    summary: 'Seals archives of keys that are asked for without a passphrase: 32 bytes in base64, kept elsewhere too.',
  },
  KMS_BACKUP_KEY_FILE: {
    schema: path,
    value: 'file',
    summary: 'File with the backup key in base64, instead of KMS_BACKUP_KEY.',
  },
  KMS_IAM_FILE: { schema: path, value: 'file', summary: 'File of users and policies; read again when it changes.' },
  KMS_TRUSTED_PROXIES: {
    schema: list(network),
    value: 'networks',
    summary: 'Proxies whose forwarding headers are believed.',
  },
  KMS_AUTH_FAILURES_PER_MINUTE: {
    schema: integer(0, 1_000_000),
    value: 'number',
    summary: 'Failures of one address with one access key that are not answered 429; 0: all.',
    default: '600',
  },
  KMS_DRAIN_SECONDS: {
    schema: integer(0, 300),
    value: '0-300',
    default: '10',
    summary: 'How long requests under way may take to finish when the server is stopped.',
  },
  KMS_METRICS_LISTEN: {
    schema: listenAddress,
    value: 'host:port',
    summary: 'Listener of its own for /metrics, without credentials and without TLS.',
  },
  KMS_METRICS_TOKEN: {
    schema: bearerToken,
    value: 'secret',
    summary: 'Bearer token that may read /metrics.',
  },
  KMS_AUDIT_DIR: {
    schema: path,
    value: 'directory',
    summary: 'Where audit records are kept; one server each. Unset: none are.',
  },
  KMS_AUDIT_SYNC: {
    schema: choice(['always', 'interval', 'never']),
    value: 'always|interval|never',
    default: 'always',
    summary: 'When audit records are made durable: before the answer, every second, or when the system does.',
  },
  KMS_AUDIT_FULL: {
    schema: choice(['block', 'drop']),
    value: 'block|drop',
    default: 'block',
    summary:
      'What happens while audit records cannot be written: nothing is done without, or they are dropped and counted.',
  },
  KMS_AUDIT_FILE_MIB: {
    schema: integer(1, 1024),
    value: '1-1024',
    default: '64',
    summary: 'Size at which an audit file is followed by the next one, in MiB.',
  },
  KMS_AUDIT_DATA_PERCENT: {
    schema: integer(0, 100),
    value: '0-100',
    default: '100',
    summary:
      'How many of 100 audit records of successful object reads and writes are kept; denials, errors and changes always are.',
  },
  KMS_ALLOW_KEY_DIRS: {
    schema: list(absoluteDirectory),
    value: 'directories',
    summary: 'Where key directories may be. Unset: anywhere that is absent, empty or ours, but system directories.',
  },
  KMS_ALLOW_VAULT_HOSTS: {
    schema: list(pattern(/^[A-Za-z0-9.:[\]*-]{1,260}$/, 'must be host names or addresses')),
    value: 'hosts',
    summary:
      'Vault hosts a configuration may name, and standby nodes may redirect to; *.example.com, host:port. Unset: any.',
  },
  KMS_ALLOW_HTTP_VAULT: {
    schema: onOff,
    value: 'on|off',
    summary: 'Whether Vault may be reached over plain http beyond loopback.',
  },
  KMS_ALLOW_SKIP_TLS_VERIFY: {
    schema: onOff,
    value: 'on|off',
    summary: 'Whether a configuration may switch off the check of certificates.',
  },
  KMS_ALLOW_SECRET_FILES: {
    schema: list(absoluteDirectory),
    value: 'directories',
    summary: 'Where files of secrets may be. Unset: /run/secrets and /var/run/secrets.',
  },
  KMS_ALLOW_IMMEDIATE_DELETION: {
    schema: onOff,
    value: 'on|off',
    summary: 'Whether keys may be deleted without a waiting period. Unset: off.',
  },
  KMS_ALLOW_INSECURE_SSE_C: {
    schema: onOff,
    value: 'on|off',
    summary: 'Whether customer keys may be sent over plain http beyond loopback.',
  },
  KMS_COMPAT_SERVER_INFO: {
    schema: onOff,
    value: 'on|off',
    default: 'on',
    summary: 'Whether admin:ServerInfo passes the calls of the playbook.',
  },
  RUSTFS_KMS_ENABLE: {
    schema: onOff,
    value: 'on|off',
    summary: 'Configure and start from the RUSTFS_KMS_* settings when no configuration is stored.',
  },
  RUSTFS_KMS_BACKEND: {
    schema: text.transform((value) => value.toLowerCase()),
    value: 'name',
    summary: 'backend_type; unset: local.',
  },
  RUSTFS_KMS_KEY_DIR: { schema: path, value: 'directory', summary: 'key_dir' },
  RUSTFS_KMS_LOCAL_KEY_DIR: { schema: path, value: 'directory', summary: 'key_dir' },
  RUSTFS_KMS_LOCAL_MASTER_KEY: { schema: secretText, value: 'secret', summary: 'master_key' },
  RUSTFS_KMS_DEFAULT_KEY_ID: { schema: text, value: 'name', summary: 'default_key_id' },
  RUSTFS_KMS_TIMEOUT_SECS: { schema: integer(1, 300), value: '1-300', summary: 'timeout_seconds' },
  RUSTFS_KMS_RETRY_ATTEMPTS: { schema: integer(0, 10), value: '0-10', summary: 'retry_attempts' },
  RUSTFS_KMS_ENABLE_CACHE: { schema: onOff, value: 'on|off', summary: 'enable_cache' },
  RUSTFS_KMS_VAULT_ADDRESS: { schema: text, value: 'URL', summary: 'address' },
  RUSTFS_KMS_VAULT_TOKEN: { schema: secretText, value: 'secret', summary: 'auth_method token' },
  RUSTFS_KMS_VAULT_TOKEN_FILE: { schema: path, value: 'file', summary: 'auth_method token_file' },
  RUSTFS_KMS_VAULT_NAMESPACE: { schema: text, value: 'name', summary: 'namespace' },
  RUSTFS_KMS_VAULT_MOUNT_PATH: { schema: text, value: 'path', summary: 'mount_path' },
  RUSTFS_KMS_VAULT_KV_MOUNT: { schema: text, value: 'path', summary: 'kv_mount' },
  RUSTFS_KMS_VAULT_KEY_PREFIX: { schema: text, value: 'path', summary: 'key_path_prefix' },
  RUSTFS_KMS_VAULT_SKIP_TLS_VERIFY: { schema: onOff, value: 'on|off', summary: 'skip_tls_verify' },
  RUSTFS_KMS_VAULT_APPROLE_ROLE_ID: { schema: text, value: 'text', summary: 'auth_method approle, role_id' },
  RUSTFS_KMS_VAULT_APPROLE_SECRET_ID: {
    schema: secretText,
    value: 'secret',
    summary: 'auth_method approle, secret_id',
  },
  RUSTFS_KMS_VAULT_APPROLE_SECRET_ID_FILE: {
    schema: path,
    value: 'file',
    summary: 'auth_method approle, secret_id_file',
  },
  RUSTFS_KMS_VAULT_APPROLE_MOUNT: { schema: text, value: 'path', summary: 'auth_method approle, mount' },
  RUSTFS_KMS_VAULT_KUBERNETES_ROLE: { schema: text, value: 'text', summary: 'auth_method kubernetes, role' },
  RUSTFS_KMS_VAULT_KUBERNETES_MOUNT: { schema: text, value: 'path', summary: 'auth_method kubernetes, mount' },
  RUSTFS_KMS_VAULT_KUBERNETES_JWT_PATH: { schema: path, value: 'file', summary: 'auth_method kubernetes, jwt_path' },
}

export const settingNames: readonly SettingName[] = Object.keys(settingTable) as SettingName[]

/** `KMS_LISTEN` → `--kms-listen`; RustFS's names lose their first word, as its own flags do. */
export function flagOf(name: SettingName): string {
  return `--${name
    .replace(/^RUSTFS_/, '')
    .toLowerCase()
    .replaceAll('_', '-')}`
}

/** Settings RustFS knows that have no counterpart here, and what to do about each. */
export const withoutCounterpart: ReadonlyMap<string, string> = new Map([
  ['RUSTFS_KMS_ALLOW_INSECURE_DEV_DEFAULTS', 'nothing here needs it'],
  ['RUSTFS_KMS_ALLOW_IMMEDIATE_DELETION', 'use KMS_ALLOW_IMMEDIATE_DELETION'],
  ['RUSTFS_KMS_VAULT_TRANSIT_METADATA_KV_MOUNT', 'use RUSTFS_KMS_VAULT_KV_MOUNT'],
  ['RUSTFS_KMS_VAULT_TRANSIT_METADATA_PREFIX', 'use RUSTFS_KMS_VAULT_KEY_PREFIX'],
  ['RUSTFS_KMS_STATIC_SECRET_KEY', 'there is no static backend; use the local one'],
  ['RUSTFS_KMS_STATIC_SECRET_KEY_FILE', 'there is no static backend; use the local one'],
  ['RUSTFS_KMS_AWS_REGION', 'there is no aws backend'],
  ['RUSTFS_KMS_AWS_ENDPOINT_URL', 'there is no aws backend'],
  ['RUSTFS_KMS_ROTATION_MAX_AGE_SECS', 'rotation is set for each key'],
  ['RUSTFS_KMS_ROTATION_MAX_WRAPS', 'wraps here have no ceiling'],
  ['RUSTFS_KMS_PROBE_INTERVAL_SECS', 'health is always watched'],
  ['RUSTFS_KMS_ENFORCE_SSE_KEY_POLICY', 'key policies are always enforced'],
  ['RUSTFS_KMS_BACKUP_DIR', 'backups are streamed to the caller'],
  ['RUSTFS_KMS_BACKUP_KEK', 'backups take a passphrase'],
  ['RUSTFS_KMS_BACKUP_KEK_ID', 'backups take a passphrase'],
  ['RUSTFS_KMS_BACKUP_KEK_VERSION', 'backups take a passphrase'],
])
