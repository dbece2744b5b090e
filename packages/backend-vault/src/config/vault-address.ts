import { z } from 'zod'

/** Where Vault is, taken apart. */
export interface VaultAddress {
  /** `https://host[:port]`, normalised. */
  readonly origin: string
  readonly protocol: 'http:' | 'https:'
  /** A name in lower case, or an address without brackets. */
  readonly host: string
  readonly port: number
}

/** Reads an address; `undefined` when it is none. */
export function parseVaultAddress(text: unknown): VaultAddress | undefined {
  if (typeof text !== 'string' || text.length > 512 || !URL.canParse(text)) return undefined
  const url = new URL(text)
  const { protocol, hostname, pathname, origin } = url
  if (protocol !== 'http:' && protocol !== 'https:') return undefined
  if (pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    return undefined
  }
  // A user without a name leaves no trace in the parsed URL, nor do empty queries and fragments.
  if (/[@?#\s\\]/.test(text)) return undefined
  const host = hostname.replace(/^\[|\]$/g, '')
  const port = url.port === '' ? (protocol === 'https:' ? 443 : 80) : Number(url.port)
  return { origin, protocol, host, port }
}

/** The `address` field: leaves as the origin. */
export const addressField: z.ZodType<string, string> = z
  .string()
  .refine(
    (text) => parseVaultAddress(text) !== undefined,
    'must be http://host[:port] or https://host[:port], without user, path, query or fragment',
  )
  .transform((text) => (parseVaultAddress(text) as VaultAddress).origin)
