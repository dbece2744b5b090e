import type { Policy } from './policy/policy.ts'

/** Whoever a request comes from, as policies see it. */
export interface Caller {
  /** `root` is the one principal of the settings; `anonymous` is a request that was not signed. */
  readonly kind: 'root' | 'user' | 'anonymous'
  /** Unique among users; `aws:username` and `aws:userid` of a user. */
  readonly name: string
}

/** What makes a principal temporary. */
export interface PrincipalSession {
  /** Limits the principal to what this allows as well; without it the session has all of its parent's rights. */
  readonly policy?: Policy
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** A caller and what it may do. */
export interface Principal extends Caller {
  /** The access key the request was signed with; absent for the anonymous principal. */
  readonly accessKeyId?: string
  /** Identity policies; those of `root` are not consulted, root passes everything. */
  readonly policies: readonly Policy[]
  /** Only with temporary credentials; `kind`, `name` and `policies` are then the parent's. */
  readonly session?: PrincipalSession
}

/** The principal of unsigned requests: no rights of its own. */
export const anonymousPrincipal: Principal = Object.freeze({
  kind: 'anonymous',
  name: 'anonymous',
  policies: Object.freeze([]),
})

/** The ARN a caller has in `Principal` elements and in `aws:PrincipalArn`. There are no accounts: that field is empty. */
export function principalArn(caller: Caller): string | undefined {
  if (caller.kind === 'anonymous') return undefined
  return caller.kind === 'root' ? 'arn:aws:iam:::root' : `arn:aws:iam:::user/${caller.name}`
}

/** `aws:PrincipalType`, in the words of the AWS page "Global condition context keys". */
export function principalType(caller: Caller): 'Account' | 'User' | 'Anonymous' {
  if (caller.kind === 'anonymous') return 'Anonymous'
  return caller.kind === 'root' ? 'Account' : 'User'
}
