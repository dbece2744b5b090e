import { evaluate, evaluatePrefix, type PolicyRequest } from './policy/evaluate.ts'
import { type AccessVerdict, evaluateAccess } from './policy/evaluate-access.ts'
import type { RequestContext } from './policy/facts.ts'
import type { Policy } from './policy/policy.ts'
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
  /**
   * The policy of the bucket that `resource` is or lies in, parsed with `kind: 'resource'`; without `resource` it is not
   * consulted. Root is not bound by it, so it can always mend it.
   */
  readonly resourcePolicy?: Policy
}

/** The answer and why, for logs and audit. What the caller is told is the same for both refusals. */
export type AuthorizationDecision =
  | { readonly allowed: true; readonly reason: 'root' | 'policy' | 'resource-policy' | 'server-info' }
  | { readonly allowed: false; readonly reason: 'explicit-deny' | 'not-allowed' }

/** Decides for principals. Pure but for the clock. */
export interface Authorizer {
  /**
   * An action nobody heard of is simply not allowed. With a session policy the principal may do what both its own rights
   * (the bucket policy's grants among them) and that policy allow; an explicit deny in either wins. Throws nothing but
   * the TypeError of `evaluateAccess`.
   */
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
const BY_RESOURCE_POLICY: AuthorizationDecision = Object.freeze({ allowed: true, reason: 'resource-policy' })
const BY_SERVER_INFO: AuthorizationDecision = Object.freeze({ allowed: true, reason: 'server-info' })
const EXPLICIT_DENY: AuthorizationDecision = Object.freeze({ allowed: false, reason: 'explicit-deny' })
const NOT_ALLOWED: AuthorizationDecision = Object.freeze({ allowed: false, reason: 'not-allowed' })

/** An authorizer over policies: root passes everything, everyone else what policies allow, sessions what is left of it. */
export function createAuthorizer(options: AuthorizerOptions = {}): Authorizer {
  const compatServerInfo = options.compatServerInfo ?? true
  const now = options.now ?? Date.now

  function standsInFor(action: string): boolean {
    return compatServerInfo && serverInfoActions.has(action.toLowerCase())
  }

  function decide(
    { action, resource }: AuthorizationRequest,
    judge: (action: string, resource: string | undefined) => AccessVerdict,
  ): AuthorizationDecision {
    const actions = typeof action === 'string' ? [action] : action
    let serverInfo: boolean | undefined
    let decision = NOT_ALLOWED
    for (const [index, candidate] of actions.entries()) {
      const verdict = judge(candidate, resource)
      if (verdict === 'allow') return POLICY
      if (verdict === 'allow-by-resource') return BY_RESOURCE_POLICY
      if (verdict === 'deny') {
        if (index === 0) return EXPLICIT_DENY
      } else if (decision !== BY_SERVER_INFO && standsInFor(candidate)) {
        serverInfo ??= judge(SERVER_INFO, undefined) === 'allow'
        if (serverInfo) decision = BY_SERVER_INFO
      }
    }
    return decision
  }

  return {
    authorize(principal, request) {
      const limit = principal.session?.policy
      if (principal.kind === 'root' && limit === undefined) return ROOT
      const { context, resourcePolicy } = request
      const time = now()
      const onResource = (action: string, resource = serviceResource(action)): PolicyRequest => {
        return { action, resource, principal, context, time }
      }
      const own =
        principal.kind === 'root'
          ? ROOT
          : decide(request, (action, resource) =>
              evaluateAccess({
                identity: principal.policies,
                resource: resource === undefined ? undefined : resourcePolicy,
                request: onResource(action, resource),
              }),
            )
      if (limit === undefined || own === EXPLICIT_DENY) return own
      const limited = decide(request, (action, resource) =>
        evaluate({ policies: [limit], request: onResource(action, resource) }),
      )
      return limited.allowed ? own : limited
    },

    mayOnSomeResource(principal, action, context) {
      const limit = principal.session?.policy
      const time = now()
      const possible = (policies: readonly Policy[]): boolean => {
        const facts = { principal, context, time }
        const verdict = evaluatePrefix({ policies, request: { action, prefix: resourcePrefix(action), ...facts } })
        if (verdict !== 'none') return verdict === 'allow'
        const request = { action: SERVER_INFO, resource: serviceResource(SERVER_INFO), ...facts }
        return standsInFor(action) && evaluate({ policies, request }) === 'allow'
      }
      return (principal.kind === 'root' || possible(principal.policies)) && (limit === undefined || possible([limit]))
    },
  }
}
