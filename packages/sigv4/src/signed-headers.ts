import { SigV4Error, type SigV4ErrorCode } from './sigv4-error.ts'

/** The `SignedHeaders` of a signature. */
export interface SignedHeaders {
  /** As the client wrote it: `host;x-amz-date`. */
  readonly list: string
  /** Lower-case, in the order listed, once each. */
  readonly names: readonly string[]
  /** How many of them are headers that must be signed. */
  readonly obligatory: number
}

const headerNames = /^[!#$%&'*+.^_`|~0-9a-z-]+(?:;[!#$%&'*+.^_`|~0-9a-z-]+)*$/

/**
 * Whether a header (its name in lower case) must be signed: it changes what the request means. The payload hash is exempt:
 * its value goes into the signature by itself (awscurl below 0.37 leaves it out).
 */
export function mustBeSigned(name: string): boolean {
  return name.startsWith('x-amz-') && name !== 'x-amz-content-sha256'
}

/** Reads `host;x-amz-date;…`: lower-case header names, once each, `host` among them. Throws {@link SigV4Error} `code`. */
export function parseSignedHeaders(list: string, code: SigV4ErrorCode): SignedHeaders {
  const names = list.split(';')
  if (!headerNames.test(list) || new Set(names).size !== names.length) {
    throw new SigV4Error(code, 'SignedHeaders must list lower-case header names, once each, separated by semicolons.')
  }
  if (!names.includes('host')) throw new SigV4Error(code, 'SignedHeaders must include "host".')
  return { list, names: Object.freeze(names), obligatory: names.filter(mustBeSigned).length }
}
