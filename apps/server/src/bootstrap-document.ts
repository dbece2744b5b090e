import type { Secret } from '@kms/core'
import type { SettingName, Settings } from './setting-table.ts'
import type { GivenSettings } from './settings.ts'
import { settingsError } from './startup-error.ts'

/** What RustFS's settings ask for. */
export interface Bootstrap {
  /** The configuration document (contract §2), or `undefined` when `RUSTFS_KMS_ENABLE` is not on. */
  readonly document: Readonly<Record<string, unknown>> | undefined
  /** The settings it was made from. */
  readonly names: readonly SettingName[]
}

/** Document fields that are one setting each. */
const COMMON = {
  RUSTFS_KMS_DEFAULT_KEY_ID: 'default_key_id',
  RUSTFS_KMS_TIMEOUT_SECS: 'timeout_seconds',
  RUSTFS_KMS_RETRY_ATTEMPTS: 'retry_attempts',
  RUSTFS_KMS_ENABLE_CACHE: 'enable_cache',
} as const

const LOCAL = {
  RUSTFS_KMS_KEY_DIR: 'key_dir',
  RUSTFS_KMS_LOCAL_KEY_DIR: 'key_dir',
  RUSTFS_KMS_LOCAL_MASTER_KEY: 'master_key',
} as const

const VAULT = {
  RUSTFS_KMS_VAULT_ADDRESS: 'address',
  RUSTFS_KMS_VAULT_NAMESPACE: 'namespace',
  RUSTFS_KMS_VAULT_MOUNT_PATH: 'mount_path',
  RUSTFS_KMS_VAULT_KV_MOUNT: 'kv_mount',
  RUSTFS_KMS_VAULT_KEY_PREFIX: 'key_path_prefix',
  RUSTFS_KMS_VAULT_SKIP_TLS_VERIFY: 'skip_tls_verify',
} as const

/** The ways to authenticate, most specific first, and the settings of each: an AppRole goes before a token beside it. */
const AUTH = [
  ['token_file', { RUSTFS_KMS_VAULT_TOKEN_FILE: 'path' }],
  [
    'kubernetes',
    {
      RUSTFS_KMS_VAULT_KUBERNETES_ROLE: 'role',
      RUSTFS_KMS_VAULT_KUBERNETES_MOUNT: 'mount',
      RUSTFS_KMS_VAULT_KUBERNETES_JWT_PATH: 'jwt_path',
    },
  ],
  [
    'approle',
    {
      RUSTFS_KMS_VAULT_APPROLE_ROLE_ID: 'role_id',
      RUSTFS_KMS_VAULT_APPROLE_SECRET_ID: 'secret_id',
      RUSTFS_KMS_VAULT_APPROLE_SECRET_ID_FILE: 'secret_id_file',
      RUSTFS_KMS_VAULT_APPROLE_MOUNT: 'mount',
    },
  ],
  ['token', { RUSTFS_KMS_VAULT_TOKEN: 'token' }],
] as const satisfies readonly (readonly [string, Partial<Record<SettingName, string>>])[]

/**
 * Turns RustFS's settings into a configuration document. Throws a `StartupError` when settings of two backends, or of
 * two ways to authenticate, stand together: which of them was meant cannot be told.
 */
export function bootstrapDocument({ settings, given }: GivenSettings): Bootstrap {
  const names = given.filter((name) => name.startsWith('RUSTFS_'))
  if (settings.RUSTFS_KMS_ENABLE !== true) return { document: undefined, names }
  const backend = settings.RUSTFS_KMS_BACKEND ?? 'local'
  const isVault = backend.startsWith('vault')
  const foreign = names.find((name) => name.startsWith(isVault ? 'RUSTFS_KMS_LOCAL_' : 'RUSTFS_KMS_VAULT_'))
  if (foreign !== undefined) throw settingsError(foreign, `is not a setting of RUSTFS_KMS_BACKEND ${backend}`)
  const document = {
    backend_type: backend,
    ...pick(settings, COMMON),
    ...(isVault ? { ...pick(settings, VAULT), ...authMethod(settings, given) } : pick(settings, LOCAL)),
  }
  return { document, names }
}

function authMethod(settings: Settings, given: readonly SettingName[]): Record<string, unknown> {
  const chosen = AUTH.filter(([, names]) => given.some((name) => Object.hasOwn(names, name)))
  // RustFS does the same: a token left over beside a login is not used.
  const methods = chosen.filter(([method]) => method !== 'token' || chosen.length === 1)
  const [first, second] = methods
  if (first === undefined) return {}
  if (second !== undefined) {
    const name = Object.keys(second[1]).find((candidate) => given.includes(candidate as SettingName)) as string
    throw settingsError(name, `cannot stand beside settings of the ${first[0]} login; keep one way to authenticate`)
  }
  return { auth_method: { [first[0]]: pick(settings, first[1]) } }
}

function pick(settings: Settings, fields: Readonly<Partial<Record<SettingName, string>>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => {
      const value = settings[name as SettingName]
      return value === undefined ? [] : [[field, isSecret(value) ? value.reveal() : value]]
    }),
  )
}

function isSecret(value: unknown): value is Secret {
  return typeof value === 'object' && value !== null && 'reveal' in value
}
