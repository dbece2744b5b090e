/** Limits that the operator of the server sets and no configuration can change (contract §0). */
export interface VaultPolicy {
  /**
   * `KMS_ALLOW_VAULT_HOSTS`: the only hosts `address` may name and standby nodes may redirect to: names, `*.example.com`
   * for what is below a domain, addresses, each with a port or without. Unset: any host.
   */
  readonly allowHosts?: readonly string[]
  /** `KMS_ALLOW_HTTP_VAULT`: whether plain http may leave the machine. Unset: no. */
  readonly allowHttp?: boolean
  /** `KMS_ALLOW_SKIP_TLS_VERIFY`: whether `skip_tls_verify` may be set. Unset: no. */
  readonly allowSkipTlsVerify?: boolean
  /** `KMS_ALLOW_SECRET_FILES`: directories of secret files. Unset: `/run/secrets`, `/var/run/secrets`. */
  readonly allowSecretFiles?: readonly string[]
}
