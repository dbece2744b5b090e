import type { ConfigDocument, Secret } from '@kms/core'
import type { AuthMethod } from './auth-method.ts'
import { parseVaultAddress, type VaultAddress } from './vault-address.ts'

/** The driver's view of a validated configuration. */
export interface VaultConfig {
  readonly address: VaultAddress
  readonly authMethod: AuthMethod
  readonly namespace: string | undefined
  /** Mount of the Transit engine. */
  readonly transitMount: string
  readonly kvMount: string
  readonly prefix: string
  readonly skipTlsVerify: boolean
  readonly caCert: string | undefined
  readonly caCertPath: string | undefined
  readonly clientCert: string | undefined
  readonly clientKey: Secret | undefined
  readonly tlsServerName: string | undefined
  readonly timeoutSeconds: number
  readonly retryAttempts: number
}

export const DEFAULT_TRANSIT_MOUNT = 'transit'
export const DEFAULT_KV_MOUNT = 'secret'
export const DEFAULT_PREFIX = 'rustfs/kms/keys'

export function readVaultConfig(config: ConfigDocument): VaultConfig {
  return {
    address: parseVaultAddress(config['address']) as VaultAddress,
    authMethod: config['auth_method'] as unknown as AuthMethod,
    namespace: config['namespace'] as string | undefined,
    transitMount: config['mount_path'] as string,
    kvMount: config['kv_mount'] as string,
    prefix: config['key_path_prefix'] as string,
    skipTlsVerify: config['skip_tls_verify'] === true,
    caCert: config['ca_cert'] as string | undefined,
    caCertPath: config['ca_cert_path'] as string | undefined,
    clientCert: config['client_cert'] as string | undefined,
    clientKey: config['client_key'] as Secret | undefined,
    tlsServerName: config['tls_server_name'] as string | undefined,
    timeoutSeconds: config.timeout_seconds,
    retryAttempts: config.retry_attempts,
  }
}
