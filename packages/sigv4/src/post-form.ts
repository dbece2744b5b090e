import { type Credential, parseCredential } from './credential-scope.ts'
import { isSha256Hex } from './payload.ts'
import { type ContentLengthRange, checkPostPolicy, type PostForm, parsePostPolicy } from './post-policy.ts'
import { SigV4Error } from './sigv4-error.ts'
import { ALGORITHM } from './string-to-sign.ts'
import { parseTimestamp } from './timestamp.ts'

/** Where a form was posted, which is not in its fields. */
export interface PostTarget {
  /** The bucket of the URL. */
  readonly bucket: string
  /** The key the object will get: the `key` field with `${filename}` replaced. The field as sent unless given. */
  readonly key?: string | undefined
}

/** The signature of a form, and what it is over. */
export interface SignedForm {
  readonly credential: Credential
  readonly signature: string
  readonly sessionToken: string | undefined
  /** The `policy` field: the signature is over its characters. */
  readonly policy: string
  /** Reads the policy and holds it against the form; for after the signature was checked. Throws as `checkPostPolicy`. */
  readonly checkPolicy: (nowMs: number) => ContentLengthRange | undefined
}

const required = ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'Policy', 'X-Amz-Signature'] as const
const exempt: ReadonlySet<string> = new Set(['x-amz-signature', 'policy', 'file'])

/**
 * Reads the fields of a POST form up to the file (Amazon S3 API reference, "Authenticating requests: browser-based uploads
 * using POST"); their names count in any case. `undefined` when nothing was signed. Throws {@link SigV4Error}:
 * `InvalidArgument` for a field that is missing, twice there or malformed, or for another service or region;
 * `InvalidRequest` for signature version 2.
 */
export function readPostForm(
  fields: ReadonlyMap<string, string>,
  target: PostTarget,
  region: string | undefined,
): SignedForm | undefined {
  const { values, mustCover } = indexFields(fields, target)
  if (values.has('awsaccesskeyid')) {
    throw new SigV4Error('InvalidRequest', `This authorization mechanism is not supported. Please use ${ALGORITHM}.`)
  }
  if (!required.some((name) => name !== 'Policy' && values.has(name.toLowerCase()))) return undefined
  const [algorithm, credentialText, timestamp, policy, signature] = required.map((name) => {
    const value = values.get(name.toLowerCase())
    if (value !== undefined) return value
    throw new SigV4Error(
      'InvalidArgument',
      `Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the fields.`,
    )
  }) as [string, string, string, string, string]
  if (algorithm !== ALGORITHM) throw invalid(`X-Amz-Algorithm only supports "${ALGORITHM}".`)
  const credential = parseCredential(credentialText)
  if (credential === undefined) {
    throw invalid('X-Amz-Credential must read "<access key>/YYYYMMDD/REGION/s3/aws4_request".')
  }
  if (credential.service !== 's3') {
    throw invalid(`incorrect service "${credential.service}". This endpoint belongs to "s3".`)
  }
  if (region !== undefined && credential.region !== region) {
    throw invalid(`the region '${credential.region}' is wrong; expecting '${region}'`)
  }
  if (parseTimestamp(timestamp) === undefined || !timestamp.startsWith(credential.day)) {
    throw invalid('X-Amz-Date must read YYYYMMDDTHHMMSSZ, in UTC, and be of the day of X-Amz-Credential.')
  }
  if (!isSha256Hex(signature)) throw invalid('X-Amz-Signature must be 64 lower-case hex digits.')
  return {
    credential,
    signature,
    sessionToken: values.get('x-amz-security-token'),
    policy,
    checkPolicy: (nowMs) => checkPostPolicy(parsePostPolicy(policy), { values, mustCover }, nowMs),
  }
}

function indexFields(fields: ReadonlyMap<string, string>, { bucket, key }: PostTarget): PostForm {
  const values = new Map<string, string>()
  // The bucket is no field but must be covered like one: else a form would be good for every bucket of the signer.
  const mustCover = new Map<string, string>([['bucket', 'bucket']])
  for (const [asSent, value] of fields) {
    const name = asSent.toLowerCase()
    if (values.has(name)) throw invalid(`The form must contain the field '${name}' only once.`)
    values.set(name, value)
    if (!exempt.has(name) && !name.startsWith('x-ignore-')) mustCover.set(name, asSent)
  }
  values.set('bucket', bucket)
  if (key !== undefined) values.set('key', key)
  return { values, mustCover }
}

function invalid(message: string): SigV4Error {
  return new SigV4Error('InvalidArgument', message)
}
