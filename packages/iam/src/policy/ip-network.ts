/** A network as the first `prefix` bits of an address; 32-bit for IPv4, 128-bit for IPv6. */
export interface IpNetwork {
  readonly bits: 32 | 128
  readonly address: bigint
  readonly prefix: number
}

const MAPPED = 0xffffn << 32n
const MAPPED_PREFIX = 96

/**
 * An address or CIDR block (RFC 4632, RFC 4291 §2.2–2.3), or `undefined`. Strict: no leading zeros, no shorthand, no
 * zone. IPv4-mapped IPv6 is the IPv4 it means, as that is how a dual-stack listener reports IPv4 peers. Without a
 * prefix it is that one address.
 */
export function parseIpNetwork(text: string): IpNetwork | undefined {
  const slash = text.indexOf('/')
  const host = slash < 0 ? text : text.slice(0, slash)
  const parsed = parseAddress(host)
  if (parsed === undefined) return undefined
  const prefixText = slash < 0 ? String(parsed.bits) : text.slice(slash + 1)
  if (!/^(?:0|[1-9]\d{0,2})$/.test(prefixText)) return undefined
  const prefix = Number(prefixText)
  if (prefix > parsed.bits) return undefined
  if (parsed.bits === 128 && parsed.address >> 32n === MAPPED >> 32n && prefix >= MAPPED_PREFIX) {
    return { bits: 32, address: parsed.address & 0xffffffffn, prefix: prefix - MAPPED_PREFIX }
  }
  return { ...parsed, prefix }
}

/** Whether `address` (a network of one) lies in `network`. Bits beyond the prefix of `network` do not count. */
export function networkContains(network: IpNetwork, address: IpNetwork): boolean {
  if (network.bits !== address.bits || address.prefix !== address.bits) return false
  const rest = BigInt(network.bits - network.prefix)
  return network.address >> rest === address.address >> rest
}

function parseAddress(text: string): { readonly bits: 32 | 128; readonly address: bigint } | undefined {
  if (!text.includes(':')) {
    const address = parseV4(text)
    return address === undefined ? undefined : { bits: 32, address }
  }
  const address = parseV6(text)
  return address === undefined ? undefined : { bits: 128, address }
}

function parseV4(text: string): bigint | undefined {
  const octets = text.split('.')
  if (octets.length !== 4) return undefined
  let address = 0n
  for (const octet of octets) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(octet) || Number(octet) > 255) return undefined
    address = (address << 8n) | BigInt(octet)
  }
  return address
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = parseGroups(halves[0] ?? '', halves.length === 1)
  const tail = parseGroups(halves[1] ?? '', true)
  if (head === undefined || tail === undefined) return undefined
  const gap = 8 - head.length - tail.length
  // "::" stands for at least one group (RFC 4291 §2.2); without it all eight are written.
  if (halves.length === 2 ? gap < 1 : gap !== 0) return undefined
  return [...head, ...Array<bigint>(gap).fill(0n), ...tail].reduce((address, group) => (address << 16n) | group, 0n)
}

function parseGroups(text: string, last: boolean): bigint[] | undefined {
  if (text === '') return []
  const groups: bigint[] = []
  const words = text.split(':')
  for (const [index, word] of words.entries()) {
    if (last && index === words.length - 1 && word.includes('.')) {
      const v4 = parseV4(word)
      if (v4 === undefined) return undefined
      groups.push(v4 >> 16n, v4 & 0xffffn)
    } else if (/^[0-9a-f]{1,4}$/i.test(word)) {
      groups.push(BigInt(`0x${word}`))
    } else {
      return undefined
    }
  }
  return groups
}
