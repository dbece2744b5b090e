import { lookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import type { VaultAddress } from '../config/vault-address.ts'
import type { VaultPolicy } from '../config/vault-policy.ts'
import { whyNotDialled } from './address-policy.ts'
import { transportFailure } from './transport-failure.ts'

export interface HostAddress {
  readonly address: string
  readonly family: number
}

/** Finds the addresses of a host. */
export type Resolve = (host: string) => Promise<readonly HostAddress[]>

export const systemResolve: Resolve = (host) => lookup(host, { all: true })

export interface PinnedLookupOptions {
  readonly protocol: VaultAddress['protocol']
  readonly policy: VaultPolicy
  readonly resolve: Resolve
  /** How many addresses to go on from the first: a node that cannot serve is not asked first again. */
  readonly shift: () => number
}

/**
 * A lookup for `net.connect`: it resolves and checks in one step, and Node dials exactly what it returns, so that no second
 * resolution can lead elsewhere. One forbidden address among several refuses them all.
 */
export function createPinnedLookup({ protocol, policy, resolve, shift }: PinnedLookupOptions): LookupFunction {
  const answer = callbackify(async (host: string, family: unknown): Promise<readonly HostAddress[]> => {
    const found = await resolve(host)
    for (const { address } of found) {
      const reason = whyNotDialled(address, protocol, policy)
      if (reason !== undefined) {
        throw transportFailure(`${host} leads to ${address}: ${reason}`, { reached: false, passing: false })
      }
    }
    const wanted = family === 4 || family === 6 ? found.filter((each) => each.family === family) : found
    if (wanted.length === 0) throw Object.assign(new Error('no address'), { code: 'ENOTFOUND' })
    const first = shift() % wanted.length
    return [...wanted.slice(first), ...wanted.slice(0, first)]
  })
  return (host, options, callback) =>
    answer(host, options.family, (error, addresses) => {
      if (error !== null) callback(error, '')
      else if (options.all === true) callback(null, [...addresses])
      else callback(null, (addresses[0] as HostAddress).address, (addresses[0] as HostAddress).family)
    })
}
