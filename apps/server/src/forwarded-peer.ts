import { BlockList, isIP } from 'node:net'
import { kmsError } from '@kms/core'

/**
 * Finds the client behind proxies: `remote` is the peer of the connection, `rawHeaders` are name, value, name, value….
 * Throws `InvalidRequest` for headers of a trusted proxy that contradict each other.
 */
export type ClientFinder = (remote: string | undefined, rawHeaders: readonly string[]) => string | undefined

/**
 * Believes `Forwarded` (RFC 7239) and `X-Forwarded-For` from the given networks only, reading from the right: each entry
 * was written by the proxy nearer to us, so the first that is not itself a trusted proxy is the client. What cannot be
 * read as an address ends the search at the proxy that wrote it.
 *
 * A proxy that writes one of the two headers may pass on the other as a stranger sent it. So when both are there they
 * must name the same client.
 */
export function createClientFinder(networks: readonly string[]): ClientFinder {
  const trusted = new BlockList()
  for (const network of networks) {
    const [address = '', prefix] = network.split('/')
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    if (prefix === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(prefix), family)
  }
  const isTrusted = (address: string): boolean => trusted.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')

  function walk(remote: string, hops: readonly (string | undefined)[]): string {
    let client = remote
    for (const hop of hops.toReversed()) {
      if (!isTrusted(client) || hop === undefined) return client
      client = hop
    }
    return client
  }

  return (remote, rawHeaders) => {
    const peer = remote === undefined ? undefined : readAddress(remote)
    if (peer === undefined) return remote
    if (!isTrusted(peer)) return peer
    const forwarded = readForwarded(valuesOf(rawHeaders, 'forwarded'))
    const forwardedFor = readForwardedFor(valuesOf(rawHeaders, 'x-forwarded-for'))
    const clients = [forwarded, forwardedFor].filter((hops) => hops !== undefined).map((hops) => walk(peer, hops))
    const [client = peer, other = client] = clients
    if (client !== other) {
      const reason =
        'Forwarded and X-Forwarded-For name different clients. Have the proxy drop the one it does not write.'
      throw kmsError('InvalidRequest', { reason })
    }
    return client
  }
}

function valuesOf(rawHeaders: readonly string[], name: string): string | undefined {
  const values = rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name)
  return values.length === 0 ? undefined : values.join(',')
}

/** The hops of `Forwarded`, `undefined` for one that names no address; without the header, `undefined`. */
function readForwarded(value: string | undefined): readonly (string | undefined)[] | undefined {
  return value?.split(',').map((element) => {
    const pairs = element.split(';').map((pair) => /^\s*for\s*=\s*"?([^"]*?)"?\s*$/i.exec(pair)?.[1])
    const node = pairs.find((pair) => pair !== undefined)
    return node === undefined ? undefined : readAddress(node)
  })
}

function readForwardedFor(value: string | undefined): readonly (string | undefined)[] | undefined {
  return value?.split(',').map((entry) => readAddress(entry.trim()))
}

/** An address, with or without a port, brackets or the prefix of IPv4-mapped IPv6. */
function readAddress(text: string): string | undefined {
  const [, bracketed, dotted] = /^(?:\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+)(?::\d+)?)$/.exec(text) ?? []
  const address = (bracketed ?? dotted ?? text).replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
  return isIP(address) === 0 ? undefined : address
}
