import { type BackendDriver, type ConfigDocument, secretField } from '@kms/core'
import { z } from 'zod'
import {
  type AuthMethod,
  authMethod,
  authMethodDefect,
  authMethodType,
  canonicalAuthMethod,
  hasStoredCredentials,
} from './config/auth-method.ts'
import { absolutePath, vaultPath } from './config/path-fields.ts'
import { addressField, parseVaultAddress } from './config/vault-address.ts'
import { DEFAULT_KV_MOUNT, DEFAULT_PREFIX, DEFAULT_TRANSIT_MOUNT } from './config/vault-config.ts'
import type { VaultPolicy } from './config/vault-policy.ts'
import { createSecretIdMemory } from './credentials/secret-id-memory.ts'
import { openVaultStore } from './open-vault-store.ts'
import type { Resolve } from './transport/pinned-lookup.ts'

export interface VaultDriverOptions {
  readonly policy: VaultPolicy
  /** Told what an operator should know while a store is in use; public text. */
  readonly onWarning?: (message: string) => void
  /** Finds the addresses of a host; the system's resolver unless given. */
  readonly resolve?: Resolve
}

const pem: z.ZodType<string, string> = z
  .string()
  .max(1_000_000)
  .regex(/-----BEGIN [A-Z ]+-----/, 'must be text in PEM')

const hostName: z.ZodType<string, string> = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/, 'must be a host name')

/** The driver of key stores in Vault or OpenBao: keys in Transit, records in KV v2 (contract §2: `vault`; formats §2, §3, §7). */
export function vaultDriver(options: VaultDriverOptions): BackendDriver {
  const secretIds = createSecretIdMemory()
  return {
    type: 'vault',
    aliases: ['Vault', 'vault-transit', 'vault_transit', 'VaultTransit'],
    fieldAliases: new Map(),
    shape: {
      address: addressField,
      auth_method: authMethod,
      namespace: vaultPath.optional(),
      mount_path: vaultPath.default(DEFAULT_TRANSIT_MOUNT),
      kv_mount: vaultPath.default(DEFAULT_KV_MOUNT),
      key_path_prefix: vaultPath.default(DEFAULT_PREFIX),
      skip_tls_verify: z.boolean().default(false),
      ca_cert: pem.optional(),
      ca_cert_path: absolutePath.optional(),
      client_cert: pem.optional(),
      client_key: secretField().optional(),
      tls_server_name: hostName.optional(),
    },
    check: findDefect,
    canonicalise: (field, value) => (field === 'auth_method' ? canonicalAuthMethod(value) : value),
    secrets: [['auth_method', 'token', 'token'], ['auth_method', 'approle', 'secret_id'], ['client_key']],
    exclusive: [['ca_cert', 'ca_cert_path']],
    variants: ['auth_method'],
    identity: identityOf,
    secretBinding: (config) =>
      JSON.stringify([
        parseVaultAddress(config['address'])?.origin ?? null,
        config['skip_tls_verify'] === true,
        ...['ca_cert', 'ca_cert_path', 'tls_server_name'].map((field) => config[field] ?? null),
      ]),
    summary: summarise,
    open: (config, openOptions) => openVaultStore(config, { ...options, ...openOptions, secretIds }),
  }
}

const TLS_FIELDS = [
  'skip_tls_verify',
  'ca_cert',
  'ca_cert_path',
  'client_cert',
  'client_key',
  'tls_server_name',
] as const

function findDefect(config: ConfigDocument): { readonly path: string; readonly reason: string } | undefined {
  const { client_cert: cert, client_key: key, mount_path: transit, kv_mount: kv } = config
  if (cert !== undefined && key === undefined) return { path: 'client_cert', reason: 'needs client_key beside it' }
  if (key !== undefined && cert === undefined) return { path: 'client_key', reason: 'needs client_cert beside it' }
  if (transit === kv) return { path: 'kv_mount', reason: 'must be another mount than mount_path' }
  const plain = parseVaultAddress(config['address'])?.protocol === 'http:'
  const idle = plain ? TLS_FIELDS.find((field) => config[field] !== undefined && config[field] !== false) : undefined
  if (idle !== undefined) return { path: idle, reason: 'has no effect on an address of plain http' }
  return authMethodDefect(config['auth_method'] as unknown as AuthMethod)
}

/** Formats §7: origin, namespace, mount, kv_mount, prefix. None of them can hold the characters between them. */
function identityOf(config: Readonly<Record<string, unknown>>): string | undefined {
  const address = parseVaultAddress(config['address'])
  if (address === undefined) return undefined
  const path = (field: string, preset: string): string => {
    const parsed = vaultPath.safeParse(config[field] ?? preset)
    return parsed.success ? parsed.data : preset
  }
  const namespace = path('namespace', '')
  const place = [
    `transit ${path('mount_path', DEFAULT_TRANSIT_MOUNT)}`,
    `kv ${path('kv_mount', DEFAULT_KV_MOUNT)}/${path('key_path_prefix', DEFAULT_PREFIX)}`,
    ...(namespace === '' ? [] : [`namespace ${namespace}`]),
  ]
  return `${address.origin} (${place.join(', ')})`
}

function summarise(config: ConfigDocument): Readonly<Record<string, string | boolean | null>> {
  const method = config['auth_method'] as unknown as AuthMethod
  return {
    backend_type: 'vault',
    address: config['address'] as string,
    auth_method_type: authMethodType(method),
    has_stored_credentials: hasStoredCredentials(method),
    namespace: (config['namespace'] as string | undefined) ?? null,
    mount_path: config['mount_path'] as string,
    kv_mount: config['kv_mount'] as string,
    key_path_prefix: config['key_path_prefix'] as string,
    skip_tls_verify: config['skip_tls_verify'] === true,
    token_expires_at: null,
  }
}
