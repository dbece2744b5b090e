export type { VaultPolicy } from './config/vault-policy.ts'
export type { HostAddress, Resolve } from './transport/pinned-lookup.ts'
export { type VaultDriverOptions, vaultDriver } from './vault-driver.ts'
