import { BlockList, isIP } from 'node:net'
import type { HeaderMap } from './header-map.ts'
import type { Peer } from './received-request.ts'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether a request comes from a program on this machine, and was not passed on by one. */
export function isLoopbackClient({ address }: Peer, headers: HeaderMap): boolean {
  if (address === undefined) return false
  const version = isIP(address)
  if (version === 0 || !loopback.check(address, version === 4 ? 'ipv4' : 'ipv6')) return false
  for (const name of headers.keys()) {
    if (name === 'forwarded' || name === 'via' || name === 'x-real-ip' || name.startsWith('x-forwarded-')) return false
  }
  return true
}
