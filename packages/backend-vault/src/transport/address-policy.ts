import { BlockList, isIP } from 'node:net'
import { kmsError } from '@kms/core'
import type { VaultAddress } from '../config/vault-address.ts'
import type { VaultPolicy } from '../config/vault-policy.ts'

/** Never a key store, whatever the policy: contract §0, "link-local, multicast and metadata addresses". */
const forbidden = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  // RFC 3927; 169.254.169.254 and its neighbours serve metadata in most clouds.
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  forbidden.addSubnet(network, prefix, 'ipv4')
}
// Metadata outside the link-local range: Alibaba Cloud, Azure, Oracle Cloud.
for (const address of ['100.100.100.200', '168.63.129.16', '192.0.0.192']) forbidden.addAddress(address, 'ipv4')
for (const [network, prefix] of [
  ['::', 128],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  forbidden.addSubnet(network, prefix, 'ipv6')
}
// Metadata of AWS over IPv6.
forbidden.addAddress('fd00:ec2::254', 'ipv6')

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Networks whose addresses stand for an IPv4 address in their last 32 bits: mapped, NAT64, and the deprecated compatible. */
const embedding = new BlockList()
embedding.addSubnet('::ffff:0:0', 96, 'ipv6')
embedding.addSubnet('64:ff9b::', 96, 'ipv6')
embedding.addSubnet('::', 96, 'ipv6')

function contains(list: BlockList, address: string): boolean {
  if (isIP(address) === 4) return list.check(address, 'ipv4')
  const bare = address.replace(/%.*$/, '')
  if (list.check(bare, 'ipv6')) return true
  const inner = embedding.check(bare, 'ipv6') ? lastFourBytes(bare) : undefined
  return inner !== undefined && list.check(inner, 'ipv4')
}

function lastFourBytes(address: string): string {
  const dotted = /(\d+\.\d+\.\d+\.\d+)$/.exec(address)
  if (dotted !== null) return dotted[1] as string
  const groups = address.split(':')
  const [high = 0, low = 0] = groups.slice(-2).map((group) => Number.parseInt(group || '0', 16))
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** Why an address may not be dialled, or `undefined`; asked for every connection, after the name was resolved. */
export function whyNotDialled(
  address: string,
  protocol: VaultAddress['protocol'],
  policy: VaultPolicy,
): string | undefined {
  if (isIP(address) === 0) return 'it is no address'
  if (contains(forbidden, address) && !contains(loopback, address)) {
    return 'link-local, multicast and metadata addresses are never used'
  }
  if (protocol === 'http:' && policy.allowHttp !== true && !contains(loopback, address)) {
    return 'plain http is for this machine only; use https, or KMS_ALLOW_HTTP_VAULT'
  }
  return undefined
}

/** Whether `allowHosts` names a host; with a port only on that port. */
export function isHostAllowed({ host, port }: VaultAddress, allowHosts: readonly string[]): boolean {
  return allowHosts.some((entry) => {
    const { name, port: only } = readEntry(entry)
    if (only !== undefined && only !== port) return false
    return name.startsWith('*.') ? host.endsWith(name.slice(1)) && host.length >= name.length : host === name
  })
}

function readEntry(entry: string): { readonly name: string; readonly port: number | undefined } {
  const lower = entry.toLowerCase()
  const bracketed = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(lower)
  const plain = /^([^:]*)(?::(\d{1,5}))?$/.exec(lower)
  const [, name = lower, port] = bracketed ?? plain ?? []
  return {
    name: isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name,
    port: port === undefined ? undefined : Number(port),
  }
}

/** Throws `PolicyViolation` for a configuration that the policy excludes, as far as that shows without resolving names. */
export function checkAddressPolicy(address: VaultAddress, skipTlsVerify: boolean, policy: VaultPolicy): void {
  const { allowHosts } = policy
  if (allowHosts !== undefined && !isHostAllowed(address, allowHosts)) {
    throw kmsError('PolicyViolation', { path: 'address', hint: 'KMS_ALLOW_VAULT_HOSTS lists the hosts it may name.' })
  }
  const reason = isIP(address.host) === 0 ? undefined : whyNotDialled(address.host, address.protocol, policy)
  if (reason !== undefined) throw kmsError('PolicyViolation', { path: 'address', hint: capitalised(reason) })
  if (skipTlsVerify && policy.allowSkipTlsVerify !== true) {
    const hint = 'KMS_ALLOW_SKIP_TLS_VERIFY permits it; better name the authority in ca_cert.'
    throw kmsError('PolicyViolation', { path: 'skip_tls_verify', hint })
  }
}

function capitalised(reason: string): string {
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`
}
