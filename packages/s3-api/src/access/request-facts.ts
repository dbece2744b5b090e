import type { RequestContext } from '@kms/iam'
import type { HeaderMap } from '../request/header-map.ts'
import type { Query } from '../request/query.ts'
import type { Authenticated } from './authenticate.ts'

/** Headers that are condition keys of their own name (Service Authorization Reference, "Condition keys for Amazon S3"). */
const HEADER_KEYS = [
  'x-amz-acl',
  'x-amz-content-sha256',
  'x-amz-copy-source',
  'x-amz-metadata-directive',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-storage-class',
  'x-amz-website-redirect-location',
  'if-match',
  'if-none-match',
] as const

const QUERY_KEYS = ['prefix', 'delimiter', 'max-keys'] as const

export interface RequestFactsOptions {
  readonly authenticated: Authenticated
  readonly headers: HeaderMap
  readonly query: Query
  readonly now: number
}

/** What policies may ask of any request. */
export function requestFacts(options: RequestFactsOptions): ReadonlyMap<string, readonly string[]> {
  const { headers, query } = options
  const { peer, claim } = options.authenticated
  const facts = new Map<string, readonly string[]>([['aws:SecureTransport', [String(peer.secure)]]])
  const add = (key: string, value: string | undefined): void => {
    if (value !== undefined) facts.set(key, [value])
  }
  add('aws:SourceIp', peer.address)
  add('aws:UserAgent', headers.get('user-agent'))
  add('aws:Referer', headers.get('referer'))
  for (const name of HEADER_KEYS) add(`s3:${name}`, headers.get(name))
  for (const name of QUERY_KEYS) add(`s3:${name}`, query.get(name))
  if (claim !== undefined) {
    add('s3:authType', claim.via === 'query' ? 'REST-QUERY-STRING' : 'REST-HEADER')
    add('s3:signatureversion', 'AWS4-HMAC-SHA256')
    add('s3:signatureAge', String(Math.max(0, options.now - timeOf(claim.timestamp))))
  }
  return facts
}

/** Adds facts of one operation. */
export function withFacts(
  facts: ReadonlyMap<string, readonly string[]>,
  more: Iterable<readonly [string, readonly string[]]>,
): RequestContext {
  return new Map([...facts, ...more])
}

/** Tags as condition keys: `s3:ExistingObjectTag/<key>`, or `s3:RequestObjectTag/<key>` and their keys. */
export function tagFacts(
  kind: 'ExistingObjectTag' | 'RequestObjectTag',
  tags: ReadonlyMap<string, string>,
): readonly (readonly [string, readonly string[]])[] {
  const facts = Array.from(tags, ([key, value]) => [`s3:${kind}/${key}`, [value]] as const)
  return kind === 'ExistingObjectTag' || tags.size === 0
    ? facts
    : [...facts, ['s3:RequestObjectTagKeys', [...tags.keys()]] as const]
}

/** `YYYYMMDDTHHMMSSZ` in epoch milliseconds. */
function timeOf(timestamp: string): number {
  return Date.parse(timestamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}
