import { isIP } from 'node:net'
import { parseVaultAddress, type VaultAddress } from '../config/vault-address.ts'
import type { VaultPolicy } from '../config/vault-policy.ts'
import { isHostAllowed, whyNotDialled } from './address-policy.ts'
import { transportFailure } from './transport-failure.ts'

export interface RedirectOptions {
  /** The configured address. */
  readonly address: VaultAddress
  readonly policy: VaultPolicy
}

/**
 * Where a standby node sends a request to: the same path on the active node (HTTP API, "client redirection"). Followed with
 * the token only over the same protocol, to the host of `address` or to one that `KMS_ALLOW_VAULT_HOSTS` lists; a redirect
 * anywhere else is a failure that names it. Throws a `TransportFailure`.
 */
export function followStandby(
  from: string,
  location: string | undefined,
  { address, policy }: RedirectOptions,
): string {
  const asked = new URL(from)
  const target = location !== undefined && URL.canParse(location, from) ? new URL(location, from) : undefined
  const host = target === undefined ? undefined : parseVaultAddress(`${target.protocol}//${target.host}`)
  const samePath = target?.pathname === asked.pathname && target.search === asked.search && target.hash === ''
  if (target === undefined || host === undefined || !samePath || target.username !== '' || target.password !== '') {
    throw refused('it redirects to something that is not the same request on another node')
  }
  if (host.protocol !== address.protocol) throw refused(`it redirects from ${address.protocol} to ${host.protocol}`)
  if (host.host !== address.host && !isHostAllowed(host, policy.allowHosts ?? [])) {
    throw refused(
      `a standby redirects to ${host.origin}, which is not configured; list its hosts in KMS_ALLOW_VAULT_HOSTS, or let it forward requests`,
    )
  }
  const reason = isIP(host.host) === 0 ? undefined : whyNotDialled(host.host, host.protocol, policy)
  if (reason !== undefined) throw refused(`a standby redirects to ${host.origin}: ${reason}`)
  return target.href
}

/** The standby did nothing, and may know of another active node, or forward to it, the next time. */
function refused(reason: string): Error {
  return transportFailure(reason, { reached: false })
}
