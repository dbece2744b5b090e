import { Buffer } from 'node:buffer'
import { timingSafeEqual } from 'node:crypto'
import { kmsError } from '@kms/core'
import { decodeBase64 } from '@kms/core/internal'
import { CustomerKey } from './customer-key.ts'
import type { CustomerKeyHeaders, HeaderLookup } from './header-names.ts'

/** How the request arrived, as far as sending a key over it is concerned. */
export interface SseTransport {
  /** Whether the client's connection is encrypted: to this server, or to a proxy it trusts. */
  readonly tls: boolean
  /** Whether the client is this machine. A proxy on it makes every client look so: then say `false`. */
  readonly loopback: boolean
  /** `KMS_ALLOW_INSECURE_SSE_C`. */
  readonly allowInsecureSseC: boolean
}

/** Whether any of the three headers is there. */
export function namesCustomerKey(header: HeaderLookup, names: CustomerKeyHeaders): boolean {
  return [names.algorithm, names.key, names.md5].some((name) => header(name) !== undefined)
}

/**
 * The customer's key of a request, or `undefined` when none of the three headers is there. In S3's order: a connection that
 * may carry a key (S3 User Guide, "Using server-side encryption with customer-provided keys": over HTTP S3 refuses), algorithm,
 * key, MD5. Throws `InvalidRequest`, `InvalidEncryptionAlgorithm`, and `ValidationError` naming the header; never quotes a value.
 */
export function readCustomerKey(
  header: HeaderLookup,
  names: CustomerKeyHeaders,
  transport: SseTransport,
): CustomerKey | undefined {
  if (!namesCustomerKey(header, names)) return undefined
  if (!transport.tls && !transport.loopback && !transport.allowInsecureSseC) {
    throw kmsError('InvalidRequest', {
      reason:
        'A customer-provided key may only be sent over HTTPS. The key sent just now travelled in the clear: replace it.',
    })
  }
  const algorithm = header(names.algorithm)
  if (algorithm === undefined) throw missing(names.algorithm)
  if (algorithm !== 'AES256') throw kmsError('InvalidEncryptionAlgorithm', { header: names.algorithm })
  const key = header(names.key)
  if (key === undefined) throw missing(names.key)
  const md5 = header(names.md5)
  if (md5 === undefined) throw missing(names.md5)
  const bytes = decodeBase64(key)
  try {
    if (bytes?.length !== 32) throw invalid(names.key, 'must be a key of 32 bytes in base64')
    const customerKey = new CustomerKey(bytes)
    const computed = Buffer.from(customerKey.md5)
    const given = Buffer.from(md5)
    if (given.length === computed.length && timingSafeEqual(given, computed)) return customerKey
    customerKey.destroy()
    throw invalid(names.md5, 'must be the MD5 of the 32 bytes of the key, in base64; it is not')
  } finally {
    bytes?.fill(0)
  }
}

function missing(name: string): Error {
  return invalid(name, 'is missing: a customer-provided key takes three headers, algorithm, key and key-MD5')
}

function invalid(path: string, reason: string): Error {
  return kmsError('ValidationError', { path, reason })
}
