import { formatScope } from './credential-scope.ts'
import { type SigningCredentials, signingTime } from './signing-input.ts'
import { computeSignature, deriveSigningKey } from './signing-key.ts'
import { ALGORITHM } from './string-to-sign.ts'

/** `["eq", "$field", value]`, `["starts-with", "$field", prefix]`, `["content-length-range", min, max]` or `{ field: value }`. */
export type PostPolicyCondition =
  | readonly ['eq' | 'starts-with', string, string]
  | readonly ['content-length-range', number, number]
  | Readonly<Record<string, string>>

export interface SignPostPolicyOptions {
  readonly bucket: string
  /** The key of the object; `${filename}` at its end stands for the name of the file. */
  readonly key: string
  /** Further fields, sent with exactly these values. */
  readonly fields?: Readonly<Record<string, string>>
  /** What else must hold, and which fields the form may have besides. */
  readonly conditions?: readonly PostPolicyCondition[]
  /** How long the form works, in seconds; at least 1. */
  readonly expiresSeconds: number
  readonly credentials: SigningCredentials
  readonly region: string
  /** Epoch milliseconds; `Date.now` unless given. */
  readonly now?: () => number
}

const setBySigner: ReadonlySet<string> = new Set([
  'file',
  'key',
  'policy',
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-signature',
])
const FILENAME = '${filename}'

/**
 * The fields of a form that lets a browser upload one file to `bucket` without credentials, to be sent before the file.
 * Throws `RangeError` for a lifetime out of bounds, `TypeError` for other bad input.
 */
export function signPostPolicy(options: SignPostPolicyOptions): Record<string, string> {
  const { bucket, key, conditions = [], expiresSeconds, credentials, region, now = Date.now } = options
  if (!Number.isSafeInteger(expiresSeconds) || expiresSeconds < 1) {
    throw new RangeError('expiresSeconds must be a whole number from 1.')
  }
  for (const name of Object.keys(options.fields ?? {})) {
    if (setBySigner.has(name.toLowerCase())) throw new TypeError(`The field "${name}" is set by the signer.`)
  }
  const nowMs = now()
  const time = signingTime({ method: 'POST', service: 's3', credentials, region, now: () => nowMs })
  const fixed = {
    ...options.fields,
    'x-amz-algorithm': ALGORITHM,
    'x-amz-credential': `${credentials.accessKeyId}/${formatScope(time.scope)}`,
    'x-amz-date': time.timestamp,
    ...(credentials.sessionToken === undefined ? {} : { 'x-amz-security-token': credentials.sessionToken }),
  }
  const document = {
    expiration: new Date(nowMs + expiresSeconds * 1000).toISOString(),
    conditions: [
      { bucket },
      key.endsWith(FILENAME) ? ['starts-with', '$key', key.slice(0, -FILENAME.length)] : { key },
      ...Object.entries(fixed).map(([name, value]) => ({ [name]: value })),
      ...conditions,
    ],
  }
  const policy = Buffer.from(JSON.stringify(document)).toString('base64')
  const signature = computeSignature(deriveSigningKey(credentials.secretAccessKey, time.scope), policy)
  return { key, ...fixed, policy, 'x-amz-signature': signature.toString('hex') }
}
