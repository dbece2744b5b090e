import { type CredentialScope, formatScope, parseCredential } from './credential-scope.ts'
import { type HeaderTable, readHeaders } from './header-table.ts'
import { isSha256Hex, UNSIGNED_PAYLOAD } from './payload.ts'
import { formatTimestamp } from './timestamp.ts'

/** A long-term or temporary access key. */
export interface SigningCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of temporary credentials. */
  readonly sessionToken?: string | undefined
}

/** What both ways of signing need to know. */
export interface SigningOptions {
  /** Upper-case, as it will be sent. */
  readonly method: string
  /** Header names in any case; `Headers`, `Map` and plain objects fit. All but those proxies may change are signed. */
  readonly headers?: Iterable<readonly [string, string]> | Readonly<Record<string, string>>
  readonly credentials: SigningCredentials
  readonly region: string
  /** `s3` has its own path rules. */
  readonly service: string
  /** Epoch milliseconds; `Date.now` unless given. */
  readonly now?: () => number
}

export interface SigningTime {
  readonly timestamp: string
  readonly scope: CredentialScope
}

/** Headers a hop on the way may add, drop or change; the same list the AWS SDK for JavaScript leaves unsigned. */
const unsignable: ReadonlySet<string> = new Set([
  'cache-control',
  'connection',
  'expect',
  'from',
  'keep-alive',
  'max-forwards',
  'pragma',
  'referer',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-amzn-trace-id',
])

const setBySigner = [
  'authorization',
  'x-amz-date',
  'x-amz-content-sha256',
  'x-amz-decoded-content-length',
  'x-amz-security-token',
  'x-amz-trailer',
] as const
const beyondLatin1 = /[^\0-\xff]/

/** When, and for what, a signature is made. Throws `TypeError` when no server could read it back. */
export function signingTime(options: SigningOptions): SigningTime {
  const timestamp = formatTimestamp((options.now ?? Date.now)())
  const scope = { day: timestamp.slice(0, 8), region: options.region, service: options.service }
  const parsed = parseCredential(`${options.credentials.accessKeyId}/${formatScope(scope)}`)
  if (parsed?.accessKeyId !== options.credentials.accessKeyId || parsed.region !== scope.region) {
    throw new TypeError('The access key, region and service must be visible ASCII, region and service without "/".')
  }
  return { timestamp, scope }
}

/**
 * The caller's headers, plus `extra`. Throws `TypeError` for a header the signer sets itself and for a value HTTP can't
 * carry (beyond Latin-1).
 */
export function signingHeaders(
  given: SigningOptions['headers'],
  extra: readonly (readonly [string, string])[],
): HeaderTable {
  const entries = given === undefined ? [] : isIterable(given) ? [...given] : Object.entries(given)
  for (const [name, value] of entries) {
    const lower = name.toLowerCase()
    if (setBySigner.some((own) => own === lower)) throw new TypeError(`The header "${lower}" is set by the signer.`)
    if (beyondLatin1.test(value)) throw new TypeError(`The header "${lower}" has a character HTTP can't carry.`)
  }
  const hasHost = entries.some(([name]) => name.toLowerCase() === 'host')
  return readHeaders([...extra.filter(([name]) => name !== 'host' || !hasHost), ...entries].flat())
}

/** The names to sign, sorted. */
export function namesToSign(headers: HeaderTable): readonly string[] {
  return [...headers.values.keys()].filter((name) => !unsignable.has(name)).sort()
}

/** Throws `TypeError` unless `payloadHash` is what `x-amz-content-sha256` may say. */
export function checkPayloadHash(payloadHash: string): string {
  if (isSha256Hex(payloadHash) || payloadHash === UNSIGNED_PAYLOAD) return payloadHash
  throw new TypeError(`payloadHash must be 64 lower-case hex digits or "${UNSIGNED_PAYLOAD}".`)
}

function isIterable(given: object): given is Iterable<readonly [string, string]> {
  return Symbol.iterator in given
}
