/** What a signing key is good for. */
export interface CredentialScope {
  /** `YYYYMMDD`, UTC. */
  readonly day: string
  readonly region: string
  readonly service: string
}

/** The `Credential` of a signature. */
export interface Credential extends CredentialScope {
  readonly accessKeyId: string
  /** `<day>/<region>/<service>/aws4_request`. */
  readonly scope: string
  /** `<access key>/<scope>`, which names one signing key of one secret. */
  readonly text: string
}

const TERMINATOR = 'aws4_request'
const eightDigits = /^[0-9]{8}$/
const visible = /^[!-~]+$/

/** `<day>/<region>/<service>/aws4_request`. */
export function formatScope(scope: CredentialScope): string {
  return `${scope.day}/${scope.region}/${scope.service}/${TERMINATOR}`
}

/**
 * Reads `<access key>/<day>/<region>/<service>/aws4_request`; `undefined` when it is not of that form. The access key may
 * hold `/`: the scope is what the last four parts say.
 */
export function parseCredential(text: string): Credential | undefined {
  const parts = text.split('/')
  const [day, region, service, terminator] = parts.slice(-4)
  const accessKeyId = parts.slice(0, -4).join('/')
  if (!day || !region || !service || terminator !== TERMINATOR) return undefined
  if (!eightDigits.test(day) || !visible.test(region) || !visible.test(accessKeyId)) return undefined
  return { accessKeyId, day, region, service, scope: `${day}/${region}/${service}/${TERMINATOR}`, text }
}
