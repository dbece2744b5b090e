import { Buffer } from 'node:buffer'
import type { Account, AccountSource } from '../account.ts'
import type { Authorizer } from '../authorizer.ts'
import { type IamError, iamError } from '../iam-error.ts'
import type { RequestContext } from '../policy/facts.ts'
import { parsePolicy } from '../policy/parse-policy.ts'
import type { Policy } from '../policy/policy.ts'
import { isPolicyError } from '../policy/policy-error.ts'
import { type Principal, principalArn } from '../principal.ts'
import { MAX_SESSION_POLICY_BYTES } from './session-token.ts'
import type { SessionCredentials, Sessions } from './sessions.ts'

/** Shortest and longest session, in seconds. */
export const SESSION_SECONDS: { readonly min: number; readonly max: number } = Object.freeze({ min: 900, max: 43_200 })

/** Gives users and root temporary credentials for themselves. */
export interface Sts {
  /**
   * AssumeRole: there are no roles, so whoever asks assumes itself. Needs no Allow; an explicit deny of `sts:AssumeRole`
   * wins. Rejects with an IamError: `AccessDenied` (anonymous, temporary credentials, denied, or no longer a user),
   * `InvalidRequest` (duration, policy).
   */
  assumeRole(request: AssumeRoleRequest): Promise<SessionCredentials>
  /** GetSessionToken: the same without a policy; the denied action is `sts:GetSessionToken`. */
  getSessionToken(request: SessionRequest): Promise<SessionCredentials>
}

export interface SessionRequest {
  /** Who signed the request. */
  readonly caller: Principal
  readonly context?: RequestContext
  /** 900–43 200, a whole number. Default: AWS's, 3600 for AssumeRole and 43 200 for GetSessionToken. */
  readonly durationSeconds?: number
}

export interface AssumeRoleRequest extends SessionRequest {
  /** Accepted and ignored, but that a deny of it counts. */
  readonly roleArn?: string
  /** Inline policy, limits the session: JSON text or its value, at most 2048 bytes of compact JSON. */
  readonly policy?: unknown
}

export interface StsOptions {
  /** Where the caller is looked up: a `createCredentialStore`. */
  readonly accounts: AccountSource
  readonly sessions: Sessions
  readonly authorizer: Authorizer
}

export function createSts(options: StsOptions): Sts {
  const { accounts, sessions, authorizer } = options

  function requireAccount(caller: Principal): Account {
    if (caller.session !== undefined) {
      throw accessDenied('Temporary credentials can not ask for others. Sign with a long-term access key.')
    }
    const account = caller.accessKeyId === undefined ? undefined : accounts.account(caller.accessKeyId)
    if (account === undefined || account.status !== 'enabled') {
      throw accessDenied('Only a user or root can have a session. Sign with a long-term access key.')
    }
    return account
  }

  function requireNotDenied(action: string, { caller, context }: SessionRequest, resources: readonly string[]): void {
    const facts = context === undefined ? {} : { context }
    for (const resource of resources) {
      if (authorizer.authorize(caller, { action, resource, ...facts }).reason === 'explicit-deny') {
        throw accessDenied(`A policy denies ${action}.`)
      }
    }
  }

  /** What a deny may name: everything of the service, and who is assumed. */
  function resourcesOf(caller: Principal, roleArn?: string): string[] {
    return ['arn:aws:sts:::*', principalArn(caller), roleArn].filter((arn) => arn !== undefined)
  }

  return {
    async assumeRole(request) {
      const parent = requireAccount(request.caller)
      requireNotDenied('sts:AssumeRole', request, resourcesOf(request.caller, request.roleArn))
      const durationSeconds = requireDuration(request.durationSeconds ?? 3600)
      const policy = request.policy === undefined ? undefined : requirePolicy(request.policy)
      return sessions.issue({ parent, durationSeconds, ...(policy && { policy }) })
    },

    async getSessionToken(request) {
      const parent = requireAccount(request.caller)
      requireNotDenied('sts:GetSessionToken', request, resourcesOf(request.caller))
      return sessions.issue({
        parent,
        durationSeconds: requireDuration(request.durationSeconds ?? SESSION_SECONDS.max),
      })
    },
  }
}

function requireDuration(seconds: number): number {
  const { min, max } = SESSION_SECONDS
  if (!Number.isInteger(seconds) || seconds < min || seconds > max) {
    throw iamError('InvalidRequest', `DurationSeconds must be a whole number from ${min} to ${max}.`)
  }
  return seconds
}

function requirePolicy(document: unknown): Policy {
  let policy: Policy
  try {
    policy = parsePolicy(document)
  } catch (error) {
    if (!isPolicyError(error)) throw error
    throw iamError('InvalidRequest', `The session policy is not valid: ${error.message}.`)
  }
  const bytes = Buffer.byteLength(policy.source)
  if (bytes > MAX_SESSION_POLICY_BYTES) {
    throw iamError(
      'InvalidRequest',
      `The session policy has ${bytes} bytes; at most ${MAX_SESSION_POLICY_BYTES} are allowed.`,
    )
  }
  return policy
}

function accessDenied(message: string): IamError {
  return iamError('AccessDenied', message)
}
