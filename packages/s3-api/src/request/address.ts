import { Buffer } from 'node:buffer'
import { s3Error } from '../s3-error.ts'
import { decodeText } from './query.ts'

/** What a request is about. */
export type Address =
  | { readonly scope: 'service' }
  | { readonly scope: 'bucket'; readonly bucket: string }
  | { readonly scope: 'object'; readonly bucket: string; readonly key: string }

const LONGEST_KEY = 1024

/**
 * The bucket a `Host` names below one of the domains, `undefined` when it names none: then the bucket is in the path. Domains
 * are in lower case.
 */
export function bucketOfHost(host: string | undefined, domains: readonly string[]): string | undefined {
  if (host === undefined) return undefined
  const name = host.replace(/:\d*$/, '').toLowerCase()
  for (const domain of domains) {
    if (name.length > domain.length + 1 && name.endsWith(`.${domain}`)) return name.slice(0, -domain.length - 1)
  }
  return undefined
}

/**
 * Finds bucket and key. The path is decoded as a whole before it is divided: for S3 `%2F` and `/` are the same, in signatures
 * too. Nothing is normalised: `..` and `//` are parts of keys. Throws `InvalidURI`, `KeyTooLongError`.
 */
export function findAddress(rawPath: string, host: string | undefined, domains: readonly string[]): Address {
  const path = decodeText(rawPath).replace(/^\//, '')
  const hosted = bucketOfHost(host, domains)
  if (hosted !== undefined) return addressOf(hosted, path)
  const slash = path.indexOf('/')
  return slash < 0 ? addressOf(path, '') : addressOf(path.slice(0, slash), path.slice(slash + 1))
}

function addressOf(bucket: string, key: string): Address {
  if (key === '') return bucket === '' ? { scope: 'service' } : { scope: 'bucket', bucket }
  if (bucket === '') throw s3Error('InvalidBucketName')
  requireKeyLength(key)
  return { scope: 'object', bucket, key }
}

/** Throws `KeyTooLongError`. */
export function requireKeyLength(key: string): void {
  const size = Buffer.byteLength(key)
  if (size <= LONGEST_KEY) return
  throw s3Error('KeyTooLongError', { details: { Size: String(size), MaxSizeAllowed: String(LONGEST_KEY) } })
}
