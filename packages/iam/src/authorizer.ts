import { evaluate, evaluatePrefix, type Verdict } from './policy/evaluate.ts'
import type { RequestContext } from './policy/facts.ts'
import type { Principal } from './principal.ts'
import { resourcePrefix, serviceResource } from './service-resource.ts'

/** What a request wants to do. */
export interface AuthorizationRequest {
  /**
   * `service:Name`, or several of which one is enough. The first names the operation itself, the others are wider
   * rights that include it: an explicit deny of the first is final, one of the others only takes that other away.
   */
  readonly action: string | readonly [string, ...string[]]
  /** ARN; absent for operations on a whole service, which are judged on `arn:aws:<service>:::*`. */
  readonly resource?: string
  readonly context?: RequestContext
}

/** The answer and why, for logs and audit. What the caller is told is the same for both refusals. */
export type AuthorizationDecision =
  | { readonly allowed: true; readonly reason: 'root' | 'policy' | 'server-info' }
  | { readonly allowed: false; readonly reason: 'explicit-deny' | 'not-allowed' }

/** Decides for principals. Pure but for the clock. */
export interface Authorizer {
  /** Never throws; an action nobody heard of is simply not allowed. */
  authorize(principal: Principal, request: AuthorizationRequest): AuthorizationDecision
  /**
   * Whether the principal could do the action on at least one resource of the action's service (for `kms:` actions, on
   * one key). Conditions of Allow statements are judged by the present context; Denies count only when unconditional
   * and covering every resource. For choosing between two refusals, never for granting.
   */
  mayOnSomeResource(principal: Principal, action: string, context?: RequestContext): boolean
}

export interface AuthorizerOptions {
  /** Whether `admin:ServerInfo` passes for the six service and key actions it once gated. Default true. */
  readonly compatServerInfo?: boolean
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number
}

const SERVER_INFO = 'admin:ServerInfo'

/**
 * What `admin:ServerInfo` stands in for, lower case. Written out one by one: a pattern would one day let it reach data
 * keys, key deletion or backups.
 */
const serverInfoActions: ReadonlySet<string> = new Set([
  'kms:servicecontrol',
  'kms:configure',
  'kms:clearcache',
  'kms:createkey',
  'kms:listkeys',
  'kms:describekey',
])

const ROOT: AuthorizationDecision = Object.freeze({ allowed: true, reason: 'root' })
const POLICY: AuthorizationDecision = Object.freeze({ allowed: true, reason: 'policy' })
const BY_SERVER_INFO: AuthorizationDecision = Object.freeze({ allowed: true, reason: 'server-info' })
const EXPLICIT_DENY: AuthorizationDecision = Object.freeze({ allowed: false, reason: 'explicit-deny' })
const NOT_ALLOWED: AuthorizationDecision = Object.freeze({ allowed: false, reason: 'not-allowed' })

/** An authorizer over identity policies: root passes everything, everyone else what their policies allow. */
export function createAuthorizer(options: AuthorizerOptions = {}): Authorizer {
  const compatServerInfo = options.compatServerInfo ?? true
  const now = options.now ?? Date.now

  function judge(
    principal: Principal,
    action: string,
    resource: string | undefined,
    context: RequestContext | undefined,
    time: number,
  ): Verdict {
    return evaluate({
      policies: principal.policies,
      request: { action, resource: resource ?? serviceResource(action), principal, context, time },
    })
  }

  function standsInFor(action: string): boolean {
    return compatServerInfo && serverInfoActions.has(action.toLowerCase())
  }

  return {
    authorize(principal, { action, resource, context }) {
      if (principal.kind === 'root') return ROOT
      const time = now()
      const actions = typeof action === 'string' ? [action] : action
      let serverInfo: boolean | undefined
      let decision = NOT_ALLOWED
      for (const [index, candidate] of actions.entries()) {
        const verdict = judge(principal, candidate, resource, context, time)
        if (verdict === 'allow') return POLICY
        if (verdict === 'deny') {
          if (index === 0) return EXPLICIT_DENY
        } else if (decision !== BY_SERVER_INFO && standsInFor(candidate)) {
          serverInfo ??= judge(principal, SERVER_INFO, undefined, context, time) === 'allow'
          if (serverInfo) decision = BY_SERVER_INFO
        }
      }
      return decision
    },

    mayOnSomeResource(principal, action, context) {
      if (principal.kind === 'root') return true
      const time = now()
      const prefix = resourcePrefix(action)
      const verdict = evaluatePrefix({
        policies: principal.policies,
        request: { action, prefix, principal, context, time },
      })
      if (verdict !== 'none') return verdict === 'allow'
      return standsInFor(action) && judge(principal, SERVER_INFO, undefined, context, time) === 'allow'
    },
  }
}
